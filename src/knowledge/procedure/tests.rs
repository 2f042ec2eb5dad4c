//! Procedures are read as written, and every mistake is named with its line.

use proptest::prelude::*;

use super::*;
use crate::domain::procedure::{SlotKind, SlotSource};

const CANCEL: &str = r#"---
id: cancel_order
title: Cancel an order
tier: 1
team: logistics
urgency: high
examples: [cancel my order, "stop HP-10042"]
slots:
  order_id:
    pattern: 'HP-\d{5}'
    ask: "Which order is it?"
    from: { tool: list_orders, items: orders, value: id, when: "item.status == 'placed'" }
  amount_minor: { type: amount, ask: "How much?" }
  note: { type: text, optional: true }
assurance: channel
limits: { max_amount_minor: 10000, per_day_calls: 3 }
steps:
  - call: order_status
    with: { order_id: "{{ slots.order_id }}", count: 1 }
    as: order
  - if: not order.cancellable
    steps:
      - say: "Too late."
      - hand_off: { reason: too_late_to_cancel, urgency: urgent, team: support }
    else:
      - answer: [cancelling]
  - call: cancel_order
    with: { order_id: "{{ order.id }}" }
    confirm: "Cancel {{ order.id }}?"
    as: result
    on_error: continue
  - if: result.error
    done: true
  - ask: note
---
Be kind.
"#;

#[test]
fn a_procedure_is_read_as_written() {
    let read = parse("procedures/cancel.md", CANCEL).unwrap();
    assert_eq!(
        (read.id.as_str(), read.title.as_str(), read.tier),
        ("cancel_order", "Cancel an order", Tier::One)
    );
    assert_eq!(read.team.as_ref().map(TeamId::as_str), Some("logistics"));
    assert_eq!((read.urgency, read.assurance, read.mode), (Urgency::High, Assurance::Channel, None));
    assert_eq!(read.limits.max_amount_minor, Some(10000));
    assert_eq!(read.tools, ["list_orders", "order_status", "cancel_order"]);
    assert_eq!(read.guidance, "Be kind.");
    let kinds: Vec<_> = read.slots.iter().map(|s| (s.name.as_str(), s.kind, s.optional)).collect();
    let expected = [
        ("order_id", SlotKind::Text, false),
        ("amount_minor", SlotKind::Amount, false),
        ("note", SlotKind::Text, true),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        read.slots[0].from,
        Some(SlotSource {
            tool: "list_orders".into(),
            items: "orders".into(),
            value: "id".into(),
            label: "{{ item.id }}".into(),
            when: Some("item.status == 'placed'".into()),
        })
    );
}

#[test]
fn steps_keep_their_order_conditions_and_alternatives() {
    let read = parse("procedures/cancel.md", CANCEL).unwrap();
    let [look, decide, cancel, stop, ask] = read.steps.as_slice() else { panic!("{:?}", read.steps) };
    assert_eq!(
        look.verb,
        Verb::Call {
            tool: "order_status".into(),
            with: vec![("order_id".into(), "{{ slots.order_id }}".into()), ("count".into(), "1".into())],
            bind: Some("order".into()),
            confirm: None,
            tolerant: false,
        }
    );
    assert_eq!(decide.condition.as_deref(), Some("not order.cancellable"));
    let Verb::Block(inner) = &decide.verb else { panic!("{decide:?}") };
    assert_eq!(inner[0].verb, Verb::Say("Too late.".into()));
    assert_eq!(
        inner[1].verb,
        Verb::HandOff {
            reason: "too_late_to_cancel".into(),
            urgency: Some(Urgency::Urgent),
            team: TeamId::parse("support").ok(),
            say: None,
        }
    );
    assert_eq!(decide.otherwise[0].verb, Verb::Answer(vec!["cancelling".into()]));
    assert!(
        matches!(&cancel.verb, Verb::Call { tolerant: true, confirm: Some(text), .. } if text == "Cancel {{ order.id }}?")
    );
    assert!(stop.done && stop.verb == Verb::Block(Vec::new()));
    assert_eq!(ask.verb, Verb::Ask("note".into()));
}

#[test]
fn examples_are_all_that_a_procedure_needs() {
    let read = parse("procedures/x/store_hours.md", "---\nexamples:\n  - when are you open\n---\n").unwrap();
    assert_eq!((read.id.as_str(), read.title.as_str()), ("store_hours", "store hours"));
    let odd = parse("procedures/a.md", "---\nid: \"reverted_card_payment?\"\nexamples: [a]\n---\n").unwrap();
    assert_eq!(odd.id.as_str(), "reverted_card_payment?");
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = r#"---
tier: 3
urgency: soon
examples: []
slots:
  order_id: { pattern: 'HP-(', ask: "Which?" }
  Bad: { optional: true }
  amount: { type: money }
limits: { per_day_calls: -1 }
mode: loose
steps:
  - call: a
    say: "b"
  - say: "{{ slots.size }}"
  - ask: colour
  - if: slots.order_id
  - say: "x"
    as: y
  - call: a
    as: customer
    on_error: ignore
  - hand_off: { urgency: high }
  - answer: []
---
"#;
    let problems = parse("procedures/a.md", text).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|p| p.line).collect();
    let expected = [
        None,
        Some(2),
        Some(6),
        Some(7),
        Some(8),
        Some(8),
        Some(12),
        Some(14),
        Some(15),
        Some(16),
        Some(17),
        Some(21),
        Some(20),
        Some(22),
        Some(23),
        Some(3),
        Some(10),
        Some(9),
    ];
    assert_eq!(lines, expected, "{problems:#?}");
}

#[test]
fn an_unknown_key_in_a_step_is_an_error_with_its_line() {
    let problems = parse("procedures/a.md", "---\nexamples: [a]\nsteps:\n  - sya: hello\n---\n").unwrap_err();
    assert_eq!(problems[0].line, Some(4));
    assert!(problems[0].message.contains("sya"), "{}", problems[0]);
}

proptest! {
    #[test]
    fn no_bytes_make_a_procedure_panic(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse("procedures/a.md", &text);
        let _ = parse("procedures/a.md", &format!("---\n{text}\n---\n"));
    }

    #[test]
    fn no_damage_to_a_good_file_makes_a_procedure_panic(at in 0_usize..1400, with in "[-{}:\\[\\]'\"|>&* \n]{0,4}") {
        let mut text = CANCEL.to_owned();
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &with);
        let _ = parse("procedures/a.md", &text);
    }
}

const UNPROVEN: &str = "---
examples: [where is my order]
slots:
  order_id: { ask: which }
assurance: channel
steps:
  - call: order_status
    as: order
unproven:
  slots:
    order_id: { pattern: 'HP-\\d{5}', ask: number }
    email: { type: email, ask: address }
  steps:
    - call: order_by_email
      with: { order_id: '{{ slots.order_id }}', email: '{{ slots.email }}' }
      as: order
    - say: It is {{ order.status }}.
follow_ups: [when will it, ' ']
---
";

#[test]
fn what_is_done_for_somebody_unproven_has_slots_and_steps_of_its_own() {
    let read = parse("procedures/where.md", UNPROVEN).unwrap();
    assert_eq!((read.slots.len(), read.tools.as_slice()), (1, &["order_status".to_owned()][..]));
    assert_eq!(read.follow_ups, ["when will it"]);
    assert!(read.own_words().iter().any(|words| words.contains("It is")), "{:?}", read.own_words());
    let unproven = read.unproven.unwrap();
    assert_eq!((unproven.id.as_str(), unproven.assurance), ("where", Assurance::Anonymous));
    assert_eq!((unproven.slots.len(), unproven.steps.len(), unproven.unproven), (2, 2, None));
    assert_eq!(unproven.tools, ["order_by_email"]);
}

#[test]
fn mistakes_in_what_is_done_for_somebody_unproven_are_named() {
    for (right, wrong, named) in [
        ("assurance: channel", "assurance: anonymous", "there is nothing less"),
        ("ask: number }", "ask: number, from: { tool: list_orders, value: id } }", "records of somebody"),
        ("slots.email }}", "slots.mail }}", "no slot `mail`"),
    ] {
        assert!(UNPROVEN.contains(right), "{right}");
        let problems = parse("procedures/where.md", &UNPROVEN.replace(right, wrong)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.message.contains(named)), "{problems:?}");
    }
    let (head, _) = UNPROVEN.split_once("  steps:\n    - call: order_by_email").unwrap();
    let problems = parse("procedures/where.md", &format!("{head}---\n")).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("does nothing")), "{problems:?}");
}
