//! Signing in by an identity provider that the test plays over real HTTP with real signatures, and the attacks on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use firstline::domain::role::Role;
use firstline::domain::time::Clock as _;
use firstline::web::accounts;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use super::{Browser, House};
use crate::store::{Record, on_both};

on_both! {
    whoever_is_linked_is_signed_in_by_issuer_and_subject_and_nobody_else
    an_answer_that_was_forged_moved_or_replayed_signs_nobody_in
    a_new_key_of_the_provider_is_fetched_when_it_is_needed
    somebody_new_gets_an_account_only_where_that_is_set
}

const RS256: &[u8] = include_bytes!("../../fixtures/oidc/rs256.pem");
const ES256: &[u8] = include_bytes!("../../fixtures/oidc/es256.pem");
const KEYS: &str = include_str!("../../fixtures/oidc/jwks.json");
const CLIENT: &str = "firstline console";
const SECRET: &str = "a:secret/of+ours";
const BACK: &str = "http://127.0.0.1:8080/console/oidc/callback";

/// How the token of the next sign-in is made.
#[derive(Clone)]
struct Signs {
    algorithm: Algorithm,
    kid: Option<String>,
    /// Instead of the signature of a key.
    instead: Option<fn(&str, &Value) -> String>,
    /// Claims that differ from what they should be; `null` is left out.
    claims: Value,
}

impl Default for Signs {
    fn default() -> Self {
        Self { algorithm: Algorithm::RS256, kid: Some("rsa-1".to_owned()), instead: None, claims: json!({}) }
    }
}

struct Play {
    issuer: String,
    /// Codes that were given out: the challenge and the nonce of each.
    codes: BTreeMap<String, (String, String)>,
    signs: Signs,
    keys: Value,
    keys_asked: usize,
    now_s: i64,
}

type Stage = State<Arc<Mutex<Play>>>;

async fn discovery(State(play): Stage) -> Json<Value> {
    let issuer = play.lock().unwrap().issuer.clone();
    Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(play): Stage) -> Json<Value> {
    let mut play = play.lock().unwrap();
    play.keys_asked += 1;
    Json(play.keys.clone())
}

async fn token(
    State(play): Stage,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let mut play = play.lock().unwrap();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET))));
    if headers.get("authorization").is_none_or(|sent| sent.to_str().unwrap() != basic) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let (challenge, nonce) = play.codes.remove(&form["code"]).ok_or(StatusCode::BAD_REQUEST)?;
    let proven = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if proven != challenge || form["redirect_uri"] != BACK || form["grant_type"] != "authorization_code" {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut claims = json!({
        "iss": play.issuer, "sub": "subject-1", "aud": CLIENT, "nonce": nonce, "iat": play.now_s,
        "exp": play.now_s + 300, "name": "Eva Moser", "email": "admin@shop.example", "email_verified": true,
    });
    for (name, value) in play.signs.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let id_token = if let Some(make) = play.signs.instead {
        make(&play.issuer, &claims)
    } else {
        let key = if play.signs.algorithm == Algorithm::ES256 {
            EncodingKey::from_ec_pem(ES256)
        } else {
            EncodingKey::from_rsa_pem(RS256)
        };
        let header = Header { kid: play.signs.kid.clone(), ..Header::new(play.signs.algorithm) };
        encode(&header, &claims, &key.unwrap()).unwrap()
    };
    Ok(Json(json!({"access_token": "a", "token_type": "Bearer", "id_token": id_token})))
}

/// The provider and a service that trusts it.
struct Town {
    house: House,
    play: Arc<Mutex<Play>>,
}

impl Town {
    async fn new(record: &Record, provisioned: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let play = Play {
            issuer: issuer.clone(),
            codes: BTreeMap::new(),
            signs: Signs::default(),
            keys: serde_json::from_str(KEYS).unwrap(),
            keys_asked: 0,
            now_s: 0,
        };
        let play = Arc::new(Mutex::new(play));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(play.clone());
        // It ends with the runtime of its test.
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        let house = House::new(record, |config| {
            "http://127.0.0.1:8080".clone_into(&mut config.server.public_base_url);
            let oidc = &mut config.console.oidc;
            oidc.issuer = issuer;
            CLIENT.clone_into(&mut oidc.client_id);
            oidc.client_secret = SECRET.to_owned().into();
            provisioned.clone_into(&mut oidc.auto_provision_role);
        })
        .await;
        play.lock().unwrap().now_s = house.clock.now().0 / 1000;
        Self { house, play }
    }

    fn signs(&self, signs: Signs) {
        self.play.lock().unwrap().signs = signs;
    }

    /// Goes to the provider; what the browser carries there.
    async fn leave(&self, browser: &Browser<'_>) -> BTreeMap<String, String> {
        let seen = browser.get("/console/oidc").await;
        assert_eq!(seen.status, 303, "{}", seen.body);
        let (place, query) = seen.to.split_once('?').unwrap();
        assert_eq!(place, format!("{}/authorize", self.play.lock().unwrap().issuer));
        let carried: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(carried["response_type"], "code");
        assert_eq!(carried["code_challenge_method"], "S256");
        assert_eq!((carried["redirect_uri"].as_str(), carried["client_id"].as_str()), (BACK, CLIENT));
        carried
    }

    /// Signs in at the provider; where it sends the browser.
    fn agree(&self, carried: &BTreeMap<String, String>) -> String {
        let mut play = self.play.lock().unwrap();
        let code = format!("code-{}", play.codes.len());
        let kept = (carried["code_challenge"].clone(), carried["nonce"].clone());
        play.codes.insert(code.clone(), kept);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("state", carried["state"].as_str()), ("code", &code), ("iss", &play.issuer)])
            .finish();
        format!("/console/oidc/callback?{query}")
    }

    /// The whole way; whether it ended inside, and what was said.
    async fn sign_in(&self, browser: &Browser<'_>) -> (bool, String) {
        let carried = self.leave(browser).await;
        let seen = browser.get(&self.agree(&carried)).await;
        let inside = browser.get("/console").await.status == 200;
        assert_eq!(inside, seen.status == 303, "{}", seen.body);
        (inside, seen.body)
    }

    async fn link(&self, login: &str, subject: &str) {
        let issuer = self.play.lock().unwrap().issuer.clone();
        accounts::link(self.house.office(), login, &issuer, subject).await.unwrap();
    }
}

async fn whoever_is_linked_is_signed_in_by_issuer_and_subject_and_nobody_else(record: Arc<Record>) {
    let town = Town::new(&record, "").await;
    town.house.person("eva", Role::Agent).await;
    town.house.person("admin@shop.example", Role::Admin).await;
    let eva = town.house.browser();
    let (inside, said) = town.sign_in(&eva).await;
    assert!(!inside && said.contains("subject-1"), "an equal email address is nobody's account: {said}");
    town.link("eva", "subject-1").await;
    assert!(town.sign_in(&eva).await.0);
    assert!(eva.get("/console/account").await.body.contains("<dd>eva</dd>"));
    let ecdsa = Signs { algorithm: Algorithm::ES256, kid: Some("ec-1".to_owned()), ..Signs::default() };
    town.signs(ecdsa);
    assert!(town.sign_in(&town.house.browser()).await.0);
    // One key of its kind needs no name.
    town.signs(Signs { kid: None, ..Signs::default() });
    assert!(town.sign_in(&town.house.browser()).await.0);
    for audience in [json!([CLIENT]), json!(["another", CLIENT])] {
        town.signs(Signs { claims: json!({"aud": audience, "azp": CLIENT}), ..Signs::default() });
        assert!(town.sign_in(&town.house.browser()).await.0, "{audience}");
    }
    town.signs(Signs::default());
    town.link("eva", "").await;
    assert!(!town.sign_in(&eva).await.0, "who was unlinked is nobody");
    town.house.service.stop().await;
}

fn unsigned(_: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none", "kid": "rsa-1"})), part(claims))
}

/// HS256, with the public key as the secret.
fn confused(_: &str, claims: &Value) -> String {
    let keys: Value = serde_json::from_str(KEYS).unwrap();
    let public = URL_SAFE_NO_PAD.decode(keys["keys"][0]["n"].as_str().unwrap()).unwrap();
    let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(&public)).unwrap()
}

/// Signed as it should be, and changed afterwards.
fn changed(_: &str, claims: &Value) -> String {
    let mut other = claims.clone();
    other["sub"] = json!("somebody else");
    let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &other, &EncodingKey::from_rsa_pem(RS256).unwrap()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

fn rubbish(_: &str, _: &Value) -> String {
    "no.token.at all".to_owned()
}

async fn an_answer_that_was_forged_moved_or_replayed_signs_nobody_in(record: Arc<Record>) {
    let town = Town::new(&record, "").await;
    town.house.person("eva", Role::Agent).await;
    town.link("eva", "subject-1").await;
    let now = town.house.clock.now().0 / 1000;
    let claims = |claims: Value| Signs { claims, ..Signs::default() };
    let instead = |make| Signs { instead: Some(make), ..Signs::default() };
    for (name, signs, says) in [
        ("another nonce", claims(json!({"nonce": "another"})), "another sign-in"),
        ("no nonce", claims(json!({"nonce": null})), "another sign-in"),
        ("another audience", claims(json!({"aud": "another"})), "somebody else"),
        ("one of several, and nobody in particular", claims(json!({"aud": ["x", CLIENT]})), "somebody else"),
        ("given to another of several", claims(json!({"aud": ["x", CLIENT], "azp": "x"})), "somebody else"),
        ("another issuer", claims(json!({"iss": "https://evil.example"})), "another issuer"),
        ("expired", claims(json!({"exp": now - 61})), "over"),
        ("of the future", claims(json!({"iat": now + 3600})), "over"),
        ("no end", claims(json!({"exp": null})), "no signed token"),
        ("another subject", claims(json!({"sub": "subject-2"})), "here knows you"),
        ("no subject", claims(json!({"sub": ""})), "names nobody"),
        ("no signature", instead(unsigned), "no signed token"),
        ("signed by the public key", instead(confused), "RS256 or ES256"),
        ("changed afterwards", instead(changed), "signature"),
        ("rubbish", instead(rubbish), "no signed token"),
        ("the key of another kind", Signs { kid: Some("ec-1".to_owned()), ..Signs::default() }, "no key"),
    ] {
        town.signs(signs);
        let (inside, said) = town.sign_in(&town.house.browser()).await;
        assert!(!inside && said.contains(says), "{name}: {said}");
    }
    town.signs(Signs::default());
    // The answer to one browser in another one: whoever lures somebody into it gains nothing.
    let (eva, mallory) = (town.house.browser(), town.house.browser());
    let (of_eva, of_mallory) = (town.leave(&eva).await, town.leave(&mallory).await);
    let moved = town.agree(&of_mallory);
    assert_eq!(eva.get(&moved).await.status, 403);
    assert_eq!(mallory.get(&moved).await.status, 403, "and it is used up");
    // Another code under one's own state: it belongs to another challenge, or to another nonce.
    let of_mallory = town.leave(&mallory).await;
    let mut mixed = of_mallory.clone();
    mixed.insert("state".to_owned(), of_eva["state"].clone());
    assert_eq!(eva.get(&town.agree(&mixed)).await.status, 403);
    for (state, path) in [
        ("none", "/console/oidc/callback?code=code-0"),
        ("unknown", "/console/oidc/callback?state=unknown&code=code-0"),
    ] {
        assert_eq!(eva.get(path).await.status, 403, "{state}");
    }
    // An answer in the name of another provider, or in nobody's where this one always says its own.
    for issuer in ["&iss=https%3A%2F%2Fevil.example", ""] {
        let carried = town.leave(&eva).await;
        let path = town.agree(&carried);
        let path = format!("{}{issuer}", path.split("&iss=").next().unwrap());
        let seen = eva.get(&path).await;
        assert!(seen.status == 403 && seen.body.contains("another issuer"), "{}", seen.body);
    }
    // The right answer counts once, also for the one it was for.
    let carried = town.leave(&eva).await;
    let path = town.agree(&carried);
    let cookie = eva.cookie("firstline_provider").unwrap();
    assert_eq!(eva.get(&path).await.status, 303);
    eva.keep("firstline_provider", &cookie);
    assert_eq!(eva.get(&path).await.status, 403, "it was used");
    // Too late.
    let carried = town.leave(&eva).await;
    town.house.clock.advance(600_001);
    assert_eq!(eva.get(&town.agree(&carried)).await.status, 403);
    town.house.service.stop().await;
}

async fn a_new_key_of_the_provider_is_fetched_when_it_is_needed(record: Arc<Record>) {
    let town = Town::new(&record, "").await;
    town.house.person("eva", Role::Agent).await;
    town.link("eva", "subject-1").await;
    let asked = || town.play.lock().unwrap().keys_asked;
    assert!(town.sign_in(&town.house.browser()).await.0);
    assert!(town.sign_in(&town.house.browser()).await.0);
    assert_eq!(asked(), 1, "what is known is not asked for again");
    let named = Signs { kid: Some("rsa-2".to_owned()), ..Signs::default() };
    town.signs(named);
    for _ in 0..3 {
        assert!(!town.sign_in(&town.house.browser()).await.0, "nobody has that key");
    }
    assert_eq!(asked(), 1, "and unknown names do not make us ask all the time");
    town.play.lock().unwrap().keys["keys"][0]["kid"] = json!("rsa-2");
    town.house.clock.advance(10_000);
    assert!(town.sign_in(&town.house.browser()).await.0);
    assert_eq!(asked(), 2);
    town.signs(Signs::default());
    assert!(!town.sign_in(&town.house.browser()).await.0, "the key of before counts no more");
    town.house.service.stop().await;
}

async fn somebody_new_gets_an_account_only_where_that_is_set(record: Arc<Record>) {
    let town = Town::new(&record, "viewer").await;
    let password = town.house.person("ada", Role::Admin).await;
    let store = &town.house.service.app.store;
    assert!(town.sign_in(&town.house.browser()).await.0);
    assert!(town.sign_in(&town.house.browser()).await.0);
    let known = store.list_agents().await.unwrap();
    let new = known.iter().find(|agent| agent.login.starts_with("sso-")).unwrap();
    assert_eq!((known.len(), new.name.as_str(), new.role), (2, "Eva Moser", Role::Viewer));
    // There is no password to guess.
    let guess = town.house.browser();
    for password in ["none", "", "password"] {
        guess.sign_in(&new.login, password).await;
    }
    assert_eq!(guess.cookie("firstline_session"), None);
    // An email address is shown only if it was verified, and means nothing.
    for (subject, verified, shown) in
        [("s-2", json!(true), "ada@shop.example"), ("s-3", json!("true"), "sso-")]
    {
        let claims =
            json!({"sub": subject, "name": null, "email": "ada@shop.example", "email_verified": verified});
        town.signs(Signs { claims, ..Signs::default() });
        assert!(town.sign_in(&town.house.browser()).await.0);
        let issuer = town.play.lock().unwrap().issuer.clone();
        let made = store.agent_by_subject(&issuer, subject).await.unwrap().unwrap();
        assert!(made.name.starts_with(shown) && made.role == Role::Viewer, "{made:?}");
    }
    let ada = town.house.browser();
    assert_eq!(ada.sign_in("ada", &password).await, "/console");
    town.house.service.stop().await;
}
