//! The whole sentences of a passage that answer.

use super::sentences::sentences;
use super::shelf::QueryTerm;

/// A passage up to this length is shown whole, characters.
const WHOLE_CHARS_MAX: usize = 280;
/// Sentences of a longer passage that are shown.
const SENTENCES_MAX: usize = 3;
const SENTENCES_MIN: usize = 2;
/// A list is shown whole up to this length, characters: half of the steps would be worse than none.
const LIST_CHARS_MAX: usize = 700;

/// How much the beginning is preferred: what follows often refers to it.
const OPENING_WEIGHT: f32 = 1.1;
/// How much a word of the title counts for the beginning beside one that the sentence says itself.
const TITLE_WEIGHT: f32 = 0.5;
/// How much a cut counts that begins with a sentence which points at the one before it …
const POINTING_WEIGHT: f32 = 0.8;
/// … and one that runs over the end of a paragraph.
const CROSSING_WEIGHT: f32 = 0.8;
/// First words of sentences that mean nothing without the one before.
const POINTING: [&str; 14] = [
    "that", "this", "these", "those", "it", "they", "such", "but", "das", "dies", "diese", "sie", "es",
    "aber",
];

struct Unit<'a> {
    line: usize,
    text: &'a str,
    worth: Vec<(u32, f32)>,
}

/// Cuts a passage to the neighbouring sentences that say most of what was asked; `said` has their terms.
///
/// `title` has the words of what stands above, when the passage opens its article: its first sentence answers them.
pub(super) fn snippet(
    terms: &[QueryTerm],
    passage: &str,
    said: &[Box<[u32]>],
    title: impl Fn(u32) -> bool,
) -> String {
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
    let answered: f32 =
        terms.iter().filter(|t| t.id.is_some_and(&title)).map(|t| TITLE_WEIGHT * t.idf * t.weight).sum();
    let mut best = (0, 0, -1.0);
    // The longest first: a shorter cut has to say more, or to stay inside its paragraph, to be better.
    for width in (SENTENCES_MIN..=SENTENCES_MAX).rev() {
        let width = width.clamp(1, units.len().max(1));
        for (at, window) in units.windows(width).enumerate() {
            let answered = if at == 0 { answered } else { 0.0 };
            let score = answered + score(&units, at, window);
            if score > best.2 {
                best = (at, width, score);
            }
        }
    }
    let (begin, end) = whole_list(&units, best.0, best.0 + best.1);
    join(units.get(begin..end).unwrap_or_default())
}

/// What a cut says of the question, less where it begins or ends in the middle of a thought.
fn score(units: &[Unit<'_>], at: usize, window: &[Unit<'_>]) -> f32 {
    let mut said: Vec<(u32, f32)> = window.iter().flat_map(|unit| unit.worth.iter().copied()).collect();
    said.sort_by_key(|(id, _)| *id);
    said.dedup_by_key(|(id, _)| *id);
    let mut score: f32 = said.iter().map(|(_, worth)| worth).sum();
    let (first, last) = (window.first(), window.last());
    if at == 0 {
        score *= OPENING_WEIGHT;
    }
    if first.is_some_and(|unit| points_back(unit.text)) {
        score *= POINTING_WEIGHT;
    }
    let crosses = first.zip(last).is_some_and(|(first, last)| first.line != last.line);
    if crosses && !first.is_some_and(|unit| is_entry(units, unit.line)) {
        score *= CROSSING_WEIGHT;
    }
    score
}

/// Whether a sentence leans on the one before it.
fn points_back(sentence: &str) -> bool {
    let first = sentence.split([' ', ',']).next().unwrap_or_default().to_lowercase();
    POINTING.contains(&first.as_str())
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
