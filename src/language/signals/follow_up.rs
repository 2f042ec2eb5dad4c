//! Words that point back to what was spoken of before.

use crate::language::{has_any, plain};

/// Asks how something under way stands.
const NEWS: &[&str] = &[
    "any news",
    "any update",
    "any updates",
    "update please",
    "whats the status",
    "still waiting",
    "still nothing",
    "still not",
    "not yet",
    "as i said",
    "like i said",
    "you said",
    "gibt es etwas neues",
    "schon was neues",
    "noch nichts",
    "immer noch",
    "des nouvelles",
    "toujours pas",
    "toujours rien",
    "alguna novedad",
    "todavía no",
    "todavía nada",
    "ci sono novità",
    "ancora niente",
    "ancora nulla",
    "alguma novidade",
    "ainda não",
    "ainda nada",
    "al nieuws",
    "nog steeds",
];

/// Stand for something that was named before.
const STANDS_FOR: &[&str] = &[
    "it", "its", "that", "this", "them", "those", "these", "they", "still", "again", "yet", "same", "else",
    "instead", "also", "too", "es", "das", "damit", "noch", "wieder", "ça", "cela", "encore", "eso", "esto",
    "otra vez", "ancora", "questo", "quello", "isso", "isto", "ainda", "het", "dat", "nog", "weer",
];

/// Whether a text may be understood only with what was said before it. Errs on the side of yes.
pub fn refers_back(text: &str) -> bool {
    let plain = plain(text);
    has_any(&plain, NEWS) || has_any(&plain, STANDS_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_points_back_is_told_from_what_stands_alone() {
        for text in
            ["any news?", "is it there yet", "Still waiting!!", "and that one?", "gibt es etwas Neues?"]
        {
            assert!(refers_back(text), "{text}");
        }
        for text in
            ["do you ship to canada", "where is my order", "my stove makes a noise", "I need an invoice"]
        {
            assert!(!refers_back(text), "{text}");
        }
    }
}
