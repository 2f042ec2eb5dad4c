//! Customers, cases, messages and units to store.

use std::sync::Arc;

use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::customer::{Customer, Identity, Link};
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::event::{Event, EventKind};
use firstline::domain::ids::{CaseId, CustomerId, DeliveryId, IdentityId, MessageId, ReceiptId, TurnId};
use firstline::domain::message::{Author, Message, Visibility};
use firstline::domain::receipt::{CallStatus, Effect, LedgerEntry, Receipt};
use firstline::domain::time::Timestamp;
use firstline::domain::triage::{Sentiment, Urgency};
use firstline::domain::turn::Turn;
use firstline::store::{Change, InboxEntry, Unit};

pub(crate) const NOW: Timestamp = Timestamp(1_795_406_400_000);

pub(crate) fn case_id(name: &str) -> CaseId {
    CaseId::parse(&format!("case-{name}")).unwrap()
}

pub(crate) fn customer_id(name: &str) -> CustomerId {
    CustomerId::parse(&format!("customer-{name}")).unwrap()
}

pub(crate) fn turn_id(name: &str) -> TurnId {
    TurnId::parse(&format!("turn-{name}")).unwrap()
}

pub(crate) fn customer(name: &str) -> Customer {
    Customer {
        id: customer_id(name),
        external_id: Some(format!("u-{name}")),
        name: Some(format!("{name} O'Neil")),
        email: None,
        phone: Some("+49 30 1234".to_owned()),
        language: Some("en".to_owned()),
        crm: firstline::domain::crm::Crm::default(),
        created_at: NOW,
        version: 1,
    }
}

pub(crate) fn identity(name: &str) -> Identity {
    Identity {
        id: IdentityId::parse(&format!("identity-{name}")).unwrap(),
        customer: customer_id(name),
        channel: "web_chat".to_owned(),
        address: format!("visitor-{name}"),
        assurance: Assurance::Channel,
        proof: "session_token".to_owned(),
        link: Link::FirstContact,
        proven: None,
        first_seen: NOW,
        last_seen: NOW,
        ended_at: None,
    }
}

pub(crate) fn case(name: &str) -> Case {
    Case {
        id: case_id(name),
        customer: customer_id(name),
        state: CaseState::Assistant,
        version: 1,
        channel: "web_chat".to_owned(),
        conversation: format!("thread-{name}"),
        assurance: Assurance::Channel,
        intent: None,
        issue: None,
        language: "en".to_owned(),
        urgency: Urgency::Normal,
        sentiment: Sentiment::Neutral,
        team: None,
        agent: None,
        resolution: None,
        follows: None,
        pending: None,
        memory: "{}".to_owned(),
        message_seq: 1,
        inbound_seq: 1,
        answered_seq: 0,
        event_seq: 1,
        event_hash: "head".to_owned(),
        opened_at: NOW,
        updated_at: NOW,
        resolved_at: None,
        snoozed_until: None,
        doubt: None,
        move_offer: None,
        wait: firstline::domain::routing::Wait::default(),
    }
}

pub(crate) fn message(name: &str, seq: i64) -> Message {
    Message {
        id: MessageId::parse(&format!("message-{name}-{seq}")).unwrap(),
        case: case_id(name),
        seq,
        author: Author::Customer,
        agent: None,
        channel: "web_chat".to_owned(),
        text: format!("where's my parcel? ({seq})"),
        at: NOW.plus_ms(seq),
        visibility: Visibility::Public,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: Vec::new(),
        turn: None,
    }
}

pub(crate) fn inbox(name: &str, external_id: &str) -> InboxEntry {
    InboxEntry {
        channel: "web_chat".to_owned(),
        external_id: external_id.to_owned(),
        digest: "digest".to_owned(),
        message: message(name, 1).id,
        case: case_id(name),
        customer: customer_id(name),
        at: NOW,
    }
}

pub(crate) fn event(name: &str, seq: i64) -> Event {
    Event::chained("", &case_id(name), seq, NOW, EventKind::Received, "{}".to_owned())
}

pub(crate) fn turn(name: &str) -> Turn {
    Turn {
        id: turn_id(name),
        case: case_id(name),
        epoch: 0,
        holder: String::new(),
        leased_until: Timestamp(0),
        attempts: 0,
        due_at: NOW,
        opened_at: NOW,
    }
}

pub(crate) fn receipt(name: &str, number: i64) -> Receipt {
    Receipt {
        id: ReceiptId::parse(&format!("receipt-{name}-{number}")).unwrap(),
        case: case_id(name),
        turn: turn_id(name),
        tool: "order_status".to_owned(),
        effect: Effect::Read,
        arguments: serde_json::json!({"order_id": "HP-10042"}),
        status: CallStatus::Done,
        result: serde_json::json!({"days_late": number, "note": "a\u{0}b"}),
        at: NOW.plus_ms(number),
        duration_ms: 12,
    }
}

pub(crate) fn claim(name: &str, key: &str, amount_minor: Option<i64>) -> LedgerEntry {
    LedgerEntry {
        key: key.to_owned(),
        case: case_id(name),
        customer: customer_id(name),
        tool: "refund".to_owned(),
        arguments: "{\"order_id\":\"HP-10042\"}".to_owned(),
        amount_minor,
        status: None,
        claimed_at: NOW,
    }
}

pub(crate) fn delivery(name: &str) -> Delivery {
    Delivery {
        id: DeliveryId::parse(&format!("delivery-{name}")).unwrap(),
        case: case_id(name),
        message: message(name, 1).id,
        part: 0,
        channel: "web_chat".to_owned(),
        conversation: format!("thread-{name}"),
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: NOW,
        provider_id: None,
        reason: None,
    }
}

pub(crate) fn unit(name: &str, changes: Vec<Change>) -> Unit {
    Unit { case: case_id(name), changes }
}

/// A first message: a new customer with a new case, as ingest stores it.
pub(crate) fn first(name: &str) -> Unit {
    unit(
        name,
        vec![
            Change::NewCustomer(Arc::new(customer(name))),
            Change::NewIdentity(identity(name)),
            Change::NewCase(case(name)),
            Change::Inbox(inbox(name, &format!("external-{name}"))),
            Change::Message(Arc::new(message(name, 1))),
            Change::Event(event(name, 1)),
            Change::OpenTurn(turn(name)),
        ],
    )
}

/// The case after `version - 1` changes, with that many messages.
pub(crate) fn case_at(name: &str, version: i64) -> Case {
    Case { version, message_seq: version, updated_at: NOW.plus_ms(version), ..case(name) }
}

/// The next message of a case, with the version that it makes.
pub(crate) fn next(name: &str, version: i64) -> Unit {
    unit(name, vec![Change::Case(case_at(name, version)), Change::Message(Arc::new(message(name, version)))])
}
