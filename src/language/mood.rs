//! How urgent a message is and how it sounds.

use super::{has_any, has_phrase, plain};
use crate::domain::triage::{Sentiment, Urgency};

const URGENT: [&str; 24] = [
    "urgent",
    "urgently",
    "asap",
    "as soon as possible",
    "immediately",
    "right now",
    "right away",
    "emergency",
    "today",
    "tomorrow",
    "tonight",
    "this weekend",
    "dringend",
    "sofort",
    "eilig",
    "urgente",
    "urgence",
    "tout de suite",
    "immédiatement",
    "subito",
    "inmediatamente",
    "imediatamente",
    "dringend nodig",
    "spoed",
];

const ANGRY: [&str; 44] = [
    "ridiculous",
    "unacceptable",
    "furious",
    "angry",
    "disgusted",
    "disgusting",
    "terrible",
    "awful",
    "worst",
    "useless",
    "scam",
    "rip off",
    "ripoff",
    "joke",
    "fed up",
    "sick of",
    "pissed",
    "wtf",
    "damn",
    "bullshit",
    "crap",
    "shit",
    "hell",
    "disappointed",
    "never again",
    "third time",
    "fourth time",
    "again and again",
    "how many times",
    "no one answers",
    "nobody answers",
    "waste of time",
    "horrible",
    "appalling",
    "unverschämt",
    "frechheit",
    "wütend",
    "inacceptable",
    "furieux",
    "inaceptable",
    "vergüenza",
    "inaccettabile",
    "inaceitável",
    "belachelijk",
];

const UNHAPPY: [&str; 22] = [
    "broken",
    "missing",
    "wrong",
    "damaged",
    "lost",
    "late",
    "still waiting",
    "not arrived",
    "never arrived",
    "problem",
    "issue",
    "annoying",
    "annoyed",
    "upset",
    "unhappy",
    "frustrated",
    "frustrating",
    "sad",
    "sadly",
    "unfortunately",
    "kaputt",
    "leider",
];

/// Thanks stay thanks after a "no".
const THANKFUL: [&str; 12] = [
    "thanks",
    "thank you",
    "appreciate",
    "danke",
    "merci",
    "gracias",
    "grazie",
    "obrigado",
    "obrigada",
    "bedankt",
    "dank je",
    "dank u",
];

const PLEASED: [&str; 20] = [
    "great",
    "awesome",
    "perfect",
    "love",
    "lovely",
    "excellent",
    "amazing",
    "wonderful",
    "brilliant",
    "happy",
    "fantastic",
    "impressed",
    "pleased",
    "satisfied",
    "super",
    "toll",
    "parfait",
    "perfecto",
    "perfetto",
    "tevreden",
];

/// Words that say little alone and something bad after a "not".
const EXPECTED: [&str; 32] = [
    "good",
    "nice",
    "cool",
    "fair",
    "funny",
    "acceptable",
    "helpful",
    "ok",
    "okay",
    "fun",
    "content",
    "contente",
    "satisfait",
    "satisfaite",
    "ravi",
    "zufrieden",
    "glücklich",
    "gut",
    "lustig",
    "begeistert",
    "contento",
    "contenta",
    "satisfecho",
    "satisfecha",
    "feliz",
    "soddisfatto",
    "soddisfatta",
    "satisfeito",
    "satisfeita",
    "blij",
    "goed",
    "leuk",
];

/// Thanks that are none.
const SARCASTIC: [&str; 9] = [
    "thanks for nothing",
    "thank you for nothing",
    "thanks a lot for nothing",
    "danke für nichts",
    "merci pour rien",
    "gracias por nada",
    "grazie per niente",
    "obrigado por nada",
    "bedankt voor niets",
];

const NEGATIONS: [&str; 28] = [
    "not", "no", "never", "hardly", "isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "cant",
    "wont", "nothing", "aint", "nicht", "kein", "keine", "keinen", "pas", "jamais", "nunca", "non", "mai",
    "não", "niet", "geen", "nada",
];

/// Ways of saying that there is time.
const UNHURRIED: [&str; 62] = [
    "no rush",
    "no hurry",
    "not in a hurry",
    "not in a rush",
    "not urgent",
    "nothing urgent",
    "isnt urgent",
    "not an emergency",
    "not that urgent",
    "not very urgent",
    "whenever you have time",
    "whenever you can",
    "whenever you get a chance",
    "when you have time",
    "when you have a moment",
    "when you get a chance",
    "at your convenience",
    "at your leisure",
    "in your own time",
    "take your time",
    "no need to hurry",
    "just curious",
    "just wondering",
    "out of curiosity",
    "low priority",
    "keine eile",
    "nicht eilig",
    "nicht dringend",
    "eilt nicht",
    "wenn sie zeit haben",
    "wenn ihr zeit habt",
    "bei gelegenheit",
    "nur aus neugier",
    "aus neugier",
    "lassen sie sich zeit",
    "pas urgent",
    "rien durgent",
    "pas pressé",
    "pas pressée",
    "rien ne presse",
    "quand vous aurez le temps",
    "quand vous pourrez",
    "par curiosité",
    "simple curiosité",
    "sin prisa",
    "no hay prisa",
    "no es urgente",
    "cuando puedan",
    "cuando tengan tiempo",
    "por curiosidad",
    "senza fretta",
    "nessuna fretta",
    "non è urgente",
    "quando avete tempo",
    "per curiosità",
    "sem pressa",
    "não é urgente",
    "quando puderem",
    "por curiosidade",
    "geen haast",
    "niet dringend",
    "uit nieuwsgierigheid",
];

/// So many words may stand between a negation and what it turns around: "not at all very happy".
const NEGATED_WORDS_MAX: usize = 3;

/// Whether most of a longer text is in capitals.
fn shouts(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = text.chars().filter(|c| c.is_uppercase()).count();
    letters >= 12 && capitals * 10 >= letters * 7
}

fn angry(text: &str, plain: &str) -> bool {
    shouts(text)
        || has_any(plain, &ANGRY)
        || text.contains("!!!")
        || text.contains('😡')
        || text.contains('🤬')
}

/// How soon somebody should look, as far as the words say. Safety and fraud are [`super::signals::alarm`]'s.
pub fn urgency(text: &str) -> Urgency {
    let plain = plain(text);
    // "Not urgent" holds a word that alone would be urgent.
    let (mut rest, mut unhurried) = (format!(" {plain} "), false);
    for phrase in UNHURRIED {
        if has_phrase(&plain, phrase) {
            rest = rest.replace(&format!(" {phrase} "), " . ");
            unhurried = true;
        }
    }
    if has_any(rest.trim(), &URGENT) || angry(text, &plain) {
        Urgency::High
    } else if unhurried {
        Urgency::Low
    } else {
        Urgency::Normal
    }
}

/// How the customer sounds.
pub fn sentiment(text: &str) -> Sentiment {
    let plain = plain(text);
    if angry(text, &plain) || has_any(&plain, &SARCASTIC) {
        return Sentiment::Negative;
    }
    let (mut unhappy, mut pleased) = (false, has_any(&plain, &THANKFUL));
    for clause in text.split([',', '.', ';', '!', '?', '\n']) {
        let clause = super::plain(clause);
        let (good, not_good) = heard(&clause, &PLEASED);
        let (_, not_expected) = heard(&clause, &EXPECTED);
        let (bad, _) = heard(&clause, &UNHAPPY);
        unhappy |= bad || not_good || not_expected;
        pleased |= good;
    }
    match (unhappy, pleased) {
        (true, _) => Sentiment::Negative,
        (false, true) => Sentiment::Positive,
        (false, false) => Sentiment::Neutral,
    }
}

/// Whether a plain clause holds one of these phrases, and whether it holds one that is turned around.
fn heard(clause: &str, phrases: &[&str]) -> (bool, bool) {
    let (mut plainly, mut negated) = (false, false);
    for phrase in phrases {
        // What is said twice is looked at once, where it stands first.
        let Some(at) = clause.match_indices(phrase).map(|(at, _)| at).find(|at| {
            let (head, tail) = (clause.get(..*at).unwrap_or_default(), clause.get(at + phrase.len()..));
            (head.is_empty() || head.ends_with(' '))
                && tail.is_none_or(|tail| tail.is_empty() || tail.starts_with(' '))
        }) else {
            continue;
        };
        let head = clause.get(..at).unwrap_or_default();
        let mut before = head.split_whitespace().rev().take(NEGATED_WORDS_MAX + 1);
        if before.any(|word| NEGATIONS.contains(&word)) {
            negated = true;
        } else {
            plainly = true;
        }
    }
    (plainly, negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anger_and_thanks_are_heard() {
        for (text, sounds) in [
            ("this is RIDICULOUS, third time i ask", Sentiment::Negative),
            ("WHERE IS MY STUFF ALREADY", Sentiment::Negative),
            ("i'm not happy with this", Sentiment::Negative),
            ("not at all happy", Sentiment::Negative),
            ("not impressed", Sentiment::Negative),
            ("really not impressed by the tent", Sentiment::Negative),
            ("thanks for nothing", Sentiment::Negative),
            ("Thanks for nothing!", Sentiment::Negative),
            ("not good", Sentiment::Negative),
            ("this isn't great", Sentiment::Negative),
            ("i don't love it", Sentiment::Negative),
            ("it never arrived", Sentiment::Negative),
            ("ich bin nicht zufrieden", Sentiment::Negative),
            ("je ne suis pas contente", Sentiment::Negative),
            ("no estoy contento", Sentiment::Negative),
            ("non sono soddisfatto", Sentiment::Negative),
            ("não estou satisfeita", Sentiment::Negative),
            ("ik ben niet blij", Sentiment::Negative),
            ("danke für nichts", Sentiment::Negative),
            ("thank you so much", Sentiment::Positive),
            ("i am happy with it", Sentiment::Positive),
            ("no thanks", Sentiment::Positive),
            ("no, great service", Sentiment::Positive),
            ("no problem, thanks", Sentiment::Positive),
            ("no problem", Sentiment::Neutral),
            ("the tent is not broken", Sentiment::Neutral),
            ("where is my order", Sentiment::Neutral),
            ("is it a good tent", Sentiment::Neutral),
            ("ok", Sentiment::Neutral),
            ("good morning", Sentiment::Neutral),
        ] {
            assert_eq!(sentiment(text), sounds, "{text}");
        }
    }

    #[test]
    fn hurry_and_leisure_are_heard() {
        for (text, urgent) in [
            ("i need it today", Urgency::High),
            ("urgent!", Urgency::High),
            ("no rush for the invoice but i need the tent today", Urgency::High),
            ("when do you open", Urgency::Normal),
            ("whenever i open it, it squeaks", Urgency::Normal),
            ("rush delivery available?", Urgency::Normal),
            ("no rush", Urgency::Low),
            ("No hurry, but where is it?", Urgency::Low),
            ("it's not urgent", Urgency::Low),
            ("whenever you have time", Urgency::Low),
            ("just curious, how heavy is the tent", Urgency::Low),
            ("Keine Eile", Urgency::Low),
            ("das ist nicht dringend", Urgency::Low),
            ("rien d'urgent", Urgency::Low),
            ("no es urgente", Urgency::Low),
            ("senza fretta", Urgency::Low),
            ("não é urgente", Urgency::Low),
            ("geen haast", Urgency::Low),
            ("no rush!!! THIS IS RIDICULOUS", Urgency::High),
        ] {
            assert_eq!(urgency(text), urgent, "{text}");
        }
    }
}
