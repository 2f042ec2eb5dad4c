//! Places in a list, said in words: "the second one", "my last order", "the other one".

use crate::language::{has_any, plain};

/// The words of one language for places in a list.
struct Ordinals {
    /// Words before an ordinal that make it one of the things in question.
    leads: &'static [&'static str],
    /// The ordinals, from the first.
    places: &'static [&'static [&'static str]],
    /// The last of a list, or the newest order.
    last: &'static [&'static str],
}

const ORDINALS: [Ordinals; 7] = [
    Ordinals {
        leads: &["the", "my", "your", "option", "number", "choice", "take", "choose", "pick"],
        places: &[
            &["first", "1st"],
            &["second", "2nd"],
            &["third", "3rd"],
            &["fourth", "4th"],
            &["fifth", "5th"],
            &["sixth", "6th"],
            &["seventh", "7th"],
            &["eighth", "8th"],
        ],
        last: &["last"],
    },
    Ordinals {
        leads: &["der", "die", "das", "den", "dem", "mein", "meine", "meinen", "meiner"],
        places: &[
            &["erste", "ersten", "erster", "erstes"],
            &["zweite", "zweiten", "zweiter", "zweites"],
            &["dritte", "dritten", "dritter", "drittes"],
        ],
        last: &["letzte", "letzten", "letzter", "letztes"],
    },
    Ordinals {
        leads: &["le", "la", "ma", "mon"],
        places: &[&["premier", "première"], &["deuxième", "seconde", "second"], &["troisième"]],
        last: &["dernier", "dernière"],
    },
    Ordinals {
        leads: &["el", "la", "mi"],
        places: &[
            &["primero", "primera", "primer"],
            &["segundo", "segunda"],
            &["tercero", "tercera", "tercer"],
        ],
        last: &["último", "última"],
    },
    Ordinals {
        leads: &["il", "la", "lo", "mio", "mia"],
        places: &[&["primo", "prima"], &["secondo", "seconda"], &["terzo", "terza"]],
        last: &["ultimo", "ultima"],
    },
    Ordinals {
        leads: &["o", "a", "meu", "minha"],
        places: &[&["primeiro", "primeira"], &["segundo", "segunda"], &["terceiro", "terceira"]],
        last: &["último", "última"],
    },
    Ordinals {
        leads: &["de", "het", "mijn"],
        places: &[&["eerste"], &["tweede"], &["derde"]],
        last: &["laatste"],
    },
];

/// Words that alone mean something else in another language: "prima" is a Dutch and German "fine".
const NEEDS_LEAD: &[&str] = &["prima"];

/// Words after an ordinal that leave it pointing at a thing in a list: "the second please", "the first of them".
const TRAILING: &[&str] = &[
    "one",
    "ones",
    "option",
    "choice",
    "please",
    "pls",
    "thanks",
    "thank",
    "of",
    "is",
    "was",
    "and",
    "then",
    "not",
    "instead",
    "item",
    "bitte",
    "danke",
    "svp",
    "merci",
    "por",
    "gracias",
    "per",
    "grazie",
    "graag",
    "alstublieft",
    "obrigado",
    "obrigada",
    "opción",
    "opzione",
    "opção",
    "optie",
];

/// What customers buy and wait for.
const ORDERED: &[&str] = &[
    "order",
    "orders",
    "purchase",
    "parcel",
    "package",
    "delivery",
    "shipment",
    "bestellung",
    "bestellungen",
    "paket",
    "lieferung",
    "commande",
    "colis",
    "livraison",
    "achat",
    "pedido",
    "paquete",
    "compra",
    "envío",
    "ordine",
    "pacco",
    "acquisto",
    "spedizione",
    "encomenda",
    "entrega",
    "bestelling",
    "pakket",
    "levering",
    "aankoop",
];

/// Which end of a list "last" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// The end of what was just listed.
    OfTheList,
    /// The newest order, where lists begin with the newest.
    Newest,
}

/// The one place that the words name; none when they name several. "The first aid kit", "the second time" and "how long
/// does it last" name none.
pub(super) fn ordinal(plain: &str, count: usize, last: Last) -> Option<usize> {
    let words: Vec<&str> = plain.split(' ').collect();
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let after = words.get(at + 1);
        let points = |language: &&Ordinals| {
            let led = before.is_some_and(|word| language.leads.contains(word));
            let alone = before.is_none() && !NEEDS_LEAD.contains(word);
            (led || alone || after == Some(&"one"))
                && after.is_none_or(|word| TRAILING.contains(word) || ORDERED.contains(word))
        };
        for language in ORDINALS.iter().filter(points) {
            let ordered = after.is_some_and(|word| ORDERED.contains(word));
            let place = match language.places.iter().position(|words| words.contains(word)) {
                Some(place) => Some(place),
                None if !language.last.contains(word) => continue,
                None if last == Last::Newest => Some(0),
                // "My last order" is the newest one even when the list was just shown.
                None if ordered => None,
                None => count.checked_sub(1),
            };
            let place = place.filter(|place| *place < count)?;
            if found.is_some_and(|known| known != place) {
                return None;
            }
            found = Some(place);
        }
    }
    found
}

/// The place of what is meant in a list that begins with the newest: "my last order", "the second one".
pub fn place(text: &str, count: usize) -> Option<usize> {
    let plain = plain(text);
    if let Some(place) = ordinal(&plain, count, Last::Newest) {
        return Some(place);
    }
    let found = if has_any(&plain, &["oldest", "the earliest", "älteste", "älteren", "oudste"]) {
        count.checked_sub(1)
    } else if has_any(&plain, &NEWEST) {
        Some(0)
    } else {
        None
    };
    found.filter(|at| *at < count)
}

const NEWEST: [&str; 15] = [
    "latest one",
    "latest order",
    "my latest",
    "newest",
    "most recent",
    "recent order",
    "recent purchase",
    "just ordered",
    "ordered today",
    "ordered yesterday",
    "neueste",
    "plus récente",
    "más reciente",
    "più recente",
    "mais recente",
];

/// Words after "the other" that make it a time or a turn of phrase.
const TIMES: &[&str] = &[
    "day",
    "days",
    "night",
    "week",
    "weekend",
    "month",
    "morning",
    "evening",
    "time",
    "times",
    "hand",
    "side",
    "way",
    "half",
    "people",
    "person",
    "customers",
    "tag",
    "woche",
    "seite",
    "jour",
    "semaine",
    "fois",
    "día",
    "semana",
    "vez",
    "giorno",
    "settimana",
    "volta",
    "dia",
    "dag",
    "keer",
    "kant",
];

/// Whether the other of two is meant: not "the other day".
pub fn other_one(text: &str) -> bool {
    let plain = plain(text);
    let fixed = ["other one", "other order", "not that one", "not this one", "different one"];
    let led = [
        "the other",
        "die andere",
        "den anderen",
        "das andere",
        "lautre",
        "el otro",
        "la otra",
        "laltro",
        "laltra",
        "o outro",
        "a outra",
        "de andere",
        "het andere",
    ];
    let meant = |phrase: &&str| {
        plain.match_indices(*phrase).any(|(at, _)| {
            let starts = plain.get(..at).is_some_and(|head| head.is_empty() || head.ends_with(' '));
            let rest = plain.get(at + phrase.len()..).unwrap_or_default();
            let next = rest.split(' ').nth(1);
            starts
                && (rest.is_empty() || rest.starts_with(' '))
                && next.is_none_or(|word| !TIMES.contains(&word))
        })
    };
    has_any(&plain, &fixed) || led.iter().any(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_the_newest() {
        for (text, count, at) in [
            ("where is my last order", 3, Some(0)),
            ("the oldest one", 3, Some(2)),
            ("the third one", 2, None),
            ("i ordered it last week", 3, None),
            ("where is my second order", 3, Some(1)),
            ("cancel the first one please", 3, Some(0)),
            ("meine letzte Bestellung", 3, Some(0)),
            ("mi último pedido", 3, Some(0)),
            ("a minha última encomenda", 3, Some(0)),
            ("mijn laatste bestelling", 3, Some(0)),
            ("ma dernière commande", 3, Some(0)),
            ("my most recent order", 3, Some(0)),
            ("how long does the battery last", 3, None),
            ("do you have a first aid kit", 3, None),
            ("the first aid kit", 3, None),
            ("this is the second time i ask", 3, None),
            ("wait a second", 3, None),
            ("what was my last name again", 3, None),
            ("the first one arrived, the second one did not", 3, None),
            ("what are the latest prices", 3, None),
        ] {
            assert_eq!(place(text, count), at, "{text}");
        }
    }

    #[test]
    fn the_other_one_is_told_from_another_day() {
        for text in [
            "actually the other one",
            "the other",
            "the other order",
            "lieber die andere",
            "el otro por favor",
            "not that one",
        ] {
            assert!(other_one(text), "{text}");
        }
        for text in [
            "another question",
            "i ordered it the other day",
            "the other night",
            "el otro día",
            "l'autre jour",
            "de andere dag",
            "on the other hand",
            "bother one",
        ] {
            assert!(!other_one(text), "{text}");
        }
    }
}
