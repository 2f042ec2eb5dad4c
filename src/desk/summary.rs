//! Two or three sentences that a colleague can act on, taken from what was said and nothing else.

use crate::domain::message::Author;

/// One entry of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Who.
    pub author: Author,
    /// What.
    pub text: &'a str,
    /// Where, if known.
    pub channel: Option<&'a str>,
}

/// Longest quotation in a summary.
const QUOTE_CHARS_MAX: usize = 200;
/// Most numbers and addresses named in a summary.
const NAMED_MAX: usize = 5;

/// Words that mark a request or a trouble, in the languages we have phrases for.
const TELLING: [&str; 62] = [
    "want",
    "need",
    "would like",
    "can you",
    "could you",
    "please",
    "refund",
    "cancel",
    "return",
    "exchange",
    "where is",
    "when will",
    "how do",
    "how can",
    "why",
    "not arrived",
    "broken",
    "damaged",
    "wrong",
    "missing",
    "late",
    "charged",
    "change",
    "help",
    "möchte",
    "brauche",
    "können sie",
    "bitte",
    "stornieren",
    "wo ist",
    "kaputt",
    "falsch",
    "fehlt",
    "wann",
    "warum",
    "voudrais",
    "pouvez-vous",
    "annuler",
    "rembours",
    "où est",
    "cassé",
    "manque",
    "quand",
    "quiero",
    "necesito",
    "puede",
    "cancelar",
    "devol",
    "dónde",
    "roto",
    "falta",
    "vorrei",
    "può",
    "annullare",
    "rimborso",
    "dov'è",
    "quero",
    "preciso",
    "reembolso",
    "onde está",
    "wil graag",
    "waar is",
];

/// Openings and closings that say nothing about the matter.
const EMPTY: [&str; 27] = [
    "hi",
    "hello",
    "hey",
    "good morning",
    "good afternoon",
    "good evening",
    "thanks",
    "thank you",
    "many thanks",
    "ok",
    "okay",
    "yes",
    "no",
    "great",
    "perfect",
    "bye",
    "hallo",
    "danke",
    "bonjour",
    "merci",
    "hola",
    "gracias",
    "ciao",
    "grazie",
    "olá",
    "obrigado",
    "bedankt",
];

/// Says who wants what, with the numbers that name it, what was answered, and what is open.
pub fn summarize(messages: &[Said<'_>]) -> String {
    let Some(request) = request(messages) else {
        return if messages.iter().any(|m| m.author == Author::Customer) {
            "The customer has not said yet what it is about.".to_owned()
        } else {
            "The customer has not written anything.".to_owned()
        };
    };
    let mut parts = vec![format!(
        "The customer writes{}: “{}”{}.",
        by_channels(messages),
        quoted(&request),
        named(messages, &request)
    )];
    let mut rest = messages.iter().rev();
    let last = rest.find(|m| !m.text.trim().is_empty());
    let answered =
        messages.iter().rev().filter(|m| m.author != Author::Customer).find_map(|m| answer_of(m.text));
    let by = messages.iter().rev().find(|m| m.author != Author::Customer).map(|m| m.author);
    if let (Some(answer), Some(author)) = (answered, by) {
        let who = if author == Author::Agent { "A colleague" } else { "The assistant" };
        parts.push(format!("{who} answered: “{}”.", quoted(&answer)));
    }
    parts.push(open_end(last, &request, parts.len() > 1));
    parts.join(" ")
}

/// The sentence of the customer that says most about what they want.
pub(super) fn request(messages: &[Said<'_>]) -> Option<String> {
    let mut best: Option<(i64, String)> = None;
    let of_customer = messages.iter().filter(|m| m.author == Author::Customer);
    for sentence in of_customer.flat_map(|m| sentences(m.text)) {
        if says_nothing(&sentence) {
            continue;
        }
        let lower = sentence.to_lowercase();
        let words = sentence.split_whitespace().count() as i64;
        let telling = TELLING.iter().filter(|word| lower.contains(*word)).count() as i64;
        let mut score = telling.min(3) * 3 + words.min(15) / 3;
        score += i64::from(sentence.contains('?')) * 2;
        score += names_in(&sentence).count().min(2) as i64 * 2;
        // Of equals the first: people begin with what they came for.
        if best.as_ref().is_none_or(|(top, _)| score > *top) {
            best = Some((score, sentence));
        }
    }
    best.map(|(_, sentence)| sentence)
}

fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        current.push(c);
        let ends = matches!(c, '.' | '!' | '?') && characters.peek().is_none_or(|next| next.is_whitespace());
        if ends || c == '\n' {
            found.push(std::mem::take(&mut current));
        }
    }
    found.push(current);
    let spaced = found.iter().map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "));
    spaced.filter(|s| s.chars().any(char::is_alphanumeric)).collect()
}

fn says_nothing(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    EMPTY.contains(&bare)
        || (bare.split_whitespace().count() <= 3
            && EMPTY
                .iter()
                .any(|word| bare.starts_with(&format!("{word} ")) || bare.starts_with(&format!("{word},"))))
}

/// What somebody may look up: tokens with a digit that are long enough, and email addresses.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '“' | '”'))
        .map(|token| token.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|token| {
            let digits = token.chars().filter(char::is_ascii_digit).count();
            let letters = token.chars().any(char::is_alphabetic);
            let email = token.split_once('@').is_some_and(|(_, host)| host.contains('.'));
            email || (token.len() >= 5 && (digits >= 4 || (digits >= 2 && letters && token.contains('-'))))
        })
}

fn named(messages: &[Said<'_>], request: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in messages.iter().flat_map(|m| names_in(m.text)) {
        if !request.contains(name) && !names.contains(&name) && names.len() < NAMED_MAX {
            names.push(name);
        }
    }
    if names.is_empty() { String::new() } else { format!(" (also named: {})", names.join(", ")) }
}

fn by_channels(messages: &[Said<'_>]) -> String {
    let mut channels: Vec<&str> = Vec::new();
    for channel in messages.iter().filter(|m| m.author == Author::Customer).filter_map(|m| m.channel) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    if channels.is_empty() {
        String::new()
    } else {
        format!(" by {}", channels.join(", then ").replace('_', " "))
    }
}

fn quoted(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches(['.', ' ']);
    if sentence.chars().count() <= QUOTE_CHARS_MAX {
        return sentence.to_owned();
    }
    sentence.chars().take(QUOTE_CHARS_MAX - 1).chain(['…']).collect()
}

/// The sentence of an answer that says most: the longest that is no question.
fn answer_of(text: &str) -> Option<String> {
    let sentences = sentences(text);
    let statements = sentences.iter().filter(|s| !s.ends_with('?') && !says_nothing(s));
    statements.max_by_key(|s| s.chars().count().min(QUOTE_CHARS_MAX)).cloned()
}

fn open_end(last: Option<&Said<'_>>, request: &str, answered: bool) -> String {
    let Some(last) = last else { return "Nothing has been answered yet.".to_owned() };
    let sentences = sentences(last.text);
    if last.author == Author::Customer {
        let Some(word) = sentences.iter().rev().find(|s| !says_nothing(s)) else {
            return if answered { "The customer has nothing to add." } else { "Nobody has answered yet." }
                .to_owned();
        };
        if word == request {
            return "This is not answered yet.".to_owned();
        }
        return format!("Their last word is not answered yet: “{}”.", quoted(word));
    }
    match sentences.iter().rev().find(|s| s.ends_with('?')) {
        Some(question) => format!("The customer has not answered yet: “{}”.", quoted(question)),
        None => "The customer has not written since.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(author: Author, text: &str) -> Said<'_> {
        Said { author, text, channel: None }
    }

    #[test]
    fn a_summary_says_what_they_want_what_was_answered_and_what_is_open() {
        let messages = [
            Said { author: Author::Customer, text: "Hi there!", channel: Some("web_chat") },
            Said {
                author: Author::Customer,
                text: "I bought a stove in May. It is broken and I want my money back, order HP-10042.",
                channel: Some("web_chat"),
            },
            said(
                Author::Assistant,
                "I'm sorry about that. Order HP-10042 was delivered on Monday 11 May. What is broken?",
            ),
            Said {
                author: Author::Customer,
                text: "The valve. You can also write to ada@mail.example",
                channel: Some("email"),
            },
        ];
        insta::assert_snapshot!(summarize(&messages), @"The customer writes by web chat, then email: “It is broken and I want my money back, order HP-10042” (also named: ada@mail.example). The assistant answered: “Order HP-10042 was delivered on Monday 11 May”. Their last word is not answered yet: “You can also write to ada@mail.example”.");
    }

    #[test]
    fn an_end_is_told_apart_from_an_open_question() {
        let asked = said(Author::Customer, "Where is my parcel?");
        let answer = said(Author::Agent, "It arrives on Friday.");
        let thanks = said(Author::Customer, "Thanks!");
        assert!(summarize(&[asked]).ends_with("This is not answered yet."));
        assert!(summarize(&[asked, answer]).ends_with("The customer has not written since."));
        assert!(summarize(&[asked, answer, thanks]).ends_with("The customer has nothing to add."));
        let question = said(Author::Assistant, "Which order is it?");
        assert!(summarize(&[asked, question]).contains("has not answered yet: “Which order is it?”"));
        assert_eq!(
            summarize(&[said(Author::Customer, "hello")]),
            "The customer has not said yet what it is about."
        );
        assert_eq!(summarize(&[]), "The customer has not written anything.");
    }

    proptest! {
        #[test]
        fn no_conversation_breaks_it_and_nothing_is_invented(texts in prop::collection::vec("\\PC{0,80}", 0..6)) {
            let messages: Vec<Said<'_>> = texts.iter().map(|t| said(Author::Customer, t)).collect();
            let summary = summarize(&messages);
            prop_assert!(!summary.is_empty());
            for name in names_in(&summary) {
                let whole = texts.iter().any(|t| t.split_whitespace().collect::<Vec<_>>().join(" ").contains(name));
                prop_assert!(whole || name.contains('…'), "{} in {}", name, summary);
            }
        }
    }
}
