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

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

struct Service {
    child: Child,
    address: String,
    key: String,
    folder: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the service in `folder` and waits for the line that says where people work.
fn start(folder: &Path) -> (Child, String, Option<String>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let named = std::env::args().nth(1).filter(|argument| Path::new(argument).is_file());
    let mut child = Command::new(named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_firstline")))
        .args(["serve", "--listen", &address])
        .current_dir(folder)
        .env("FIRSTLINE__TELEMETRY__LOG", "error")
        // One customer writes hundreds of messages here; people would have the case long before.
        .env("FIRSTLINE__LIMITS__REPLIES_PER_HOUR_MAX", "1000000")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the service starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut key = None;
    while let Some(Ok(line)) = lines.next() {
        if let Some(at) = line.find("flk_") {
            key = line[at..].split_whitespace().next().map(str::to_owned);
            break;
        }
        if line.contains("/console") && folder.join("keyed").exists() {
            break;
        }
    }
    std::fs::write(folder.join("keyed"), "").unwrap();
    // The pipe is kept open, so that the service never writes into a closed one.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address, key)
}

/// One keep-alive connection.
struct Client {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: &str, key: &str) -> Self {
        let mut tries = 0;
        let stream = loop {
            match TcpStream::connect(address).await {
                Ok(stream) => break stream,
                Err(error) if tries > 2000 => panic!("{error}"),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "POST /v1/messages?wait_ms=20000 HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: "
        );
        Self { stream, head, buffer: vec![0; 65536] }
    }

    /// Sends a message, waits for its answer and returns the outcome.
    async fn turn(&mut self, customer: &str, conversation: &str, id: &str, text: &str) -> String {
        let body = format!(
            r#"{{"channel":"in_app","id":"{id}","conversation":"{conversation}","sender":{{"id":"{customer}","verified":true}},"text":"{text}"}}"#
        );
        let request = format!("{}{}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut filled = 0;
        loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(count > 0, "the service closed the connection");
            filled += count;
            let text = String::from_utf8_lossy(&self.buffer[..filled]);
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let length: usize = length.and_then(|l| l.trim().parse().ok()).expect("a length");
            if rest.len() >= length {
                assert!(head.starts_with("HTTP/1.1 200"), "{text}");
                let from = rest.find("\"outcome\":\"").expect("an outcome") + 11;
                return rest[from..].split('"').next().unwrap_or_default().to_owned();
            }
        }
    }
}

/// Resident memory of a process in MB.
fn resident_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1000.0
}

fn show(name: &str, times: &mut [Duration], whole: Duration) {
    times.sort();
    println!(
        "{name}: {} turns, {:.0} turns/s, p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms",
        times.len(),
        times.len() as f64 / whole.as_secs_f64(),
        percentile(times, 0.50),
        percentile(times, 0.95),
        percentile(times, 0.99)
    );
}

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

/// A turn that the assistant worked on to its end.
fn worked(outcome: &str) -> bool {
    matches!(outcome, "replied" | "resolved")
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
    let (child, address, key) = start(folder.path());
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
    let (child, address, _) = start(service.folder.path());
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
