//! A person's record is handed out whole, and erased so that nobody finds a word of it again.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use firstline::domain::case::{Case, Doubt, DoubtStage, MoveOffer, Moved, PendingWrite, Place};
use firstline::domain::crm::Crm;
use firstline::domain::customer::{Customer, Identity};
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::event::{Event, EventKind, first_broken};
use firstline::domain::handoff::{Handoff, HandoffNote, Known};
use firstline::domain::ids::{AttachmentId, HandoffId, TeamId};
use firstline::domain::message::{Attachment, Citation, Message, WHOLE_PAGE};
use firstline::domain::receipt::{LedgerEntry, Receipt};
use firstline::domain::triage::{Sentiment, Urgency};
use firstline::store::{Change, Consent, Conversation, InboxEntry, StoredAttachment, Unit};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

use crate::store::things::{
    NOW, case, case_id, claim, customer, customer_id, delivery, first, identity, inbox, message, receipt,
    turn, unit,
};
use crate::store::{Record, on_both};
use crate::support::database::Database;
use crate::support::service::Service;
use crate::support::world;

on_both! {
    everything_about_one_person_is_handed_out_and_nothing_about_another
    an_erasure_beside_a_running_service_leaves_counts_and_no_words
    what_was_erased_is_neither_taken_again_nor_written_to_again
    the_api_hands_out_and_erases_for_administrators
}

/// In every field; nine bytes, so that its base64 is the same wherever it is repeated.
const CANARY: &str = "CANARYXQZ";
const IN_BASE64: &str = "Q0FOQVJZWFFa";

fn canary(field: &str) -> String {
    format!("{CANARY} {field}")
}

/// A person with something in every table and the canary in every field that can hold it.
async fn plant(record: &Record) {
    let person = person();
    let log = json!({"found": CANARY}).to_string();
    let log = Event::chained("", &case_id("ann"), 1, NOW, EventKind::Guarded, log);
    let begun = Case {
        issue: Some(canary("issue")),
        conversation: CANARY.to_owned(),
        event_hash: log.hash.clone(),
        ..case("ann")
    };
    let mut changes = vec![
        Change::NewCustomer(Arc::new(person.clone())),
        Change::NewIdentity(Identity { address: CANARY.to_owned(), ..identity("ann") }),
        Change::NewCase(begun.clone()),
        Change::Event(log),
        Change::OpenTurn(turn("ann")),
    ];
    changes.extend(words());
    changes.extend(effects());
    record.store.commit(unit("ann", changes)).await.unwrap();
    // Once more with other words, so that former rows lie about.
    let later = Case {
        version: 2,
        memory: json!({"slot": CANARY}).to_string(),
        pending: Some(PendingWrite {
            tool: "refund".to_owned(),
            arguments: CANARY.to_owned(),
            details: CANARY.to_owned(),
            asked_seq: 1,
            expires_at: NOW,
        }),
        doubt: Some(Doubt { request: CANARY.to_owned(), stage: DoubtStage::Asked, seq: 1 }),
        move_offer: Some(MoveOffer {
            to: Place {
                channel: "email".to_owned(),
                conversation: CANARY.to_owned(),
                address: CANARY.to_owned(),
            },
            what: Moved::Answers,
            asked_seq: 1,
            declined: false,
        }),
        ..begun
    };
    let renamed = Customer { version: 2, name: Some(canary("former name")), ..person };
    let failed = Change::Delivered {
        delivery: delivery("ann").id,
        state: DeliveryState::Failed,
        attempts: 1,
        due_at: NOW,
        provider_id: Some(CANARY.to_owned()),
        reason: Some(canary("reason")),
    };
    let changes = vec![Change::Case(later), Change::Customer(Arc::new(renamed)), failed];
    record.store.commit(unit("ann", changes)).await.unwrap();
    let status = (DeliveryState::Read, Some(CANARY));
    record.store.keep_early_status("web_chat", CANARY, status, NOW).await.unwrap();
}

fn person() -> Customer {
    Customer {
        external_id: Some(canary("external")),
        name: Some(canary("name")),
        email: Some(canary("email")),
        phone: Some(canary("phone")),
        crm: Crm {
            tier: Some(canary("tier")),
            owner: Some(canary("owner")),
            tags: vec![canary("tag")],
            ..Crm::default()
        },
        ..customer("ann")
    }
}

/// What was said, where, and what came along.
fn words() -> Vec<Change> {
    let said = Message {
        text: canary("text"),
        citations: vec![Citation { article: canary("article"), title: canary("title") }],
        choices: vec![canary("choice")],
        attachments: vec![Attachment {
            name: canary("file"),
            content_type: Some(canary("type")),
            url: Some(canary("url")),
            id: Some(AttachmentId::parse("file-1").unwrap()),
            content: None,
        }],
        ..message("ann", 1)
    };
    let arrived =
        InboxEntry { external_id: CANARY.to_owned(), digest: CANARY.to_owned(), ..inbox("ann", "x") };
    vec![
        Change::Inbox(arrived),
        Change::Message(Arc::new(said)),
        Change::Attachment(StoredAttachment {
            id: AttachmentId::parse("file-1").unwrap(),
            case: case_id("ann"),
            message: message("ann", 1).id,
            name: canary("file"),
            content_type: Some(canary("type")),
            content: CANARY.repeat(300).into_bytes().into(),
            at: NOW,
        }),
        // The page of a mail as it came.
        Change::Attachment(StoredAttachment {
            id: AttachmentId::parse("page-1").unwrap(),
            case: case_id("ann"),
            message: message("ann", 1).id,
            name: WHOLE_PAGE.to_owned(),
            content_type: Some("text/html".to_owned()),
            content: format!("<p>{}", CANARY.repeat(300)).into_bytes().into(),
            at: NOW,
        }),
        Change::Heard(Conversation {
            channel: "web_chat".to_owned(),
            conversation: CANARY.to_owned(),
            address: CANARY.to_owned(),
            last_inbound_at: NOW,
            threading: Some(canary("threading")),
        }),
        Change::Consent(Consent {
            id: "consent-1".to_owned(),
            channel: "web_chat".to_owned(),
            address: CANARY.to_owned(),
            opted_out: true,
            word: CANARY.to_owned(),
            at: NOW,
        }),
    ]
}

/// What was done for them.
fn effects() -> Vec<Change> {
    let arguments = json!({"a": CANARY});
    let called = Receipt { arguments: arguments.clone(), result: json!({"b": CANARY}), ..receipt("ann", 1) };
    let claimed = LedgerEntry { arguments: arguments.to_string(), ..claim("ann", "key-1", Some(900)) };
    vec![
        Change::Receipt(Arc::new(called)),
        Change::Claim(claimed),
        Change::Deliver(Delivery { conversation: CANARY.to_owned(), ..delivery("ann") }),
        Change::Handoff(Box::new(Handoff {
            id: HandoffId::parse("handoff-1").unwrap(),
            case: case_id("ann"),
            team: TeamId::parse("support").unwrap(),
            urgency: Urgency::High,
            reason: "asked_for_a_person".to_owned(),
            note: note(),
            at: NOW,
            taken_by: None,
        })),
    ]
}

fn note() -> HandoffNote {
    let value = || Known::Value(CANARY.to_owned());
    HandoffNote {
        customer: value(),
        verified: CANARY.to_owned(),
        channels: vec!["web_chat".to_owned()],
        language: "en".to_owned(),
        issue: value(),
        wants: value(),
        facts: Vec::new(),
        tried: Vec::new(),
        articles: Vec::new(),
        promised: value(),
        mood: Sentiment::Negative,
        urgency: Urgency::High,
        reason: "asked_for_a_person".to_owned(),
        next_step: value(),
        told: value(),
        approval: None,
        unsent: Some(CANARY.to_owned()),
        transcript: Vec::new(),
    }
}

/// Where the canary still is: in rows, and for SQLite in every byte of the folder.
async fn found(record: &Record) -> Vec<String> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&record.database.url()).await.unwrap();
    let mut found = Vec::new();
    match &record.database {
        Database::Sqlite(folder) => search(folder.path(), &mut found),
        Database::Postgres { schema, .. } => {
            let sql =
                "select cast(table_name as text) from information_schema.tables where table_schema = $1";
            for table in sqlx::query(sql).bind(schema).fetch_all(&mut connection).await.unwrap() {
                let table: String = table.try_get(0).unwrap();
                let sql = sqlx::AssertSqlSafe(format!("select cast(t as text) from {table} t"));
                for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
                    let text: String = row.try_get(0).unwrap();
                    if text.contains(CANARY) || text.contains(IN_BASE64) {
                        found.push(format!("{table}: {text}"));
                    }
                }
            }
        }
    }
    connection.close().await.unwrap();
    found
}

fn search(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, found);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let times = text.matches(CANARY).count() + text.matches(IN_BASE64).count();
        if times > 0 {
            found.push(format!("{} ({times} times)", path.display()));
        }
    }
}

fn program(record: &Record, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .current_dir(folder.path())
        .args(["--database", &record.database.url(), "customer"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap(), text(ended.stdout), text(ended.stderr))
}

async fn everything_about_one_person_is_handed_out_and_nothing_about_another(record: Arc<Record>) {
    plant(&record).await;
    record.store.commit(first("bob")).await.unwrap();
    let (code, out, complaint) = program(&record, &["export", &format!("external:{CANARY} external")]);
    assert_eq!(code, 0, "{complaint}");
    let export: Value = serde_json::from_str(&out).unwrap();
    assert!(!out.contains("bob"), "{out}");
    for field in ["name", "email", "phone"] {
        let expected = if field == "name" { canary("former name") } else { canary(field) };
        assert_eq!(export["customer"][field], json!(expected));
    }
    assert_eq!(export["customer"]["crm"]["tier"], json!(canary("tier")));
    assert_eq!(export["customer"]["created_at"], json!(NOW.to_string()));
    for table in ["identities", "conversations", "consents", "early_statuses"] {
        assert_eq!(export[table].as_array().map(Vec::len), Some(1), "{table}: {out}");
    }
    let case = &export["cases"][0];
    for table in
        ["inbox", "messages", "attachments", "events", "turns", "receipts", "ledger", "outbox", "handoffs"]
    {
        assert!(case[table][0].to_string().contains("ann") || case[table][0].is_object(), "{table}: {case}");
    }
    assert_eq!(case["messages"][0]["text"], json!(canary("text")));
    assert_eq!(case["handoffs"][0]["note"]["wants"], json!(CANARY));
    let kept = case["attachments"].as_array().unwrap();
    assert!(kept[0]["content"].as_str().unwrap().contains(IN_BASE64));
    assert!(kept.iter().any(|file| file["name"] == WHOLE_PAGE), "{case}");
    for id in ["nobody", "external:nobody", "a b"] {
        let (code, _, complaint) = program(&record, &["export", id]);
        assert!(code == 2 && complaint.contains("there is no customer"), "{complaint}");
    }
}

async fn an_erasure_beside_a_running_service_leaves_counts_and_no_words(record: Arc<Record>) {
    plant(&record).await;
    record.store.commit(first("bob")).await.unwrap();
    let bob = record.store.transcript(&case_id("bob")).await.unwrap();
    // The service has the case at hand, and goes on.
    let service = Service::new(&record.database.url(), |_| ()).await;
    let store = &service.app.store;
    let held = store.case(&case_id("ann")).await.unwrap().unwrap();
    assert!(held.messages[0].text.contains(CANARY) && !found(&record).await.is_empty());
    let id = customer_id("ann");
    let (code, _, complaint) = program(&record, &["erase", id.as_str()]);
    assert!(code == 2 && complaint.contains("--yes"), "{complaint}");
    let (code, out, complaint) = program(&record, &["erase", id.as_str(), "--yes"]);
    assert_eq!((code, out.starts_with("1 case(s)")), (0, true), "{out} {complaint}");
    assert_eq!(found(&record).await, Vec::<String>::new());
    assert!(!store.export_customer(&id).await.unwrap().unwrap().to_string().contains(CANARY));
    // What was at hand is let go, and can no longer be written back.
    let stale = Case { version: held.case.version + 1, ..held.case.clone() };
    let refused = store.commit(Unit { case: stale.id.clone(), changes: vec![Change::Case(stale)] }).await;
    assert!(refused.is_err());
    store.forget_erased(NOW).await.unwrap();
    let left = store.case(&case_id("ann")).await.unwrap().unwrap();
    assert_eq!((left.messages.len(), left.messages[0].text.as_str(), left.receipts.len()), (1, "", 1));
    assert_eq!((left.case.channel.as_str(), left.case.state.as_str()), ("web_chat", "closed"));
    // The log is whole, says what was done, and still shows an edited row.
    let mut log = store.events(&case_id("ann"), 0, 100).await.unwrap();
    assert_eq!((log.len(), log[1].kind.as_str(), first_broken(&log)), (2, "erased", None));
    assert_eq!(log[0].kind, "guarded");
    log[0].at = NOW.plus_ms(1);
    assert_eq!(first_broken(&log), Some(1));
    let note = store.handoff(&case_id("ann")).await.unwrap().unwrap();
    assert_eq!((note.reason.as_str(), note.note.mood), ("asked_for_a_person", Sentiment::Negative));
    assert_eq!(store.transcript(&case_id("bob")).await.unwrap(), bob, "nobody else's");
    // Again it finds nothing more and breaks nothing.
    assert_eq!(program(&record, &["erase", id.as_str(), "--yes"]).0, 0);
    assert_eq!(first_broken(&store.events(&case_id("ann"), 0, 100).await.unwrap()), None);
    service.stop().await;
}

async fn what_was_erased_is_neither_taken_again_nor_written_to_again(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| ()).await;
    let pipeline = &service.app.pipeline;
    let sent = pipeline.enqueue(world::message("1", CANARY)).await.unwrap();
    let refused = Consent {
        id: "consent-1".to_owned(),
        channel: "operator".to_owned(),
        address: "ann".to_owned(),
        opted_out: true,
        word: "STOP".to_owned(),
        at: NOW,
    };
    let unit = Unit { case: sent.case.clone(), changes: vec![Change::Consent(refused)] };
    service.app.store.commit(unit).await.unwrap();
    let erased = service.app.store.erase_customer(&sent.customer, NOW).await.unwrap().unwrap();
    assert!(erased.forgotten && erased.cases == 1, "{erased:?}");
    // The provider delivers it once more.
    let again = pipeline.enqueue(world::message("1", CANARY)).await.unwrap();
    assert!(again.duplicate && again.message == sent.message);
    assert_eq!(record.store.opted_out("operator", "ann").await.unwrap(), Some(NOW));
    assert_eq!(record.store.opted_out("operator", "eve").await.unwrap(), None);
    assert_eq!(found(&record).await, Vec::<String>::new());
    // When they write anew they are somebody new.
    let anew = pipeline.enqueue(world::message("2", "hello")).await.unwrap();
    assert!(anew.customer != sent.customer && anew.case != sent.case);
    service.stop().await;
}

async fn the_api_hands_out_and_erases_for_administrators(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| ()).await;
    let sent = service.app.pipeline.enqueue(world::message("1", CANARY)).await.unwrap();
    let place = format!("/v1/customers/{}", sent.customer);
    let export = service.get(&format!("{place}/export")).await.json();
    assert_eq!(export["cases"][0]["messages"][0]["text"], CANARY);
    let shown = service.get(&format!("/v1/cases/{}/messages", sent.case)).await.json();
    assert_eq!(shown["items"][0]["text"], CANARY);
    let erased = service.call("DELETE", &place, &Value::Null).await;
    assert_eq!((erased.status.as_u16(), &erased.json()["cases"]), (200, &json!(1)));
    for path in [place.clone(), format!("{place}/export"), format!("/v1/cases/{}/messages", sent.case)] {
        let answer = service.get(&path).await;
        assert!(answer.status.is_success() && !answer.json().to_string().contains(CANARY), "{path}");
    }
    let log = service.get(&format!("/v1/cases/{}/events", sent.case)).await.json();
    assert_eq!(log["intact"], true, "{log}");
    assert_eq!(service.call("DELETE", "/v1/customers/nobody", &Value::Null).await.status.as_u16(), 404);
    service.stop().await;
}
