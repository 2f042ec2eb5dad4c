//! The measures over HTTP: what happened in the demo is what the reports say, as JSON and for a spreadsheet.

use reqwest::header;
use serde_json::{Value, json};

use crate::support::connected::eventually;
use crate::support::site::{Site, http};

/// A few conversations of the demo: two answered, one handed over, one greeting.
pub(crate) async fn converse(site: &Site) {
    let http = http();
    for (nth, (channel, customer, text, outcome)) in [
        ("in_app", "cust-0001", "wheres my stuff", "resolved"),
        ("kiosk", "cust-0002", "do gift cards expire", "resolved"),
        ("kiosk", "cust-0003", "I want to talk to a person", "handed_off"),
        ("in_app", "cust-0004", "hello", "replied"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"channel": channel, "id": format!("r{nth}"), "conversation": format!("c{nth}"),
            "sender": {"id": customer, "verified": true}, "text": text});
        let sent = http.post(site.url("/v1/messages?wait_ms=20000")).bearer_auth(site.key()).json(&body);
        let answer: Value = sent.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["outcome"], outcome, "{text}: {answer}");
    }
}

/// Waits until this many cases have been counted.
pub(crate) async fn counted(site: &Site, cases: i64) -> Value {
    let http = http();
    eventually("the cases are not counted", async || {
        let asked = http.get(site.url("/v1/reports?by=channel&compare=previous")).bearer_auth(site.key());
        let report: Value = asked.send().await.unwrap().json().await.unwrap();
        (report["measures"][0]["counted"] == cases).then_some(report)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_what_the_reports_say() {
    let site = Site::start().await;
    converse(&site).await;
    let report = counted(&site, 4).await;
    let all = report["measures"].as_array().unwrap();
    let measure = |name: &str| all.iter().find(|one| one["measure"] == name).unwrap();
    assert_eq!((&measure("automation")["counted"], &measure("automation")["of"]), (&json!(2), &json!(3)));
    assert_eq!((&measure("contained")["value"], &measure("contained")["of"]), (&Value::Null, &json!(0)));
    assert_eq!(measure("escalation")["counted"], 1);
    assert!(measure("first_response")["value"].as_f64().unwrap() < 60_000.0);
    assert!(measure("durable")["definition"].as_str().unwrap().contains("seven days"));
    assert_eq!(report["reasons"][0]["reason"], "person_asked");
    let waits = &report["backlog"][0];
    assert_eq!((&waits["state"], &waits["late"]), (&json!("queued"), &json!(0)));
    assert!(!report["articles"].as_array().unwrap().is_empty());
    let groups = measure("volume")["groups"].as_array().unwrap();
    let keys: Vec<&str> = groups.iter().map(|group| group["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["in_app", "kiosk"]);
    assert_eq!(groups[0]["previous"]["counted"], 0);

    let http = http();
    let get = async |path: &str| {
        let answer = http.get(site.url(path)).bearer_auth(site.key()).send().await.unwrap();
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let (status, kind, body) = get("/v1/reports/automation?by=intent&channel=kiosk").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    assert_eq!((&body["counted"], &body["of"]), (&json!(1), &json!(2)));
    let (status, kind, csv) = get("/v1/reports?format=csv&by=channel").await;
    assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"));
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("measure,key,from,to,unit,value"), "{}", lines[0]);
    assert!(lines.iter().any(|line| line.starts_with("volume,kiosk,")), "{csv}");
    for (path, says) in [
        ("/v1/reports?from=yesterday", "2026-11-01"),
        ("/v1/reports?from=2026-11-02&to=2026-11-01", "must not be after"),
        ("/v1/reports?from=1970-01-01", "at most"),
        ("/v1/reports?by=customer", "`by` must be"),
        ("/v1/reports?compare=2025", "`compare` must be"),
        ("/v1/reports?format=pdf", "`format` must be"),
        ("/v1/reports?customer=1", "customer"),
    ] {
        let (status, _, body) = get(path).await;
        assert!(status == 400 && body.contains(says), "{path}: {status} {body}");
    }
    assert_eq!(get("/v1/reports/luck").await.0, 404);
    let (_, key) = site.command(&["key", "add", "narrow", "--scope", "messages"]);
    let refused = http.get(site.url("/v1/reports")).bearer_auth(key.trim()).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 403);
    let (right, said) = site.command(&["reports", "verify"]);
    assert!(right && said.contains("4 cases counted again"), "{said}");
}
