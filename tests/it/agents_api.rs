//! What agents do with a case over the API: each act moves the case as the table says, and says nothing twice.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::site::Site;

async fn call(site: &Site, http: &Client, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = http.request(method, site.url(path)).bearer_auth(site.key()).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_through_the_hands_of_people_and_back_without_a_word_said_twice() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let (site, http) = (Site::start().await, Client::builder().no_proxy().build().unwrap());
    let message = json!({"id": "1", "sender": {"id": "cust-0001", "verified": true}, "text": "I want to talk to a person"});
    let (_, sent) = call(&site, &http, Method::POST, "/v1/messages?wait_ms=20000", message).await;
    assert_eq!(sent["outcome"], "handed_off", "{sent}");
    let case = format!("/v1/cases/{}", sent["case_id"].as_str().unwrap());
    let act = async |name: &str, body: Value| {
        call(&site, &http, Method::POST, &format!("{case}/{name}"), body).await
    };
    let get = async |part: &str| call(&site, &http, Method::GET, &format!("{case}{part}"), json!({})).await.1;
    // A note moves nothing; a second click of the same reply says nothing twice; the same id never says two things.
    assert_eq!(act("notes", json!({"text": "called back"})).await.0, 201);
    assert_eq!(get("").await["state"], "queued");
    let (_, first) = act("replies", json!({"id": "r1", "text": "hello", "agent": "admin"})).await;
    let (_, again) = act("replies", json!({"id": "r1", "text": "hello", "agent": "admin"})).await;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(act("replies", json!({"id": "r1", "text": "other"})).await.0, 409);
    assert_eq!(get("").await["state"], "agent");
    // While a person has the case, a message is theirs at once.
    let more = json!({"id": "2", "sender": {"id": "cust-0001", "verified": true}, "text": "what are your store hours"});
    let (_, more) = call(&site, &http, Method::POST, "/v1/messages?wait_ms=20000", more).await;
    assert_eq!((&more["outcome"], &more["replies"]), (&json!("handed_off"), &json!([])));
    for (name, body, status, state) in [
        ("assign", json!({"agent": "nobody"}), 422, "agent"),
        ("assign", json!({}), 200, "queued"),
        ("assign", json!({"agent": "admin"}), 200, "agent"),
        ("snooze", json!({"until": "2020-01-01T00:00:00Z"}), 400, "agent"),
        ("snooze", json!({"until": "2999-01-01T00:00:00Z"}), 200, "snoozed"),
        ("resolve", json!({}), 200, "resolved"),
        ("return", json!({}), 409, "resolved"),
        ("reopen", json!({}), 200, "queued"),
    ] {
        let (answered, body) = act(name, body).await;
        assert_eq!(answered, status, "{name}: {body}");
        assert_eq!(get("").await["state"], state, "after {name}");
    }
    let said = get("/messages").await;
    let hellos = said["items"].as_array().unwrap().iter().filter(|one| one["text"] == "hello").count();
    assert_eq!(hellos, 1, "{said}");
    assert_eq!(get("/events").await["intact"], true);
    assert_eq!(act("return", json!({})).await.1["state"], "assistant");
}
