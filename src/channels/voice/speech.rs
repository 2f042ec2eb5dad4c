//! A written text as it is spoken: no links, no markup, no emoji, no bullets; ids and codes spelt.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::json;

use super::NAME;
use crate::channels::rules;
use crate::domain::message::Message;
use crate::templates::Phrases;

/// Fewest digits in a row that are read one by one where nothing says what they count.
const DIGITS_SPELT_MIN: usize = 6;
/// Fewest digits that make letters and digits an id: "COVID-19" is none.
const ID_DIGITS_MIN: usize = 3;
/// Most letters in a row in an id.
const ID_LETTERS_MAX: usize = 8;

/// What is said of a message, piece by piece so that each fits, with its choices at the end.
pub fn of_message(message: &Message, phrases: &Phrases, language: &str) -> Vec<String> {
    let dash = phrases.say(language, "voice_dash", ());
    let mut text = spoken(&message.text, &dash);
    if !message.choices.is_empty() {
        let choices: Vec<String> = message.choices.iter().map(|choice| spoken(choice, &dash)).collect();
        let choices: Vec<&str> = choices.iter().map(|choice| choice.trim_end_matches(['.', '!'])).collect();
        text.push(' ');
        text.push_str(&phrases.say(language, "voice_choices", json!({ "choices": choices })));
    }
    let whole = Message { text, choices: Vec::new(), ..message.clone() };
    rules::of(NAME).parts(&whole).into_iter().map(|part| part.text).collect()
}

/// A text as it is spoken; `dash` is how the language calls the stroke in an id.
pub fn spoken(text: &str, dash: &str) -> String {
    let words = without_markup(text);
    let mut spoken = String::with_capacity(words.len());
    for word in words.split_whitespace() {
        if let Some(word) = said(word, dash) {
            if !spoken.is_empty() {
                spoken.push(' ');
            }
            spoken.push_str(&word);
        } else if spoken.chars().next_back().is_some_and(char::is_alphanumeric) {
            // A lone mark is a bullet, or it ends a sentence and what stood before it cannot be said.
            spoken.extend(word.chars().find(|c| ends_a_sentence(*c)));
        }
    }
    spoken
}

fn ends_a_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | ':' | ';' | '…' | '。' | '？' | '！')
}

/// The words of a Markdown text. A line or an item that ends without a mark gets a full stop: it is heard as a pause.
fn without_markup(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::Start(Tag::Item | Tag::List(_) | Tag::Paragraph)
            | Event::End(
                TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::TableRow
                | TagEnd::TableHead,
            ) => pause(&mut words),
            Event::End(TagEnd::TableCell) => words.push_str(", "),
            _ => {}
        }
    }
    pause(&mut words);
    words
}

fn pause(words: &mut String) {
    words.truncate(words.trim_end_matches(|c: char| c.is_whitespace() || c == ',').len());
    let Some(last) = words.chars().next_back() else { return };
    words.push_str(if ends_a_sentence(last) { " " } else { ". " });
}

/// One word as it is said; none when nothing of it can be.
fn said(word: &str, dash: &str) -> Option<String> {
    let word: String = word.chars().filter(|c| !unsayable(*c)).collect();
    let mark = |c: char| !c.is_alphanumeric();
    let core = word.trim_matches(mark);
    if core.is_empty() {
        return None;
    }
    if let Some(host) = host_of(&word) {
        return Some(host);
    }
    let counts = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '%' | '.' | ',' | '/' | ':' | '@' | '_');
    if core.contains(counts) || word.contains(['$', '€', '£', '¥', '%', '@']) {
        return Some(word);
    }
    if !is_code(core) {
        return Some(word);
    }
    let (before, after) = word.split_once(core)?;
    Some(format!("{before}{}{after}", spelt(core, dash)))
}

/// What a voice cannot say: emoji, arrows, joiners, the marks that choose how an emoji looks.
fn unsayable(c: char) -> bool {
    matches!(c,
        '\u{1f000}'..='\u{1faff}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{27bf}' | '\u{2900}'..='\u{297f}'
        | '\u{2b00}'..='\u{2bff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '•' | '‣' | '*' | '`')
}

/// The host that a link names, which can be said where the link cannot; the mark after it stays.
fn host_of(word: &str) -> Option<String> {
    let link = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = link.to_lowercase();
    let rest = ["https://", "http://", "www."].iter().find(|start| lower.starts_with(**start))?;
    let (_, rest) = link.split_at_checked(rest.len())?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')));
    let (host, _) = rest.split_at(end.unwrap_or(rest.len()));
    let host = host.trim_end_matches('.').trim_start_matches("www.");
    let mark = word.chars().next_back().filter(|c| matches!(c, '.' | '!' | '?' | ',' | ';' | ':'));
    Some(host.chars().chain(mark).collect())
}

/// Whether a word is an id or a code rather than a word or a number: HP-10042, 1Z999AA1, 000123456.
fn is_code(word: &str) -> bool {
    let shaped = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if !shaped || digits == 0 {
        return false;
    }
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    if letters == 0 {
        // A day, a telephone number in groups and an amount are read as they are.
        return digits >= DIGITS_SPELT_MIN && !word.contains('-');
    }
    let longest = word.split(|c: char| !c.is_ascii_alphabetic()).map(str::len).max().unwrap_or_default();
    digits >= ID_DIGITS_MIN && longest <= ID_LETTERS_MAX
}

fn spelt(code: &str, dash: &str) -> String {
    let each: Vec<String> = code
        .chars()
        .map(|c| if c == '-' { dash.to_owned() } else { c.to_ascii_uppercase().to_string() })
        .collect();
    each.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_spelt_and_amounts_days_and_words_are_not() {
        for (written, heard) in [
            ("Order HP-10042 left us.", "Order H P dash 1 0 0 4 2 left us."),
            ("(HP-10042)", "(H P dash 1 0 0 4 2)."),
            ("tracking 1Z999AA10123456784!", "tracking 1 Z 9 9 9 A A 1 0 1 2 3 4 5 6 7 8 4!"),
            ("Your code is 482913.", "Your code is 4 8 2 9 1 3."),
            ("It costs $129.05 or 1,200 EUR.", "It costs $129.05 or 1,200 EUR."),
            ("On 2026-11-24 at 18:00.", "On 2026-11-24 at 18:00."),
            ("COVID-19, a 20-inch wheel, A4, 5G.", "COVID-19, a 20-inch wheel, A4, 5G."),
            ("Size 42, 10000 pieces, 100%.", "Size 42, 10000 pieces, 100%."),
            ("Write to help@northpeak.example.", "Write to help@northpeak.example."),
        ] {
            assert_eq!(spoken(written, "dash"), heard, "{written}");
        }
    }

    #[test]
    fn nothing_is_said_of_links_markup_bullets_and_emoji() {
        for (written, heard) in [
            ("**Good** news 👍🏽!", "Good news!"),
            ("See [our page](https://a.example/x?y=1).", "See our page."),
            ("See https://www.a.example/returns/now.", "See a.example."),
            ("See www.a.example/returns, please", "See a.example, please."),
            (
                "# Returns\n\n- in 30 days\n- unused\n\n1. Pack it\n2. Send it",
                "Returns. in 30 days. unused. Pack it. Send it.",
            ),
            ("Item: stove\nRefund: $9.00\nShall I?", "Item: stove. Refund: $9.00. Shall I?"),
            ("• one\n• two → three", "one. two three."),
            ("Use `code` and <b>this</b>.", "Use code and this."),
            ("Press ⏎ …", "Press…"),
            ("", ""),
            ("👍", ""),
        ] {
            assert_eq!(spoken(written, "dash"), heard, "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let said = spoken(&text, "dash");
            prop_assert!(!said.contains("](") || text.contains("]("), "{}", said);
        }
    }
}
