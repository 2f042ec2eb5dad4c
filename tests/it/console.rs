//! The console's forms over HTTP: a password is changed by whoever knows it, and by nobody else.

use reqwest::{Client, Response, header, redirect};

use crate::support::site::Site;

const NEW: &str = "a pine by the harbor";

pub(crate) struct Visitor<'a> {
    pub(crate) site: &'a Site,
    pub(crate) http: Client,
    pub(crate) cookie: String,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(site: &'a Site) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { site, http, cookie: String::new() }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = self.http.get(self.site.url(path)).header(header::COOKIE, &self.cookie);
        let answer = request.header(header::ACCEPT, "text/html").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.http.post(self.site.url(path)).header(header::COOKIE, &self.cookie);
        let request = request.header(header::ORIGIN, self.site.url("")).header(header::ACCEPT, "text/html");
        request.form(fields).send().await.unwrap()
    }

    /// Signs in; whether it worked.
    pub(crate) async fn sign_in(&mut self, password: &str) -> bool {
        let answer = self.post("/console/login", &[("login", "admin"), ("password", password)]).await;
        self.keep(&answer);
        answer.status() == 303
    }

    pub(crate) fn keep(&mut self, answer: &Response) {
        if let Some(cookie) = answer.headers().get(header::SET_COOKIE) {
            cookie.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
        }
    }

    pub(crate) async fn token(&self) -> String {
        let (_, page) = self.get("/console/password").await;
        page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    async fn change(&self, csrf: &str, old: &str, new: &str, again: &str) -> Response {
        let fields = [("csrf", csrf), ("old", old), ("new", new), ("again", again)];
        self.post("/console/password", &fields).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_password_changes_it_and_every_other_session_ends() {
    let site = Site::start().await;
    let (mut here, mut there) = (Visitor::new(&site), Visitor::new(&site));
    assert!(here.sign_in(site.password()).await && there.sign_in(site.password()).await);
    let (status, home) = here.get("/console").await;
    assert!(status == 200 && home.contains("Choose one of your own"), "the first password asks for a change");
    let (csrf, old) = (here.token().await, site.password());
    for (csrf, old, new, again, status, says) in [
        ("forged", old, NEW, NEW, 403, "earlier sign-in"),
        (csrf.as_str(), "not the password", NEW, NEW, 422, "not the one you wrote"),
        (csrf.as_str(), old, NEW, "a pine by the harbour", 422, "not the same"),
        (csrf.as_str(), old, "short", "short", 422, "fewer than 10"),
        (csrf.as_str(), old, old, old, 422, "choose another"),
    ] {
        let answer = here.change(csrf, old, new, again).await;
        assert_eq!(answer.status().as_u16(), status, "{says}");
        let page = answer.text().await.unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains(says), "{says}: {page}");
    }
    assert_eq!(there.get("/console").await.0, 200, "nothing has changed");
    let before = here.cookie.clone();
    let changed = here.change(&csrf, old, NEW, NEW).await;
    assert_eq!(changed.status(), 303);
    here.keep(&changed);
    assert_ne!(here.cookie, before);
    let (status, home) = here.get("/console").await;
    assert!(status == 200 && !home.contains("Choose one of your own"), "{status}");
    assert_eq!(there.get("/console").await.0, 303, "the other session has ended");
    here.cookie = before;
    assert_eq!(here.get("/console").await.0, 303, "and so has the one before");
    assert!(!there.sign_in(old).await && there.sign_in(NEW).await);
    assert!(!home.contains(NEW));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_password_in_the_form_is_throttled() {
    let site = Site::start().await;
    let mut visitor = Visitor::new(&site);
    assert!(visitor.sign_in(site.password()).await);
    let csrf = visitor.token().await;
    let mut last = 0;
    for _ in 0..10 {
        last = visitor.change(&csrf, "a wrong guess", NEW, NEW).await.status().as_u16();
    }
    assert_eq!(last, 429, "the sign-in and nine guesses are all a minute allows");
    assert_eq!(visitor.change(&csrf, site.password(), NEW, NEW).await.status().as_u16(), 429);
    assert_eq!(visitor.get("/console").await.0, 200, "whoever is signed in goes on working");
}
