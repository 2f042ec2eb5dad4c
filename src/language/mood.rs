//! How urgent a message is and how it sounds.

use super::{has_any, plain};
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

const PLEASED: [&str; 26] = [
    "thanks",
    "thank you",
    "great",
    "awesome",
    "perfect",
    "love",
    "lovely",
    "excellent",
    "amazing",
    "wonderful",
    "brilliant",
    "appreciate",
    "happy",
    "danke",
    "super",
    "toll",
    "merci",
    "parfait",
    "gracias",
    "perfecto",
    "grazie",
    "perfetto",
    "obrigado",
    "obrigada",
    "bedankt",
    "fantastic",
];

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
    if has_any(&plain, &URGENT) || angry(text, &plain) { Urgency::High } else { Urgency::Normal }
}

/// How the customer sounds.
pub fn sentiment(text: &str) -> Sentiment {
    let plain = plain(text);
    if angry(text, &plain) {
        return Sentiment::Negative;
    }
    match (has_any(&plain, &UNHAPPY), has_any(&plain, &PLEASED)) {
        (true, _) => Sentiment::Negative,
        (false, true) => Sentiment::Positive,
        (false, false) => Sentiment::Neutral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anger_hurry_and_thanks_are_heard() {
        assert_eq!(sentiment("this is RIDICULOUS, third time i ask"), Sentiment::Negative);
        assert_eq!(sentiment("WHERE IS MY STUFF ALREADY"), Sentiment::Negative);
        assert_eq!(sentiment("thank you so much"), Sentiment::Positive);
        assert_eq!(sentiment("where is my order"), Sentiment::Neutral);
        assert_eq!(urgency("i need it today"), Urgency::High);
        assert_eq!(urgency("when do you open"), Urgency::Normal);
    }
}
