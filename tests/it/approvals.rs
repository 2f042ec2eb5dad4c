//! A write above its limit waits for a person, runs at most once, and the customer hears what came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::config::{Config, Environment, Sources};
use firstline::desk::act::{self, Actor, At};
use firstline::desk::approvals::{self, Decision, Pending, Standing};
use firstline::domain::case::{CaseState, SettledAs};
use firstline::domain::decision::{HandOff, Step};
use firstline::domain::event::{EventKind, first_broken};
use firstline::domain::ids::{AgentId, ApprovalId, CaseId, ProcedureId, TeamId};
use firstline::domain::message::Author;
use firstline::domain::receipt::{CallStatus, LedgerEntry};
use firstline::domain::role::Role;
use firstline::domain::team::Agent;
use firstline::domain::time::Clock;
use firstline::pipeline::{DecideError, Pipeline, Word};
use firstline::store::{Change, Draftbook, Store};
use firstline::tools::ledger;
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, process};

on_both! {
    an_approved_write_runs_once_as_shown_and_the_customer_is_told
    two_agents_at_once_run_it_once
    a_refused_write_never_runs
    what_is_not_what_was_shown_does_not_run
    an_approval_is_over_with_its_time
    an_approval_is_over_with_its_case
    a_lost_answer_is_unknown_and_never_repeated
    an_approval_whose_process_died_is_unknown_and_the_customer_hears_that
    only_the_team_that_has_the_case_decides
    rules_that_hold_for_every_call_hold_for_an_approved_one
}

const HOUR_MS: i64 = 3_600_000;
const PROCEDURE: &str =
    "---\nid: refund\ntitle: Refund\nexamples: [refund me]\nassurance: channel\ntools: [refund_order]\n---\n";

/// The system behind the tool: what it was asked to do, and how it answers.
struct Shop {
    answers: StatusCode,
    asked: std::sync::Mutex<Vec<(String, Value)>>,
}

impl Shop {
    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn open_shop(answers: StatusCode) -> (Arc<Shop>, std::net::SocketAddr) {
    let shop = Arc::new(Shop { answers, asked: std::sync::Mutex::default() });
    let known = shop.clone();
    let refund = move |headers: HeaderMap, Json(body): Json<Value>| {
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        known.asked.lock().unwrap().push((key, body.clone()));
        let answer =
            (known.answers, Json(json!({"refund_id": "RF-1", "amount_minor": body["amount_minor"]})));
        async move { answer }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/refunds", post(refund));
    // It ends with the runtime of its test.
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    (shop, address)
}

fn config(shop: std::net::SocketAddr, record: &Record) -> Config {
    let text = format!(
        r#"
[[teams]]
id = "support"
name = "Support"
[[teams]]
id = "payments"
name = "Payments"
[[tools]]
name = "refund_order"
description = "Pays back."
effect = "write"
assurance = "verified"
amount = "arguments.amount_minor"
currency = "EUR"
parameters = {{ type = "object", additionalProperties = false, required = ["amount_minor"], properties = {{ amount_minor = {{ type = "integer" }} }} }}
[tools.limits]
max_amount_minor = 10000
[tools.http]
method = "POST"
url = "http://{shop}/refunds"
body = '{{{{ arguments | tojson }}}}'
timeout_ms = 3000
"#
    );
    let mut config = Config::load(Sources {
        file: Some((&text, Path::new("firstline.toml"))),
        workspace: PathBuf::new(),
        environment: Environment::default(),
    })
    .unwrap();
    config.database.url = record.database.url();
    // A machine that stands still for a while shall not end the turn.
    config.worker.turn_timeout_ms = 300_000;
    config
}

/// Proposes one refund above its limit, and hands over what needs a person.
struct Refunds;

impl Assistant for Refunds {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        Box::new(Self)
    }
}

impl Proposer for Refunds {
    fn next(&mut self, seen: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let step = match seen {
            Seen::Begin => {
                Step::Call { tool: "refund_order".to_owned(), arguments: json!({"amount_minor": 90_000}) }
            }
            Seen::NeedsApproval { .. } => {
                let team = Some("payments".to_owned());
                Step::HandOff(HandOff { team, ..HandOff::because("over_limit") })
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

/// A case that waits for approval, and everything around it.
struct Desked {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
    shop: Arc<Shop>,
    case: CaseId,
    approval: ApprovalId,
}

impl Desked {
    async fn new(record: &Record, answers: StatusCode) -> Self {
        let (shop, address) = open_shop(answers).await;
        let (config, clock) = (config(address, record), clock());
        let pipeline = process(config, clock.clone(), &[("refund", PROCEDURE)], Arc::new(Refunds)).await;
        for (login, teams) in [("ada", vec![]), ("ben", vec!["payments"]), ("cleo", vec!["support"])] {
            pipeline.parts().store.add_agent(&agent(login, &teams)).await.unwrap();
        }
        let accepted = pipeline.ingest(message("m1", "refund 900 now")).await.unwrap();
        pipeline.drain().await;
        let case = accepted.case;
        let file = pipeline.parts().store.case_fresh(&case).await.unwrap().unwrap();
        let found = approvals::of_case(&pipeline.parts().store, &file.case, clock.now()).await.unwrap();
        let approval = found.unwrap().approval.id;
        assert_eq!(shop.asked().len(), 0, "nothing runs before a person says so");
        Self { pipeline, clock, shop, case, approval }
    }

    fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    async fn standing(&self) -> Pending {
        let file = self.store().case_fresh(&self.case).await.unwrap().unwrap();
        approvals::of_case(self.store(), &file.case, self.clock.now()).await.unwrap().unwrap()
    }

    fn word(&self, login: &str, decision: Decision) -> Word {
        let actor = Actor::Agent(agent(login, &[]).id);
        Word { case: self.case.clone(), approval: self.approval.clone(), shown: None, decision, actor }
    }

    async fn decide(&self, login: &str, decision: Decision) -> Result<Pending, DecideError> {
        self.pipeline.decide(self.word(login, decision)).await
    }

    /// What the customer heard after the handoff.
    async fn heard(&self) -> Vec<String> {
        let thread = self.store().messages(&self.case, 2, 100).await.unwrap();
        thread.iter().filter(|m| m.author == Author::Assistant).map(|m| m.text.clone()).collect()
    }

    async fn log(&self) -> Vec<String> {
        let events = self.store().events(&self.case, 0, i64::MAX).await.unwrap();
        assert_eq!(first_broken(&events), None);
        events.into_iter().map(|event| event.kind).collect()
    }
}

fn agent(login: &str, teams: &[&str]) -> Agent {
    Agent {
        id: AgentId::parse(&format!("agent-{login}")).unwrap(),
        login: login.to_owned(),
        name: login.to_owned(),
        password_hash: String::new(),
        role: if teams.is_empty() { Role::Supervisor } else { Role::Agent },
        teams: teams.iter().map(|team| TeamId::parse(team).unwrap()).collect(),
        languages: Vec::new(),
        created_at: firstline::domain::time::Timestamp(0),
        password_chosen_at: None,
    }
}

fn outcome(pending: &Pending) -> (Decision, Option<CallStatus>) {
    match &pending.standing {
        Standing::Decided { decision, outcome, .. } => (*decision, *outcome),
        other => panic!("{other:?}"),
    }
}

async fn an_approved_write_runs_once_as_shown_and_the_customer_is_told(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    let decided = desk.decide("ben", Decision::Approved).await.unwrap();
    assert_eq!(outcome(&decided), (Decision::Approved, Some(CallStatus::Done)));
    let asked = desk.shop.asked();
    assert_eq!((asked.len(), &asked[0].1), (1, &json!({"amount_minor": 90_000})));
    let entry = desk.store().ledger(&asked[0].0).await.unwrap().unwrap();
    assert_eq!((entry.status, entry.amount_minor), (Some(CallStatus::Done), Some(90_000)));
    let receipts = desk.store().receipts(&desk.case).await.unwrap();
    assert_eq!((receipts.len(), receipts[0].status), (1, CallStatus::Done));
    assert_eq!(desk.heard().await, ["Your request for €900.00 has been approved and carried out."]);
    let file = desk.store().case_fresh(&desk.case).await.unwrap().unwrap();
    assert_eq!((file.case.state, file.case.agent.clone()), (CaseState::Agent, Some(agent("ben", &[]).id)));
    let log = desk.log().await;
    assert_eq!(log.iter().filter(|kind| *kind == "approval_decided").count(), 1, "{log:?}");
    for decision in [Decision::Approved, Decision::Refused] {
        let again = desk.decide("ada", decision).await;
        assert!(matches!(again, Err(DecideError::NotWaiting(Standing::Decided { .. }))), "{again:?}");
    }
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (1, 1));
}

async fn two_agents_at_once_run_it_once(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    let words = (0..8).map(|at| {
        let decision = if at % 4 == 3 { Decision::Refused } else { Decision::Approved };
        desk.decide(if at % 2 == 0 { "ada" } else { "ben" }, decision)
    });
    let said = join_all(words).await;
    let taken: Vec<_> = said.iter().filter_map(|one| one.as_ref().ok()).collect();
    assert_eq!(taken.len(), 1, "{said:?}");
    let ran = usize::from(outcome(taken[0]).0 == Decision::Approved);
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (ran, 1));
    assert!(
        said.iter().filter_map(|one| one.as_ref().err()).all(|e| matches!(e, DecideError::NotWaiting(_)))
    );
}

async fn a_refused_write_never_runs(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    assert_eq!(outcome(&desk.decide("ada", Decision::Refused).await.unwrap()), (Decision::Refused, None));
    let heard = desk.heard().await;
    assert!(heard.len() == 1 && heard[0].contains("did not approve"), "{heard:?}");
    assert!(matches!(desk.decide("ada", Decision::Approved).await, Err(DecideError::NotWaiting(_))));
    assert_eq!(desk.shop.asked().len(), 0);
}

async fn what_is_not_what_was_shown_does_not_run(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    let shown = desk.standing().await.approval.hash;
    let other = Word { shown: Some(shown.replace(['0', '1'], "2")), ..desk.word("ada", Decision::Approved) };
    assert!(matches!(desk.pipeline.decide(other).await, Err(DecideError::Changed)));
    let unknown =
        Word { approval: ApprovalId::parse("another").unwrap(), ..desk.word("ada", Decision::Approved) };
    assert!(matches!(desk.pipeline.decide(unknown).await, Err(DecideError::NoApproval)));
    // Somebody raises the amount in the record by hand: the hash no longer fits.
    record.database.run("update handoffs set note = replace(note, '90000', '99000')").await;
    let decided = desk.decide("ada", Decision::Approved).await;
    assert!(matches!(decided, Err(DecideError::Denied(_))), "{decided:?}");
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (0, 0));
    assert!(desk.log().await.contains(&"tool_denied".to_owned()));
}

async fn an_approval_is_over_with_its_time(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    let hours = desk.pipeline.parts().config.limits.approvals_expire_hours;
    desk.clock.advance(hours * HOUR_MS);
    assert_eq!(desk.standing().await.standing, Standing::Waiting);
    desk.clock.advance(1);
    for decision in [Decision::Approved, Decision::Refused] {
        let late = desk.decide("ada", decision).await;
        assert!(matches!(late, Err(DecideError::NotWaiting(Standing::Expired))), "{late:?}");
    }
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (0, 0));
}

async fn an_approval_is_over_with_its_case(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    let actor = Actor::Agent(agent("ada", &[]).id);
    let at = At {
        store: desk.store(),
        channels: &desk.pipeline.parts().channels,
        clock: desk.clock.as_ref(),
        actor: &actor,
        case: &desk.case,
    };
    act::resolve(at, SettledAs::Solved).await.unwrap();
    let late = desk.decide("ben", Decision::Approved).await;
    assert!(matches!(late, Err(DecideError::NotWaiting(Standing::Over))), "{late:?}");
    // Whoever settled it may have done it by hand: opening the case again does not bring it back.
    act::reopen(at, &desk.pipeline.parts().desk).await.unwrap();
    let late = desk.decide("ben", Decision::Approved).await;
    assert!(matches!(late, Err(DecideError::NotWaiting(Standing::Over))), "{late:?}");
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (0, 0));
}

async fn a_lost_answer_is_unknown_and_never_repeated(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::BAD_GATEWAY).await;
    let decided = desk.decide("ada", Decision::Approved).await.unwrap();
    assert_eq!(outcome(&decided), (Decision::Approved, Some(CallStatus::Unknown)));
    let heard = desk.heard().await;
    assert!(heard.len() == 1 && heard[0].contains("checking whether it went through"), "{heard:?}");
    assert!(matches!(desk.decide("ben", Decision::Approved).await, Err(DecideError::NotWaiting(_))));
    desk.clock.advance(HOUR_MS);
    desk.pipeline.drain().await;
    assert_eq!(desk.shop.asked().len(), 1);
    assert_eq!(outcome(&desk.standing().await), (Decision::Approved, Some(CallStatus::Unknown)));
}

async fn an_approval_whose_process_died_is_unknown_and_the_customer_hears_that(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    // All that a process leaves behind that dies after the claim and before the answer.
    let (approval, now) = (desk.standing().await.approval, desk.clock.now());
    let key = ledger::approved_key(&approval);
    let file = desk.store().case_fresh(&desk.case).await.unwrap().unwrap();
    let mut book = Draftbook::new(file.case.clone(), now);
    let body = json!({"approval": approval.id, "decision": "approved", "by": "agent:agent-ada"});
    book.event(EventKind::ApprovalDecided, &body);
    book.push(Change::Claim(LedgerEntry {
        key: key.clone(),
        case: desk.case.clone(),
        customer: file.case.customer.clone(),
        tool: approval.tool.clone(),
        arguments: approval.arguments.clone(),
        amount_minor: Some(90_000),
        status: None,
        claimed_at: now,
    }));
    desk.store().commit(book.close(Vec::new())).await.unwrap();
    assert_eq!(outcome(&desk.standing().await), (Decision::Approved, None));
    assert!(matches!(desk.decide("ben", Decision::Approved).await, Err(DecideError::NotWaiting(_))));
    desk.clock.advance(HOUR_MS);
    let mut news = desk.store().subscribe(&desk.case);
    desk.pipeline.start();
    while desk.store().ledger(&key).await.unwrap().unwrap().status.is_none() {
        news.next().await.expect("the store is open");
    }
    desk.pipeline.parts().shutdown.cancel();
    desk.pipeline.parts().tasks.close();
    desk.pipeline.parts().tasks.wait().await;
    assert_eq!(outcome(&desk.standing().await), (Decision::Approved, Some(CallStatus::Unknown)));
    let heard = desk.heard().await;
    assert!(heard.len() == 1 && heard[0].contains("checking whether it went through"), "{heard:?}");
    assert_eq!(desk.shop.asked().len(), 0, "and it is not sent again");
}

async fn only_the_team_that_has_the_case_decides(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    for login in ["cleo", "nobody"] {
        let decided = desk.decide(login, Decision::Approved).await;
        assert!(matches!(decided, Err(DecideError::NotYours)), "{login}: {decided:?}");
    }
    assert_eq!(desk.shop.asked().len(), 0);
    assert!(desk.decide("ben", Decision::Approved).await.is_ok());
}

async fn rules_that_hold_for_every_call_hold_for_an_approved_one(record: Arc<Record>) {
    let desk = Desked::new(&record, StatusCode::OK).await;
    // The customer's proof was withdrawn since they asked.
    record.database.run("update cases set assurance = 'claimed', version = version + 1").await;
    let decided = desk.decide("ada", Decision::Approved).await;
    assert!(matches!(decided, Err(DecideError::Denied(_))), "{decided:?}");
    assert_eq!((desk.shop.asked().len(), desk.heard().await.len()), (0, 0));
    assert_eq!(desk.standing().await.standing, Standing::Waiting);
}
