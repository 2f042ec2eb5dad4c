//! A shop's document becomes tools that load; a hostile one becomes nothing, or what it says and no more.

use serde_json::{Value as Json, json};

use super::*;

fn shop() -> Json {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Shop\n[[tools]]", "version": "1"},
        "servers": [{"url": "https://api.shop.example/v1/"}],
        "security": [{"shop_token": []}],
        "components": {
            "securitySchemes": {
                "shop_token": {"type": "http", "scheme": "bearer"},
                "machine": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://id.shop.example/token", "scopes": {}}}},
                "browser": {"type": "openIdConnect", "openIdConnectUrl": "https://id.shop.example"}
            },
            "parameters": {"order": {"name": "order-id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^HP-[0-9]+$"}}},
            "schemas": {
                "Refund": {"type": "object", "required": ["amount"], "properties": {
                    "amount": {"type": "integer", "minimum": 1}, "note": {"type": "string", "nullable": true}}},
                "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}, "name": {"type": "string"}}}
            }
        },
        "paths": {
            "/orders/{order-id}": {
                "parameters": [{"$ref": "#/components/parameters/order"}],
                "get": {"operationId": "getOrder", "summary": "One order {{ env.HOME }}", "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "string"}},
                    {"name": "since", "in": "query", "required": true, "schema": {"type": "string"}}]},
                "delete": {"summary": "Forget it\n# a line of its own", "security": [{"machine": ["orders"]}]}
            },
            "/orders/{order-id}/refunds": {
                "parameters": [{"$ref": "#/components/parameters/order"}],
                "post": {"operationId": "getOrder", "requestBody": {"required": true, "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Refund"}}}}}
            },
            "/trees": {"post": {"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}}},
            "/pages/{{ env.SHOP }}": {"get": {}},
            "/profile": {"get": {"security": [{"browser": []}]}},
            "/old": {"get": {"deprecated": true}, "head": {}}
        }
    })
}

fn imported(document: &Json) -> Imported {
    import(&document.to_string(), None).unwrap()
}

#[test]
fn a_shops_document_becomes_tools_that_check_takes() {
    let imported = imported(&shop());
    // Each entry was loaded before it was written; here the whole file is read as one.
    let file: toml::Table = toml::from_str(&imported.text).unwrap();
    let tools = file["tools"].as_array().unwrap();
    let by_name = |name: &str| tools.iter().find(|tool| tool["name"].as_str() == Some(name)).unwrap();
    assert_eq!((imported.tools, tools.len()), (4, 4), "{:?}", imported.left_out);
    let read = by_name("get_order");
    assert_eq!((read["effect"].as_str(), read["assurance"].as_str()), (Some("read"), Some("channel")));
    assert_eq!(
        read["http"]["url"].as_str(),
        Some(
            "https://api.shop.example/v1/orders/{{ arguments.order_id }}?{% if arguments.fields is defined %}fields={{ arguments.fields }}{% endif %}&since={{ arguments.since }}"
        )
    );
    assert_eq!(read["http"]["headers"]["Authorization"].as_str(), Some("Bearer {{ env.SHOP_TOKEN_TOKEN }}"));
    let write = by_name("get_order_2");
    assert_eq!((write["effect"].as_str(), write["assurance"].as_str()), (Some("write"), Some("verified")));
    assert_eq!(write["confirm"].as_bool(), Some(true));
    assert_eq!(
        write["parameters"]["properties"]["body"]["properties"]["amount"]["minimum"].as_integer(),
        Some(1)
    );
    let delete = by_name("delete_orders_order_id");
    assert_eq!(delete["http"]["oauth2"]["token_url"].as_str(), Some("https://id.shop.example/token"));
    assert_eq!(delete["http"]["oauth2"]["scope"].as_str(), Some("orders"));
}

#[test]
fn what_cannot_be_said_is_left_out_with_its_reason_and_nothing_becomes_a_line_or_a_template() {
    let imported = imported(&shop());
    let reasons = imported.left_out.join("\n");
    for part in [
        "GET /pages/{{ env.SHOP }}: its path has characters",
        "GET /profile: it wants `browser`",
        "GET /old: it is deprecated",
        "HEAD /old",
    ] {
        assert!(reasons.contains(part), "{part} in {reasons}");
    }
    assert!(imported.text.contains("the optional field `left` is left out"), "{}", imported.text);
    let lines: Vec<&str> = imported.text.lines().collect();
    assert!(!lines.contains(&"# a line of its own"));
    assert_eq!(lines.iter().filter(|line| **line == "[[tools]]").count(), imported.tools);
}

#[test]
fn what_is_no_document_is_refused_with_what_to_do() {
    for (text, part) in [
        ("{\"openapi\": \"3.0.0\"", "not whole JSON"),
        ("{}", "no `openapi` version"),
        ("{\"swagger\": \"2.0\"}", "convert it to OpenAPI 3"),
        ("{\"openapi\": \"4.0.0\", \"paths\": {}}", "3.0 and 3.1 can be read"),
        ("{\"openapi\": \"3.1.0\"}", "no `paths`"),
        ("{\"openapi\": \"3.1.0\", \"paths\": {}}", "no operations"),
        ("{\"openapi\": \"3.1.0\", \"paths\": {\"/a\": {\"get\": {}}}}", "--server"),
        (
            "{\"openapi\": \"3.1.0\", \"servers\": [{\"url\": \"file:///etc\"}], \"paths\": {\"/a\": {\"get\": {}}}}",
            "not the address of a server",
        ),
    ] {
        let problem = import(text, None).unwrap_err();
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

#[test]
fn a_yaml_document_reads_the_same_and_the_server_can_be_named() {
    let text = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths:\n  /hours:\n    get: {summary: Opening hours}\n";
    let imported = import(text, Some("https://api.example")).unwrap();
    assert!(imported.text.contains("url = \"https://api.example/hours\""), "{}", imported.text);
}
