//! What a year of a million cases costs: `cargo bench --bench reports -- [CASES] [DATABASE-URL]`.
//!
//! Writes the logs of so many cases over a year into a new record, counts them as a service would, and times each
//! question that the page of the reports asks; a record of an earlier run is only asked. The logs are made by dice, here
//! and nowhere else.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own that stops when something is off"
)]

use std::time::{Duration, Instant};

use firstline::app::{SystemClock, store_settings};
use firstline::config::{Config, Sources};
use firstline::domain::ids::{AgentId, TeamId};
use firstline::domain::measures::{Count, Measure, Prices, Sums, date, day_of};
use firstline::domain::role::Reach;
use firstline::domain::time::Clock;
use firstline::store::{By, Cut, Page, Store};
use jiff::tz::TimeZone;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

const DAY_MS: i64 = 86_400_000;
const YEAR: i64 = 365;
/// Rows of one statement.
const ROWS: usize = 200;
/// Rounds of each question; the median is told.
const ROUNDS: usize = 15;
const CHANNELS: [(&str, u64); 8] = [
    ("web_chat", 45),
    ("email", 25),
    ("whatsapp", 12),
    ("sms", 6),
    ("voice", 5),
    ("in_app", 4),
    ("telegram", 2),
    ("messenger", 1),
];
const REASONS: [&str; 6] =
    ["person_asked", "over_limit", "not_understood", "guard", "late_parcel", "tool_failed"];

/// Numbers without chance: the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn weighted<'a>(&mut self, all: &[(&'a str, u64)]) -> &'a str {
        let mut left = self.roll(all.iter().map(|(_, weight)| weight).sum());
        for (word, weight) in all {
            if left < *weight {
                return word;
            }
            left -= weight;
        }
        all[0].0
    }
}

struct Case {
    id: String,
    person: String,
    channel: &'static str,
    opened_at: i64,
    state: &'static str,
    intent: String,
    lines: Vec<(i64, &'static str, String)>,
}

#[expect(
    clippy::too_many_lines,
    reason = "one path from its first step to its last; cut in two it would only be harder to follow"
)]
fn case(dice: &mut Dice, nth: u64, count: u64, from: i64) -> Case {
    // More in the daytime and on weekdays, and a little more each month.
    let day = (nth * YEAR as u64 / count) as i64;
    let opened_at =
        from + day * DAY_MS + (7 + dice.roll(12) as i64) * 3_600_000 + dice.roll(3_600_000) as i64;
    let channel = dice.weighted(&CHANNELS);
    let which = (dice.roll(30) * dice.roll(30) / 30).min(29);
    let intent = format!("procedure_{which:02}");
    let person = format!("customer-{}", dice.roll(count * 2 / 5 + 1));
    let language = dice.weighted(&[("en", 80), ("de", 12), ("fr", 8)]);
    let mut lines = vec![
        (0, "opened", format!(r#"{{"channel":"{channel}","customer":"{person}","language":"{language}"}}"#)),
        (0, "received", format!(r#"{{"channel":"{channel}"}}"#)),
        (400, "triaged", r#"{"decision":"tier1","reason":"intent"}"#.to_owned()),
    ];
    let end = |more: &str| {
        format!(
            r#"{{"turn":"t","channel":"{channel}","intent":"{intent}","language":"{language}","segments":1{more}}}"#
        )
    };
    let took = 500 + dice.roll(4000) as i64;
    let mut state = "closed";
    match dice.roll(100) {
        0..66 => {
            lines.push((
                took,
                "tool_called",
                r#"{"receipt":"r","tool":"order_status","status":"done"}"#.to_owned(),
            ));
            let article = dice.roll(40);
            lines.push((
                took + 50,
                "resolved",
                end(&format!(r#","resolution":"answered","articles":["article-{article}"]"#)),
            ));
            if dice.roll(10) == 0 {
                lines.push((2 * DAY_MS, "received", format!(r#"{{"channel":"{channel}"}}"#)));
                lines.push((2 * DAY_MS, "reopened", r#"{"reason":"customer_wrote"}"#.to_owned()));
                lines.push((2 * DAY_MS + took, "resolved", end(r#","resolution":"confirmed""#)));
            }
        }
        66..92 => {
            let reason = REASONS[(which as usize + dice.roll(2) as usize) % REASONS.len()];
            let team = ["support", "returns", "logistics"][which as usize % 3];
            lines.push((took, "handed_off", end(&format!(r#","reason":"{reason}","team":"{team}""#))));
            let waited = took + 60_000 + dice.roll(7_200_000) as i64;
            lines.push((waited, "assigned", r#"{"agent":"jo"}"#.to_owned()));
            if dice.roll(8) == 0 {
                lines.push((waited + 120_000, "returned", r#"{"by":"agent:jo"}"#.to_owned()));
                lines.push((waited + 122_000, "resolved", end(r#","resolution":"answered""#)));
            } else {
                let worked = waited + 60_000 + dice.roll(900_000) as i64;
                lines.push((
                    worked,
                    "agent_replied",
                    format!(r#"{{"by":"agent:jo","channel":"{channel}","segments":1}}"#),
                ));
                lines.push((worked + 30_000, "resolved", r#"{"by":"agent:jo"}"#.to_owned()));
            }
        }
        _ => {
            lines.push((took, "replied", end("")));
            state = "assistant";
        }
    }
    if dice.roll(4) == 0 {
        let of = if lines.iter().any(|line| line.1 == "handed_off") { "agent:jo" } else { "assistant" };
        lines.push((3 * DAY_MS, "rating_asked", format!(r#"{{"of":"{of}"}}"#)));
        if dice.roll(3) > 0 {
            let score = 5 - dice.roll(5) * dice.roll(5) / 5;
            lines.push((
                3 * DAY_MS + 60_000,
                "rated",
                format!(r#"{{"of":"{of}","score":{score},"scale":"five"}}"#),
            ));
        }
    }
    // In the order in which they began, as ids are.
    let id = format!("{opened_at:013}-{nth:08}");
    Case { id, person, channel, opened_at, state, intent, lines }
}

/// Values in a statement: they are made here, without anything that would have to be marked.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

async fn write(url: &str, count: u64, from: i64) {
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let sqlite = url.starts_with("sqlite");
    let begin = if sqlite { "begin immediate" } else { "begin" };
    if sqlite {
        connection.execute("pragma synchronous = off").await.unwrap();
    }
    let mut dice = Dice(1);
    let (mut cases, mut events) = (Vec::new(), Vec::new());
    connection.execute(begin).await.unwrap();
    for nth in 0..count {
        let case = case(&mut dice, nth, count, from);
        let lines = case.lines.len();
        for (seq, (after, kind, body)) in case.lines.iter().enumerate() {
            let at = case.opened_at + after;
            events.push(format!("({}, {}, {at}, '{kind}', {}, '')", quoted(&case.id), seq + 1, quoted(body)));
        }
        cases.push(format!(
            "({0}, {1}, '{2}', 1, '{3}', 'c', 'verified', {4}, 'where is my order', 'en', 'normal', 'neutral', '{{}}', 1, 1, 1,
              {lines}, '', {5}, {5})",
            quoted(&case.id),
            quoted(&case.person),
            case.state,
            case.channel,
            quoted(&case.intent),
            case.opened_at
        ));
        if cases.len() == ROWS || nth + 1 == count {
            let sql = format!(
                "insert into cases (id, customer_id, state, version, channel, conversation, assurance, intent, issue, language,
                    urgency, sentiment, memory, message_seq, inbound_seq, answered_seq, event_seq, event_hash, opened_at,
                    updated_at) values {}",
                cases.join(",")
            );
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
            for part in events.chunks(ROWS * 4) {
                let sql = format!(
                    "insert into events (case_id, seq, at, kind, body, hash) values {}",
                    part.join(",")
                );
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
            }
            (cases, events) = (Vec::new(), Vec::new());
        }
        if nth % 50_000 == 49_999 {
            connection.execute("commit").await.unwrap();
            connection.execute(begin).await.unwrap();
        }
    }
    connection.execute("commit").await.unwrap();
    connection.close().await.unwrap();
}

async fn ask<T>(name: &str, mut question: impl AsyncFnMut() -> T) -> T {
    let first = Instant::now();
    let mut answer = question().await;
    let cold = first.elapsed();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        answer = question().await;
        times.push(began.elapsed());
    }
    times.sort();
    println!(
        "{name}: p50 {:.1} ms, slowest {:.1} ms, first {:.1} ms",
        times[ROUNDS / 2].as_secs_f64() * 1000.0,
        times[ROUNDS - 1].as_secs_f64() * 1000.0,
        cold.as_secs_f64() * 1000.0
    );
    answer
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with("--")).collect();
    let count = arguments.first().map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = arguments
        .get(1)
        .cloned()
        .unwrap_or_else(|| format!("sqlite://{}/data/firstline.db", folder.path().display()));
    let config = Config::load(Sources::default()).unwrap();
    let store = Store::open(&url, &store_settings(&config)).await.unwrap();
    store.migrate().await.unwrap();
    let now = SystemClock.now();
    let today = day_of(now, &TimeZone::UTC);
    let from = (today - YEAR + 1) * DAY_MS;
    let stands = store.standing().await.unwrap();
    if stands.is_none() {
        let began = Instant::now();
        write(&url, count, from).await;
        println!("{count} cases over a year written in {:.0} s", began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let (mut counted, mut longest) = (0, Duration::ZERO);
    loop {
        let round = Instant::now();
        let cases = store.fold(now, "UTC", config.reports.fold_cases_max).await.unwrap();
        longest = longest.max(round.elapsed());
        if cases == 0 {
            break;
        }
        counted += cases;
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "counted {counted} in {took:.0} s, {:.0} cases a second, longest round {:.0} ms",
        counted as f64 / took,
        longest.as_secs_f64() * 1000.0
    );
    questions(&store, today).await;
    store.close().await;
}

async fn questions(store: &Store, today: i64) {
    let year = Cut { from: today - YEAR + 1, to: today + 1, ..Cut::default() };
    let of = |word: &str| Some(word.to_owned());
    let chat = Cut { channel: of("web_chat"), ..year.clone() };
    let both = Cut { language: of("en"), ..chat.clone() };
    let total = ask("a year, together", async || store.sums(&year, By::Nothing).await.unwrap()).await;
    for (name, by) in [
        ("channel", By::Channel),
        ("intent", By::Intent),
        ("team", By::Team),
        ("month", By::Month),
        ("day", By::Day),
    ] {
        ask(&format!("a year by {name}"), async || store.sums(&year, by).await.unwrap()).await;
    }
    ask("a year of one channel, by intent", async || store.sums(&chat, By::Intent).await.unwrap()).await;
    ask("a year of one channel and language, by day", async || store.sums(&both, By::Day).await.unwrap())
        .await;
    let hidden = [TeamId::parse("returns").unwrap()].into();
    let narrow =
        Cut { reach: Reach::Within { agent: AgentId::parse("jo").unwrap(), hidden }, ..year.clone() };
    ask("a year by channel, without a team out of reach", async || {
        store.sums(&narrow, By::Channel).await.unwrap()
    })
    .await;
    let page = || Page { cursor: None, limit: 50 };
    let mark = Sums::mark_of(Count::Durable);
    ask("the cases behind a number", async || store.counted_cases(&chat, &mark, &page()).await.unwrap())
        .await;
    let rare = Sums::mark_of(Count::Gaps);
    ask("the cases behind a number that is nothing", async || {
        store.counted_cases(&year, &rare, &page()).await.unwrap()
    })
    .await;
    let sums = total.values().next().unwrap();
    for measure in [Measure::Volume, Measure::Automation, Measure::Durable, Measure::FirstContact] {
        let figure = measure.figure(sums, &Prices::default());
        println!("{}: {} ({})", measure.title(), measure.say(figure, ""), measure.say_of(figure, ""));
    }
    println!("{} to {}", date(year.from), date(year.to - 1));
}
