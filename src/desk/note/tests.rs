//! A note is complete, and every fact in it has its source.

use serde_json::json;

use super::*;
use crate::domain::case::{CaseState, PendingWrite};
use crate::domain::customer::{Link, Proven};
use crate::domain::ids::{ApprovalId, CaseId, CustomerId, IdentityId, MessageId, ReceiptId, TurnId};
use crate::domain::time::Timestamp;
use crate::domain::triage::Sentiment;

fn case() -> Case {
    Case {
        id: CaseId::parse("c-1").unwrap(),
        customer: CustomerId::parse("u-1").unwrap(),
        state: CaseState::Assistant,
        version: 1,
        channel: "web_chat".to_owned(),
        conversation: "w".to_owned(),
        assurance: Assurance::Verified,
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
        message_seq: 3,
        inbound_seq: 2,
        answered_seq: 0,
        event_seq: 0,
        event_hash: String::new(),
        opened_at: Timestamp(0),
        updated_at: Timestamp(0),
        resolved_at: None,
        snoozed_until: None,
        doubt: None,
        move_offer: None,
        wait: crate::domain::routing::Wait::default(),
    }
}

fn customer(name: Option<&str>) -> Customer {
    Customer {
        id: CustomerId::parse("u-1").unwrap(),
        external_id: name.map(|_| "cust-7".to_owned()),
        name: name.map(str::to_owned),
        email: None,
        phone: None,
        language: None,
        crm: crate::domain::crm::Crm::default(),
        created_at: Timestamp(0),
        version: 1,
    }
}

fn message(seq: i64, author: Author, text: &str, visibility: Visibility, channel: &str) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::parse(&format!("m-{seq}")).unwrap(),
        case: CaseId::parse("c-1").unwrap(),
        seq,
        author,
        agent: None,
        channel: channel.to_owned(),
        text: text.to_owned(),
        at: Timestamp(seq),
        visibility,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: Vec::new(),
        turn: None,
    })
}

fn receipt(id: &str, tool: &str, effect: Effect, status: CallStatus, result: Value) -> Receipt {
    Receipt {
        id: ReceiptId::parse(id).unwrap(),
        case: CaseId::parse("c-1").unwrap(),
        turn: TurnId::parse("t-1").unwrap(),
        tool: tool.to_owned(),
        effect,
        arguments: json!({}),
        status,
        result,
        at: Timestamp(0),
        duration_ms: 1,
    }
}

fn identity(proof: &str, assurance: Assurance, last_seen: i64) -> Identity {
    Identity {
        id: IdentityId::parse(&format!("i-{last_seen}")).unwrap(),
        customer: CustomerId::parse("u-1").unwrap(),
        channel: "in_app".to_owned(),
        address: "cust-7".to_owned(),
        assurance,
        proof: proof.to_owned(),
        link: Link::FirstContact,
        proven: None,
        first_seen: Timestamp(0),
        last_seen: Timestamp(last_seen),
        ended_at: None,
    }
}

#[test]
fn a_code_that_was_typed_in_this_case_says_how_they_are_verified() {
    let (mut case, customer) = (case(), customer(Some("Ida Berg")));
    let proven = |in_case: &CaseId| Proven {
        case: in_case.clone(),
        conversation: "w".to_owned(),
        until: Timestamp(9),
    };
    let here =
        Identity { proven: Some(proven(&case.id)), ..identity("session_token", Assurance::Channel, 2) };
    let identities = [here.clone()];
    let (handoff, empty, declared) = (HandOff::because("error"), BTreeMap::new(), Declared::default());
    let said = |case: &Case, identities: &[Identity]| {
        verified(&Records {
            case,
            customer: &customer,
            identities,
            transcript: &[],
            receipts: &[],
            gathered: &empty,
            procedure: None,
            citations: &[],
            handoff: &handoff,
            approval: None,
            declared: &declared,
            unsent: None,
            told: "",
            urgency: Urgency::Normal,
        })
    };
    assert_eq!(said(&case, &identities), "verified by a one-time code (in_app cust-7)");
    let elsewhere = CaseId::parse("c-2").unwrap();
    let identities = [Identity { proven: Some(proven(&elsewhere)), ..here }];
    assert_eq!(said(&case, &identities), "the address is proven by a signed chat session (in_app cust-7)");
    case.assurance = Assurance::Claimed;
    assert!(said(&case, &identities).starts_with("claimed, not proven"));
}

#[test]
fn a_full_note_has_its_facts_with_their_sources_and_no_internal_words() {
    let (case, customer) = (case(), customer(Some("Ida Berg")));
    let identities = [identity("typed", Assurance::Claimed, 1), identity("api_key", Assurance::Verified, 2)];
    let transcript = [
        message(1, Author::Customer, "refund HP-10042 please, it never came", Visibility::Public, "in_app"),
        message(2, Author::Agent, "watch this one", Visibility::Internal, "in_app"),
        message(3, Author::Customer, "hello?", Visibility::Public, "web_chat"),
    ];
    let read = json!({"id": "HP-10042", "status": "shipped", "total_minor": 12_905, "currency": "USD", "tracking": null});
    let done = receipt("r-1", "order_status", Effect::Read, CallStatus::Done, read);
    let lost = receipt("r-2", "refund_order", Effect::Write, CallStatus::Unknown, json!({}));
    let refused = receipt(
        "r-3",
        "cancel_order",
        Effect::Write,
        CallStatus::Refused,
        json!({"error": {"code": "too_late", "message": "Already shipped"}}),
    );
    let gathered = BTreeMap::from([("order_id".to_owned(), "HP-10042".to_owned())]);
    let handoff = HandOff::because("unknown_write");
    let declared = Declared::default();
    let note = build(&Records {
        case: &case,
        customer: &customer,
        identities: &identities,
        transcript: &transcript,
        receipts: &[&done, &lost, &refused],
        gathered: &gathered,
        procedure: None,
        citations: &[],
        handoff: &handoff,
        approval: None,
        declared: &declared,
        unsent: Some("draft"),
        told: "A person answers you here.",
        urgency: Urgency::High,
    });
    let fact = |label: &str, value: &str, source: &str| Fact {
        label: label.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
    };
    assert_eq!(note.facts[0], fact("Order", "HP-10042", "message:1"));
    assert!(note.facts.contains(&fact("HP-10042 total", "$129.05", "receipt:r-1")), "{:?}", note.facts);
    assert!(note.facts.contains(&fact("HP-10042 status", "shipped", "receipt:r-1")), "{:?}", note.facts);
    assert_eq!(note.customer.to_string(), "Ida Berg, customer number cust-7");
    assert_eq!(note.verified, "verified by the operator's API key (in_app cust-7)");
    assert_eq!(note.channels, ["in_app", "web_chat"]);
    assert_eq!(note.tried[2].result, "refused: Already shipped (too_late)");
    assert_eq!(note.promised.to_string(), "perhaps done, no answer came: refund order");
    assert_eq!(
        note.next_step.to_string(),
        "Check whether refund order happened before anything is repeated."
    );
    assert_eq!(note.wants.to_string(), "refund HP-10042 please, it never came");
    assert_eq!(note.transcript.len(), 2);
    assert_eq!(note.unsent.as_deref(), Some("draft\n\n(Not sent: unknown_write.)"));
}

#[test]
fn an_empty_case_says_why_each_field_is_not_known() {
    let (mut case, customer) = (case(), customer(None));
    case.assurance = Assurance::Anonymous;
    let handoff = HandOff::because("error");
    let empty = BTreeMap::new();
    let declared = Declared::default();
    let records = Records {
        case: &case,
        customer: &customer,
        identities: &[],
        transcript: &[],
        receipts: &[],
        gathered: &empty,
        procedure: None,
        citations: &[],
        handoff: &handoff,
        approval: None,
        declared: &declared,
        unsent: None,
        told: "",
        urgency: Urgency::Normal,
    };
    let note = build(&records);
    for known in [&note.customer, &note.issue, &note.wants, &note.promised, &note.next_step, &note.told] {
        assert!(known.to_string().starts_with("unknown, because "), "{known}");
    }
    assert!(note.verified.starts_with("not proven"));
    let pending = PendingWrite {
        tool: "cancel_order".to_owned(),
        arguments: "{}".to_owned(),
        details: "I will cancel order HP-10042. Shall I?".to_owned(),
        asked_seq: 1,
        expires_at: Timestamp(9),
    };
    let waiting = Case { pending: Some(pending), ..case.clone() };
    let note = build(&Records { case: &waiting, ..records });
    assert_eq!(note.promised.to_string(), "asked for a yes to: I will cancel order HP-10042. Shall I?");
}

/// Everything a note can hold, of the kind the demo shop gives.
#[test]
fn a_whole_note_reads_as_a_person_would_write_it() {
    let (case, customer) = (case(), customer(Some("Elena Rossi")));
    let identities = [identity("api_key", Assurance::Verified, 2)];
    let transcript = [
        message(1, Author::Customer, "refund 900 now", Visibility::Public, "in_app"),
        message(2, Author::Assistant, "I am passing this to a person.", Visibility::Public, "in_app"),
    ];
    let items = json!([
        {"name": "Pinewood Lodge 6 family tent", "sku": "TENT-LODGE6", "quantity": 1, "price_minor": 54_900},
        {"name": "Fjell 0 down sleeping bag", "sku": "BAG-FJELL0", "quantity": 1, "price_minor": 42_900},
    ]);
    let orders = json!({"orders": [
        {"id": "HP-09992", "status": "delivered", "total_minor": 97_800, "currency": "USD", "items": items},
        {"id": "HP-09001", "status": "returned", "total_minor": 1_200, "currency": "USD", "placed_on": "2026-01-05"},
    ]});
    let order = json!({
        "id": "HP-09992", "status": "delivered", "currency": "USD", "total_minor": 97_800, "refundable_minor": 97_800,
        "delivered_on": "2026-11-13", "eta": "2026-11-13", "cancellable": false, "tracking": null, "items": items,
        "tracking_url": "https://track.northpost.example/TRK7263268920", "updated_at": "2026-11-13T10:02:11Z",
    });
    let listed = receipt("r-1", "list_orders", Effect::Read, CallStatus::Done, orders);
    let read = receipt("r-2", "order_status", Effect::Read, CallStatus::Done, order);
    let gathered = BTreeMap::from([
        ("amount_minor".to_owned(), "90000".to_owned()),
        ("order_id".to_owned(), "HP-09992".to_owned()),
        ("new_address".to_owned(), "5 Oak Road, Duluth".to_owned()),
    ]);
    let approval = Approval {
        id: ApprovalId::parse("a-1").unwrap(),
        tool: "refund_order".to_owned(),
        arguments: r#"{"amount_minor":90000,"order_id":"HP-09992"}"#.to_owned(),
        hash: "h".to_owned(),
        because: "$900.00 is above the limit of $100.00 for one call".to_owned(),
        expires_at: Timestamp(9),
    };
    let declared = Declared {
        titles: BTreeMap::from([("new_address".to_owned(), "Deliver to".to_owned())]),
        currency: Some("EUR".to_owned()),
    };
    let citation =
        Citation { article: "refund-times".to_owned(), title: "When do I get my money back?".to_owned() };
    let note = build(&Records {
        case: &case,
        customer: &customer,
        identities: &identities,
        transcript: &transcript,
        receipts: &[&listed, &read],
        gathered: &gathered,
        procedure: None,
        citations: &[citation],
        handoff: &HandOff::because("over_limit"),
        approval: Some(&approval),
        declared: &declared,
        unsent: None,
        told: "Our payments team will answer you here.",
        urgency: Urgency::Normal,
    });
    insta::assert_json_snapshot!(note);
    let lines = declared.arguments(&serde_json::from_str(&approval.arguments).unwrap());
    let line = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    assert_eq!(lines, [line("Amount", "€900.00"), line("Order", "HP-09992")]);
}

#[test]
fn of_several_matters_the_note_is_about_the_one_that_is_handed_over() {
    let said = |author, text| Said { author, text, channel: None };
    let talk = [
        said(Author::Customer, "hi, where is my order?"),
        said(Author::Assistant, "It is on its way."),
        said(Author::Customer, "and is the  merino\nshirt in stock, I need it"),
        said(Author::Customer, "a person please"),
    ];
    let mut case = case();
    let (customer, handoff, empty, declared) =
        (customer(None), HandOff::because("person_asked"), BTreeMap::new(), Declared::default());
    let mut key_of = |issue: Option<&str>| {
        case.issue = issue.map(str::to_owned);
        let records = Records {
            case: &case,
            customer: &customer,
            identities: &[],
            transcript: &[],
            receipts: &[],
            gathered: &empty,
            procedure: None,
            citations: &[],
            handoff: &handoff,
            approval: None,
            declared: &declared,
            unsent: None,
            told: "",
            urgency: Urgency::Normal,
        };
        summary::key_sentence(of_the_matter(&records, &talk)).map(str::to_owned)
    };
    assert!(key_of(Some("is the merino shirt in st…")).unwrap().contains("shirt"));
    for issue in [None, Some("hi, where is my order?"), Some("nothing that was said"), Some("")] {
        assert_eq!(key_of(issue).as_deref(), Some("hi, where is my order?"), "{issue:?}");
    }
}
