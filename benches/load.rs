//! The load program: real HTTP against a real `firstline serve`, one line per figure.
//!
//! `cargo bench --bench load` starts the binary of the same build in an empty folder (the demo, SQLite
//! with `synchronous=FULL`, the local assistant), drives it over loopback with `wait_ms`, and prints
//! what it measured. The loads are bounded in count, so it ends by itself. A first argument that is a path
//! names another binary to measure.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a program of its own that stops when something is off"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

mod support;

use support::{Client, Service, resident_mb, show, start, worked};

/// Turns measured one customer at a time.
const ALONE: usize = 2000;
/// Conversations at once, and turns of each.
const CONVERSATIONS: usize = 64;
const TURNS_EACH: usize = 150;

/// What customers write, each a turn of its own: knowledge, an order look-up through a tool, small talk.
const MESSAGES: [&str; 6] = [
    "where is my order",
    "do gift cards expire",
    "how do I wash my down jacket",
    "hello",
    "what does express delivery cost",
    "my stove will not light",
];

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (service, cold) = begin(folder).await;
    println!("start to first answered message, nothing cached: {cold:.2} s");
    println!("idle memory, just trained: {:.0} MB", resident_mb(service.child.id()));
    let regulars = regulars(&service).await;
    let mut client = Client::connect(&service.address, &service.key).await;
    let mut times = Vec::with_capacity(ALONE);
    let began = Instant::now();
    for at in 0..ALONE {
        let sent = Instant::now();
        // A new case every few turns, as customers come and go.
        let customer = &regulars[(at / 4) % regulars.len()];
        let outcome = client
            .turn(customer, &format!("alone-{}", at / 4), &format!("a{at}"), MESSAGES[at % MESSAGES.len()])
            .await;
        assert!(worked(&outcome), "{outcome}");
        times.push(sent.elapsed());
    }
    show("one customer at a time", &mut times, began.elapsed());
    together(&service, &regulars).await;
    println!("memory after the load: {:.0} MB", resident_mb(service.child.id()));
    let (service, warm) = restart(service).await;
    println!("start to first answered message, warm cache: {warm:.2} s");
    println!("idle memory, warm cache: {:.0} MB", resident_mb(service.child.id()));
}

/// Customers of the shop whose parcel can be told at once: a question back would go unanswered here, and people would
/// have the case.
async fn regulars(service: &Service) -> Vec<String> {
    let mut client = Client::connect(&service.address, &service.key).await;
    let mut regulars = Vec::new();
    for number in 1..=60 {
        let customer = format!("cust-{number:04}");
        let asked =
            client.turn(&customer, &format!("ask-{number}"), &format!("q{number}"), MESSAGES[0]).await;
        if asked == "resolved" {
            regulars.push(customer);
        }
    }
    println!("customers: {}", regulars.len());
    regulars
}

async fn begin(folder: tempfile::TempDir) -> (Service, f64) {
    let began = Instant::now();
    let (child, address, key) = start(folder.path(), &[]);
    let service = Service { child, address, key: key.expect("the first start prints a key"), folder };
    let mut client = Client::connect(&service.address, &service.key).await;
    let outcome = client.turn("cust-0021", "first", "first", "do gift cards expire").await;
    assert!(worked(&outcome), "{outcome}");
    (service, began.elapsed().as_secs_f64())
}

/// Stops the service and starts it again where it was.
async fn restart(mut service: Service) -> (Service, f64) {
    service.child.kill().unwrap();
    service.child.wait().unwrap();
    let began = Instant::now();
    let (child, address, _) = start(service.folder.path(), &[]);
    service.child = child;
    let mut client = Client::connect(&address, &service.key).await;
    let outcome = client.turn("cust-0021", "again", "again", "do gift cards expire").await;
    assert!(worked(&outcome), "{outcome}");
    let elapsed = began.elapsed().as_secs_f64();
    (service, elapsed)
}

async fn together(service: &Service, regulars: &[String]) {
    let handed_off = Arc::new(AtomicUsize::new(0));
    let unanswered = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for conversation in 0..CONVERSATIONS {
        let mut client = Client::connect(&service.address, &service.key).await;
        let (unanswered, handed_off) = (unanswered.clone(), handed_off.clone());
        // Beside the customers of the shop there are some whom it does not know.
        let regular = regulars.get(conversation).cloned();
        let messages = if regular.is_some() { &MESSAGES[..] } else { &MESSAGES[1..] };
        let customer = regular.unwrap_or_else(|| format!("new-{conversation}"));
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(TURNS_EACH);
            for turn in 0..TURNS_EACH {
                let id = format!("t{conversation}-{turn}");
                let sent = Instant::now();
                let text = messages[(conversation + turn) % messages.len()];
                match client.turn(&customer, &format!("together-{conversation}"), &id, text).await.as_str() {
                    "pending" => unanswered.fetch_add(1, Ordering::Relaxed),
                    "handed_off" => handed_off.fetch_add(1, Ordering::Relaxed),
                    _ => 0,
                };
                times.push(sent.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    show(&format!("{CONVERSATIONS} conversations at once"), &mut times, began.elapsed());
    println!("of them not answered in time: {}", unanswered.load(Ordering::Relaxed));
    println!("of them with people: {}", handed_off.load(Ordering::Relaxed));
}
