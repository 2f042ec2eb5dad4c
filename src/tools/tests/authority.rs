//! What may happen and what may not, tried with everything that somebody might send.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::case::PendingWrite;
use crate::domain::ids::ProcedureId;
use crate::domain::procedure::{Action, Limits, Procedure, Tier, Verb};
use crate::tools::authority::{Asking, Permit, Spent, counted, permit};
use crate::tools::ledger;

fn says_yes(text: &str, _: &str) -> bool {
    text == "yes"
}

fn procedure(limits: Limits) -> Procedure {
    Procedure {
        id: ProcedureId::parse("refund").unwrap(),
        title: "Refund".to_owned(),
        tier: Tier::One,
        team: None,
        urgency: Urgency::Normal,
        examples: Vec::new(),
        slots: Vec::new(),
        assurance: Assurance::Channel,
        confirm: None,
        limits,
        tools: vec!["subscribe".to_owned()],
        mode: None,
        steps: vec![Action {
            condition: None,
            verb: Verb::Call {
                tool: "refund_order".to_owned(),
                with: Vec::new(),
                bind: None,
                confirm: None,
                tolerant: false,
            },
            otherwise: Vec::new(),
            done: false,
        }],
        unproven: None,
        follow_ups: Vec::new(),
        articles: Vec::new(),
        skills: std::collections::BTreeSet::new(),
        prefers: std::collections::BTreeSet::new(),
        guidance: String::new(),
        file: String::new(),
    }
}

type Change = Box<dyn Fn(&mut World)>;

/// A case in which the customer has just agreed to refund 5000.
struct World {
    case: Case,
    customer: Customer,
    procedure: Option<Procedure>,
    spent: Spent,
    messages: Vec<Arc<Message>>,
    now: Timestamp,
}

fn agreed() -> World {
    let mut case = case();
    case.pending = Some(PendingWrite {
        tool: "refund_order".to_owned(),
        arguments: ledger::canonical_json(&refund()),
        details: "I will refund $50.00.".to_owned(),
        asked_seq: 2,
        expires_at: NOW.plus_ms(1000),
    });
    World {
        case,
        customer: customer(),
        procedure: Some(procedure(Limits::default())),
        spent: Spent::default(),
        messages: vec![
            message(1, Author::Customer, "refund me"),
            message(2, Author::Assistant, "I will refund $50.00. Shall I?"),
            message(3, Author::Customer, "yes"),
        ],
        now: NOW,
    }
}

fn refund() -> Value {
    json!({"order_id": "HP-10042", "amount_minor": 5000})
}

impl World {
    fn rule(&self, tool: &str, arguments: &Value) -> Permit {
        permit(&UNREACHED, tool, arguments, &self.asking())
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            case: &self.case,
            customer: &self.customer,
            procedure: self.procedure.as_ref(),
            spent: self.spent,
            messages: &self.messages,
            says_yes,
            now: self.now,
        }
    }

    /// The ruling where the tools declare no limits.
    fn rule_unlimited(&self, tool: &str, arguments: &Value) -> Permit {
        let tools = TOOLS.replace("limits = { max_amount_minor = 20000 }", "");
        permit(&toolbox_of(&tools, "http://127.0.0.1:1").unwrap(), tool, arguments, &self.asking())
    }
}

fn reason(permit: &Permit) -> &str {
    match permit {
        Permit::Denied { reason, .. } => reason,
        Permit::Allowed { .. } => "allowed",
        Permit::NeedsYes => "needs_yes",
        Permit::NeedsApproval { .. } => "needs_approval",
    }
}

#[test]
fn a_fresh_yes_to_exactly_this_allows_it_under_the_key_of_that_yes() {
    let world = agreed();
    let key = Some(ledger::key(&world.messages[2].id, "refund_order", &refund()));
    assert_eq!(world.rule("refund_order", &refund()), Permit::Allowed { key, amount_minor: Some(5000) });
}

#[test]
fn everything_else_than_a_fresh_yes_is_asked_again() {
    let changes: Vec<(&str, Change)> = vec![
        ("nothing is pending", Box::new(|w| w.case.pending = None)),
        ("a yes before the question", Box::new(|w| w.messages = vec![message(1, Author::Customer, "yes")])),
        ("an old yes", Box::new(|w| w.now = NOW.plus_ms(1001))),
        ("no answer yet", Box::new(|w| drop(w.messages.pop()))),
        (
            "something first, then yes",
            Box::new(|w| {
                w.messages[2] = message(3, Author::Customer, "and my other order?");
                w.messages.push(message(4, Author::Customer, "yes"));
            }),
        ),
        ("our own yes", Box::new(|w| w.messages[2] = message(3, Author::Assistant, "yes"))),
        ("a colleague's yes", Box::new(|w| w.messages[2] = message(3, Author::Agent, "yes"))),
        (
            "a yes in another case",
            Box::new(|w| {
                let mut other = (*w.messages[2]).clone();
                other.case = CaseId::parse("case-2").unwrap();
                w.messages[2] = Arc::new(other);
            }),
        ),
        ("yes, but", Box::new(|w| w.messages[2] = message(3, Author::Customer, "yes but only half"))),
    ];
    for (what, change) in changes {
        let mut world = agreed();
        change(&mut world);
        assert_eq!(world.rule("refund_order", &refund()), Permit::NeedsYes, "{what}");
    }
    let other = json!({"order_id": "HP-10043", "amount_minor": 5000});
    assert_eq!(agreed().rule("refund_order", &other), Permit::NeedsYes, "a yes to another order");
}

#[test]
fn amounts_that_are_no_plain_positive_whole_number_are_denied() {
    for amount in [
        json!(-1),
        json!(0),
        json!(i64::MIN),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(1e3),
        json!(10.0),
        json!(0.5),
        json!("5000"),
        json!("1e3"),
        json!("NaN"),
        json!(null),
        json!([5000]),
        json!(true),
    ] {
        let arguments = json!({"order_id": "HP-10042", "amount_minor": amount});
        let ruling = agreed().rule("refund_order", &arguments);
        assert!(["arguments", "amount"].contains(&reason(&ruling)), "{amount}: {ruling:?}");
    }
}

#[test]
fn smuggled_and_missing_arguments_are_denied() {
    for arguments in [
        json!({"order_id": "HP-10042", "amount_minor": 5000, "customer_id": "cust-0001"}),
        json!({"order_id": "HP-10042", "amount_minor": 5000, "currency": "JPY"}),
        json!({"order_id": {"$ne": null}, "amount_minor": 5000}),
        json!({"amount_minor": 5000}),
        json!([]),
        json!(null),
        json!("x"),
        json!({"order_id": "x".repeat(20_000), "amount_minor": 5000}),
    ] {
        assert_eq!(reason(&agreed().rule("refund_order", &arguments)), "arguments", "{arguments}");
    }
    for name in ["", "refund", "Refund_order", "refund_order ", "system"] {
        assert_eq!(reason(&agreed().rule(name, &refund())), "unknown_tool", "{name}");
    }
}

#[test]
fn who_it_is_decides_and_text_does_not() {
    for (assurance, read, write) in [
        (Assurance::Anonymous, "assurance", "assurance"),
        (Assurance::Claimed, "assurance", "assurance"),
        (Assurance::Channel, "allowed", "assurance"),
        (Assurance::Verified, "allowed", "allowed"),
    ] {
        let mut world = agreed();
        world.case.assurance = assurance;
        assert_eq!(reason(&world.rule("order_status", &json!({"order_id": "HP-1"}))), read, "{assurance:?}");
        assert_eq!(reason(&world.rule("refund_order", &refund())), write, "{assurance:?}");
        assert_eq!(reason(&world.rule("store_hours", &json!({}))), "allowed", "{assurance:?}");
    }
    let mut nobody = agreed();
    nobody.customer.external_id = None;
    assert_eq!(reason(&nobody.rule("order_status", &json!({"order_id": "HP-1"}))), "no_record");
    let mut other = agreed();
    other.customer.id = CustomerId::parse("customer-2").unwrap();
    assert_eq!(reason(&other.rule("order_status", &json!({"order_id": "HP-1"}))), "wrong_customer");
}

#[test]
fn a_write_needs_a_procedure_that_uses_it_and_one_without_a_question_needs_a_message() {
    let mut world = agreed();
    assert_eq!(reason(&world.rule("subscribe", &json!({}))), "allowed");
    world.messages.clear();
    assert_eq!(reason(&world.rule("subscribe", &json!({}))), "nobody_asked");
    if let Some(procedure) = &mut world.procedure {
        procedure.tools.clear();
    }
    assert_eq!(reason(&world.rule("subscribe", &json!({}))), "not_in_procedure");
    world.procedure = None;
    assert_eq!(reason(&world.rule("order_status", &json!({"order_id": "HP-1"}))), "allowed");
}

#[test]
fn outside_a_procedure_every_write_asks_and_money_needs_a_limit_of_its_tool() {
    let mut world = agreed();
    world.procedure = None;
    assert_eq!(reason(&world.rule("subscribe", &json!({}))), "needs_yes");
    assert_eq!(reason(&world.rule("refund_order", &refund())), "allowed");
    assert_eq!(reason(&world.rule_unlimited("refund_order", &refund())), "needs_approval");
}

#[test]
fn the_tighter_limit_holds_and_quarters_of_a_large_refund_add_up() {
    let limits =
        |max, day, calls| Limits { max_amount_minor: max, per_day_amount_minor: day, per_day_calls: calls };
    for (limits, spent, expected) in [
        (limits(Some(5000), None, None), Spent::default(), "allowed"),
        (limits(Some(4999), None, None), Spent::default(), "needs_approval"),
        (limits(None, Some(15_000), None), Spent { calls: 2, amount_minor: 10_000, failures: 0 }, "allowed"),
        (
            limits(None, Some(15_000), None),
            Spent { calls: 3, amount_minor: 10_001, failures: 0 },
            "needs_approval",
        ),
        (
            limits(None, Some(15_000), None),
            Spent { calls: 3, amount_minor: i64::MAX, failures: 0 },
            "needs_approval",
        ),
        (limits(None, None, Some(3)), Spent { calls: 2, amount_minor: 0, failures: 0 }, "allowed"),
        (limits(None, None, Some(3)), Spent { calls: 3, amount_minor: 0, failures: 0 }, "needs_approval"),
    ] {
        let mut world = agreed();
        world.procedure = Some(procedure(limits));
        world.spent = spent;
        assert_eq!(reason(&world.rule("refund_order", &refund())), expected, "{limits:?} {spent:?}");
    }
    let large = json!({"order_id": "HP-10042", "amount_minor": 20_001});
    assert_eq!(reason(&agreed().rule("refund_order", &large)), "needs_approval", "the tool's own limit");
}

#[test]
fn what_could_be_guessed_by_trying_is_refused_after_some_failures() {
    let guarded =
        TOOLS.replace("limits = { max_amount_minor = 20000 }", "limits = { failures_per_hour = 5 }");
    let read = "name = \"order_status\"";
    assert!(guarded.contains(read));
    let guarded = guarded.replace(read, &format!("{read}\nlimits = {{ failures_per_hour = 5 }}"));
    let toolbox = toolbox_of(&guarded, "http://127.0.0.1:1").unwrap();
    let mut world = agreed();
    for (failures, expected) in [(4, ["allowed", "allowed"]), (5, ["limit", "needs_approval"])] {
        world.spent = Spent { failures, ..Spent::default() };
        let order = json!({"order_id": "HP-10042"});
        let ruling = |tool: &str, arguments: &Value| permit(&toolbox, tool, arguments, &world.asking());
        let rulings = [ruling("order_status", &order), ruling("refund_order", &refund())];
        assert_eq!([reason(&rulings[0]), reason(&rulings[1])], expected, "{failures}");
    }
    let negative = guarded.replace("failures_per_hour = 5", "failures_per_hour = -1");
    assert!(toolbox_of(&negative, "http://127.0.0.1:1").is_err());
}

#[test]
fn refused_calls_are_counted_for_the_customer_and_for_what_could_be_guessed() {
    let limits = "limits = { failures_per_hour = 5, failures_per = [\"order_id\"] }";
    let read = "name = \"order_status\"";
    let guarded = TOOLS.replace(read, &format!("{read}\n{limits}"));
    let toolbox = toolbox_of(&guarded, "http://127.0.0.1:1").unwrap();
    let tool = toolbox.tool("order_status").unwrap();
    let keys = |order: &str, customer: &Customer| counted(&tool, &json!({"order_id": order}), customer);
    let (ann, other) = (customer(), Customer { id: CustomerId::parse("other").unwrap(), ..customer() });
    let first = keys("HP-10042", &ann);
    assert_eq!(first.len(), 2);
    assert_eq!(first[1], keys(" hp-10042 ", &other)[1], "whoever tries, and however it is written");
    assert_ne!(first[0], keys("HP-10042", &other)[0]);
    assert_ne!(first[1], keys("HP-10043", &ann)[1]);
    assert!(first.iter().all(|key| !key.contains("10042")), "{first:?}");
    for (wrong, right) in [("order_id", "order"), ("failures_per_hour = 5, ", "")] {
        let wrong = limits.replace(wrong, right);
        assert!(
            toolbox_of(&TOOLS.replace(read, &format!("{read}\n{wrong}")), "http://127.0.0.1:1").is_err(),
            "{wrong}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_write_is_allowed_without_an_exact_and_fresh_yes(
        order in "HP-1000[12]", amount in 4999..5002_i64, pending_order in "HP-1000[12]", pending_amount in 4999..5002_i64,
        pending_tool in prop::sample::select(vec!["refund_order", "order_status", "subscribe"]),
        asked in 0..4_i64, late in -2..3_i64, level in 0..4_usize,
        thread in prop::collection::vec((0..3_usize, prop::sample::select(vec!["yes", "no", "yes please do", "ok?", ""])), 0..6),
    ) {
        let mut world = agreed();
        let levels = [Assurance::Anonymous, Assurance::Claimed, Assurance::Channel, Assurance::Verified];
        world.case.assurance = levels[level];
        let agreed_to = json!({"amount_minor": pending_amount, "order_id": pending_order});
        if let Some(pending) = &mut world.case.pending {
            pending.tool = pending_tool.to_owned();
            pending.arguments = ledger::canonical_json(&agreed_to);
            pending.asked_seq = asked;
            pending.expires_at = NOW.plus_ms(-late);
        }
        let authors = [Author::Customer, Author::Assistant, Author::Agent];
        world.messages = thread.iter().zip(1..).map(|((by, text), seq)| message(seq, authors[*by], text)).collect();
        let arguments = json!({"order_id": order, "amount_minor": amount});
        let ruling = world.rule("refund_order", &arguments);
        // The same rule, said apart from the code.
        let answer = thread.iter().zip(1..).find(|((by, _), seq)| *by == 0 && *seq > asked).map(|((_, text), _)| *text);
        let exact = pending_tool == "refund_order" && agreed_to == arguments;
        let expected = level == 3 && exact && late <= 0 && answer == Some("yes");
        prop_assert_eq!(reason(&ruling) == "allowed", expected, "{:?}", ruling);
    }

    #[test]
    fn any_arguments_at_all_get_a_ruling(arguments in any_json()) {
        let ruling = agreed().rule("refund_order", &arguments);
        let allowed = reason(&ruling) == "allowed";
        prop_assert!(!allowed || arguments == refund());
    }
}
