//! The whole sentences of a passage that answer.

use super::sentences::sentences;
use super::shelf::QueryTerm;

/// A passage up to this length is shown whole, characters.
const WHOLE_CHARS_MAX: usize = 280;
/// Sentences of a longer passage that are shown.
const SENTENCES_MAX: usize = 3;
/// A list is shown whole up to this length, characters: half of the steps would be worse than none.
const LIST_CHARS_MAX: usize = 700;

/// How much the beginning is preferred: what follows often refers to it.
const OPENING_WEIGHT: f32 = 1.1;

struct Unit<'a> {
    line: usize,
    text: &'a str,
    worth: Vec<(u32, f32)>,
}

/// Cuts a passage to the neighbouring sentences that say most of what was asked; `said` has their terms.
pub(super) fn snippet(terms: &[QueryTerm], passage: &str, said: &[Box<[u32]>]) -> String {
    if passage.chars().count() <= WHOLE_CHARS_MAX {
        return passage.to_owned();
    }
    let units: Vec<Unit<'_>> = passage
        .lines()
        .enumerate()
        .flat_map(|(line, text)| sentences(text).into_iter().map(move |text| (line, text)))
        .zip(said)
        .map(|((line, text), said)| Unit { line, text, worth: worth(terms, said) })
        .collect();
    let width = SENTENCES_MAX.min(units.len());
    let mut best = (0, -1.0);
    for (at, window) in units.windows(width.max(1)).enumerate() {
        let mut said: Vec<(u32, f32)> = window.iter().flat_map(|unit| unit.worth.iter().copied()).collect();
        said.sort_by_key(|(id, _)| *id);
        said.dedup_by_key(|(id, _)| *id);
        let score: f32 = said.iter().map(|(_, worth)| worth).sum();
        let score = if at == 0 { score * OPENING_WEIGHT } else { score };
        if score > best.1 {
            best = (at, score);
        }
    }
    let (begin, end) = whole_list(&units, best.0, best.0 + width);
    join(units.get(begin..end).unwrap_or_default())
}

fn worth(terms: &[QueryTerm], said: &[u32]) -> Vec<(u32, f32)> {
    let of = |id: &u32| terms.iter().find(|t| t.id == Some(*id)).map(|t| (*id, t.idf * t.weight));
    let mut worth: Vec<(u32, f32)> = said.iter().filter_map(of).collect();
    worth.sort_by_key(|(id, _)| *id);
    worth.dedup_by_key(|(id, _)| *id);
    worth
}

/// Widens a cut that falls into a list to the whole list and the line above it, where they fit.
fn whole_list(units: &[Unit<'_>], begin: usize, end: usize) -> (usize, usize) {
    let entry = |at: usize| units.get(at).is_some_and(|unit| is_entry(units, unit.line));
    if !(begin..end).any(entry) {
        return (begin, end);
    }
    let (mut first, mut last) = (begin, end);
    while first > 0 && entry(first) {
        first -= 1;
    }
    while entry(last) {
        last += 1;
    }
    let length: usize =
        units.get(first..last).unwrap_or_default().iter().map(|u| u.text.chars().count() + 1).sum();
    if length <= LIST_CHARS_MAX { (first, last) } else { (begin, end) }
}

fn is_entry(units: &[Unit<'_>], line: usize) -> bool {
    let first = units.iter().find(|unit| unit.line == line).map_or("", |unit| unit.text);
    let mark = first.split(' ').next().unwrap_or_default();
    mark == "-"
        || mark.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn join(units: &[Unit<'_>]) -> String {
    let mut text = String::new();
    let mut line = None;
    for unit in units {
        if let Some(line) = line {
            text.push(if line == unit.line { ' ' } else { '\n' });
        }
        text.push_str(unit.text);
        line = Some(unit.line);
    }
    text
}
