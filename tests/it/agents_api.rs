//! What agents do with a case over the API: each act moves the case as the table says, and says nothing twice.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::database;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_write_above_its_limit_waits_for_a_person_and_runs_once_over_the_api() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let (site, http) = (Site::start().await, Client::builder().no_proxy().build().unwrap());
    let message =
        json!({"id": "1", "sender": {"id": "cust-0007", "verified": true}, "text": "refund 900 now"});
    let (_, sent) = call(&site, &http, Method::POST, "/v1/messages?wait_ms=20000", message).await;
    assert_eq!(sent["outcome"], "handed_off", "{sent}");
    let case = format!("/v1/cases/{}", sent["case_id"].as_str().unwrap());
    let waiting = async || {
        call(&site, &http, Method::GET, &format!("{case}/approvals"), json!({})).await.1["items"][0].clone()
    };
    let approval = waiting().await;
    assert_eq!((&approval["state"], &approval["tool"]), (&json!("waiting"), &json!("refund_order")));
    assert_eq!(approval["arguments"]["amount_minor"], 90_000);
    let place = format!("{case}/approvals/{}", approval["id"].as_str().unwrap());
    let decide = async |name: &str, body: Value| {
        call(&site, &http, Method::POST, &format!("{place}/{name}"), body).await
    };
    let (_, weak) =
        site.command(&["key", "add", "reader", "--scope", "cases:read", "--scope", "cases:write"]);
    let request = http.post(site.url(&format!("{place}/approve"))).bearer_auth(weak.trim());
    assert_eq!(request.json(&json!({})).send().await.unwrap().status(), 403, "the key may not decide");
    let (_, error) = site.command(&["user", "add", "cleo", "--team", "press"]);
    for (name, body, status) in [
        ("approve", json!({"hash": "another"}), 409),
        ("approve", json!({"agent": "nobody"}), 422),
        ("approve", json!({"agent": "cleo"}), 403),
        ("approve", json!({"amount_minor": 1}), 400),
    ] {
        let (answered, said) = decide(name, body).await;
        assert_eq!(answered, status, "{error} {said}");
    }
    assert_eq!(waiting().await, approval, "nothing happened");
    let (status, decided) = decide("approve", json!({"agent": "admin", "hash": approval["hash"]})).await;
    assert_eq!((status, &decided["state"], &decided["outcome"]), (200, &json!("approved"), &json!("done")));
    assert_eq!(waiting().await, decided);
    for name in ["approve", "refuse"] {
        let (status, said) = decide(name, json!({})).await;
        assert_eq!((status, &said["error"]["code"]), (409, &json!("not_waiting")), "{said}");
    }
    let (_, thread) = call(&site, &http, Method::GET, &format!("{case}/messages"), json!({})).await;
    let told =
        |one: &&Value| one["text"].as_str().unwrap().contains("$900.00 has been approved and carried out");
    assert_eq!(thread["items"].as_array().unwrap().iter().filter(told).count(), 1, "{thread}");
    let (_, described) = call(&site, &http, Method::GET, "/openapi.json", json!({})).await;
    for name in ["approve", "refuse"] {
        let path = format!("/v1/cases/{{id}}/approvals/{{approval}}/{name}");
        assert!(described["paths"][&path]["post"].is_object(), "{path} is described");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_listed_with_its_end_and_its_last_use_and_says_why_it_works_no_longer() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let (site, http) = (Site::start().await, Client::builder().no_proxy().build().unwrap());
    for days in ["0", "-1", "soon", "36501"] {
        let (added, said) = site.command(&["key", "add", "short", &format!("--expires-in-days={days}")]);
        assert!(!added && said.contains("--expires-in-days"), "{said}");
    }
    let scope = ["--scope", "cases:read"];
    let (_, key) = site.command(&["key", "add", "short", "--expires-in-days", "7", scope[0], scope[1]]);
    let ask = async || {
        let answer = http.get(site.url("/v1/cases")).bearer_auth(key.trim()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let listed = || {
        let (_, list) = site.command(&["key", "list", "--json"]);
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        list.into_iter().find(|one| one["name"] == "short").unwrap()
    };
    let before = listed();
    assert_eq!((&before["state"], &before["last_used_at"]), (&json!("in force"), &Value::Null));
    assert!(before["expires_at"].is_string() && before["scopes"] == json!(["cases:read"]), "{before}");
    assert_eq!(ask().await.0, 200);
    assert!(listed()["last_used_at"].is_string());
    let (_, table) = site.command(&["key", "list"]);
    let row: Vec<&str> = table.lines().find(|line| line.contains("short")).unwrap().split('\t').collect();
    assert_eq!((row[3], row[6]), ("in force", "cases:read"), "{table}");
    assert!(row[4].starts_with("20") && row[5].starts_with("20"), "{table}");
    let cached_ms = 2_000;
    database::run(&site.database(), "update api_keys set expires_at = 1 where name = 'short'").await;
    let end = tokio::time::Instant::now() + std::time::Duration::from_millis(cached_ms * 5);
    // A checked key is believed for `key_cache_ms`.
    let (status, said) = loop {
        let (status, said) = ask().await;
        if status != 200 || tokio::time::Instant::now() > end {
            break (status, said);
        }
    };
    assert_eq!(status, 401, "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("expired at 1970-01-01") && message.contains("firstline key add"), "{message}");
    assert_eq!(listed()["state"], "expired");
}
