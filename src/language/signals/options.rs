//! Choosing among things that were offered, by number, by place, or by what they are called.

use rust_stemmers::{Algorithm, Stemmer};

use super::places::{Last, ordinal};
use crate::language::plain;

/// Words that describe nothing.
const EMPTY: &[&str] = &[
    "the", "a", "an", "my", "your", "our", "of", "and", "or", "for", "with", "to", "in", "on", "it", "is",
    "was", "that", "this", "one", "order", "orders", "item", "items", "please", "i", "me", "from", "x", "at",
    "by", "no", "not", "yes", "other", "please",
];

const NUMBERS: &[&[&str]] = &[
    &["one", "eins", "un", "uno", "um", "een"],
    &["two", "zwei", "deux", "dos", "due", "dois", "twee"],
    &["three", "drei", "trois", "tres", "tre", "três", "drie"],
    &["four", "vier", "quatre", "cuatro", "quattro", "quatro"],
    &["five", "fünf", "cinq", "cinco", "cinque", "vijf"],
    &["six", "sechs", "seis", "sei", "zes"],
    &["seven"],
    &["eight"],
    &["nine"],
    &["ten"],
];

/// Words that say that a number beside them is a place in the list.
const COUNTS: &[&str] = &[
    "number", "option", "choice", "no", "nr", "nummer", "numéro", "número", "numero", "opción", "opzione",
    "opção", "optie", "answer",
];

/// Words around a choice by number that add nothing.
const AROUND: &[&str] = &[
    "the", "please", "pls", "thanks", "thank", "you", "i", "id", "ill", "like", "want", "take", "choose",
    "pick", "go", "with", "for", "its", "it", "is", "yes", "ok", "okay", "mean", "bitte", "danke", "die",
    "der", "das", "ich", "nehme", "la", "le", "el", "il", "lo", "o", "a", "de", "svp", "merci", "por",
    "favor", "gracias", "per", "favore", "grazie", "obrigado", "obrigada", "graag",
];

/// Which of the offered options an answer chooses: by number, place, id, or words of its own.
pub fn choice(text: &str, options: &[String]) -> Option<usize> {
    let said = plain(text);
    if said.is_empty() {
        return None;
    }
    if let Some(at) = options.iter().position(|option| plain(option) == said) {
        return Some(at);
    }
    weigh(text, options, answered)
}

/// The one label that words in a longer text describe: words of its own that no other label has. None when none or
/// several are described.
pub fn described(text: &str, labels: &[String]) -> Option<usize> {
    weigh(text, labels, by_words)
}

/// The option that a text rules out without choosing another: "not the stove".
pub fn excluded(text: &str, options: &[String]) -> Option<usize> {
    let (_, out) = sides(text);
    answered(&out, options).filter(|_| choice(text, options).is_none())
}

/// Whether a text names this value only to rule it out: "not HP-10056".
pub fn rules_out(text: &str, value: &str) -> bool {
    let (_, out) = sides(text);
    let (out, value) = (stems(&out), stems(value));
    let mut telling = value.iter().filter(|stem| distinctive(stem)).peekable();
    telling.peek().is_some() && telling.all(|stem| out.contains(stem))
}

/// Reads what is chosen apart from what is ruled out; of two, ruling out one chooses the other.
fn weigh(text: &str, options: &[String], read: fn(&str, &[String]) -> Option<usize>) -> Option<usize> {
    let (chosen, out) = sides(text);
    let picked = read(&chosen, options);
    match (picked, answered(&out, options)) {
        (None, Some(out)) if options.len() == 2 => Some(1 - out),
        (picked, _) => picked,
    }
}

/// By number, place, id or words, in a short plain answer.
fn answered(said: &str, options: &[String]) -> Option<usize> {
    let words: Vec<&str> = said.split(' ').filter(|word| !word.is_empty()).collect();
    let counted = words.iter().any(|word| COUNTS.contains(word));
    let bare: Vec<&str> =
        words.iter().copied().filter(|word| !AROUND.contains(word) && !COUNTS.contains(word)).collect();
    if let [only] = bare.as_slice() {
        let spelt = NUMBERS.iter().position(|names| names.contains(only)).map(|at| at + 1);
        // "The one" names none; "one" and "option one" do.
        let spelt = spelt.filter(|_| counted || words.len() == 1 || *only != "one");
        let number = only.parse::<usize>().ok().or(spelt);
        if let Some(at) = number.and_then(|number| number.checked_sub(1)).filter(|at| *at < options.len()) {
            return Some(at);
        }
    }
    ordinal(said, options.len(), Last::OfTheList).or_else(|| by_words(said, options))
}

/// Words that set what follows apart from what is chosen, at the start of a clause or right before an article or an id.
const NEGATIONS: &[&str] =
    &["not", "except", "nicht", "außer", "sauf", "excepto", "tranne", "exceto", "niet", "behalve", "menos"];

/// Words that begin the name of a thing.
const ARTICLES: &[&str] = &[
    "the", "my", "that", "this", "those", "der", "die", "das", "den", "dem", "mein", "meine", "meinen", "le",
    "la", "les", "el", "los", "las", "il", "lo", "gli", "o", "a", "os", "as", "de", "het", "mijn", "option",
    "number",
];

/// Words after which a clause goes on with what is chosen: "not the stove but the boots".
const TURNS: &[&str] = &["but", "rather", "sondern", "mais", "sino", "ma", "mas", "maar"];

/// Whether the word at this place sets what follows it apart. In "I did not get the stove" it does not.
fn negates(words: &[&str], at: usize) -> bool {
    let next = words.get(at + 1);
    let named =
        next.is_some_and(|word| ARTICLES.contains(word) || word.contains(|c: char| c.is_ascii_digit()));
    let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
    match words.get(at).copied().unwrap_or_default() {
        // The French negation stands behind its verb, the Spanish, Italian and Portuguese ones before it.
        "pas" => matches!(before, "" | "mais" | "et"),
        "no" | "non" | "não" | "nao" => {
            named && next.is_some_and(|word| !matches!(*word, "the" | "my" | "that" | "this"))
        }
        "but" => matches!(before, "anything" | "everything" | "all"),
        word => NEGATIONS.contains(&word) && (before.is_empty() || named),
    }
}

/// What a text chooses and what it rules out, both plain.
fn sides(text: &str) -> (String, String) {
    let (mut chosen, mut out) = (String::new(), String::new());
    for clause in text.split([',', ';', '.', '!', '?', '\n']) {
        let clause = plain(clause);
        let words: Vec<&str> = clause.split(' ').filter(|word| !word.is_empty()).collect();
        let mut apart = false;
        for (at, word) in words.iter().enumerate() {
            if apart && TURNS.contains(word) {
                apart = false;
            } else if negates(&words, at) {
                apart = true;
            } else {
                let side = if apart { &mut out } else { &mut chosen };
                if !side.is_empty() {
                    side.push(' ');
                }
                side.push_str(word);
            }
        }
    }
    (chosen, out)
}

/// The stems of the words that say something; "hp10056" is read as it would be with its dash.
fn stems(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let plain = plain(text);
    let pieces = plain.split(' ').flat_map(|word| {
        let letters = word.find(|c: char| c.is_ascii_digit()).unwrap_or_default();
        match word.split_at_checked(letters) {
            Some((head, digits))
                if digits.len() >= ID_DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                [head, digits]
            }
            _ => [word, ""],
        }
    });
    pieces
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        .map(|word| stemmer.stem(word).into_owned())
        .collect()
}

/// So many digits behind letters are a number of their own.
const ID_DIGITS_MIN: usize = 4;

/// The one label that has words of its own in the text which no other label has; none when several are as good.
fn by_words(text: &str, labels: &[String]) -> Option<usize> {
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
            ("#2", Some(1)),
            ("2.", Some(1)),
            ("(2)", Some(1)),
            ("option 2", Some(1)),
            ("Option 2 please", Some(1)),
            ("number two", Some(1)),
            ("number one", Some(0)),
            ("Nummer zwei bitte", Some(1)),
            ("la 2", Some(1)),
            ("i'll take 2", Some(1)),
            ("the second one", Some(1)),
            ("second one please", Some(1)),
            ("the second", Some(1)),
            ("2nd", Some(1)),
            ("die zweite", Some(1)),
            ("la deuxième", Some(1)),
            ("la seconda", Some(1)),
            ("o segundo", Some(1)),
            ("number 3", Some(2)),
            ("the stove please", Some(1)),
            ("HP-10040", Some(2)),
            ("HP10056", Some(1)),
            ("hp 10056", Some(1)),
            ("it's hp10056 i think", Some(1)),
            ("10056", Some(1)),
            ("boots", Some(2)),
            ("last one", Some(2)),
            ("the last", Some(2)),
            ("one", Some(0)),
            ("the boots, not the stove", Some(2)),
            ("not the stove but the boots", Some(2)),
            ("No, the stove", Some(1)),
            ("i did not get the stove", Some(1)),
            ("not the first one, the second one", Some(1)),
            ("HP-10086: Ridgeline 60 pack", Some(0)),
            ("the one", None),
            ("4", None),
            ("0", None),
            ("2 of them", None),
            ("something else entirely", None),
            ("how long does it last", None),
            ("will it last", None),
            ("first aid kit", None),
            ("second time i ask", None),
            ("just a second", None),
            ("one second please", None),
            ("prima", None),
            ("not the stove", None),
            ("not HP10056", None),
            ("", None),
        ] {
            assert_eq!(choice(text, &orders()), at, "{text}");
        }
    }

    #[test]
    fn what_is_ruled_out_is_not_chosen_and_of_two_leaves_the_other() {
        for (text, out) in [
            ("not the stove", Some(1)),
            ("no, not the stove", Some(1)),
            ("anything but the stove", Some(1)),
            ("nicht den stove", Some(1)),
            ("pas le stove", Some(1)),
            ("no el stove", Some(1)),
            ("not HP-10056", Some(1)),
            ("not the second one", Some(1)),
            ("not 2", Some(1)),
            ("je ne trouve pas le stove", None),
            ("the stove is not here yet", None),
            ("not sure", None),
            ("it does not last", None),
        ] {
            assert_eq!(excluded(text, &orders()), out, "{text}");
            if out.is_some() {
                assert_eq!(choice(text, &orders()[..2]), Some(0), "{text}");
            }
        }
    }

    #[test]
    fn a_value_is_ruled_out_however_it_is_typed() {
        for (text, out) in [
            ("not HP-10056", true),
            ("cancel HP-10086, not hp10056", true),
            ("HP-10086 and not 10056", true),
            ("HP-10056 not HP-10086", false),
            ("HP-10056 did not arrive", false),
            ("not sure", false),
        ] {
            assert_eq!(rules_out(text, "HP-10056"), out, "{text}");
        }
    }

    #[test]
    fn a_longer_text_describes_one_or_none() {
        assert_eq!(described("cancel the stove i ordered", &orders()), Some(1));
        assert_eq!(described("cancel my order", &orders()), None);
        assert_eq!(described("the boots or the stove", &orders()), None);
        assert_eq!(described("the boots are not the right size", &orders()), Some(2));
        assert_eq!(described("cancel the boots but not the stove", &orders()), Some(2));
    }
}
