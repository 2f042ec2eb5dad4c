//! What the single steps of a case come to: messages, handoffs, work, costs, opinions.

use serde_json::Value;

use super::super::WORK_STEP_MS_MAX;
use super::super::facts::reason;
use super::super::sums::{Count, Named, Sums};
use super::super::times::Time;
use super::{Line, places};

/// Who has the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Assistant,
    Queue,
    Person,
    Nobody,
}

/// Everything that does not depend on a moment or on other cases.
pub(super) fn sums(lines: &[Line]) -> Sums {
    let mut sums = Sums::default();
    let many = |holds: &dyn Fn(&Line) -> bool| lines.iter().filter(|line| holds(line)).count() as i64;
    let all = |kind: &str, name: &str| -> i64 {
        lines.iter().filter(|line| line.is(kind)).map(|line| line.number(name).max(0)).sum()
    };
    let called = |line: &Line| line.is("tool_called") && line.has("receipt");
    for (count, n) in [
        (Count::Cases, 1),
        (Count::MessagesIn, many(&|line| line.is("received"))),
        (Count::MessagesAssistant, many(&Line::by_assistant)),
        (Count::MessagesPeople, many(&|line| line.is("agent_replied"))),
        (Count::ModelCalls, many(&|line| line.is("model_called"))),
        (Count::TokensIn, all("model_called", "input")),
        (Count::TokensOut, all("model_called", "output")),
        (Count::TokenMicros, all("model_called", "cost_micros")),
        (Count::ToolCalls, many(&called)),
        (
            Count::ToolFailures,
            many(&|line| called(line) && ["failed", "unknown"].contains(&line.word("status"))),
        ),
    ] {
        sums.add(count, n);
    }
    for line in lines.iter().filter(|line| line.by_assistant() || line.is("agent_replied")) {
        sums.name(Named::Segment, line.word("channel"), line.number("segments").max(0));
    }
    handoffs(lines, &mut sums);
    work(lines, &mut sums);
    opinions(lines, &mut sums);
    let asked = lines.iter().find(|line| line.is("received")).map(|line| line.at);
    let said = |line: &&Line| line.by_person() || (line.by_assistant() && !line.is("handed_off"));
    let after = lines.iter().skip_while(|line| !line.is("received")).find(said).map(|line| line.at);
    if let Some((asked, answered)) = asked.zip(after) {
        sums.time(Time::FirstResponse, (answered - asked).max(0));
    }
    sums
}

fn handoffs(lines: &[Line], sums: &mut Sums) {
    let mut waited = None;
    for at in places(lines, |line| line.is("handed_off")) {
        let (handed, rest) = (&lines[at], &lines[at + 1..]);
        let until = |ends: &dyn Fn(&Line) -> bool| {
            rest.iter().position(|line| {
                line.is("handed_off") || line.is("returned") || line.settled_by_person() || ends(line)
            })
        };
        let why = reason(&handed.body);
        sums.add(Count::Handoffs, 1);
        sums.name(Named::Reason, &why, 1);
        if let Some(end) = until(&|_| false) {
            let helped = rest[..end].iter().any(|line| line.by_person() || line.is("approval_decided"));
            let (count, named) = if helped {
                (Count::HandoffsRight, Named::ReasonRight)
            } else {
                (Count::HandoffsUnneeded, Named::ReasonUnneeded)
            };
            sums.add(count, 1);
            sums.name(named, &why, 1);
        }
        let taken = |line: &Line| line.by_person() || line.to_person();
        if let Some(line) = until(&taken).and_then(|at| rest.get(at)).filter(|line| taken(line)) {
            waited.get_or_insert((line.at - handed.at).max(0));
        }
    }
    let ended = lines.iter().filter_map(|line| line.body.get("first_answer"));
    for first in ended.filter(|first| first.get("due_at").is_some_and(Value::is_string)) {
        sums.add(Count::LevelDue, 1);
        sums.tick(Count::LevelMet, first.get("met").and_then(Value::as_bool).unwrap_or_default());
    }
    if let Some(ms) = waited {
        sums.time(Time::Wait, ms);
    }
    let turns = places(lines, Line::ends_turn);
    let gap = turns.iter().enumerate().any(|(nth, at)| {
        let from = nth.checked_sub(1).and_then(|before| turns.get(before)).map_or(0, |at| at + 1);
        let unknown = |line: &Line| line.is("triaged") && line.word("decision") == "unknown";
        lines[*at].is("handed_off") && lines[from..*at].iter().any(unknown)
    });
    sums.tick(Count::Gaps, gap);
}

/// Who has the case before each line.
fn holders(lines: &[Line]) -> Vec<With> {
    let after = |line: &Line| match line.kind.as_str() {
        "resolved" => Some(With::Nobody),
        "handed_off" => Some(With::Queue),
        "agent_replied" if line.by_person() => Some(With::Person),
        "assigned" => Some(if line.to_person() { With::Person } else { With::Queue }),
        "returned" => Some(With::Assistant),
        "reopened" => Some(if line.has("reason") { With::Assistant } else { With::Queue }),
        _ => None,
    };
    let mut holder = With::Assistant;
    let step = |line| {
        let before = holder;
        holder = after(line).unwrap_or(before);
        before
    };
    lines.iter().map(step).collect()
}

fn work(lines: &[Line], sums: &mut Sums) {
    let holders = holders(lines);
    let heard_by = |at: usize, who: &[With]| lines[at].is("received") && who.contains(&holders[at]);
    // Of the assistant: each turn, from the first words since the turn before, or since the case was given back.
    let stops = |line: &Line| {
        line.ends_turn() || line.by_person() || line.settled_by_person() || line.to_person() || line.thanked()
    };
    let bounds = places(lines, stops);
    let (mut turns, mut whole) = (0, 0);
    for (nth, end) in bounds.iter().enumerate().filter(|(_, at)| lines[**at].ends_turn()) {
        let from = nth.checked_sub(1).map_or(0, |before| bounds[before] + 1);
        let back = (from..*end).rev().find(|at| lines[*at].is("returned") && owes(&lines[..*at]));
        let first = || (from..*end).find(|at| heard_by(*at, &[With::Assistant, With::Nobody]));
        if let Some(begun) = back.or_else(first) {
            turns += 1;
            whole += (lines[*end].at - lines[begun].at).max(0);
        }
    }
    sums.add(Count::AssistantMs, whole);
    if turns > 0 {
        sums.time(Time::Assistant, whole);
    }
    // Of people: each step, from when the case is theirs or the customer wrote to them.
    let closes = |line: &Line| {
        let queued = line.is("assigned") && !line.to_person();
        line.by_person() || line.settled_by_person() || line.is("snoozed") || line.is("returned") || queued
    };
    let bounds = places(lines, closes);
    let intervals = bounds.iter().enumerate().filter_map(|(nth, end)| {
        let from = nth.checked_sub(1).map_or(0, |before| bounds[before] + 1);
        let begun = (from..*end).find(|at| lines[*at].to_person() || heard_by(*at, &[With::Person]))?;
        Some((lines[*end].at - lines[begun].at).clamp(0, WORK_STEP_MS_MAX))
    });
    let whole: i64 = intervals.sum();
    sums.add(Count::PeopleMs, whole);
    if whole > 0 || lines.iter().any(|line| line.is("agent_replied")) {
        sums.time(Time::People, whole);
    }
}

/// Whether the customer's newest words have no answer.
fn owes(lines: &[Line]) -> bool {
    let said = lines.iter().rev().find(|line| line.is("received") || line.answers());
    said.is_some_and(|line| line.is("received"))
}

fn opinions(lines: &[Line], sums: &mut Sums) {
    for (assistant, [asked, rated, score, satisfied]) in [
        (
            true,
            [Count::AskedAssistant, Count::RatedAssistant, Count::ScoreAssistant, Count::SatisfiedAssistant],
        ),
        (false, [Count::AskedPeople, Count::RatedPeople, Count::ScorePeople, Count::SatisfiedPeople]),
    ] {
        let of_it = |line: &&Line| {
            (line.is("rating_asked") || line.is("rated")) && (line.word("of") == "assistant") == assistant
        };
        sums.tick(asked, lines.iter().any(|line| of_it(&line)));
        let mut scores =
            lines.iter().filter(of_it).filter(|line| line.is("rated")).map(|line| line.number("score"));
        if let Some(stars) = scores.rfind(|stars| (1..=5).contains(stars)) {
            sums.add(rated, 1);
            sums.add(score, stars);
            sums.tick(satisfied, stars >= 4);
        }
    }
}
