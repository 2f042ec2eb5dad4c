//! What the parts of a turn cost by themselves, one line per figure: `cargo bench --bench parts`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own that stops when something is off"
)]

use std::hint::black_box;
use std::time::Instant;

use firstline::app::Understanding;
use firstline::config::{Config, Sources};
use firstline::demo;
use firstline::desk::Settled;
use firstline::domain::decision::{Draft, Verdict};
use firstline::domain::ids::{CaseId, ReceiptId, TurnId};
use firstline::domain::receipt::{CallStatus, Effect, Receipt};
use firstline::domain::time::Timestamp;
use firstline::knowledge::Origin;
use firstline::language::{detect, mood, sentences, signals};
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

/// What is asked of the demo's knowledge, short and long.
const ASKED: [&str; 4] = [
    "do gift cards expire",
    "where is my order",
    "how do I wash my down jacket",
    "hi there, I ordered a water filter two weeks ago and it has become really slow, is there anything I can do before I send it back to you?",
];

fn understanding() {
    let config = Config::load(Sources::default()).unwrap();
    let (understanding, _) =
        Understanding::build(&config, Origin::Embedded(demo::knowledge()), None).unwrap();
    for text in ASKED {
        let name = text.get(..20.min(text.len())).unwrap_or_default();
        measure(&format!("triage, {name}"), ROUNDS, || understanding.reader.triage(text));
        measure(&format!("search, {name}"), ROUNDS, || understanding.knowledge.search(text, Some("en"), 5));
        measure(&format!("language, {name}"), ROUNDS, || detect::language(text));
        measure(&format!("mood, {name}"), ROUNDS, || (mood::urgency(text), mood::sentiment(text)));
        measure(&format!("requests, {name}"), ROUNDS, || sentences::requests(text).len());
        measure(&format!("signals, {name}"), ROUNDS, || {
            let asks = (signals::wants_person(text), signals::takes_back(text));
            (asks, signals::alarm(text), signals::small_talk(text), signals::affirmation(text))
        });
    }
}

fn main() {
    review();
    understanding();
}
