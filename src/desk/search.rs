//! Finding cases by words: what a text is cut into, what a search asks for, and the pass that makes new texts ready.
//!
//! Every word is lower case, without accents, in letters and digits of ASCII: such words are in the same order in every
//! collation of both databases, so that the beginning of a word is a range of an index.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::ids::{AgentId, CaseId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;
use crate::store::{FoundCases, SEARCH_WORDS_MAX, Sought, Store, StoreError};

/// Longest word that is kept; a longer one is kept so far.
const WORD_CHARS_MAX: usize = 32;
/// Different words of one text by which it is found.
const WORDS_MAX: usize = 400;
/// Longest text that is looked through.
const TEXT_CHARS_MAX: usize = 20_000;
/// From this length a word is also looked for as the beginning of others.
const BEGINNING_CHARS_MIN: usize = 2;
/// From this length what is asked for may be the beginning of a case's id.
const ID_CHARS_MIN: usize = 6;
/// Passes over what waits, in one go.
const PASSES_MAX: usize = 50;

/// A letter as it is kept: plain ones without what stands on them, others spelt out.
fn folded(c: char, word: &mut String) {
    for part in c.nfkd().flat_map(char::to_lowercase) {
        match part {
            'a'..='z' | '0'..='9' => word.push(part),
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'ø' => word.push('o'),
            'ł' => word.push('l'),
            part if part.is_alphanumeric() => {
                // A `String` takes every write.
                _ = write!(word, "x{:04x}", u32::from(part));
            }
            // What stood on the letter before.
            _ => {}
        }
    }
}

fn whole(piece: &str) -> String {
    let mut word = String::new();
    for c in piece.chars().filter(|c| c.is_alphanumeric()) {
        folded(c, &mut word);
    }
    word.chars().take(WORD_CHARS_MAX).collect()
}

/// A number, a code or an address is one word, whatever stands between its parts.
fn is_code(piece: &str) -> bool {
    piece.contains('@') || piece.chars().any(|c| c.is_ascii_digit())
}

/// The words by which a text is found.
pub fn words(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    for piece in text.split_whitespace() {
        let parts = piece.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let joined = is_code(piece).then(|| whole(piece));
        for word in parts.map(whole).chain(joined).filter(|word| !word.is_empty()) {
            if found.len() == WORDS_MAX {
                return found;
            }
            found.insert(word);
        }
    }
    found
}

/// What somebody who types this is looking for.
pub fn sought(typed: &str) -> Vec<Sought> {
    let typed: String = typed.chars().take(TEXT_CHARS_MAX).collect();
    let mut all: Vec<Sought> = Vec::new();
    for piece in typed.split_whitespace() {
        let parts: Vec<String> = if is_code(piece) {
            vec![whole(piece)]
        } else {
            piece.split(|c: char| !c.is_alphanumeric()).map(whole).collect()
        };
        for first in parts.into_iter().filter(|word| !word.is_empty()) {
            let begins = first.chars().count() >= BEGINNING_CHARS_MIN;
            let last = if begins { format!("{first}{}", "z".repeat(WORD_CHARS_MAX)) } else { first.clone() };
            let word = Sought { first, last };
            if all.len() < SEARCH_WORDS_MAX && !all.contains(&word) {
                all.push(word);
            }
        }
    }
    all
}

/// The cases that have every word that was typed, and before them those whose id begins so.
pub async fn search(store: &Store, typed: &str, reach: &Reach, limit: i64) -> Result<FoundCases, StoreError> {
    let mut found = store.search_cases(&sought(typed), reach, limit).await?;
    let id = typed.trim();
    if id.len() >= ID_CHARS_MIN && CaseId::parse(id).is_ok() && id.bytes().any(|b| b.is_ascii_digit()) {
        let mut ids = store.cases_by_id(id, reach, limit).await?;
        found.ids.retain(|known| !ids.contains(known));
        ids.append(&mut found.ids);
        found.ids = ids;
    }
    Ok(found)
}

/// The logins that a note names: `@ada`.
pub fn named(text: &str) -> BTreeSet<String> {
    let login = |piece: &str| {
        let name: String =
            piece.chars().take_while(|c| c.is_alphanumeric() || "._-".contains(*c)).take(100).collect();
        name.trim_end_matches(['.', '-']).to_lowercase()
    };
    let mut named = BTreeSet::new();
    for piece in text.split_whitespace() {
        if let Some((_, rest)) =
            piece.split_once('@').filter(|(before, _)| !before.ends_with(char::is_alphanumeric))
        {
            named.insert(login(rest));
        }
    }
    named.remove("");
    named
}

/// Makes ready what was said and who was named since the last pass. May run on every replica: nothing is added twice.
pub async fn make_ready(store: &Store) -> Result<(), StoreError> {
    let mut agents: Option<HashMap<String, AgentId>> = None;
    for _ in 0..PASSES_MAX {
        let unready = store.unready_messages().await?;
        if unready.is_empty() {
            break;
        }
        let mut found = BTreeSet::new();
        for message in &unready {
            found.extend(words(&message.text).into_iter().map(|word| (message.case.clone(), word)));
            if message.first {
                for name in store.names_of(&message.customer).await? {
                    found.extend(words(&name).into_iter().map(|word| (message.case.clone(), word)));
                }
            }
            let names = if message.note_by.is_some() { named(&message.text) } else { BTreeSet::new() };
            for name in names {
                if agents.is_none() {
                    let all = store.list_agents().await?.into_iter();
                    agents = Some(all.map(|agent| (agent.login.to_lowercase(), agent.id)).collect());
                }
                let agent = agents.as_ref().and_then(|agents| agents.get(&name));
                if let Some(agent) = agent.filter(|agent| message.note_by.as_ref() != Some(agent)) {
                    store.add_mention(agent, message).await?;
                }
            }
        }
        let newest = unready.iter().map(|message| message.at).max().unwrap_or_default();
        store.add_words(&found, newest).await?;
        let ids: Vec<_> = unready.into_iter().map(|message| message.message).collect();
        store.ready_messages(&ids).await?;
    }
    for _ in 0..PASSES_MAX {
        let unready = store.unready_customers().await?;
        if unready.is_empty() {
            break;
        }
        let mut found = BTreeSet::new();
        for (customer, cases) in &unready {
            for name in store.names_of(customer).await? {
                for word in words(&name) {
                    found.extend(cases.iter().map(|case| (case.clone(), word.clone())));
                }
            }
        }
        store.add_words(&found, Timestamp(0)).await?;
        let ids: Vec<_> = unready.into_iter().map(|(customer, _)| customer).collect();
        store.ready_customers(&ids).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn a_text_is_found_by_its_words_and_by_its_codes_with_or_without_their_marks() {
        assert_eq!(
            list("Where's HP-10042? Größe, café"),
            ["10042", "cafe", "grosse", "hp", "hp10042", "s", "where"]
        );
        assert_eq!(list("ada@shop.example"), ["ada", "adashopexample", "example", "shop"]);
        assert_eq!(list("Жук"), ["x0436x0443x043a"]);
        assert!(list("… — !").is_empty());
    }

    #[test]
    fn what_is_typed_is_looked_for_as_the_beginning_of_words_and_a_code_as_one() {
        let firsts = |typed: &str| sought(typed).into_iter().map(|word| word.first).collect::<Vec<_>>();
        assert_eq!(firsts("Ada HP-100"), ["ada", "hp100"]);
        assert_eq!(firsts("o'neil a"), ["o", "neil", "a"]);
        assert_eq!(firsts("one two three four five six seven").len(), SEARCH_WORDS_MAX);
        let single = &sought("a")[0];
        assert_eq!(single.first, single.last, "one letter is not the beginning of half the dictionary");
    }

    #[test]
    fn a_note_names_logins_and_an_email_address_names_nobody() {
        let names: Vec<String> = named("@Ada please, (@bob.m) and x@shop.example. @").into_iter().collect();
        assert_eq!(names, ["ada", "bob.m"]);
    }

    proptest! {
        #[test]
        fn every_word_is_short_plain_and_within_what_is_sought_for_its_beginning(text in "\\PC{0,200}") {
            for word in words(&text) {
                prop_assert!(word.len() <= WORD_CHARS_MAX && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
                let beginning: String = word.chars().take(3).collect();
                for sought in sought(&beginning) {
                    prop_assert!(sought.first <= word && word <= sought.last || sought.first != beginning);
                }
            }
            named(&text);
        }
    }
}
