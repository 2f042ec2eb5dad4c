//! The whole service with a model behind it: whatever the model does, every message has its end, in time, and nothing
//! of a broken answer is said or done; and what the model is told, request by request.

use firstline::llm::ModelError;
use reqwest::Client;
use serde_json::{Value, json};

use crate::model_wire::failures;
use crate::support::site::Site;
use crate::support::stub_model::{Act, Captured, StubModel, call_deltas, honestly, stream_of};

/// A service whose model is the stub. A turn may wait two seconds for it.
async fn site(stub: &StubModel) -> (Site, Client) {
    site_with(stub, &[]).await
}

async fn site_with(stub: &StubModel, more: &[(&str, &str)]) -> (Site, Client) {
    _ = rustls::crypto::ring::default_provider().install_default();
    let url = stub.base_url();
    let mut settings = vec![
        ("FIRSTLINE__MODEL__NAME", "stub"),
        ("FIRSTLINE__MODEL__BASE_URL", url.as_str()),
        ("FIRSTLINE__MODEL__API_KEY", "sk-hush-hush"),
        ("FIRSTLINE__MODEL__STALL_MS", "200"),
        ("FIRSTLINE__MODEL__ATTEMPT_TIMEOUT_MS", "500"),
        ("FIRSTLINE__MODEL__RESPONSE_BYTES_MAX", "200000"),
        ("FIRSTLINE__MODEL_CALLS__ATTEMPTS_MAX", "2"),
        ("FIRSTLINE__MODEL_CALLS__RETRY_MS", "10"),
        ("FIRSTLINE__MODEL_CALLS__BREAKER_FAILURES_MAX", "100000"),
        ("FIRSTLINE__LIMITS__MODEL_TURN_MS_MAX", "2000"),
    ];
    settings.extend_from_slice(more);
    (Site::start_with(&settings).await, Client::builder().no_proxy().build().unwrap())
}

async fn say(site: &Site, http: &Client, who: &str, id: &str, text: &str) -> Value {
    let body = json!({
        "id": id, "channel": "in_app", "conversation": format!("c-{id}"),
        "sender": {"id": who, "verified": true}, "text": text,
    });
    let sent = http.post(site.url("/v1/messages?wait_ms=20000")).bearer_auth(site.key()).json(&body);
    sent.send().await.unwrap().json().await.unwrap()
}

fn replies(answer: &Value) -> String {
    let texts = answer["replies"].as_array().unwrap().iter().map(|reply| reply["text"].as_str().unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_model_leaves_every_message_answered_and_nothing_half_said_or_done() {
    let stub = StubModel::start(|_, captured| {
        let number = captured.said("user").iter().find_map(|text| {
            let rest = text.split("case ref ").nth(1)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
        });
        failures().into_iter().nth(number.unwrap_or(0)).map_or(Act::BlackHole, |(_, act, _)| act)
    })
    .await;
    let (site, http) = site(&stub).await;
    let asked = async |at: usize, name: &'static str, error: ModelError| {
        let text = format!("do you ship to canada? case ref {at}");
        let answer = say(&site, &http, &format!("somebody-{at}"), &format!("f{at}"), &text).await;
        let outcome = answer["outcome"].as_str().unwrap_or("none").to_owned();
        assert!(["resolved", "replied", "handed_off"].contains(&outcome.as_str()), "{name}: {answer}");
        let said = replies(&answer);
        for part in ["Your refund", "refund me", "and so on", "slow", "The refund"] {
            assert!(!said.contains(part), "{name}: {said}");
        }
        let get = async |path: &str| -> Value {
            http.get(site.url(path)).bearer_auth(site.key()).send().await.unwrap().json().await.unwrap()
        };
        let events = get(&format!("/v1/cases/{}/events", answer["case_id"].as_str().unwrap())).await;
        let events = events["items"].as_array().unwrap();
        let kinds = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
        assert_eq!(kinds("tool_called"), 0, "{name}: a call that was cut ran");
        assert!(kinds("model_called") > 0, "{name}: what was asked is on record");
        let case: Value = get(&format!("/v1/cases/{}", answer["case_id"].as_str().unwrap())).await;
        assert!(case["model"]["calls"].as_i64() > Some(0), "{name}: {case}");
        let shown = serde_json::to_string(events).unwrap();
        assert!(shown.contains(error.kind()), "{name}: {} is not on record: {shown}", error.kind());
    };
    for (at, (name, _, error)) in failures().into_iter().enumerate() {
        asked(at, name, error).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_share_of_the_day_is_spent_gets_a_person_and_others_go_on() {
    let stub = StubModel::start(|_, captured| honestly(captured)).await;
    // The stub counts 79 tokens a call: the first question may be asked, the second may not.
    let caps = [
        ("FIRSTLINE__MODEL__PRICE_PER_MILLION_INPUT", "1.0"),
        ("FIRSTLINE__MODEL__PRICE_PER_MILLION_OUTPUT", "1.0"),
        ("FIRSTLINE__MODEL_CALLS__SPEND_CUSTOMER_DAY_MICROS_MAX", "60"),
    ];
    let (site, http) = site_with(&stub, &caps).await;
    let first = say(&site, &http, "cust-0001", "a1", "do gift cards expire").await;
    assert_eq!(first["outcome"], "resolved", "{first}");
    let asked = stub.seen().len();
    let second = say(&site, &http, "cust-0001", "a2", "do you ship to canada").await;
    assert_eq!(second["outcome"], "handed_off", "{second}");
    assert!(!replies(&second).is_empty(), "and hears of it: {second}");
    assert_eq!(stub.seen().len(), asked, "nothing more was spent");
    let handoff = format!("/v1/cases/{}/handoff", second["case_id"].as_str().unwrap());
    let handoff: Value =
        http.get(site.url(&handoff)).bearer_auth(site.key()).send().await.unwrap().json().await.unwrap();
    assert!(handoff.to_string().contains("model_budget_spent"), "{handoff}");
    let other = say(&site, &http, "cust-0002", "b1", "do gift cards expire").await;
    assert_eq!(other["outcome"], "resolved", "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_is_told_keeps_to_its_case_its_roles_and_its_budget() {
    let stub = StubModel::start(|_, captured| {
        let tools = captured.said("tool");
        let sorted = captured.body.pointer("/response_format/json_schema/name");
        if sorted.and_then(Value::as_str) == Some("triage") {
            let text = json!({"procedure": "", "confident": true, "language": "en"}).to_string();
            return Act::Stream(stream_of(&[json!({"role": "assistant", "content": text})], "stop"));
        }
        let asks = captured.said("user").iter().any(|text| text.contains("sort it out"));
        if asks && tools.is_empty() {
            return Act::Stream(stream_of(
                &call_deltas(&[("list_orders", "{}"), ("account", "{}")]),
                "tool_calls",
            ));
        }
        honestly(captured)
    })
    .await;
    let (site, http) = site(&stub).await;
    let customers = [("cust-0001", "walnut"), ("cust-0002", "turquoise")];
    for (who, word) in customers {
        for (at, text) in ["please sort it out for me, you know", "do you ship to canada", "wheres my order"]
            .into_iter()
            .enumerate()
        {
            let text = format!("{text}. The word is {word}.");
            let answer = say(&site, &http, who, &format!("{who}-{at}"), &text).await;
            assert!(answer["outcome"].is_string(), "{answer}");
        }
    }
    let seen = stub.seen();
    assert!(seen.iter().any(|captured| !captured.said("tool").is_empty()), "no result of a tool was told");
    for captured in &seen {
        one_request(captured);
    }
    let record: Vec<String> = seen.iter().map(|captured| captured.body.to_string()).collect();
    let (walnut, turquoise): (Vec<&String>, Vec<&String>) =
        record.iter().partition(|text| text.contains("walnut"));
    assert!(walnut.len() > 2 && turquoise.len() > 2, "{} and {} requests", walnut.len(), turquoise.len());
    for (own, others) in
        [(walnut, ["turquoise", "HP-10073", "tom.becker"]), (turquoise, ["walnut", "HP-10042", "mara."])]
    {
        // The examples in the descriptions of tools name an order of the demo.
        let told = own.into_iter().map(|text| text.split("\"tools\":").next().unwrap().to_owned());
        for text in told {
            for other in others {
                assert!(!text.contains(other), "{other} in a request of somebody else: {text}");
            }
        }
    }
}

/// What holds for every single request.
fn one_request(captured: &Captured) {
    for text in captured.said("system") {
        for word in ["walnut", "turquoise", "sort it out", "HP-10042", "mara", "canada"] {
            assert!(!text.to_lowercase().contains(word), "`{word}` in the system's role: {text}");
        }
    }
    let messages = captured.body["messages"].as_array().unwrap();
    assert_eq!(messages.iter().filter(|message| message["role"] == "system").count(), 1);
    let mut calls: Vec<String> = Vec::new();
    for message in messages {
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            calls.push(call["id"].as_str().unwrap().to_owned());
        }
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap();
            assert!(calls.iter().any(|call| call == id), "a result answers no call: {id}");
        }
    }
    let bytes = serde_json::to_string(messages).unwrap().len();
    assert!(bytes < 60_000, "{bytes} bytes of conversation");
    assert!(!captured.body.to_string().contains("sk-hush-hush"), "the key is no part of a question");
}
