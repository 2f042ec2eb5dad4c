//! How long a page of the console takes at so many cases: `cargo bench --bench console -- [BINARY] [CASES]`.
//!
//! Starts the binary of the same build in an empty folder, lets so many customers write (most are answered, some wait
//! for people, some of those are taken and settled), and asks for each page over HTTP as a browser does, one figure a line.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a program of its own that stops when something is off"
)]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

mod support;

use support::{Client, Service, resident_mb, show, start, worked};

/// Cases when nobody says.
const CASES: usize = 100_000;
/// Customers who write at once.
const AT_ONCE: usize = 64;
/// Times that each page is asked for.
const ROUNDS: usize = 60;
/// Cases that the agent has, and of them settled.
const TAKEN: usize = 60;
const SETTLED: usize = 30;
/// Of a hundred customers so many want a person.
const FOR_PEOPLE: usize = 3;
/// How long the search may take to know the last words.
const READY_WITHIN: Duration = Duration::from_mins(10);

/// What is answered at once.
const ANSWERED: [&str; 4] = [
    "do gift cards expire",
    "how do I wash my down jacket",
    "what does express delivery cost",
    "my stove will not light",
];

#[tokio::main]
async fn main() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let numbers = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let cases = numbers.unwrap_or(CASES);
    let folder = tempfile::tempdir().unwrap();
    let (child, address, key) = start(folder.path(), &[]);
    let service = Service { child, address, key: key.expect("the first start prints a key"), folder };
    let began = Instant::now();
    fill(&service, cases).await;
    println!("{cases} customers wrote in {:.0} s", began.elapsed().as_secs_f64());
    let console = Console::sign_in(service).await;
    let case = console.work().await;
    console.until_ready(cases).await;
    for path in pages(cases, &case) {
        console.time(&path).await;
    }
    println!("memory: {:.0} MB", resident_mb(console.service.child.id()));
}

/// A word of its own for each case, by which it can be found.
fn word(number: usize) -> String {
    format!("stove{number:06}")
}

async fn fill(service: &Service, cases: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let writers = (0..AT_ONCE).map(async |_| Client::connect(&service.address, &service.key).await);
    let clients = futures_util::future::join_all(writers).await;
    let tasks = clients.into_iter().map(|mut client| {
        let next = next.clone();
        tokio::spawn(async move {
            let mut answered: usize = 0;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= cases {
                    return answered;
                }
                let (customer, word) = (format!("customer-{number:06}"), word(number));
                let text = if number % 100 < FOR_PEOPLE {
                    format!("I want to talk to a person about my {word}")
                } else {
                    format!("{} ({word})", ANSWERED[number % ANSWERED.len()])
                };
                let outcome = client.turn(&customer, &customer, &customer, &text).await;
                answered += usize::from(worked(&outcome));
            }
        })
    });
    let answered: usize = futures_util::future::join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    println!("answered by the assistant: {answered}");
}

/// The pages in which an agent lives, each at its beginning and far down.
fn pages(cases: usize, case: &str) -> Vec<String> {
    let found = word(cases / 2);
    let deep = (cases / 1000).max(2);
    [
        String::new(),
        "?list=mine".to_owned(),
        "?list=all&state=open".to_owned(),
        format!("?list=all&state=open&page={}", (deep / 4).max(2)),
        "?list=all&state=resolved".to_owned(),
        format!("?list=all&state=resolved&page={deep}"),
        "?list=all&state=resolved&urgency=normal&channel=in_app".to_owned(),
        format!("?q={found}"),
        "?q=stove".to_owned(),
        "?q=person+about".to_owned(),
        "?q=st".to_owned(),
        "/day".to_owned(),
        format!("/cases/{case}"),
        format!("/cases/{case}?panel=customer"),
        format!("/cases/{case}?panel=records"),
        format!("/cases/{case}?panel=why"),
        "/reports".to_owned(),
    ]
    .map(|path| format!("/console{path}"))
    .to_vec()
}

/// Somebody signed in.
struct Console {
    service: Service,
    http: reqwest::Client,
    cookie: String,
}

impl Console {
    async fn sign_in(service: Service) -> Self {
        let made = Command::new(env!("CARGO_BIN_EXE_firstline"))
            .args(["user", "add", "bench", "--name", "Bench", "--role", "admin"])
            .current_dir(service.folder.path())
            .output()
            .unwrap();
        let made = String::from_utf8(made.stdout).unwrap();
        let password = made.split_whitespace().find(|word| word.len() == 20).expect("a password is printed");
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let body = format!("login=bench&password={password}");
        let request = http
            .post(format!("http://{}/console/login", service.address))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", format!("http://{}", service.address))
            .body(body);
        let answer = request.send().await.unwrap();
        let set = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        let cookies: Vec<&str> = set.filter_map(|cookie| cookie.split(';').next()).collect();
        assert!(!cookies.is_empty(), "signing in failed: {}", answer.status());
        let cookie = cookies.join("; ");
        Self { service, http, cookie }
    }

    async fn api(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(method, format!("http://{}{path}", self.service.address));
        let answer = request.bearer_auth(&self.service.key).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Takes and settles some cases; one that is still theirs.
    async fn work(&self) -> String {
        let list = format!("/v1/cases?state=queued&limit={TAKEN}");
        let waiting = self.api(reqwest::Method::GET, &list, &Value::Null).await;
        let ids: Vec<&str> =
            waiting["items"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap()).collect();
        for (at, id) in ids.iter().enumerate() {
            let path = format!("/v1/cases/{id}/assign");
            self.api(reqwest::Method::POST, &path, &json!({"agent": "bench"})).await;
            if at < SETTLED {
                let path = format!("/v1/cases/{id}/resolve");
                self.api(reqwest::Method::POST, &path, &json!({"agent": "bench"})).await;
            }
        }
        println!("waiting for people and taken: {}", ids.len());
        (*ids.last().expect("somebody waits")).to_owned()
    }

    async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("http://{}{path}", self.service.address));
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Waits until the search knows the last words that were written.
    async fn until_ready(&self, cases: usize) {
        let began = Instant::now();
        let path = format!("/console?q={}", word(cases - 1));
        while !self.page(&path).await.contains("/console/cases/") {
            assert!(began.elapsed() < READY_WITHIN, "the search never knew the last words");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("the search knew the last words {:.1} s later", began.elapsed().as_secs_f64());
    }

    async fn time(&self, path: &str) {
        let first = Instant::now();
        let size = self.page(path).await.len();
        println!("{path}: first {:.1} ms, {} kB", first.elapsed().as_secs_f64() * 1000.0, size / 1000);
        let (mut times, began) = (Vec::with_capacity(ROUNDS), Instant::now());
        for _ in 0..ROUNDS {
            let asked = Instant::now();
            self.page(path).await;
            times.push(asked.elapsed());
        }
        show(path, &mut times, began.elapsed());
    }
}
