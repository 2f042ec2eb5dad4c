//! The language of a message, when it gives it away.

use whatlang::{Detector, Lang};

/// The languages told apart, with small words that only they have.
const LANGUAGES: [(&str, Lang, &[&str]); 7] = [
    (
        "en",
        Lang::Eng,
        &[
            "the", "is", "my", "where", "i", "and", "you", "it", "how", "what", "do", "please", "can",
            "have", "order", "a", "to", "of", "not", "for", "this", "when", "wheres", "im", "dont",
        ],
    ),
    (
        "de",
        Lang::Deu,
        &[
            "ich",
            "ist",
            "meine",
            "mein",
            "wo",
            "und",
            "nicht",
            "bitte",
            "die",
            "der",
            "das",
            "wie",
            "kann",
            "habe",
            "bestellung",
            "wann",
            "eine",
            "einen",
            "zurück",
            "sie",
            "mit",
            "paket",
            "guten",
            "danke",
        ],
    ),
    (
        "fr",
        Lang::Fra,
        &[
            "je", "est", "ma", "mon", "où", "et", "pas", "le", "les", "vous", "commande", "bonjour", "merci",
            "une", "des", "mes", "quand", "comment", "puis", "du", "colis", "suis",
        ],
    ),
    (
        "es",
        Lang::Spa,
        &[
            "mi", "está", "dónde", "donde", "y", "el", "los", "pedido", "hola", "gracias", "quiero", "cómo",
            "como", "cuándo", "una", "por", "favor", "puedo", "ha", "llegado",
        ],
    ),
    (
        "it",
        Lang::Ita,
        &[
            "il", "mio", "dove", "e", "non", "che", "ordine", "ciao", "grazie", "vorrei", "come", "quando",
            "una", "posso", "della", "è", "sono", "pacco", "mia", "gli",
        ],
    ),
    (
        "pt",
        Lang::Por,
        &[
            "meu",
            "minha",
            "onde",
            "está",
            "não",
            "pedido",
            "olá",
            "obrigado",
            "obrigada",
            "quero",
            "como",
            "quando",
            "uma",
            "posso",
            "os",
            "encomenda",
            "eu",
            "da",
            "do",
            "chegou",
        ],
    ),
    (
        "nl",
        Lang::Nld,
        &[
            "mijn",
            "waar",
            "is",
            "het",
            "een",
            "niet",
            "bestelling",
            "hallo",
            "bedankt",
            "ik",
            "wil",
            "hoe",
            "wanneer",
            "kan",
            "en",
            "van",
            "pakket",
            "geen",
            "graag",
            "wordt",
        ],
    ),
];

/// Texts with fewer letters than this say nothing certain by their letters alone.
const LETTERS_MIN: usize = 24;
/// Read at most this many characters; a language shows early.
const CHARS_MAX: usize = 1000;

/// ISO 639-1 of the language, or none when the text is too short or in no language we know: then the
/// conversation's language stands.
pub fn language(text: &str) -> Option<String> {
    let text: String = text.chars().take(CHARS_MAX).collect();
    let plain = super::plain(&text);
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    let mut scores: Vec<(usize, &str)> = LANGUAGES
        .iter()
        .map(|(code, _, small)| (words.iter().filter(|word| small.contains(word)).count(), *code))
        .collect();
    scores.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let by_words = match scores.as_slice() {
        [(first, code), (second, _), ..] if *first >= 2 && first > second => Some(*code),
        _ => None,
    };
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let allowed: Vec<Lang> = LANGUAGES.iter().map(|(_, lang, _)| *lang).collect();
    let guessed = Detector::with_allowlist(allowed).detect(&text);
    let by_letters = guessed
        .filter(|found| letters >= LETTERS_MIN && found.is_reliable())
        .and_then(|found| LANGUAGES.iter().find(|(_, lang, _)| *lang == found.lang()))
        .map(|(code, ..)| *code);
    match (by_words, by_letters) {
        (Some(words), _) => Some(words.to_owned()),
        // Letters alone must not turn an English shop's product names into another language.
        (None, Some(letters))
            if scores.first().is_some_and(|(count, code)| *count == 0 || *code == letters) =>
        {
            Some(letters.to_owned())
        }
        (None, _) => None,
    }
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

    #[test]
    fn what_gives_nothing_away_is_no_language() {
        for text in ["hi", "ok", "HP-10042", "👍", "", "Ridgeline 60", "Mara Lindqvist"] {
            assert_eq!(language(text), None, "{text}");
        }
    }
}
