//! Mistakes in declared tools are told when they are loaded.

use super::*;

fn problems(change: impl Fn(&str) -> String) -> Vec<String> {
    let one = TOOLS.split("[[tools]]").nth(1).unwrap();
    toolbox_of(&change(&format!("[[tools]]{one}")), "http://shop.example").err().unwrap_or_default()
}

#[test]
fn the_sample_tools_load_and_each_mistake_is_told() {
    assert_eq!(problems(str::to_owned), Vec::<String>::new());
    for (from, to, told) in [
        ("env.SHOP_TOKEN", "env.SHOP_SECRET", "`SHOP_SECRET` is not set"),
        ("{{ env.SHOP_URL }}/api", "https://{{ arguments.order_id }}.example/api", "host"),
        ("{{ env.SHOP_URL }}/api", "https://shop.example@{{ customer.email }}/api", "user part"),
        ("{{ env.SHOP_URL }}/api", "ftp://shop.example/api", "http or https"),
        ("{{ env.SHOP_URL }}/api", "http://169.254.169.254/api", "never the address"),
        ("arguments.order_id }}", "arguments.order }}", "`arguments.order`"),
        ("customer.external_id", "customer.address", "`customer.address`"),
        ("required = [\"order_id\"], ", "", "default('')"),
        ("type = \"string\" }", "\"$ref\" = \"#/x\" }", "$ref"),
        ("type = \"object\", ", "", "type = \"object\""),
        ("response.body.order", "arguments.order_id", "may only use `response`"),
        ("effect = \"read\"", "effect = \"write\"", "cannot be a GET"),
        ("effect = \"read\"", "effect = \"write\"\nassurance = \"channel\"", "verified"),
        ("retry_ms = 1", "body = '{\"q\": \"{{ arguments.order_id }}\"}'", "bring their own quotes"),
    ] {
        let found = problems(|text| text.replace(from, to));
        assert!(found.iter().any(|problem| problem.contains(told)), "{to}: {found:#?}");
    }
}

#[test]
fn what_must_be_proven_follows_from_the_effect_unless_declared() {
    let assurance = |name: &str| UNREACHED.tool(name).unwrap().assurance;
    assert_eq!(assurance("order_status"), Assurance::Channel);
    assert_eq!(assurance("store_hours"), Assurance::Anonymous);
    assert_eq!(assurance("refund_order"), Assurance::Verified);
    assert!(UNREACHED.tool("Order_Status").is_none(), "only exact names");
}

/// The tools of the demo, which are what a shop would declare.
fn demo() -> Toolbox {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo/firstline.toml");
    let toolbox = toolbox_of(&std::fs::read_to_string(file).unwrap(), "http://127.0.0.1:9");
    toolbox.unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn the_tools_of_the_demo_load() {
    let toolbox = demo();
    let contents = toolbox.contents();
    let names: Vec<&str> = contents.tools().map(|tool| tool.name.as_str()).collect();
    assert!(names.contains(&"refund_order"), "{names:?}");
}

#[test]
fn an_order_number_is_ascii_digits_and_nothing_around_them() {
    let toolbox = demo();
    let case = case();
    let customer = customer();
    let admitted = |id: &str| {
        let arguments = serde_json::json!({"order_id": id});
        crate::tools::authority::admitted(&toolbox, "order_status", &arguments, &case, &customer).is_ok()
    };
    assert!(admitted("HP-10042"));
    for id in [
        "HP-10042\n",
        "\nHP-10042",
        "HP-1٠٠42",
        "ＨＰ-10042",
        "HP-10042 ",
        "hp-10042",
        "HP-10042/..",
        "HP-100421",
        "HP\u{2011}10042",
    ] {
        assert!(!admitted(id), "{id:?}");
    }
}
