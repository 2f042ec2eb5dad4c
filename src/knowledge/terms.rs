//! Words to search terms: lower case, without function words, stemmed as their language is, without accents.

use std::collections::HashSet;

use rust_stemmers::{Algorithm, Stemmer};
use tantivy::tokenizer::{Language, SimpleTokenizer, StopWordFilter, TextAnalyzer};
use unicode_normalization::UnicodeNormalization;

/// Longest word that is a term, bytes; what is longer is no word.
const WORD_BYTES_MAX: usize = 40;

/// English words that say how something is asked rather than what. The usual short lists keep many of them.
const ENGLISH_FUNCTION_WORDS: &str = "a about after again all also am an and any anyone anything are as at be \
    because been before being but by can cannot cant could did didn do does doesn doing don for from get getting \
    give gets got had has hasn have haven having he hello help her here hey hi him his how i if im in into is isn it \
    its ive just know let like ll m me my need no not now of ok on only or other our out please pls re s she should \
    so some someone something such t tell than thank thanks that the their them then there these they thing things \
    this those to too u up us ve very want wanted was wasn way we were what whats when where which while who whom \
    why will with won would you your d \
    ain aint arent couldnt didnt doesnt dont hadnt hasnt havent hows im isnt mustnt shouldnt thats theres theyre \
    wasnt werent wheres whos wont wouldnt youre bit gonna wanna gotta really ur u";

/// How the words of one language become terms.
pub(super) struct Words {
    stemmer: Option<Stemmer>,
    function_words: FunctionWords,
}

enum FunctionWords {
    Listed(HashSet<&'static str>),
    /// The index library's list, asked word by word.
    Library(TextAnalyzer),
    Unknown,
}

impl Words {
    /// For an ISO 639-1 code; a language we cannot stem is searched by whole words.
    pub(super) fn new(code: &str) -> Self {
        let (algorithm, language) = match code {
            "da" => (Algorithm::Danish, Language::Danish),
            "de" => (Algorithm::German, Language::German),
            "en" => (Algorithm::English, Language::English),
            "es" => (Algorithm::Spanish, Language::Spanish),
            "fi" => (Algorithm::Finnish, Language::Finnish),
            "fr" => (Algorithm::French, Language::French),
            "hu" => (Algorithm::Hungarian, Language::Hungarian),
            "it" => (Algorithm::Italian, Language::Italian),
            "nl" => (Algorithm::Dutch, Language::Dutch),
            "no" => (Algorithm::Norwegian, Language::Norwegian),
            "pt" => (Algorithm::Portuguese, Language::Portuguese),
            "ru" => (Algorithm::Russian, Language::Russian),
            "sv" => (Algorithm::Swedish, Language::Swedish),
            _ => return Self { stemmer: None, function_words: FunctionWords::Unknown },
        };
        let function_words = if code == "en" {
            FunctionWords::Listed(ENGLISH_FUNCTION_WORDS.split_whitespace().collect())
        } else {
            match StopWordFilter::new(language) {
                Some(filter) => FunctionWords::Library(
                    TextAnalyzer::builder(SimpleTokenizer::default()).filter(filter).build(),
                ),
                None => FunctionWords::Unknown,
            }
        };
        Self { stemmer: Some(Stemmer::create(algorithm)), function_words }
    }

    /// The term of a word as `words` gives it; none for a function word.
    pub(super) fn term(&self, word: &str) -> Option<String> {
        let function_word = match &self.function_words {
            FunctionWords::Listed(list) => list.contains(word),
            FunctionWords::Library(analyzer) => !analyzer.clone().token_stream(word).advance(),
            FunctionWords::Unknown => false,
        };
        if function_word {
            return None;
        }
        let stem = self.stemmer.as_ref().map_or(word.into(), |stemmer| stemmer.stem(word));
        Some(if stem.is_ascii() { stem.into_owned() } else { plain(&stem) })
    }
}

/// Without accents: `é` is `e`, `ß` is `ss`.
fn plain(text: &str) -> String {
    text.nfkd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .collect::<String>()
        .replace('ß', "ss")
}

/// The words of a text in lower case, in order, those longer than any real word left out.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && word.len() <= WORD_BYTES_MAX)
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(code: &str, text: &str) -> Vec<String> {
        let language = Words::new(code);
        words(text).filter_map(|word| language.term(&word)).collect()
    }

    #[test]
    fn each_language_is_stemmed_its_own_way() {
        assert_eq!(terms("en", "How do I return my returned boots?"), ["return", "return", "boot"]);
        assert_eq!(terms("de", "Wie sind die Rücksendungen?"), ["rucksend"]);
        assert_eq!(terms("zz", "Wie sind"), ["wie", "sind"]);
    }
}
