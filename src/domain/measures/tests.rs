//! The two ways of counting agree on any log, and each measure is what its definition says on logs one can follow.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::plain::{self, add_up};
use super::*;
use crate::domain::event::Event;
use crate::domain::ids::CaseId;
use crate::domain::routing::Wait;
use crate::domain::time::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn line(case: &str, seq: i64, at: i64, kind: &str, body: &Value) -> Event {
    Event {
        case: CaseId::parse(case).unwrap(),
        seq,
        at: Timestamp(at),
        kind: kind.to_owned(),
        body: body.to_string(),
        hash: String::new(),
    }
}

fn log(case: &str, lines: &[(i64, &str, Value)]) -> Vec<Event> {
    let seq = 1..;
    lines.iter().zip(seq).map(|((at, kind, body), seq)| line(case, seq, *at, kind, body)).collect()
}

fn facts(log: &[Event]) -> Facts {
    let mut facts = Facts::default();
    for event in log {
        facts.read(event.at, &event.kind, &event.body);
    }
    facts
}

fn alone(log: &[Event], now: i64) -> Sums {
    facts(log).outcome(Neighbours::default(), now).sums
}

fn opened(at: i64) -> [(i64, &'static str, Value); 3] {
    [
        (at, "opened", json!({"channel": "web_chat", "customer": "ann", "language": "en"})),
        (at, "received", json!({"channel": "web_chat"})),
        (at, "triaged", json!({"decision": "tier1", "reason": "intent", "intent": "order_status"})),
    ]
}

fn resolved(at: i64) -> (i64, &'static str, Value) {
    let body = json!({"turn": "t", "resolution": "answered", "intent": "order_status", "channel": "web_chat",
        "segments": 1, "articles": ["delivery-times"], "language": "en"});
    (at, "resolved", body)
}

fn get(sums: &Sums, counts: &[Count]) -> Vec<i64> {
    counts.iter().map(|count| sums.get(*count)).collect()
}

#[test]
fn a_resolution_is_contained_after_a_day_and_durable_after_a_week() {
    let mut lines = opened(0).to_vec();
    lines.push(resolved(2000));
    let log = log("c1", &lines);
    let counts = [Count::Automated, Count::SettledDay, Count::Contained, Count::SettledWeek, Count::Durable];
    assert_eq!(get(&alone(&log, 3000), &counts), [1, 0, 0, 0, 0]);
    assert_eq!(get(&alone(&log, 2000 + DAY), &counts), [1, 1, 1, 0, 0]);
    assert_eq!(get(&alone(&log, 2000 + 7 * DAY), &counts), [1, 1, 1, 1, 1]);
    let due = |now| facts(&log).outcome(Neighbours::default(), now).due_at;
    assert_eq!(
        [due(3000), due(2000 + DAY), due(2000 + 7 * DAY)],
        [Some(2000 + DAY), Some(2000 + 7 * DAY), None]
    );
}

#[test]
fn a_greeting_is_a_case_and_no_request() {
    let lines = [opened(0)[0].clone(), opened(0)[1].clone(), (10, "replied", json!({"turn": "t"}))];
    let sums = alone(&log("c1", &lines), 30 * DAY);
    assert_eq!(get(&sums, &[Count::Cases, Count::Requests, Count::SettledWeek]), [1, 0, 0]);
}

#[test]
fn a_handoff_is_never_a_resolution_of_the_assistant() {
    let mut lines = opened(0).to_vec();
    lines.push(resolved(1000));
    lines.push((2 * HOUR, "received", json!({"channel": "web_chat"})));
    lines.push((2 * HOUR, "reopened", json!({"reason": "customer_wrote"})));
    lines.push((
        2 * HOUR + 1000,
        "handed_off",
        json!({"turn": "t", "reason": "person_asked", "team": "returns"}),
    ));
    lines.push((3 * HOUR, "agent_replied", json!({"by": "agent:jo"})));
    lines.push((3 * HOUR + MINUTE, "resolved", json!({"by": "agent:jo"})));
    let sums = alone(&log("c1", &lines), 30 * DAY);
    let counts =
        [Count::Automated, Count::SettledDay, Count::Contained, Count::Durable, Count::ResolvedPeople];
    assert_eq!(get(&sums, &counts), [0, 1, 0, 0, 1]);
    assert_eq!(get(&sums, &[Count::HandoffsRight, Count::HandoffsUnneeded, Count::Returned]), [1, 0, 1]);
    assert_eq!(sums.of(Named::ReasonRight, "person_asked"), 1);
}

#[test]
fn a_handoff_that_comes_back_without_a_word_was_not_needed() {
    let mut lines = opened(0).to_vec();
    lines.push((1000, "handed_off", json!({"turn": "t", "reason": "guard", "team": "support"})));
    lines.push((HOUR, "assigned", json!({"agent": "jo", "team": "support"})));
    lines.push((HOUR + 5 * MINUTE, "returned", json!({"by": "agent:jo"})));
    let sums = alone(&log("c1", &lines), DAY);
    assert_eq!(get(&sums, &[Count::Handoffs, Count::HandoffsRight, Count::HandoffsUnneeded]), [1, 0, 1]);
    assert_eq!(get(&sums, &[Count::PeopleMs]), [5 * MINUTE]);
    assert!(sums.times(Time::Wait).below(0.5).unwrap() > 50.0 * MINUTE as f64);
}

#[test]
fn a_return_on_any_channel_takes_the_resolution_away() {
    let mut first = opened(0).to_vec();
    first.push(resolved(1000));
    let first = facts(&log("c1", &first));
    let counts = [Count::Contained, Count::Durable, Count::FirstContacts, Count::FirstContactResolved];
    let after = |at| Neighbours { after_opened_at: Some(at), ..Neighbours::default() };
    let told = |neighbours| get(&first.outcome(neighbours, 30 * DAY).sums, &counts);
    assert_eq!(told(Neighbours::default()), [1, 1, 1, 1]);
    assert_eq!(told(after(8 * DAY)), [1, 1, 1, 1]);
    assert_eq!(told(after(3 * DAY)), [1, 0, 1, 0]);
    assert_eq!(told(after(HOUR)), [0, 0, 1, 0]);
    // The one that comes back is no first contact.
    assert_eq!(told(Neighbours { before_resolved_at: Some(-DAY), ..Neighbours::default() }), [1, 1, 0, 0]);
}

#[test]
fn a_night_between_two_words_is_not_worked_through() {
    let mut lines = opened(0).to_vec();
    lines.push((1000, "handed_off", json!({"turn": "t", "reason": "over_limit", "due_at": 5 * HOUR})));
    lines.push((HOUR, "assigned", json!({"agent": "jo"})));
    let mut wait = Wait::default();
    wait.begin(Timestamp(1000), Some(Timestamp(5 * HOUR)));
    let first = wait.answered(Timestamp(HOUR + 10 * MINUTE));
    lines.push((HOUR + 10 * MINUTE, "agent_replied", json!({"by": "agent:jo", "first_answer": first})));
    lines.push((2 * HOUR, "received", json!({"channel": "web_chat"})));
    lines.push((14 * HOUR, "agent_replied", json!({"by": "agent:jo"})));
    let sums = alone(&log("c1", &lines), DAY);
    assert_eq!(sums.get(Count::PeopleMs), 40 * MINUTE);
    assert_eq!(get(&sums, &[Count::LevelDue, Count::LevelMet]), [1, 1]);
}

#[test]
fn the_service_level_is_what_the_wait_of_the_case_says_of_itself() {
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let mut wait = Wait::default();
    wait.begin(at(0), Some(at(60)));
    let mut lines = opened(0).to_vec();
    lines.push((MINUTE, "handed_off", json!({"turn": "t", "reason": "over_limit", "due_at": at(60)})));
    // Given back and handed over again: the promise is the first one.
    lines.push((5 * MINUTE, "returned", json!({"by": "agent:jo", "instruction": null})));
    wait.begin(at(50), Some(at(110)));
    lines.push((50 * MINUTE, "handed_off", json!({"turn": "u", "reason": "over_limit", "due_at": at(60)})));
    let before = alone(&log("c1", &lines), DAY);
    assert_eq!(get(&before, &[Count::LevelDue, Count::LevelMet]), [0, 0], "nobody has ended it");
    // What a person decided ends it, in whatever words; and the reply after that ends nothing.
    let told = wait.answered(at(70));
    lines.push((
        70 * MINUTE,
        "agent_replied",
        json!({"by": "agent:jo", "approval": "p", "first_answer": told}),
    ));
    let again = wait.answered(at(71));
    lines.push((71 * MINUTE, "agent_replied", json!({"by": "agent:jo", "first_answer": again})));
    let late = alone(&log("c1", &lines), DAY);
    assert_eq!(get(&late, &[Count::LevelDue, Count::LevelMet]), [1, 0]);
    // A second wait, ended by settling it; one without a promise does not count.
    for due in [Some(at(200)), None] {
        wait.begin(at(100), due);
        let settled = wait.answered(at(200));
        lines.push((200 * MINUTE, "resolved", json!({"by": "agent:jo", "first_answer": settled})));
    }
    let both = alone(&log("c1", &lines), DAY);
    assert_eq!(get(&both, &[Count::LevelDue, Count::LevelMet]), [2, 1]);
}

#[test]
fn opinions_of_the_assistant_and_of_people_never_mix() {
    let mut lines = opened(0).to_vec();
    lines.push((1, "rating_asked", json!({"channel": "sms", "of": "assistant"})));
    lines.push((2, "rated", json!({"score": 2, "scale": "five", "of": "assistant"})));
    lines.push((3, "rated", json!({"score": 5, "scale": "five", "of": "assistant"})));
    lines.push((4, "rating_asked", json!({"channel": "sms", "of": "agent:jo"})));
    let sums = alone(&log("c1", &lines), DAY);
    let (prices, all) = (Prices::default(), [Measure::CsatAssistant, Measure::CsatPeople]);
    let figures = all.map(|measure| measure.figure(&sums, &prices));
    assert_eq!((figures[0].value, figures[0].second, figures[0].of), (Some(5.0), Some(1.0), 1));
    assert_eq!((figures[1].value, figures[1].second, figures[1].of), (None, Some(0.0), 1));
}

#[test]
fn days_are_those_of_the_wall_clock() {
    let zone = TimeZone::get("America/Chicago").unwrap();
    let day = |text| date(day_of(Timestamp::parse(text).unwrap(), &zone)).to_string();
    assert_eq!(day("2026-11-24T05:59:59Z"), "2026-11-23");
    assert_eq!(day("2026-11-24T06:00:00Z"), "2026-11-24");
    assert_eq!(date(month_of(days(jiff::civil::date(2024, 2, 29)))).to_string(), "2024-02-01");
    for moment in [i64::MIN, i64::MAX] {
        let _ = date(month_of(day_of(Timestamp(moment), &zone)));
    }
}

/// What may be said of a wait that ended.
fn any_first_answer(bits: u16) -> Value {
    let mut wait = Wait::default();
    if bits & 4 != 0 {
        wait.begin(Timestamp(0), (bits & 8 != 0).then_some(Timestamp(HOUR)));
    }
    json!(wait.answered(Timestamp(i64::from(bits % 3) * HOUR)))
}

/// What a line of this kind may say.
fn any_body(kind: &str, bits: u16, channel: &str, intent: &str) -> Value {
    let bit = |n: u32| bits >> n & 1 == 1;
    let pick = |n: u32, yes: Value, no: Value| if bit(n) { yes } else { no };
    let mut body = json!({"channel": channel, "intent": intent, "language": "en"});
    let mut put = |name: &str, value: Value| body[name] = value;
    match kind {
        "triaged" => {
            put("decision", pick(0, json!("unknown"), json!("tier1")));
            put("reason", pick(1, json!("small_talk"), json!("intent")));
        }
        "replied" | "handed_off" | "silent" => {
            put("turn", json!("t"));
            put("segments", json!(bits % 4));
            put("reason", pick(0, json!("over_limit"), json!("Some words of theirs")));
            if bit(1) {
                put("due_at", json!(2 * DAY));
            }
            if bit(2) {
                put("articles", json!(["a", "b c"]));
            }
        }
        "resolved" if bit(0) => {
            put("turn", json!("t"));
            put("articles", json!(["a"]));
            put("resolution", pick(1, json!("confirmed"), json!("answered")));
        }
        "resolved" => {
            put("by", json!("agent:jo"));
            put("first_answer", any_first_answer(bits));
        }
        "agent_replied" => {
            if bit(0) && bit(1) {
                put("approval", json!("p"));
            }
            put("first_answer", any_first_answer(bits));
        }
        "assigned" if bit(0) => put("agent", json!("jo")),
        "assigned" if bit(1) => put("reason", json!("snooze_over")),
        "reopened" if bit(0) => put("reason", pick(1, json!("customer_wrote"), json!("effect_unknown"))),
        "tool_called" => {
            put("status", pick(0, json!("failed"), json!("done")));
            if bit(1) {
                put("receipt", json!("r"));
            }
        }
        "model_called" => put("input", json!(bits)),
        "merged" => put("kept", json!("bob")),
        "unmerged" => put("absorbed", json!("eve")),
        "rating_asked" | "rated" => {
            put("of", pick(0, json!("assistant"), json!("agent:jo")));
            put("score", json!(bits % 7));
            if bit(4) {
                put("turn", json!("t"));
            }
        }
        _ => {}
    }
    body
}

/// A line of any kind at any time, with whatever a log may hold.
fn any_line() -> impl Strategy<Value = (i64, &'static str, Value)> {
    let text = |words: &'static [&'static str]| prop::sample::select(words);
    let kinds = text(&[
        "received",
        "received",
        "received",
        "triaged",
        "replied",
        "resolved",
        "resolved",
        "handed_off",
        "silent",
        "agent_replied",
        "approval_decided",
        "assigned",
        "snoozed",
        "returned",
        "reopened",
        "tool_called",
        "model_called",
        "merged",
        "unmerged",
        "rating_asked",
        "rated",
        "closed",
        "delivered",
        "noted",
    ]);
    let gap = prop::sample::select(&[0, 1000, MINUTE, HOUR, HOUR + 1, 9 * HOUR, DAY, 3 * DAY, 8 * DAY][..]);
    (kinds, gap, any::<u16>(), text(&["web_chat", "sms", "email"]), text(&["", "order_status", "refund"]))
        .prop_map(|(kind, gap, bits, channel, intent)| {
            let body = any_body(kind, bits, channel, intent);
            (gap, kind, body)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn both_ways_of_counting_agree_on_any_log(
        steps in prop::collection::vec(any_line(), 0..25), cut in 0_usize..25, now in 0_i64..40,
    ) {
        let mut at = 0;
        let mut lines = opened(0)[..2].to_vec();
        for (gap, kind, body) in steps {
            at += gap;
            lines.push((at, kind, body));
        }
        let (log, now) = (log("c1", &lines), now * DAY);
        let zone = TimeZone::UTC;
        let plainly = plain::count(&log, &zone).unwrap();
        let told = add_up(vec![plainly], now).into_iter().next().unwrap();
        let read = facts(&log);
        prop_assert_eq!(told.1.differences(&read.outcome(Neighbours::default(), now).sums), vec![]);
        prop_assert_eq!(
            (&told.0.intent, &told.0.team, &told.0.language, &told.0.channel),
            (&read.intent, &read.team, &read.language, &read.channel)
        );
        // Read in two parts, written down in between.
        let cut = cut.min(log.len());
        let first = serde_json::to_string(&facts(&log[..cut])).unwrap();
        let mut resumed: Facts = serde_json::from_str(&first).unwrap();
        for event in &log[cut..] {
            resumed.read(event.at, &event.kind, &event.body);
        }
        prop_assert_eq!(resumed, read);
    }
}
