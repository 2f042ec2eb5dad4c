//! Limits per customer and day are sums over all their cases, also when the cases ask at the same instant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::routing::post;
use axum::{Json, Router};
use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::config::{Config, Environment, Sources};
use firstline::domain::case::CaseState;
use firstline::domain::decision::{Draft, HandOff, Step};
use firstline::domain::ids::{CaseId, MessageId, ProcedureId, TurnId};
use firstline::domain::message::Message;
use firstline::domain::time::Clock;
use firstline::domain::turn::Turn;
use firstline::store::{Change, Draftbook};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::store::{Record, on_both};
use crate::support::world::{clock, message, process};

on_both! {
    four_cases_at_once_stay_together_under_the_limit_of_a_day
}

const CASES: usize = 4;
const QUARTER_MINOR: i64 = 2500;
const PROCEDURE: &str =
    "---\nid: refund\ntitle: Refund\nexamples: [refund me]\nassurance: channel\ntools: [refund_order]\n---\n";

/// Pays back a quarter of the whole and says so; a person gets what is over the limit.
struct Quarters;

impl Assistant for Quarters {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        Box::new(Self)
    }
}

impl Proposer for Quarters {
    fn next(&mut self, seen: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let step = match seen {
            Seen::Begin => Step::Call {
                tool: "refund_order".to_owned(),
                arguments: json!({"amount_minor": QUARTER_MINOR}),
            },
            Seen::NeedsApproval { .. } => Step::HandOff(HandOff::because("over_limit")),
            Seen::Called { .. } => {
                Step::Say(Draft { text: "Thank you for your message.".to_owned(), ..Draft::default() })
            }
            other => panic!("{other:?}"),
        };
        Box::pin(async { Ok(step) })
    }

    fn memory(&self) -> String {
        String::new()
    }

    fn gathered(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn intent(&self) -> Option<ProcedureId> {
        ProcedureId::parse("refund").ok()
    }
}

fn config(shop: std::net::SocketAddr, record: &Record) -> Config {
    let text = format!(
        r#"
[[tools]]
name = "refund_order"
description = "Pays back."
effect = "write"
assurance = "verified"
confirm = false
amount = "arguments.amount_minor"
currency = "EUR"
parameters = {{ type = "object", additionalProperties = false, required = ["amount_minor"], properties = {{ amount_minor = {{ type = "integer" }} }} }}
[tools.limits]
per_day_amount_minor = {}
[tools.http]
method = "POST"
url = "http://{shop}/refunds"
body = '{{{{ arguments | tojson }}}}'
timeout_ms = 3000
"#,
        2 * QUARTER_MINOR
    );
    let mut config = Config::load(Sources {
        file: Some((&text, Path::new("firstline.toml"))),
        workspace: PathBuf::new(),
        environment: Environment::default(),
    })
    .unwrap();
    config.database.url = record.database.url();
    config.worker.turn_timeout_ms = 300_000;
    config.limits.restarts_max = CASES;
    config
}

async fn four_cases_at_once_stay_together_under_the_limit_of_a_day(record: Arc<Record>) {
    let paid: Arc<Mutex<Vec<Value>>> = Arc::default();
    let known = paid.clone();
    let refund = move |Json(body): Json<Value>| {
        known.lock().unwrap().push(body);
        async { Json(json!({"refund_id": "RF-1"})) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(listener.local_addr().unwrap(), &record);
    let router = Router::new().route("/refunds", post(refund));
    // It ends with the runtime of its test.
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let clock = clock();
    let pipeline = process(config, clock.clone(), &[("refund", PROCEDURE)], Arc::new(Quarters)).await;
    let store = &pipeline.parts().store;

    let first = pipeline.enqueue(message("m1", "refund me")).await.unwrap();
    let file = store.case(&first.case).await.unwrap().unwrap();
    let mut cases = vec![first.case.clone()];
    for _ in 1..CASES {
        let mut case = file.case.clone();
        case.id = CaseId::new(clock.new_id());
        (case.version, case.message_seq, case.inbound_seq, case.event_seq) = (0, 0, 1, 0);
        case.event_hash.clear();
        let mut book = Draftbook::new(case, clock.now());
        let said = Message::clone(file.messages.first().unwrap());
        book.message(Message { id: MessageId::new(clock.new_id()), case: book.case.id.clone(), ..said });
        let turn = Turn {
            id: TurnId::new(clock.new_id()),
            case: book.case.id.clone(),
            epoch: 0,
            holder: String::new(),
            leased_until: clock.now(),
            attempts: 0,
            due_at: clock.now(),
            opened_at: clock.now(),
        };
        cases.push(book.case.id.clone());
        store.commit(book.open(vec![Change::OpenTurn(turn)])).await.unwrap();
    }
    pipeline.drain().await;

    assert_eq!(paid.lock().unwrap().len(), 2, "two quarters are the limit");
    let mut with_people = 0;
    for case in &cases {
        let file = store.case_fresh(case).await.unwrap().unwrap();
        with_people += usize::from(file.case.state == CaseState::Queued);
    }
    assert_eq!(with_people, CASES - 2);
}
