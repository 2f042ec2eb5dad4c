//! The language of a message, when it gives it away.

use std::collections::HashMap;
use std::sync::LazyLock;

use whatlang::{Detector, Lang};

use words::WORDS;

mod words;

/// The same languages in the same order, as the detector by letters knows them.
const LANGS: [Lang; 7] = [Lang::Eng, Lang::Deu, Lang::Fra, Lang::Spa, Lang::Ita, Lang::Por, Lang::Nld];

/// What each word weighs for each language; a telling word that several have is a small one.
static WEIGHTS: LazyLock<HashMap<&'static str, [usize; 7]>> = LazyLock::new(|| {
    let mut weights: HashMap<&'static str, [usize; 7]> = HashMap::new();
    for (at, words) in WORDS.iter().enumerate() {
        let small = words.small.split_whitespace().map(|word| (word, SMALL));
        let telling = words.telling.split_whitespace().map(|word| (word, TELLING));
        for (word, weight) in small.chain(telling) {
            if let Some(known) = weights.entry(word).or_default().get_mut(at) {
                *known = weight;
            }
        }
    }
    for weight in weights.values_mut().filter(|weight| weight.iter().filter(|one| **one > 0).count() > 1) {
        *weight = weight.map(|one| one.min(SMALL));
    }
    weights
});

/// What a small word weighs, and what a telling one does.
const SMALL: usize = 2;
const TELLING: usize = 4;

/// Letters that some languages have and others lack weigh too little to make a language of a name with a "van" or "da".
const LETTER: usize = 1;
const LETTERS: [&str; 7] = ["", "äöüß", "œêùç", "ñ", "ìò", "ãõç", ""];

/// A text is in the language that weighs so much, and more than any other.
const WEIGHT_MIN: usize = 4;

/// Texts with fewer letters than this say nothing certain by their letters alone.
const LETTERS_MIN: usize = 24;
/// Read at most this many characters; a language shows early.
const CHARS_MAX: usize = 1000;

/// Whether texts in this language, by its ISO 639-1 code, are told from others here.
pub fn knows(code: &str) -> bool {
    WORDS.iter().any(|words| words.code == code)
}

/// ISO 639-1 of the language, or none when the text is too short or in no language we know: then the
/// conversation's language stands.
pub fn language(text: &str) -> Option<String> {
    let text: String = text.chars().take(CHARS_MAX).collect();
    let scores = scores(&text);
    let best = scores.iter().copied().max().unwrap_or_default();
    let leaders: Vec<usize> = (0..scores.len()).filter(|at| scores.get(*at) == Some(&best)).collect();
    let by_words = match leaders.as_slice() {
        [only] if best >= WEIGHT_MIN => WORDS.get(*only),
        _ => None,
    };
    if let Some(words) = by_words {
        return Some(words.code.to_owned());
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let guessed = Detector::with_allowlist(LANGS.to_vec()).detect(&text);
    let at = guessed
        .filter(|found| letters >= LETTERS_MIN && found.is_reliable())
        .and_then(|found| LANGS.iter().position(|lang| *lang == found.lang()))?;
    // Letters alone must not turn an English shop's product names into another language.
    (best == 0 || leaders.contains(&at)).then(|| WORDS.get(at).map(|words| words.code.to_owned())).flatten()
}

fn scores(text: &str) -> [usize; 7] {
    let plain = super::plain(text);
    let mut scores = [0; 7];
    for weights in plain.split(' ').filter_map(|word| WEIGHTS.get(word)) {
        for (score, weight) in scores.iter_mut().zip(weights) {
            *score += weight;
        }
    }
    for (score, letters) in scores.iter_mut().zip(LETTERS) {
        if plain.contains(|c: char| letters.contains(c)) {
            *score += LETTER;
        }
    }
    // Only Spanish turns its question and exclamation marks around.
    if let Some(spanish) = scores.get_mut(3).filter(|_| text.contains(['¿', '¡'])) {
        *spanish += WEIGHT_MIN;
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_ordinary_messages_is_recognised() {
        for (text, code) in [
            ("where is my order", "en"),
            ("Wo ist meine Bestellung?", "de"),
            ("où est ma commande", "fr"),
            ("¿Dónde está mi pedido?", "es"),
            ("dove è il mio ordine", "it"),
            ("onde está a minha encomenda", "pt"),
            ("waar is mijn bestelling", "nl"),
            ("Ich möchte die Stiefel zurückgeben, wie geht das?", "de"),
        ] {
            assert_eq!(language(text).as_deref(), Some(code), "{text}");
        }
    }

    /// Short messages of customers, at least eight a language.
    const SHORT: [(&str, &[&str]); 7] = [
        (
            "en",
            &[
                "i need help",
                "cancel my order",
                "where is it",
                "want a refund",
                "return the boots",
                "it is broken",
                "what is this",
                "track my parcel",
                "refund please",
                "help me please",
                "not working anymore",
                "my tent leaks",
            ],
        ),
        (
            "de",
            &[
                "ich brauche Hilfe",
                "Bestellung stornieren",
                "wo bleibt mein Paket",
                "ich will mein Geld",
                "die Stiefel zurückgeben",
                "es ist kaputt",
                "was ist das",
                "Sendung verfolgen",
                "bitte Rückerstattung",
                "können Sie helfen",
                "funktioniert nicht mehr",
                "mein Zelt ist undicht",
            ],
        ),
        (
            "fr",
            &[
                "j'ai besoin d'aide",
                "annuler ma commande",
                "où est mon colis",
                "je veux un remboursement",
                "retourner les bottes",
                "c'est cassé",
                "qu'est-ce que c'est",
                "suivre mon colis",
                "remboursement svp",
                "pouvez-vous m'aider",
                "ça ne marche plus",
                "ma tente fuit",
            ],
        ),
        (
            "es",
            &[
                "necesito ayuda",
                "cancelar mi pedido",
                "dónde está mi paquete",
                "quiero un reembolso",
                "quiero devolver las botas",
                "está roto",
                "qué es esto",
                "seguir mi envío",
                "mi dinero por favor",
                "me pueden ayudar",
                "ya no funciona",
                "mi tienda gotea",
            ],
        ),
        (
            "it",
            &[
                "ho bisogno di aiuto",
                "annullare il mio ordine",
                "dov'è il mio pacco",
                "voglio un rimborso",
                "vorrei restituire gli scarponi",
                "è rotto",
                "che cos'è questo",
                "tracciare la spedizione",
                "rimborso per favore",
                "mi potete aiutare",
                "non funziona più",
                "la mia tenda perde",
            ],
        ),
        (
            "pt",
            &[
                "preciso de ajuda",
                "cancelar a minha encomenda",
                "onde está a encomenda",
                "quero um reembolso",
                "quero devolver as botas",
                "está partido",
                "o que é isto",
                "seguir o meu pedido",
                "reembolso por favor, obrigado",
                "podem ajudar-me",
                "já não funciona",
                "a minha tenda tem um furo",
            ],
        ),
        (
            "nl",
            &[
                "ik heb hulp nodig",
                "bestelling annuleren",
                "waar blijft mijn pakket",
                "ik wil mijn geld terug",
                "de laarzen terugsturen",
                "het is kapot",
                "wat is dit",
                "mijn pakket volgen",
                "geld terug alstublieft",
                "kunnen jullie helpen",
                "werkt niet meer",
                "mijn tent lekt",
            ],
        ),
    ];

    #[test]
    fn a_few_words_are_enough() {
        let wrong: Vec<(&str, &str, Option<String>)> = SHORT
            .iter()
            .flat_map(|(code, texts)| texts.iter().map(|text| (*code, *text, language(text))))
            .filter(|(code, _, found)| found.as_deref() != Some(*code))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    }

    #[test]
    fn what_gives_nothing_away_is_no_language() {
        for text in [
            "hi",
            "ok",
            "no",
            "M",
            "HP-10042",
            "10042",
            "👍",
            "",
            "Ridgeline 60",
            "Alder boots, size 9",
            "HP-10056: Spark gas stove and 2 x canister",
            "Mara Lindqvist",
            "Mia Rossi",
            "Will Grace",
            "Müller",
            "Muñoz",
            "João Silva",
            "Anna de Vries",
            "van der Berg",
            "Maria del Carmen",
            "Hans im Glück",
            "Dante Alighieri",
            "Rose Marchand",
            "Berlin",
            "mara.lindqvist@mail.example",
        ] {
            assert_eq!(language(text), None, "{text}");
        }
    }
}
