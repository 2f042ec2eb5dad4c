//! What the parts of a turn cost by themselves, one line per figure: `cargo bench --bench parts`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own that stops when something is off"
)]

use std::hint::black_box;
use std::time::Instant;

use firstline::desk::Settled;
use firstline::domain::decision::{Draft, Verdict};
use firstline::domain::ids::{CaseId, ReceiptId, TurnId};
use firstline::domain::receipt::{CallStatus, Effect, Receipt};
use firstline::domain::time::Timestamp;
use firstline::pipeline::guard::{self, GuardContext};

const ROUNDS: usize = 2000;

/// Prints what one run of `work` takes on average, after a tenth of the rounds to warm up.
fn measure<T>(name: &str, rounds: usize, mut work: impl FnMut() -> T) {
    for _ in 0..rounds / 10 {
        black_box(work());
    }
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(work());
    }
    println!("{name}: {:.1} us", began.elapsed().as_secs_f64() * 1e6 / rounds as f64);
}

/// The receipt of an order, as the demo's shop answers.
fn receipt() -> Receipt {
    Receipt {
        id: ReceiptId::parse("r1").unwrap(),
        case: CaseId::parse("c1").unwrap(),
        turn: TurnId::parse("t1").unwrap(),
        tool: "order_status".to_owned(),
        effect: Effect::Read,
        arguments: serde_json::json!({"order_id": "HP-10042"}),
        status: CallStatus::Done,
        result: serde_json::json!({
            "id": "HP-10042", "status": "shipped", "placed_on": "2026-11-02", "shipped_on": "2026-11-04",
            "eta": "2026-11-07", "carrier": "Northline", "tracking": "NL4829104471", "total_minor": 12990,
            "currency": "EUR", "lines": [{"name": "Spark stove", "quantity": 1, "price_minor": 7990},
            {"name": "Gas cartridge 230", "quantity": 2, "price_minor": 2500}],
        }),
        at: Timestamp(0),
        duration_ms: 3,
    }
}

fn review() {
    let receipts: Vec<Receipt> = (0..20).map(|_| receipt()).collect();
    let passage = "Express delivery costs 9.90 € and takes 1 to 2 working days; standard delivery is free from 50 € and takes 3 to 5 working days. ".repeat(5);
    let settled = Settled {
        business_name: "Harbor & Pine".to_owned(),
        email: "help@harborandpine.example".to_owned(),
        site: "https://harborandpine.example".to_owned(),
        allowed_hosts: vec!["harborandpine.example".to_owned()],
        texts: vec!["Mon-Fri 08:00-18:00".to_owned()],
        ..Settled::default()
    };
    for (name, text) in [
        (
            "knowledge",
            "Express delivery costs 9.90 € and takes 1 to 2 working days; standard delivery is free from 50 €.",
        ),
        (
            "order",
            "Order HP-10042 left us on 4 November 2026 with Northline (NL4829104471) and should arrive by Saturday 7 November 2026.",
        ),
        ("plain", "Hello! How can I help you today?"),
    ] {
        let draft = Draft { text: text.to_owned(), ..Draft::default() };
        for count in [1, 20] {
            let receipts: Vec<&Receipt> = receipts.iter().take(count).collect();
            let context = GuardContext {
                receipts: &receipts,
                passages: &[&passage],
                procedures: &[],
                settled: &settled,
                customer_words: &["where is my order"],
                asks: false,
                today: jiff::civil::date(2026, 11, 23),
                reply_chars_max: 4000,
            };
            let verdict = guard::review(&draft, &context);
            if name != "plain" && verdict != Verdict::Allow {
                println!("{verdict:?}");
            }
            measure(&format!("guard, {name}, {count} receipts"), ROUNDS, || guard::review(&draft, &context));
        }
    }
}

fn main() {
    review();
}
