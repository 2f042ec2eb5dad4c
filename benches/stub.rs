//! A language model's server on loopback that answers plainly and at once: for recordings and for measuring.
//!
//! `cargo bench --bench stub -- --port 9100 --delay-ms 0` serves until its input is closed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for measuring stops where it cannot go on"
)]

use std::io::Read as _;
use std::time::Duration;

#[path = "../tests/it/support/stub_model.rs"]
#[expect(dead_code, reason = "the tests do more with it")]
mod stub_model;

use stub_model::{StubModel, honestly};

fn option(name: &str) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(0, |value| value.parse().unwrap())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let delay = Duration::from_millis(option("--delay-ms"));
    let port = u16::try_from(option("--port")).unwrap();
    let stub = StubModel::listening(port, delay, false, |_, captured| honestly(captured)).await;
    println!("{}", stub.base_url());
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // Whoever started it goes away, and so does it.
    _ = closed.await;
}
