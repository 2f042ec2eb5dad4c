//! A whole note is compared, and an empty case still gives one.

use serde_json::json;

use super::*;
use crate::domain::assurance::Assurance;
use crate::domain::case::CaseState;
use crate::domain::ids::{CaseId, CustomerId, IdentityId, MessageId, ReceiptId, TurnId};
use crate::domain::time::Timestamp;
use crate::domain::triage::Sentiment;

const NOW: Timestamp = Timestamp(1_795_406_400_000);

fn case() -> Case {
    Case {
        id: CaseId::parse("case-1").unwrap(),
        customer: CustomerId::parse("customer-1").unwrap(),
        state: CaseState::Assistant,
        version: 1,
        channel: "email".to_owned(),
        conversation: "thread-1".to_owned(),
        assurance: Assurance::Channel,
        intent: None,
        issue: None,
        language: "en".to_owned(),
        urgency: Urgency::Normal,
        sentiment: Sentiment::Negative,
        team: None,
        agent: None,
        resolution: None,
        follows: None,
        pending: None,
        memory: String::new(),
        message_seq: 0,
        inbound_seq: 0,
        answered_seq: 0,
        event_seq: 0,
        event_hash: String::new(),
        opened_at: NOW,
        updated_at: NOW,
        resolved_at: None,
        snoozed_until: None,
    }
}

fn customer() -> Customer {
    Customer {
        id: CustomerId::parse("customer-1").unwrap(),
        external_id: None,
        name: None,
        email: None,
        phone: None,
        language: None,
        created_at: NOW,
        version: 1,
    }
}

fn message(seq: i64, author: Author, channel: &str, text: &str) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::parse(&format!("message-{seq}")).unwrap(),
        case: CaseId::parse("case-1").unwrap(),
        seq,
        author,
        agent: None,
        channel: channel.to_owned(),
        text: text.to_owned(),
        at: NOW,
        visibility: if text.starts_with("internal") { Visibility::Internal } else { Visibility::Public },
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: Vec::new(),
        turn: None,
    })
}

fn receipt(id: &str, tool: &str, effect: Effect, status: CallStatus, result: Value) -> Receipt {
    Receipt {
        id: ReceiptId::parse(id).unwrap(),
        case: CaseId::parse("case-1").unwrap(),
        turn: TurnId::parse("turn-1").unwrap(),
        tool: tool.to_owned(),
        effect,
        arguments: json!({"order_id": "HP-10042"}),
        status,
        result,
        at: NOW,
        duration_ms: 3,
    }
}

#[test]
fn a_note_says_everything_from_records_with_sources() {
    let mut customer = customer();
    customer.name = Some("Ada Lovelace".to_owned());
    customer.external_id = Some("cust-0007".to_owned());
    let identity = Identity {
        id: IdentityId::parse("identity-1").unwrap(),
        customer: customer.id.clone(),
        channel: "email".to_owned(),
        address: "ada@mail.example".to_owned(),
        assurance: Assurance::Channel,
        proof: "dmarc".to_owned(),
        first_seen: NOW,
        last_seen: NOW,
    };
    let transcript = [
        message(1, Author::Customer, "web_chat", "Hello, please cancel order HP-10042."),
        message(
            2,
            Author::Assistant,
            "web_chat",
            "We will refund you within 5 days once it is cancelled. Shall I?",
        ),
        message(3, Author::Customer, "email", "Yes please, the one with the stove"),
        message(4, Author::Agent, "email", "internal: looks fine"),
    ];
    let read = receipt(
        "r-1",
        "order_status",
        Effect::Read,
        CallStatus::Done,
        json!({"id": "HP-10042", "status": "packed", "total_minor": 12905, "currency": "USD", "items": [1], "eta": null}),
    );
    let write = receipt(
        "r-2",
        "cancel_order",
        Effect::Write,
        CallStatus::Unknown,
        json!({"error": {"code": "timeout", "message": ""}}),
    );
    let gathered = BTreeMap::from([("order_id".to_owned(), "HP-10042".to_owned())]);
    let handoff = HandOff { next_step: Some("not this".to_owned()), ..HandOff::because("result_unknown") };
    let citation = Citation { article: "cancel".to_owned(), title: "Cancel an order".to_owned() };
    let note = build(&Records {
        case: &case(),
        customer: &customer,
        identities: &[identity],
        transcript: &transcript,
        receipts: &[&read, &write],
        gathered: &gathered,
        procedure: None,
        citations: &[citation.clone(), citation],
        handoff: &handoff,
        approval: None,
        unsent: None,
        told: "A person will answer you here.",
        urgency: Urgency::High,
    });
    let text = serde_json::to_string_pretty(&note).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn a_case_about_which_nothing_is_known_still_has_a_whole_note() {
    let note = build(&Records {
        case: &case(),
        customer: &customer(),
        identities: &[],
        transcript: &[],
        receipts: &[],
        gathered: &BTreeMap::new(),
        procedure: None,
        citations: &[],
        handoff: &HandOff::because("turn_failed"),
        approval: None,
        unsent: None,
        told: "",
        urgency: Urgency::Normal,
    });
    for field in [&note.customer, &note.issue, &note.wants, &note.promised, &note.next_step, &note.told] {
        let text = field.to_string();
        assert!(text.starts_with("unknown, because ") && text.len() > 25, "{text}");
    }
    assert_eq!(note.channels, ["email"]);
}
