//! Signing in, and what a sign-in is worth: second factors, sessions and their limits, throttling, accounts.

pub(crate) mod provider;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use firstline::config::{Config, SecondFactor};
use firstline::domain::role::Role;
use firstline::web;
use firstline::web::accounts::{self, NewAgent, Office};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::{ManualClock, clock};

on_both! {
    a_second_factor_is_set_up_asked_for_and_each_code_works_once
    a_lost_second_factor_is_replaced_by_recovery_codes_and_taken_away_by_who_leads
    where_everybody_needs_a_second_factor_nothing_else_comes_first
    a_session_ends_by_itself_by_hand_and_with_what_it_rested_on
    guessing_at_one_account_is_throttled_whatever_the_login
    accounts_are_managed_in_the_console_and_what_became_of_them_is_kept
    without_encryption_nobody_signs_in_from_elsewhere
}

const MINUTE_MS: i64 = 60_000;

/// What came back.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) to: String,
}

/// A service by a clock of the test's own.
pub(crate) struct House {
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    router: axum::Router,
}

impl House {
    pub(crate) async fn new(record: &Record, change: impl FnOnce(&mut Config)) -> Self {
        let clock = clock();
        let service = Service::at(&record.database.url(), clock.clone(), |config| {
            // The throttle has a test of its own.
            config.console.attempts_per_minute_max = 1000;
            config.console.attempts_per_account_per_minute_max = 1000;
            change(config);
        })
        .await;
        let router = web::router(service.app.clone());
        Self { service, clock, router }
    }

    pub(crate) fn office(&self) -> Office<'_> {
        Office { store: &self.service.app.store, clock: self.clock.as_ref(), by: "command line" }
    }

    /// Makes an account; its first password.
    pub(crate) async fn person(&self, login: &str, role: Role) -> String {
        let new = NewAgent {
            login: login.to_owned(),
            name: login.to_uppercase(),
            role,
            teams: Vec::new(),
            languages: Vec::new(),
        };
        accounts::invite(self.office(), new).await.unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { house: self, cookies: RefCell::default(), host: "127.0.0.1:8080".to_owned() }
    }
}

/// Somebody's browser: it keeps cookies and sends forms as the pages of this site do.
pub(crate) struct Browser<'a> {
    house: &'a House,
    cookies: RefCell<BTreeMap<String, String>>,
    pub(crate) host: String,
}

impl Browser<'_> {
    async fn send(&self, request: axum::http::request::Builder, body: String) -> Seen {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header(header::HOST, &self.host)
            .header(header::ORIGIN, format!("http://{}", self.host))
            .header(header::COOKIE, cookies.join("; "))
            .header(header::ACCEPT, "text/html")
            .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let router = self.house.router.clone();
        let answer = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(
                set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"),
                "{set}"
            );
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        let to = answer.headers().get(header::LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10_000_000).await.unwrap();
        Seen { status, body: String::from_utf8_lossy(&body).into_owned(), to }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send(Request::builder().uri(path), String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = self.cookies.borrow().get("firstline_session").map_or_else(String::new, |token| {
            hex::encode(Sha256::digest(format!("csrf:{token}").as_bytes()))
        });
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf).extend_pairs(fields);
        self.send(Request::builder().method("POST").uri(path), form.finish()).await
    }

    /// Gives login and password; where one is led.
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> String {
        self.post("/console/login", &[("login", login), ("password", password)]).await.to
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) fn keep(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    async fn inside(&self) -> bool {
        self.get("/console").await.status == 200
    }

    /// Sets a second factor up; its secret and the recovery codes.
    async fn set_up(&self, password: &str) -> (Vec<u8>, Vec<String>) {
        assert_eq!(self.post("/console/second-factor/begin", &[]).await.to, "/console/second-factor");
        let page = self.get("/console/second-factor").await.body;
        assert!(page.contains("otpauth:&#x2f;&#x2f;totp") && page.contains("<rect "), "{page}");
        let secret = base32(between(&page, "<code id=\"secret\">", "</code>"));
        let wrong = [("code", "000000"), ("password", password)];
        assert_eq!(self.post("/console/second-factor/confirm", &wrong).await.status, 422);
        let code = code(&secret, self.house.clock.as_ref(), 0);
        let wrong = [("code", code.as_str()), ("password", "not the password")];
        assert_eq!(self.post("/console/second-factor/confirm", &wrong).await.status, 422);
        let right = [("code", code.as_str()), ("password", password)];
        let page = self.post("/console/second-factor/confirm", &right).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let codes: Vec<String> = page
            .body
            .split("<li><code>")
            .skip(1)
            .map(|part| part.split('<').next().unwrap().to_owned())
            .collect();
        assert_eq!(codes.len(), 10);
        (secret, codes)
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("{before} in {text}"));
    rest.split(after).next().unwrap()
}

/// What an authenticator shows so many steps from now.
fn code(secret: &[u8], clock: &ManualClock, steps: i64) -> String {
    use firstline::domain::time::Clock as _;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).unwrap();
    mac.update(&(clock.now().0 / 30_000 + steps).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn base32(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.chars().filter(|c| *c != ' ') {
        held = held << 5 | u32::try_from(letters.find(letter).unwrap()).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 255) as u8);
        }
    }
    bytes
}

async fn a_second_factor_is_set_up_asked_for_and_each_code_works_once(record: Arc<Record>) {
    let house = House::new(&record, |_| ()).await;
    let password = house.person("eva", Role::Agent).await;
    let (eva, elsewhere) = (house.browser(), house.browser());
    assert_eq!(eva.sign_in("eva", &password).await, "/console");
    assert_eq!(elsewhere.sign_in("eva", &password).await, "/console");
    let (secret, _) = eva.set_up(&password).await;
    assert!(eva.inside().await && !elsewhere.inside().await, "who signed in without it signs in anew");
    // The password alone is worth nothing now.
    assert_eq!(elsewhere.sign_in("eva", &password).await, "/console/login/code");
    assert!(!elsewhere.inside().await && elsewhere.get("/console/login/code").await.status == 200);
    let enter = async |browser: &Browser<'_>, code: String| {
        let seen = browser.post("/console/login/code", &[("code", &code)]).await;
        (seen.status, seen.to)
    };
    let now = |steps| code(&secret, house.clock.as_ref(), steps);
    assert_eq!(enter(&elsewhere, now(0)).await.0, 401, "it was used to set it up");
    assert_eq!(enter(&elsewhere, now(2)).await.0, 401, "it is of the future");
    assert_eq!(enter(&elsewhere, now(1)).await, (303, "/console".to_owned()));
    assert!(elsewhere.inside().await);
    let third = house.browser();
    assert_eq!(third.sign_in("eva", &password).await, "/console/login/code");
    assert_eq!(enter(&third, now(1)).await.0, 401, "a code that was seen over a shoulder is worth nothing");
    house.clock.advance(MINUTE_MS);
    for _ in 0..4 {
        assert_eq!(enter(&third, "123".to_owned()).await.0, 401);
    }
    assert_eq!(enter(&third, now(0)).await, (303, "/console/login".to_owned()), "five tries are all");
    assert_eq!(third.sign_in("eva", &password).await, "/console/login/code");
    house.clock.advance(5 * MINUTE_MS);
    assert_eq!(enter(&third, now(0)).await, (303, "/console/login".to_owned()), "it took too long");
    // It is switched off by whoever has it, and by nobody who has the open browser alone.
    let off = async |code: String, password: &str| {
        eva.post("/console/second-factor/off", &[("code", &code), ("password", password)]).await.status
    };
    assert_eq!(off("000000".to_owned(), &password).await, 422);
    assert_eq!(off(now(0), "not the password").await, 422);
    assert_eq!(off(now(0), &password).await, 303);
    assert_eq!(third.sign_in("eva", &password).await, "/console");
    house.service.stop().await;
}

async fn a_lost_second_factor_is_replaced_by_recovery_codes_and_taken_away_by_who_leads(record: Arc<Record>) {
    let house = House::new(&record, |_| ()).await;
    let password = house.person("eva", Role::Agent).await;
    let of_admin = house.person("ada", Role::Admin).await;
    let of_lead = house.person("lea", Role::Supervisor).await;
    let eva = house.browser();
    eva.sign_in("eva", &password).await;
    let (_, codes) = eva.set_up(&password).await;
    let ada = house.browser();
    ada.sign_in("ada", &of_admin).await;
    ada.set_up(&of_admin).await;
    let lost = house.browser();
    for (code, status) in [
        (codes[0].as_str(), 303),
        (codes[0].as_str(), 401),
        (&codes[1].replace('-', "").to_lowercase(), 303),
        ("AAAA-AAAA-AAAA-AAAA", 401),
    ] {
        lost.sign_in("eva", &password).await;
        assert_eq!(lost.post("/console/login/code", &[("code", code)]).await.status, status, "{code}");
    }
    assert!(eva.get("/console/second-factor").await.body.contains("8 recovery codes left"));
    // Who leads takes it away from those below, and from nobody else.
    let lea = house.browser();
    lea.sign_in("lea", &of_lead).await;
    let store = &house.service.app.store;
    let id = async |login| store.agent_by_login(login).await.unwrap().unwrap().id;
    let reset = |id| format!("/console/accounts/{id}/second-factor");
    assert_eq!(lea.post(&reset(id("ada").await), &[]).await.status, 403);
    assert_eq!(eva.post(&reset(id("eva").await), &[]).await.status, 403);
    assert_eq!(lea.post(&reset(id("eva").await), &[]).await.status, 303);
    assert!(!eva.inside().await, "whoever has the lost phone is signed out too");
    assert_eq!(lost.sign_in("eva", &password).await, "/console");
    accounts::reset_second_factor(house.office(), "ada").await.unwrap();
    let log: Vec<_> =
        store.account_log(50).await.unwrap().into_iter().map(|one| (one.what, one.login)).collect();
    for (what, login) in
        [("recovery_code_used", "eva"), ("second_factor_reset", "eva"), ("second_factor_on", "ada")]
    {
        assert!(log.contains(&(what.to_owned(), login.to_owned())), "{log:?}");
    }
    house.service.stop().await;
}

async fn where_everybody_needs_a_second_factor_nothing_else_comes_first(record: Arc<Record>) {
    let house = House::new(&record, |config| config.console.second_factor = SecondFactor::Required).await;
    let password = house.person("eva", Role::Admin).await;
    let eva = house.browser();
    eva.sign_in("eva", &password).await;
    for path in ["/console", "/console/day", "/console/accounts", "/console/cases/x"] {
        let seen = eva.get(path).await;
        assert_eq!((seen.status, seen.to.as_str()), (303, "/console/second-factor"), "{path}");
    }
    let seen = eva.post("/console/cases/x/take", &[]).await;
    assert_eq!(seen.to, "/console/second-factor");
    assert_eq!(eva.get("/console/account").await.status, 200);
    eva.set_up(&password).await;
    assert!(eva.inside().await);
    house.service.stop().await;
}

async fn a_session_ends_by_itself_by_hand_and_with_what_it_rested_on(record: Arc<Record>) {
    let house = House::new(&record, |config| {
        config.console.session_ms = 60 * MINUTE_MS;
        config.console.idle_ms = 20 * MINUTE_MS;
    })
    .await;
    let password = house.person("eva", Role::Agent).await;
    house.person("ada", Role::Admin).await;
    let (eva, other) = (house.browser(), house.browser());
    eva.sign_in("eva", &password).await;
    // What a page does by itself keeps nobody signed in.
    house.clock.advance(15 * MINUTE_MS);
    assert_eq!(eva.get("/console/offers").await.status, 200);
    house.clock.advance(5 * MINUTE_MS);
    assert!(!eva.inside().await, "nobody used it");
    eva.sign_in("eva", &password).await;
    for _ in 0..5 {
        house.clock.advance(11 * MINUTE_MS);
        assert!(eva.inside().await, "it is used");
    }
    house.clock.advance(5 * MINUTE_MS);
    assert!(!eva.inside().await, "it lasts no longer than that, however it is used");
    // A new sign-in is a new session, and the one before it ends.
    eva.sign_in("eva", &password).await;
    let before = eva.cookie("firstline_session").unwrap();
    eva.sign_in("eva", &password).await;
    assert_ne!(eva.cookie("firstline_session").unwrap(), before);
    other.cookies.borrow_mut().insert("firstline_session".to_owned(), before);
    assert!(!other.inside().await);
    // One's own sessions are listed and ended, and nobody else's.
    other.sign_in("eva", &password).await;
    let page = eva.get("/console/account").await.body;
    assert!(page.matches("Firefox on Linux").count() == 2 && page.matches(">here<").count() == 1, "{page}");
    let hash = |browser: &Browser<'_>| {
        hex::encode(Sha256::digest(browser.cookie("firstline_session").unwrap().as_bytes()))
    };
    let stranger = house.person("max", Role::Agent).await;
    let max = house.browser();
    max.sign_in("max", &stranger).await;
    assert_eq!(max.post("/console/account/sessions", &[("session", &hash(&eva))]).await.status, 404);
    assert_eq!(eva.post("/console/account/sessions", &[("session", &hash(&other))]).await.status, 303);
    assert!(eva.inside().await && !other.inside().await && max.inside().await);
    // With the role goes the session.
    let to = firstline::store::AgentChange {
        name: "Eva".to_owned(),
        role: Role::Viewer,
        teams: Vec::new(),
        languages: Vec::new(),
    };
    accounts::change(house.office(), "eva", &to).await.unwrap();
    assert!(!eva.inside().await);
    eva.sign_in("eva", &password).await;
    accounts::reset_password(house.office(), "eva").await.unwrap();
    assert!(!eva.inside().await && eva.sign_in("eva", &password).await.is_empty());
    accounts::remove(house.office(), "max").await.unwrap();
    assert!(!max.inside().await);
    house.service.stop().await;
}

async fn guessing_at_one_account_is_throttled_whatever_the_login(record: Arc<Record>) {
    let house = House::new(&record, |config| config.console.attempts_per_account_per_minute_max = 3).await;
    let password = house.person("eva", Role::Agent).await;
    let mallory = house.browser();
    let mut told = Vec::new();
    for login in ["eva", "nobody"] {
        for guess in 0..4 {
            let fields = [("login", login), ("password", if guess == 3 { &password } else { "a guess" })];
            let seen = mallory.post("/console/login", &fields).await;
            assert_eq!(seen.status, if guess == 3 { 429 } else { 401 }, "{login}");
            told.push(seen.body);
        }
    }
    assert_eq!(told[..4], told[4..], "a login that there is sounds like one that there is not");
    house.clock.advance(MINUTE_MS);
    assert_eq!(mallory.sign_in("EVA", &password).await, "", "a login is written as it is");
    assert_eq!(mallory.sign_in("eva", &password).await, "/console");
    house.service.stop().await;
}

async fn accounts_are_managed_in_the_console_and_what_became_of_them_is_kept(record: Arc<Record>) {
    let house = House::new(&record, |_| ()).await;
    let password = house.person("ada", Role::Admin).await;
    let ada = house.browser();
    ada.sign_in("ada", &password).await;
    let hostile = "<img src=x onerror=alert(1)>";
    let new = [("login", "eva"), ("name", hostile), ("role", "agent"), ("languages", "DE, en")];
    let page = ada.post("/console/accounts", &new).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(!page.body.contains("<img") && page.body.contains("&lt;img"), "{}", page.body);
    let first = between(&page.body, "<code id=\"made\">", "</code>").to_owned();
    assert!(!ada.get("/console/accounts").await.body.contains(&first), "it is shown once");
    let eva = house.browser();
    assert_eq!(eva.sign_in("eva", &first).await, "/console");
    assert_eq!(eva.get("/console/accounts").await.status, 403);
    for (fields, says) in [
        (vec![("login", "eva"), ("name", "Eva"), ("role", "agent")], "taken"),
        (vec![("login", "a b"), ("name", "Eva"), ("role", "agent")], "no spaces"),
        (vec![("login", "max"), ("name", " "), ("role", "agent")], "name"),
        (vec![("login", "max"), ("name", "Max"), ("role", "root")], "role"),
        (vec![("login", "max"), ("name", "Max"), ("role", "agent"), ("languages", "german")], "two letters"),
    ] {
        let page = ada.post("/console/accounts", &fields).await;
        assert!(page.status == 422 && page.body.contains(says), "{says}: {}", page.body);
    }
    let store = &house.service.app.store;
    let id = store.agent_by_login("eva").await.unwrap().unwrap().id;
    let at = |act: &str| format!("/console/accounts/{id}/{act}");
    let changed = ada.post(&at("change"), &[("name", "Eva"), ("role", "supervisor")]).await;
    assert_eq!(changed.status, 303, "{}", changed.body);
    assert!(!eva.inside().await, "with the role goes the session");
    let page = ada.post(&at("password"), &[]).await.body;
    let second = between(&page, "<code id=\"made\">", "</code>");
    assert_eq!(
        (eva.sign_in("eva", &first).await.as_str(), eva.sign_in("eva", second).await.as_str()),
        ("", "/console")
    );
    // Somebody has to be left who manages accounts.
    let own = store.agent_by_login("ada").await.unwrap().unwrap().id;
    for (act, fields) in [("change", vec![("name", "Ada"), ("role", "agent")]), ("remove", vec![])] {
        let page = ada.post(&format!("/console/accounts/{own}/{act}"), &fields).await;
        assert!(page.status == 422 && page.body.contains("last administrator"), "{}", page.body);
    }
    assert_eq!(ada.post(&at("remove"), &[]).await.status, 303);
    assert!(!eva.inside().await);
    let page = ada.get("/console/accounts").await.body;
    for what in ["added", "agent → supervisor", "password reset", "removed"] {
        assert!(page.contains(what), "{what} in {page}");
    }
    house.service.stop().await;
}

async fn without_encryption_nobody_signs_in_from_elsewhere(record: Arc<Record>) {
    let house = House::new(&record, |_| ()).await;
    let password = house.person("eva", Role::Agent).await;
    let mut eva = house.browser();
    "192.168.0.7:8080".clone_into(&mut eva.host);
    let refused = eva.post("/console/login", &[("login", "eva"), ("password", &password)]).await;
    assert!(refused.status == 403 && refused.body.contains("public_base_url"), "{}", refused.body);
    assert_eq!(eva.cookie("firstline_session"), None);
    house.service.stop().await;
}
