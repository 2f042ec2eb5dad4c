//! The operator's CRM as the source of truth: taken over by file, and never overwritten by what somebody wrote.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use firstline::domain::customer::Customer;
use firstline::domain::message::{InboundMessage, Sender};
use serde_json::{Value, json};

use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::message;

on_both! {
    a_file_is_taken_over_once_and_the_same_file_again_changes_nothing
    whoever_shares_an_address_is_kept_apart_and_reported
    what_others_proved_is_left_and_what_the_crm_said_nobody_overwrites
    a_dry_run_writes_nothing
    thousands_of_lines_are_taken_over_in_batches
}

/// The program beside the record.
struct Program {
    folder: tempfile::TempDir,
    url: String,
}

impl Program {
    fn new(record: &Record) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: record.database.url() }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Imports a file: the exit code, the counts and the report.
    fn import(&self, text: impl AsRef<[u8]>, more: &[&str]) -> (i32, Value, Vec<Value>) {
        let (file, report) = (self.file("crm.csv", text), self.folder.path().join("report.json"));
        let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
            .current_dir(self.folder.path())
            .args(["--database", &self.url, "customer", "import", file.to_str().unwrap(), "--json"])
            .args(["--report", report.to_str().unwrap()])
            .args(more)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!said.contains('\u{1b}') && !said.contains('%'), "progress in a pipe: {said}");
        let code = ended.status.code().unwrap();
        assert!(code < 2, "{said}");
        let report = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
        (code, serde_json::from_slice(&ended.stdout).unwrap(), report)
    }
}

async fn known(record: &Record, external_id: &str) -> Customer {
    let found = record.store.customer_by_external_id(external_id).await.unwrap();
    Customer::clone(&found.unwrap_or_else(|| panic!("{external_id} is not there")))
}

fn counts(created: u64, updated: u64, unchanged: u64) -> Value {
    json!({"created": created, "updated": updated, "unchanged": unchanged, "bad_lines": 0, "conflicts": 0})
}

const FILE: &str = "external_id,name,email,phone,language,tier,owner,tags\n\
    u1,Ann,ann@example.com,+49 30 1234567,de,gold,Jo,vip;eu\n\
    u2,\"Smith, Bob\",bob@example.com,0044 20 7946 0000,en-GB,,,\n";

async fn a_file_is_taken_over_once_and_the_same_file_again_changes_nothing(record: Arc<Record>) {
    let program = Program::new(&record);
    assert_eq!(program.import(FILE, &[]), (0, counts(2, 0, 0), vec![]));
    let (ann, bob) = (known(&record, "u1").await, known(&record, "u2").await);
    assert_eq!((ann.email.as_deref(), ann.phone.as_deref()), (Some("ann@example.com"), Some("+49301234567")));
    assert_eq!((ann.crm.tier.as_deref(), ann.crm.owner.as_deref()), (Some("gold"), Some("Jo")));
    assert_eq!((ann.crm.tags.join(" "), ann.crm.fields.len()), ("vip eu".to_owned(), 7));
    assert_eq!((bob.name.as_deref(), bob.language.as_deref()), (Some("Smith, Bob"), Some("en")));
    assert_eq!((bob.crm.tier.clone(), bob.crm.fields.len()), (None, 4));
    assert_eq!(program.import(FILE, &[]), (0, counts(0, 0, 2), vec![]));
    assert_eq!((known(&record, "u1").await, known(&record, "u2").await), (ann.clone(), bob));
    // What the CRM changes changes here; a cell that is empty says nothing.
    let renamed = "tags,name,external_id,tier\n,Anna,u1,\n";
    assert_eq!(program.import(renamed, &[]), (0, counts(0, 1, 0), vec![]));
    let anna = known(&record, "u1").await;
    assert_eq!(
        (anna.name.as_deref(), &anna.crm.tier, &anna.crm.tags),
        (Some("Anna"), &ann.crm.tier, &ann.crm.tags)
    );
}

async fn whoever_shares_an_address_is_kept_apart_and_reported(record: Arc<Record>) {
    let program = Program::new(&record);
    program.import("external_id,email\nold,shared@example.com\n", &[]);
    let text = "external_id,email,phone\n\
        u1,shared@example.com,+49301234567\n\
        u2,Shared@Example.com,\n\
        u3,,+49301234567\n\
        u3,other@example.com,\n\
        u4,not an address,030 1234\n\
        u5,too,few,cells\n";
    let (code, counted, report) = program.import(text, &[]);
    assert_eq!(code, 1, "{counted}");
    let expected = json!({"created": 4, "updated": 0, "unchanged": 0, "bad_lines": 1, "conflicts": 6});
    assert_eq!(counted, expected, "{report:?}");
    let old = known(&record, "old").await;
    let mut told: Vec<String> = report
        .iter()
        .map(|one| {
            let other = one["other"].as_str().unwrap_or_default().replace(old.id.as_str(), "old");
            format!("{} {} {other}", one["line"], one["kind"].as_str().unwrap())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "2 same_email customer old",
            "3 same_email line 2",
            "4 same_phone line 2",
            "5 same_external_id line 4",
            "6 malformed ",
            "6 malformed ",
            "7 bad_line ",
        ]
    );
    let people = [known(&record, "u1").await, known(&record, "u2").await, known(&record, "u3").await];
    assert!(people.iter().all(|one| one.id != old.id), "nobody was merged");
    assert_eq!(people[2].email, None, "the second line of an id is not taken");
    assert_eq!(known(&record, "u4").await.email, None);
}

async fn what_others_proved_is_left_and_what_the_crm_said_nobody_overwrites(record: Arc<Record>) {
    let program = Program::new(&record);
    let service = Service::new(&record.database.url(), |_| ()).await;
    let says = async |id: &str, name: &str, email: &str| {
        let known = message(id, "hello");
        let sender = Sender { name: Some(name.to_owned()), email: Some(email.to_owned()), ..known.sender };
        service.app.pipeline.enqueue(InboundMessage { sender, ..known }).await.unwrap()
    };
    // Vouched for by the operator's own site before the CRM names them.
    let accepted = says("1", "Ann", "ann@site.example").await;
    let (code, counted, report) =
        program.import("external_id,name,email,tier\nann,Ann,ann@crm.example,gold\n", &[]);
    assert_eq!(
        (code, &counted["updated"], &report[0]["kind"]),
        (1, &json!(1), &json!("other_data")),
        "{report:?}"
    );
    let ann = known(&record, "ann").await;
    assert_eq!((&ann.id, ann.email.as_deref()), (&accepted.customer, Some("ann@site.example")));
    // The name is the CRM's now: neither a token's claims nor a stranger change it. The address never was.
    let again = says("2", "Mallory", "new@site.example").await;
    assert_eq!(again.customer, accepted.customer);
    let ann = known(&record, "ann").await;
    assert_eq!((ann.name.as_deref(), ann.email.as_deref()), (Some("Ann"), Some("new@site.example")));
    let shown = service.get(&format!("/v1/customers/{}", ann.id)).await.json();
    assert_eq!((&shown["tier"], &shown["owner"], &shown["tags"]), (&json!("gold"), &Value::Null, &json!([])));
    assert_eq!(shown["crm_fields"], json!(["name", "tier"]));
    // Whom the CRM named before they wrote is found when the operator vouches for them.
    program.import("external_id,name\nbob,Bob\n", &[]);
    let vouched = json!({"id": "3", "sender": {"id": "bob", "verified": true}, "text": "hello"});
    let sent = service.call("POST", "/v1/messages", &vouched).await.json();
    assert_eq!(sent["customer_id"], known(&record, "bob").await.id.as_str());
    service.stop().await;
}

async fn a_dry_run_writes_nothing(record: Arc<Record>) {
    let program = Program::new(&record);
    assert_eq!(program.import(FILE, &["--dry-run"]), (0, counts(2, 0, 0), vec![]));
    assert!(record.store.customer_by_external_id("u1").await.unwrap().is_none());
    let wrong = program.file("wrong.csv", "name\nAnn\n");
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .current_dir(program.folder.path())
        .args(["--database", &program.url, "customer", "import", wrong.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(2) && said.contains("no column `external_id`"), "{said}");
}

async fn thousands_of_lines_are_taken_over_in_batches(record: Arc<Record>) {
    let program = Program::new(&record);
    let row = |number: i32| format!("u{number},Person {number},p{number}@example.com,silver\n");
    let text: String =
        ["external_id,name,email,tier\n".to_owned()].into_iter().chain((0..3000).map(row)).collect();
    assert_eq!(program.import(&text, &[]), (0, counts(3000, 0, 0), vec![]));
    assert_eq!(known(&record, "u2999").await.email.as_deref(), Some("p2999@example.com"));
    assert_eq!(program.import(text.replace("silver", "gold"), &[]), (0, counts(0, 3000, 0), vec![]));
    assert_eq!(known(&record, "u0").await.crm.tier.as_deref(), Some("gold"));
}
