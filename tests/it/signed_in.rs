//! Signed in on the operator's own site: its tokens, over HTTP as a page and a server send them.

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::site::Site;

const SECRET: &str = "a secret of the operator's that is long enough";

fn token(sub: &str, seconds: i64) -> String {
    let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
    let claims = json!({"sub": sub, "iat": now + seconds.min(0) - 1, "exp": now + seconds, "name": "Ann"});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

struct Visit {
    site: Site,
    http: Client,
}

impl Visit {
    async fn call(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, self.site.url(path)).json(&body);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn session(&self, before: Option<&str>, customer: Option<&str>) -> (StatusCode, Value) {
        let body = customer.map_or_else(|| json!({}), |token| json!({"customer_token": token}));
        self.call(Method::POST, "/widget/session", before, body).await
    }

    async fn api(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(method, path, Some(self.site.key()), body).await
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_token_makes_a_visitor_somebody_and_people_can_be_joined_and_separated() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let site = Site::start_with(&[("FIRSTLINE__IDENTITY__TOKEN_SECRET", SECRET)]).await;
    let visit = Visit { site, http: Client::builder().no_proxy().build().unwrap() };
    // A visitor asks something, then signs in on the site.
    let (_, visitor) = visit.session(None, None).await;
    let said = json!({"id": "m-1", "text": "what are your store hours?"});
    let (status, first) =
        visit.call(Method::POST, "/widget/messages", Some(text(&visitor, "token")), said).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    let (_, ann) = visit.session(Some(text(&visitor, "token")), Some(&token("cust-0001", 600))).await;
    assert_eq!(text(&ann, "conversation"), "user:cust-0001");
    let said = json!({"id": "m-2", "text": "and on sundays?"});
    let (_, second) = visit.call(Method::POST, "/widget/messages", Some(text(&ann, "token")), said).await;
    assert_eq!(second["case_id"], first["case_id"], "the anonymous case goes on");
    let (_, thread) = visit.call(Method::GET, "/widget/messages", Some(text(&ann, "token")), json!({})).await;
    assert!(thread.to_string().contains("store hours"), "with what was said before: {thread}");
    let (_, case) =
        visit.api(Method::GET, &format!("/v1/cases/{}", text(&first, "case_id")), json!({})).await;
    assert_eq!(case["assurance"], "verified", "{case}");
    // Another subject is another thread; a token in the place of a session's does as well.
    let (_, bob) = visit.session(Some(&token("cust-0002", 600)), None).await;
    assert_eq!(text(&bob, "conversation"), "user:cust-0002");
    for bad in [token("cust-0001", -5), format!("{}x", token("cust-0001", 600)), "a.b.c".to_owned()] {
        let (status, refused) = visit.session(None, Some(&bad)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{refused}");
    }
    // By the operator's server.
    let body = json!({"id": "1", "sender": {"token": token("cust-0001", 600)}, "text": "hello"});
    let (status, sent) = visit.api(Method::POST, "/v1/messages", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{sent}");
    assert_eq!(sent["customer_id"], case["customer_id"]);
    let body = json!({"id": "2", "sender": {"token": token("cust-0001", -5)}, "text": "hello"});
    let (status, refused) = visit.api(Method::POST, "/v1/messages", body).await;
    assert_eq!(
        (status, &refused["error"]["details"]["field"]),
        (StatusCode::BAD_REQUEST, &json!("sender.token"))
    );
    joined_and_separated(&visit, text(&sent, "customer_id")).await;
}

async fn joined_and_separated(visit: &Visit, ann: &str) {
    let body = json!({"id": "3", "sender": {"id": "u-3", "email": "ida@mail.example"}, "text": "hello"});
    let (_, stranger) = visit.api(Method::POST, "/v1/messages", body).await;
    let stranger = text(&stranger, "customer_id").to_owned();
    let at = |path: &str| format!("/v1/customers/external:cust-0001{path}");
    let (status, taken) =
        visit.api(Method::POST, &at("/identities"), json!({"channel": "in_app", "address": "u-3"})).await;
    assert_eq!((status, &taken["error"]["details"]["customer_id"]), (StatusCode::CONFLICT, &json!(stranger)));
    let (status, merged) = visit
        .api(Method::POST, &format!("/v1/customers/{stranger}/merge"), json!({"with": ann, "by": "admin"}))
        .await;
    assert_eq!((status, text(&merged, "id")), (StatusCode::OK, ann), "{merged}");
    let (_, seen) = visit.api(Method::GET, &format!("/v1/customers/{stranger}"), json!({})).await;
    assert_eq!(text(&seen, "external_id"), "cust-0001");
    let by = seen["merges"].as_array().unwrap().iter().map(|merge| text(merge, "by").to_owned());
    assert!(by.clone().any(|by| by.starts_with("agent:")) && by.clone().any(|by| by == "session"), "{seen}");
    let (status, apart) = visit.api(Method::POST, &at("/unmerge"), json!({"with": stranger})).await;
    assert_eq!(status, StatusCode::OK, "{apart}");
    let (_, seen) = visit.api(Method::GET, &format!("/v1/customers/{stranger}"), json!({})).await;
    assert_eq!(text(&seen, "id"), stranger);
    let (status, again) = visit.api(Method::POST, &at("/unmerge"), json!({"with": stranger})).await;
    assert_eq!((status, text(&again["error"], "code")), (StatusCode::CONFLICT, "not_merged"));
    let phone = json!({"channel": "whatsapp", "address": "+49 30 123456"});
    let (status, linked) = visit.api(Method::POST, &at("/identities"), phone).await;
    assert!(status == StatusCode::OK && linked.to_string().contains("4930123456"), "{linked}");
    let path = at("/identities?channel=whatsapp&address=4930123456");
    assert_eq!(visit.api(Method::DELETE, &path, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(visit.api(Method::DELETE, &path, json!({})).await.0, StatusCode::NOT_FOUND);
    let (status, matches) = visit.api(Method::GET, &at("/matches"), json!({})).await;
    assert_eq!((status, &matches["next"]), (StatusCode::OK, &Value::Null), "{matches}");
    for (path, body) in [
        ("/merge", json!({})),
        ("/merge", json!({"with": 7})),
        ("/identities", json!({"channel": "E", "address": "a"})),
    ] {
        assert_eq!(visit.api(Method::POST, &at(path), body).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let (_, weak) = visit.site.command(&["key", "add", "reader", "--scope", "cases:read"]);
    let refused = visit.call(Method::POST, &at("/merge"), Some(weak.trim()), json!({"with": stranger})).await;
    assert_eq!(refused.0, StatusCode::FORBIDDEN, "{}", refused.1);
}
