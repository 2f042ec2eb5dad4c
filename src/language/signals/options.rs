//! Choosing among things that were offered, by number, by place, or by what they are called.

use rust_stemmers::{Algorithm, Stemmer};

use crate::language::{has_any, has_phrase, plain};

/// Words that describe nothing.
const EMPTY: &[&str] = &[
    "the", "a", "an", "my", "your", "our", "of", "and", "or", "for", "with", "to", "in", "on", "it", "is",
    "was", "that", "this", "one", "order", "orders", "item", "items", "please", "i", "me", "from", "x", "at",
    "by", "no", "not", "yes", "other", "please",
];

const PLACES: &[(&str, usize)] = &[
    ("first", 0),
    ("1st", 0),
    ("second", 1),
    ("2nd", 1),
    ("third", 2),
    ("3rd", 2),
    ("fourth", 3),
    ("4th", 3),
    ("fifth", 4),
    ("5th", 4),
    ("sixth", 5),
    ("6th", 5),
    ("erste", 0),
    ("ersten", 0),
    ("zweite", 1),
    ("zweiten", 1),
    ("dritte", 2),
    ("dritten", 2),
    ("premier", 0),
    ("première", 0),
    ("deuxième", 1),
    ("troisième", 2),
    ("primero", 0),
    ("primera", 0),
    ("segundo", 1),
    ("segunda", 1),
    ("primo", 0),
    ("prima", 0),
    ("secondo", 1),
    ("seconda", 1),
    ("primeiro", 0),
    ("eerste", 0),
    ("tweede", 1),
    ("derde", 2),
];

const NUMBERS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The place of what is meant in a list that begins with the newest: "my last order", "the second one", "2".
pub fn place(text: &str, count: usize) -> Option<usize> {
    let plain = plain(text);
    let newest = [
        "last",
        "latest",
        "newest",
        "most recent",
        "recent",
        "just ordered",
        "ordered today",
        "ordered yesterday",
        "letzte",
        "letzten",
        "neueste",
        "dernière",
        "último",
        "última",
        "ultimo",
        "laatste",
    ];
    let found = if let Some((_, at)) = PLACES.iter().find(|(word, _)| {
        has_phrase(&plain, &format!("the {word}"))
            || has_phrase(&plain, &format!("{word} one"))
            || plain == *word
    }) {
        Some(*at)
    } else if has_any(&plain, &["oldest", "the earliest", "älteste"]) {
        count.checked_sub(1)
    } else if has_any(&plain, &newest)
        && !has_any(&plain, &["last week", "last month", "last year", "last night", "last time"])
    {
        Some(0)
    } else {
        None
    };
    found.filter(|at| *at < count)
}

/// Whether the other of two is meant.
pub fn other_one(text: &str) -> bool {
    let plain = plain(text);
    has_any(
        &plain,
        &[
            "the other",
            "other one",
            "other order",
            "not that one",
            "not this one",
            "different one",
            "die andere",
            "den anderen",
            "lautre",
            "el otro",
            "la otra",
            "laltro",
            "laltra",
            "o outro",
            "a outra",
            "de andere",
        ],
    )
}

/// Which of the offered options an answer chooses: by number, place, id, or words of its own.
pub fn choice(text: &str, options: &[String]) -> Option<usize> {
    let said = plain(text);
    if said.is_empty() {
        return None;
    }
    if let Some(at) = options.iter().position(|option| plain(option) == said) {
        return Some(at);
    }
    let words: Vec<&str> = said.split(' ').collect();
    let bare: Vec<&str> = if words.len() == 1 {
        words.clone()
    } else {
        words
            .iter()
            .copied()
            .filter(|w| {
                !matches!(*w, "number" | "option" | "no" | "nr" | "nummer" | "the" | "please" | "one")
            })
            .collect()
    };
    if let [only] = bare.as_slice() {
        let number =
            only.parse::<usize>().ok().or_else(|| NUMBERS.iter().position(|n| n == only).map(|at| at + 1));
        if let Some(at) = number.and_then(|number| number.checked_sub(1)).filter(|at| *at < options.len()) {
            return Some(at);
        }
    }
    if words.len() <= 4 && has_any(&said, &["last", "the last one", "last one"]) {
        return options.len().checked_sub(1);
    }
    if words.len() <= 5
        && let Some((_, at)) = PLACES.iter().find(|(word, at)| words.contains(word) && *at < options.len())
    {
        return Some(*at);
    }
    described(text, options)
}

fn stems(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    plain(text)
        .split(' ')
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        .map(|word| stemmer.stem(word).into_owned())
        .collect()
}

/// The one label that words in a longer text describe: words of its own that no other label has. None when none or
/// several are described.
pub fn described(text: &str, labels: &[String]) -> Option<usize> {
    let said = stems(text);
    let all: Vec<Vec<String>> = labels.iter().map(|label| stems(label)).collect();
    let mut scores: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .map(|(at, label)| {
            let own = label
                .iter()
                .filter(|stem| !all.iter().enumerate().any(|(other, l)| other != at && l.contains(stem)));
            let mut hits: Vec<&String> =
                own.filter(|stem| distinctive(stem) && said.contains(stem)).collect();
            hits.sort_unstable();
            hits.dedup();
            (hits.len(), at)
        })
        .filter(|(hits, _)| *hits > 0)
        .collect();
    scores.sort_by(|a, b| b.cmp(a));
    match scores.as_slice() {
        [(_, only)] => Some(*only),
        [(first, at), (second, _), ..] if first > second => Some(*at),
        _ => None,
    }
}

/// Short bits say nothing, unless they are long numbers.
fn distinctive(stem: &str) -> bool {
    stem.chars().count() >= 3 && !(stem.len() < 4 && stem.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Vec<String> {
        [
            "HP-10086: Ridgeline 60 pack",
            "HP-10056: Spark gas stove and 2 x canister",
            "HP-10040: Alder boots, size 9",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn an_answer_chooses_by_number_place_words_or_id() {
        for (text, at) in [
            ("2", Some(1)),
            ("the second one", Some(1)),
            ("number 3", Some(2)),
            ("the stove please", Some(1)),
            ("HP-10040", Some(2)),
            ("boots", Some(2)),
            ("last one", Some(2)),
            ("one", Some(0)),
            ("4", None),
            ("something else entirely", None),
            ("", None),
            ("HP-10086: Ridgeline 60 pack", Some(0)),
        ] {
            assert_eq!(choice(text, &orders()), at, "{text}");
        }
    }

    #[test]
    fn a_longer_text_describes_one_or_none() {
        assert_eq!(described("cancel the stove i ordered", &orders()), Some(1));
        assert_eq!(described("cancel my order", &orders()), None);
        assert_eq!(described("the boots or the stove", &orders()), None);
    }

    #[test]
    fn places_count_from_the_newest() {
        assert_eq!(place("where is my last order", 3), Some(0));
        assert_eq!(place("the oldest one", 3), Some(2));
        assert_eq!(place("the third one", 2), None);
        assert_eq!(place("i ordered it last week", 3), None);
    }

    #[test]
    fn the_other_one_is_understood() {
        assert!(other_one("actually the other one"));
        assert!(!other_one("another question"));
    }
}
