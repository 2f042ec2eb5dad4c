//! What the tests of this layer share: a toolbox from declared tools, a case, a customer, a clock.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::{Environment, Sources};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState};
use crate::domain::ids::{CaseId, CustomerId, MessageId};
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::domain::triage::{Sentiment, Urgency};

mod authority;
mod http;
mod loading;

pub(crate) const TOOLS: &str = r#"
[[tools]]
name = "order_status"
description = "Status of one order."
effect = "read"
parameters = { type = "object", required = ["order_id"], properties = { order_id = { type = "string" } } }
[tools.http]
method = "GET"
url = "{{ env.SHOP_URL }}/api/customers/{{ customer.external_id }}/orders/{{ arguments.order_id }}"
headers = { Authorization = "Bearer {{ env.SHOP_TOKEN }}" }
timeout_ms = 300
retry_ms = 1
result = "response.body.order"

[[tools]]
name = "store_hours"
description = "Opening hours."
effect = "read"
assurance = "anonymous"
[tools.http]
method = "GET"
url = "{{ env.SHOP_URL }}/api/hours"
timeout_ms = 300
retry_ms = 1

[[tools]]
name = "refund_order"
description = "Refunds."
effect = "write"
amount = "arguments.amount_minor"
parameters = { type = "object", required = ["order_id", "amount_minor"], properties = { order_id = { type = "string" }, amount_minor = { type = "integer" }, reason = { type = "string" } } }
limits = { max_amount_minor = 20000 }
[tools.http]
method = "POST"
url = "{{ env.SHOP_URL }}/api/customers/{{ customer.external_id }}/refunds"
headers = { Authorization = "Bearer {{ env.SHOP_TOKEN }}" }
body = '{{ arguments | tojson }}'
timeout_ms = 300

[[tools]]
name = "subscribe"
description = "A write that needs no yes."
effect = "write"
confirm = false
[tools.http]
method = "POST"
url = "{{ env.SHOP_URL }}/api/subscriptions"
"#;

pub(crate) fn toolbox_of(text: &str, url: &str) -> Result<Toolbox, Vec<String>> {
    let environment = Environment::default().with("SHOP_URL", url).with("SHOP_TOKEN", "s3cret");
    let file = Some((text, Path::new("firstline.toml")));
    let config = Config::load(Sources { file, environment, ..Sources::default() }).unwrap();
    Toolbox::new(&config, Arc::new(Templates::new()))
}

pub(crate) fn toolbox(url: &str) -> Toolbox {
    toolbox_of(TOOLS, url).unwrap()
}

/// A toolbox that reaches nothing, for tests of rules.
pub(crate) static UNREACHED: LazyLock<Toolbox> = LazyLock::new(|| toolbox("http://127.0.0.1:9"));

pub(crate) fn bounds() -> Bounds {
    UNREACHED.bounds()
}

pub(crate) const NOW: Timestamp = Timestamp(1_795_406_400_000);

pub(crate) fn case() -> Case {
    Case {
        id: CaseId::parse("case-1").unwrap(),
        customer: CustomerId::parse("customer-1").unwrap(),
        state: CaseState::Assistant,
        version: 1,
        channel: "in_app".to_owned(),
        conversation: "thread-1".to_owned(),
        assurance: Assurance::Verified,
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
        doubt: None,
        move_offer: None,
        wait: crate::domain::routing::Wait::default(),
    }
}

pub(crate) fn customer() -> Customer {
    Customer {
        id: CustomerId::parse("customer-1").unwrap(),
        external_id: Some("cust-0007".to_owned()),
        name: Some("Ada Lovelace".to_owned()),
        email: None,
        phone: None,
        language: None,
        crm: crate::domain::crm::Crm::default(),
        created_at: NOW,
        version: 1,
    }
}

pub(crate) fn message(seq: i64, author: Author, text: &str) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::parse(&format!("message-{seq}")).unwrap(),
        case: CaseId::parse("case-1").unwrap(),
        seq,
        author,
        agent: None,
        channel: "in_app".to_owned(),
        text: text.to_owned(),
        at: NOW,
        visibility: Visibility::Public,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: Vec::new(),
        turn: None,
    })
}

/// A clock that stands still and counts its ids.
#[derive(Default)]
pub(crate) struct StillClock(AtomicU64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(self.0.fetch_add(1, Ordering::Relaxed).into())
    }
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000..1000_i32).prop_map(|n| Value::from(f64::from(n) + 0.5)),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(9, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-c\"\\\\é]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
