//! Whole turns in which the tool of a server is called: by a model, and by a procedure.

use firstline::app::{App, Understanding};
use firstline::domain::turn::Outcome;
use firstline::knowledge::{Origin, Source};
use firstline::pipeline::Ended;
use firstline::telemetry;

use super::*;
use crate::support::stub_model::{Act, StubModel, honestly, stream_of};
use crate::support::world::message;

const PROCEDURE: &str = r#"---
id: order_status
title: Where is my order
tier: 1
examples: [where is my order, has my parcel left yet]
slots:
  order_id: { pattern: 'HP-\d+', ask: "Which order is it?" }
assurance: channel
steps:
  - call: shop_order_status
    with: { order_id: "{{ slots.order_id }}" }
    as: order
  - say: "Order {{ order.order }} is {{ order.status }}."
---
"#;

/// A service with a server behind it.
async fn service(manners: &str, model: Option<&StubModel>, folder: &tempfile::TempDir) -> App {
    let text = program(manners, &folder.path().join("journal"));
    let mut config = load(&format!("{text}{CLASSIFIED}")).unwrap();
    config.database.url = format!("sqlite://{}/record.db", folder.path().display());
    config.worker.turn_timeout_ms = 60_000;
    if let Some(model) = model {
        "stub".clone_into(&mut config.model.name);
        config.model.base_url = model.base_url();
    }
    let procedure =
        Source { path: "procedures/order_status.md".to_owned(), text: PROCEDURE.to_owned().into() };
    let (understanding, problems) =
        Understanding::build(&config, Origin::Embedded(vec![procedure]), None).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let app = App::build(config, understanding, Arc::new(SystemClock), &[7; 32], telemetry::metrics())
        .await
        .unwrap();
    app.store.migrate().await.unwrap();
    app.start_servers().await;
    app.pipeline.start();
    app
}

async fn say(app: &App, text: &str) -> Ended {
    let accepted = app.pipeline.ingest(message("m-1", text)).await.unwrap();
    app.pipeline.wait(&accepted, 60_000).await.unwrap()
}

fn words(ended: &Ended) -> String {
    ended.replies.iter().map(|reply| reply.text.clone()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_calls_the_tool_of_a_server_and_answers_with_what_it_said() {
    let stub = StubModel::start(|_, captured| {
        let name = captured.body.pointer("/response_format/json_schema/name").and_then(Value::as_str);
        let reply = |reply: Value| {
            Act::Stream(stream_of(&[json!({"role": "assistant", "content": reply.to_string()})], "stop"))
        };
        match name {
            Some("triage") => reply(json!({"procedure": "", "confident": true, "language": "en"})),
            Some("words") => honestly(captured),
            _ if captured.said("tool").is_empty() => {
                Act::Call(&[("shop_order_status", r#"{"order_id": "HP-1"}"#)])
            }
            _ => reply(json!({
                "text": "Your order HP-1 has shipped.", "used": ["r1"], "language": "en", "asks": false,
                "resolves": true, "issue": "Status of an order",
            })),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let app = service("honest", Some(&stub), &folder).await;
    let ended = say(&app, "please look up what became of HP-1, you know").await;
    assert_eq!(words(&ended), "Your order HP-1 has shipped.", "{ended:?}");
    let journal = std::fs::read_to_string(folder.path().join("journal")).unwrap();
    let called: Vec<&str> = journal.lines().filter(|line| line.contains("\"order_status\"")).collect();
    assert_eq!(called.len(), 1, "{journal}");
    assert!(called[0].contains("\"customer_id\":\"ann\""), "for the case's own customer: {}", called[0]);
    let told = stub.seen().into_iter().find(|captured| captured.body.get("tools").is_some()).unwrap();
    let tools = told.body["tools"].as_array().unwrap();
    let function = |name: &str| tools.iter().map(|tool| &tool["function"]).find(|tool| tool["name"] == name);
    let status = function("shop_order_status").unwrap();
    assert_eq!(status["description"], "Status of one order.");
    assert!(status["parameters"]["properties"].get("customer_id").is_none(), "{status}");
    assert!(function("shop_store_hours").is_some(), "a verified customer may ask for it");
    for captured in stub.seen() {
        assert!(captured.said("system").iter().all(|text| !text.contains("Status of one order")));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_calls_the_tool_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let app = service("honest", None, &folder).await;
    let ended = say(&app, "where is my order HP-1").await;
    assert_eq!((ended.outcome, words(&ended).as_str()), (Some(Outcome::Resolved), "Order HP-1 is shipped."));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_whose_server_is_silent_gives_the_case_to_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let app = service("mute", None, &folder).await;
    let ended = say(&app, "where is my order HP-1").await;
    assert_eq!(ended.outcome, Some(Outcome::HandedOff), "{ended:?}");
    app.stop().await;
}
