//! Whether somebody asks for a person, in the many words people have for it.

use std::sync::LazyLock;

use regex::Regex;

use crate::language::plain;

/// Whom people ask for.
const WHO: &str = "(?:a |an |the |your |some |any |one |another |real |actual |live |proper )*(?:person|human|human being|agent|representative|rep|someone|somebody|manager|supervisor|operator|advisor|adviser|colleague|member of staff|staff|employee|support agent|customer service|customer support|real one|people|humans|individual)";

static ASKS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // English: an act of talking and somebody to talk to.
        format!(r"\b(?:talk|speak|chat|connect|transfer|pass|put|escalate|hand|get|give|want|need|reach|contact|prefer|like|call)\b(?: \w+){{0,4}}? (?:to |with |through to |over to |for |by |from |me )*{WHO}\b"),
        format!(r"^(?:hi |hello |just |no |yes )*(?:{WHO})(?: please| now| pls| thanks)*$"),
        format!(r"\b(?:is|are) there {WHO}\b(?: \w+)* (?:talk|speak|here|there|help)"),
        r"\b(?:not|stop|no|dont want|hate|enough of|instead of)\b(?: \w+){0,4} (?:a |this |the |your |stupid )*(?:bot|robot|machine|chatbot|ai|computer|automated)\b".to_owned(),
        r"\b(?:human|person|agent|representative)\b please\b".to_owned(),
        r"\bplease\b(?: \w+){0,2} (?:human|a person|an agent|representative)\b".to_owned(),
        // German, French, Spanish, Italian, Portuguese, Dutch.
        r"\b(?:mit|zu|an|durch) (?:einem|einer|einen|jemand\w*|nem|ner) ?(?:echten |richtigen )?(?:mensch\w*|mitarbeiter\w*|berater\w*|person|kolleg\w*|support)?\b(?: \w+)* (?:sprechen|reden|verbinden|verbunden|weiterleiten|schreiben)".to_owned(),
        r"\b(?:mensch|menschen|mitarbeiter|mitarbeiterin|echte person|echten menschen|jemand echtes)\b(?: \w+)*(?: bitte| sprechen| reden)\b|\bmit (?:jemandem|einem menschen|einem mitarbeiter|einer person)\b".to_owned(),
        r"\b(?:parler|discuter|transférer|passer|joindre)\b(?: \w+){0,4} (?:quelquun|une personne|un humain|un conseiller|une conseillère|un agent|un être humain|un collègue)\b|^(?:une personne|un humain|un conseiller)(?: \w+)*$".to_owned(),
        r"\b(?:hablar|pasar|páseme|pásame|comunicar|conectar|quiero|necesito)\b(?: \w+){0,4} (?:una persona|un humano|alguien|un agente|un asesor|una asesora|un representante|persona real)\b".to_owned(),
        r"\b(?:parlare|passare|passi|passami|vorrei|voglio)\b(?: \w+){0,4} (?:una persona|un umano|qualcuno|un operatore|unoperatrice|un essere umano|un addetto)\b".to_owned(),
        r"\b(?:falar|passar|passe|ligar|quero|preciso)\b(?: \w+){0,4} (?:uma pessoa|um humano|alguém|um atendente|um agente|um assistente humano|pessoa real)\b".to_owned(),
        r"\b(?:spreken|praten|doorverbinden|verbinden|wil|graag)\b(?: \w+){0,4} (?:een mens|een persoon|iemand|een medewerker|een collega|echt persoon)\b|\b(?:een mens|een medewerker|iemand)\b(?: \w+){0,3} (?:spreken|praten)\b".to_owned(),
    ]
    .iter()
    // A pattern that does not compile would show in the test below.
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// Wanting something of somebody is not wanting somebody: "I need someone's address", "give the agent's parcel".
static NOT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(?:fits?|sleeps?|for|size|sized|holds) (?:a |an |one |two |1 |2 |3 |4 )?(?:person|people)\b|\b(?:one|two|three|four|1|2|3|4|6) ?(?:person|people|man)\b|\bgift for (?:someone|somebody)\b").ok()
});

/// Whether the message asks for a person.
pub fn wants_person(text: &str) -> bool {
    let text: String = text.chars().take(1000).collect();
    let plain = plain(&text);
    if NOT.as_ref().is_some_and(|not| not.is_match(&plain)) {
        return false;
    }
    ASKS.iter().any(|asks| asks.is_match(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(ASKS.len(), 13);
        assert!(NOT.is_some());
    }

    #[test]
    fn a_person_is_asked_for_in_many_words() {
        for text in [
            "a person please",
            "I want to talk to a human",
            "can i speak to someone",
            "agent",
            "human",
            "representative",
            "real person pls",
            "let me talk to a real person",
            "transfer me to an agent",
            "connect me with customer service",
            "i need a human being",
            "get me your manager",
            "put me through to a supervisor",
            "is there a real person i can talk to",
            "stop, i dont want to talk to a bot",
            "i'm not talking to a machine",
            "speak with a representative now",
            "can somebody call me? i want to speak to a person",
            "no more bots, human please",
            "please pass me to a colleague",
            "Could you hand me over to a member of staff?",
            "escalate this to a manager",
            "i'd rather chat with a live agent",
            "Ich möchte mit einem Menschen sprechen",
            "Bitte mit einem Mitarbeiter verbinden",
            "je veux parler à quelqu'un",
            "parler à un conseiller svp",
            "quiero hablar con una persona",
            "necesito un agente",
            "vorrei parlare con un operatore",
            "quero falar com uma pessoa",
            "ik wil een medewerker spreken",
            "kan ik met iemand praten",
        ] {
            assert!(wants_person(text), "{text}");
        }
    }

    #[test]
    fn other_people_are_not_asked_for() {
        for text in [
            "does this tent fit two people",
            "2 person tent",
            "i ordered a gift for someone",
            "where is my order",
            "which sleeping bag for one person",
            "a person stole my parcel from the porch",
            "did somebody sign for it",
            "can i get the boots in size 9",
            "is there a 4 person tent in stock",
        ] {
            assert!(!wants_person(text), "{text}");
        }
    }
}
