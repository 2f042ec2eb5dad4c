//! What the load programs share: a service of its own, a client that keeps its connection, and figures a line.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running service in a folder of its own; ends when dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) key: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the service in `folder` with these settings and waits for the line that says where people work.
pub(crate) fn start(folder: &Path, settings: &[(&str, String)]) -> (Child, String, Option<String>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let named = std::env::args().nth(1).filter(|argument| Path::new(argument).is_file());
    let mut child = Command::new(named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_firstline")))
        .args(["serve", "--listen", &address])
        .current_dir(folder)
        .env("FIRSTLINE__TELEMETRY__LOG", "error")
        // One customer writes hundreds of messages here; people would have the case long before.
        .env("FIRSTLINE__LIMITS__REPLIES_PER_HOUR_MAX", "1000000")
        .envs(settings.iter().map(|(name, value)| (name, value)))
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
pub(crate) struct Client {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str, key: &str) -> Self {
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
    pub(crate) async fn turn(&mut self, customer: &str, conversation: &str, id: &str, text: &str) -> String {
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
pub(crate) fn resident_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1000.0
}

/// Prints a figure a line.
pub(crate) fn show(name: &str, times: &mut [Duration], whole: Duration) {
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

/// A turn that the assistant worked on to its end.
pub(crate) fn worked(outcome: &str) -> bool {
    matches!(outcome, "replied" | "resolved")
}
