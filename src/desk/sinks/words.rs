//! The handoff note for people at another desk: as text that one can read, and as JSON behind it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::customer::Customer;
use crate::domain::handoff::{Handoff, Line};
use crate::domain::ids::CaseId;

/// The whole note, at most `chars_max` characters: of a long thread the earlier lines are left out.
pub(super) fn readable(handoff: &Handoff, customer: &Customer, chars_max: usize) -> String {
    let note = &handoff.note;
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // A `String` takes every write.
        _ = writeln!(text, "{label}: {value}");
    };
    line("Issue", &note.issue.to_string());
    line("Wants", &note.wants.to_string());
    line("Next step", &note.next_step.to_string());
    line("Why it was handed over", &note.reason.replace('_', " "));
    line("Customer", &note.customer.to_string());
    line("Proven", &note.verified);
    for (label, value) in
        [("Email", &customer.email), ("Phone", &customer.phone), ("Customer id", &customer.external_id)]
    {
        if let Some(value) = value {
            line(label, value);
        }
    }
    line("Channels", &note.channels.join(", then "));
    line("Language", &note.language);
    line("Urgency", note.urgency.as_str());
    line("Mood", &format!("{:?}", note.mood).to_lowercase());
    line("Promised", &note.promised.to_string());
    line("Was told", &note.told.to_string());
    let cited = if note.articles.is_empty() { "none".to_owned() } else { note.articles.join(", ") };
    line("Articles cited", &cited);
    text.push_str("Facts:\n");
    for fact in &note.facts {
        _ = writeln!(text, "- {}: {} ({})", fact.label, fact.value, fact.source);
    }
    if note.facts.is_empty() {
        text.push_str("- none were gathered\n");
    }
    text.push_str("Tried:\n");
    for tried in &note.tried {
        _ = writeln!(text, "- {} ({}): {}", tried.tool, tried.status.as_str(), tried.result);
    }
    if note.tried.is_empty() {
        text.push_str("- no tool was called\n");
    }
    if let Some(unsent) = &note.unsent {
        _ = writeln!(text, "A draft that was held back: {unsent}");
    }
    let machine = format!("\nThe same for programs:\n{}\n", without_thread(handoff));
    let room = chars_max.saturating_sub(text.chars().count() + machine.chars().count());
    text.push_str(&thread(&note.transcript, room));
    text.push_str(&machine);
    text.chars().take(chars_max).collect()
}

/// The lines of the thread that fit, the newest ones if not all do.
fn thread(lines: &[Line], room: usize) -> String {
    const HEAD: &str = "\nThe whole conversation:\n";
    const CUT: &str = "\nThe end of the conversation (what came before is in Firstline):\n";
    let shown: Vec<String> = lines
        .iter()
        .map(|line| format!("[{} {} {}] {}\n", line.at, line.channel, line.author, line.text))
        .collect();
    let mut left = room.saturating_sub(CUT.chars().count());
    let mut first = shown.len();
    for (place, line) in shown.iter().enumerate().rev() {
        let length = line.chars().count();
        if length > left {
            break;
        }
        left -= length;
        first = place;
    }
    let head = if first == 0 { HEAD } else { CUT };
    let kept: String = shown.into_iter().skip(first).collect();
    format!("{head}{kept}")
}

/// The note as JSON; the thread stands above it already.
fn without_thread(handoff: &Handoff) -> Value {
    let mut note = json!(handoff.note);
    if let Some(fields) = note.as_object_mut() {
        fields.remove("transcript");
    }
    json!({"handoff": handoff.id, "case": handoff.case, "team": handoff.team, "note": note})
}

/// What a case is called at another desk.
pub(super) fn subject(handoff: &Handoff, case: &CaseId) -> String {
    let issue: String =
        handoff.note.issue.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
    if issue.trim().is_empty() { format!("Case {case}") } else { issue }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn said(text: &str) -> Line {
        Line {
            author: "customer".to_owned(),
            channel: "email".to_owned(),
            text: text.to_owned(),
            at: Timestamp(0),
        }
    }

    #[test]
    fn of_a_thread_that_is_too_long_the_end_is_kept_whole() {
        let lines: Vec<Line> = (0..50).map(|number| said(&format!("line {number} "))).collect();
        let all = thread(&lines, 100_000);
        assert!(all.contains("line 0 ") && all.contains("line 49 ") && all.contains("The whole"));
        let end = thread(&lines, 400);
        assert!(!end.contains("line 0 ") && end.contains("line 49 ") && end.contains("what came before"));
        assert!(end.chars().count() <= 400, "{end}");
    }
}
