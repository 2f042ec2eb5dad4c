//! What the service costs on top of a language model: two calls to the model and one to a tool for every turn, over
//! 2,000 articles, SQLite with `synchronous=FULL`, real HTTP all the way to a stub of the model in this process.
//!
//! `cargo bench --bench model` prints one line per figure and ends by itself. A first argument that is a path names
//! another binary to measure.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a program of its own that stops when something is off"
)]

use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../tests/it/support/stub_model.rs"]
#[expect(dead_code, reason = "the tests do more with it")]
mod stub_model;
mod support;

use stub_model::{Act, Captured, StubModel, call_deltas, honestly, stream_of};
use support::{Client, Service, resident_mb, show, start, worked};

/// Turns measured one customer at a time.
const ALONE: usize = 1000;
/// Conversations at once, and turns of each.
const CONVERSATIONS: usize = 64;
const TURNS_EACH: usize = 60;
/// Conversations at once while the model takes its time, and turns of each.
const PATIENT: usize = 1500;
const PATIENT_TURNS: usize = 3;
/// How long it takes then.
const LATENCY: Duration = Duration::from_millis(300);
/// Articles there are.
const ARTICLES: usize = 2000;

/// What customers write: all of it for the model to work out.
const MESSAGES: [&str; 4] =
    ["do gift cards expire", "how do I wash my down jacket", "do you ship to canada", "do you wrap gifts"];

/// First a look into the customer's orders, then an answer.
fn answer(captured: &Captured) -> Act {
    if captured.said("tool").is_empty() {
        Act::Stream(stream_of(&call_deltas(&[("list_orders", "{}")]), "tool_calls"))
    } else {
        honestly(captured)
    }
}

#[tokio::main]
async fn main() {
    let at_once = StubModel::listening(0, Duration::ZERO, false, |_, captured| answer(captured)).await;
    let service = begin(&at_once).await;
    let mut client = Client::connect(&service.address, &service.key).await;
    let mut times = Vec::with_capacity(ALONE);
    let began = Instant::now();
    for at in 0..ALONE {
        let sent = Instant::now();
        let customer = format!("cust-{:04}", 1 + (at / 4) % 60);
        let outcome = client
            .turn(&customer, &format!("alone-{}", at / 4), &format!("a{at}"), MESSAGES[at % MESSAGES.len()])
            .await;
        assert!(worked(&outcome), "{outcome}");
        times.push(sent.elapsed());
    }
    show("one customer at a time", &mut times, began.elapsed());
    let before = cpu_ms(service.child.id());
    together(&service, CONVERSATIONS, TURNS_EACH).await;
    let turns = (CONVERSATIONS * TURNS_EACH) as f64;
    let spent = cpu_ms(service.child.id()) - before;
    println!("CPU of the service: {:.2} ms a turn", spent / turns);
    let record = std::fs::metadata(service.folder.path().join("data/firstline.db")).unwrap().len();
    println!("record of them all: {} MB", record >> 20);
    drop(service);
    let slow = StubModel::listening(0, LATENCY, false, |_, captured| answer(captured)).await;
    let service = begin(&slow).await;
    together(&service, PATIENT, PATIENT_TURNS).await;
    println!("memory after {PATIENT} conversations at once: {:.0} MB", resident_mb(service.child.id()));
}

/// A service whose model is `stub`, over many articles.
async fn begin(stub: &StubModel) -> Service {
    let folder = tempfile::tempdir().unwrap();
    write_knowledge(folder.path());
    let settings = [
        ("FIRSTLINE__MODEL__NAME", "stub".to_owned()),
        ("FIRSTLINE__MODEL__BASE_URL", stub.base_url()),
        ("FIRSTLINE__MODEL__CALLS_MAX", "4096".to_owned()),
        ("FIRSTLINE__WORKER__TURNS_MAX", "4096".to_owned()),
    ];
    let (child, address, key) = start(folder.path(), &settings);
    let service = Service { child, address, key: key.expect("the first start prints a key"), folder };
    let mut client = Client::connect(&service.address, &service.key).await;
    let outcome = client.turn("cust-0021", "first", "first", MESSAGES[0]).await;
    assert!(worked(&outcome), "{outcome}");
    service
}

/// The demo's knowledge, and copies of its articles under other ids until there are enough.
fn write_knowledge(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    let mut articles = Vec::new();
    copy(&root, &folder.join("knowledge"), &mut articles);
    let copies = folder.join("knowledge/articles/copies");
    std::fs::create_dir_all(&copies).unwrap();
    for at in 0..ARTICLES.saturating_sub(articles.len()) {
        let text = &articles[at % articles.len()];
        let (before, after) = text.split_once("\nid: ").expect("an article names its id");
        let (id, rest) = after.split_once('\n').unwrap();
        std::fs::write(copies.join(format!("{at}.md")), format!("{before}\nid: {id}-{at}\n{rest}")).unwrap();
    }
}

fn copy(from: &Path, to: &Path, articles: &mut Vec<String>) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target, articles);
            continue;
        }
        std::fs::copy(&path, &target).unwrap();
        if path.components().any(|part| part.as_os_str() == "articles") {
            articles.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

async fn together(service: &Service, conversations: usize, turns: usize) {
    let mut clients = Vec::with_capacity(conversations);
    for _ in 0..conversations {
        clients.push(Client::connect(&service.address, &service.key).await);
    }
    let began = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(conversation, mut client)| {
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(turns);
                for turn in 0..turns {
                    let (customer, id) = (format!("many-{conversation}"), format!("t{conversation}-{turn}"));
                    let text = MESSAGES[(conversation + turn) % MESSAGES.len()];
                    let sent = Instant::now();
                    let outcome = client.turn(&customer, &format!("m-{conversation}"), &id, text).await;
                    assert!(worked(&outcome), "{outcome}");
                    times.push(sent.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    show(&format!("{conversations} conversations at once"), &mut times, began.elapsed());
}

/// Processor time that a process has taken, user and kernel, in ms; a tick is a hundredth of a second.
fn cpu_ms(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after = stat.rsplit_once(") ").unwrap().1;
    let ticks: u64 = after.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    (ticks * 10) as f64
}
