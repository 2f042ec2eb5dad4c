//! Whether somebody asks for a person, in the many words people have for it.

use std::sync::LazyLock;

use regex::Regex;

use crate::language::{over_plain, plain, sentences};

/// Whom people ask for.
const WHO: &str = "(?:a |an |the |your |some |any |one |another |real |actual |live |proper |human )*(?:person|human|human being|agent|representative|rep|someone|somebody|manager|supervisor|operator|advisor|adviser|colleague|member of staff|staff|employee|support agent|customer service|customer support|real one|(?:real|actual) (?:people|humans)|individual)";

/// The same in the other languages, with the articles and adjectives around it.
const WHO_ELSEWHERE: &str = "(?:ein |eine |einen |einem |einer |den |der |dem |un |une |una |uno |um |uma |een |le |la |el |il |lo |o |echte |echten |echter |echt |richtigen |vrai |vraie |real |reale |vera |vero |verdadeira )*(?:mitarbeiter|mitarbeiterin|mensch|menschen|berater|beraterin|kundenservice|kundendienst|medewerker|mens|persoon|klantenservice|agente|persona|persona real|asesor|asesora|humano|operatore|operatrice|umano|addetto|assistenza clienti|conseiller|conseillère|humain|personne|service client|atendente|pessoa|pessoa real)";

/// Politeness, greetings and haste around a bare wish, in seven languages.
const POLITE: &str = "hi|hello|hey|just|no|yes|please|pls|now|thanks|thank you|asap|immediately|today|bitte|hallo|sofort|jetzt|danke|bonjour|svp|sil vous plaît|merci|hola|por favor|gracias|ahora|ciao|per favore|grazie|olá|obrigado|obrigada|agora|hoi|graag|alstublieft|nu";

/// Small words that may stand between wanting and whom: "get me through to a", "i need help from a".
const BETWEEN: &str = "(?:to|me|us|in|touch|with|help|from|by|rather|just|really|only|now|please|through|hold|of|answer|an answer|it|this|over|straight|directly)";

static ASKS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // English: an act of talking and somebody to talk to.
        format!(r"\b(?:talk|talking|speak|speaking|chat|connect|transfer|pass|put|escalate|hand|reach|contact)\b(?: \w+){{0,4}}? (?:to |with |through to |over to |for |by |from |me )*{WHO}\b"),
        // Wanting and getting take more than people: only small words may stand between.
        format!(r"\b(?:get|give|want|need|prefer|call|(?:would|id|ill|i would) (?:really |rather |just )?like|(?:would|id) rather(?: have)?)(?: {BETWEEN})* {WHO}\b"),
        format!(r"^(?:(?:{POLITE}) )*(?:{WHO}|people|humans|{WHO_ELSEWHERE})(?: (?:{POLITE}))*$"),
        format!(r"\b(?:is|are) there {WHO}\b(?: \w+)* (?:talk|speak|here|there|help)"),
        r"\b(?:not|stop|no|dont want|hate|enough of|instead of)\b(?: \w+){0,4} (?:a |this |the |your |stupid )*(?:bots?|robots?|chatbots?|ai)\b".to_owned(),
        r"\b(?:no|no more) (?:machines|computers)\b|\bnot an? (?:machine|computer)$|\b(?:(?:talk|talking|speak|speaking|chat|deal|dealing|writing) (?:to|with) (?:a|an|this|the|your|some)) (?:stupid )?(?:machines?|computers?|automated \w+)\b".to_owned(),
        r"\b(?:human|person|agent|representative)\b please\b".to_owned(),
        r"\bplease\b(?: \w+){0,2} (?:human|a person|an agent|representative)\b".to_owned(),
        // To be called, passed on or escalated, without naming to whom; what is passed on must not be a thing.
        format!(r"(?:^(?:(?:{POLITE}) )*|\b(?:please|pls|and|then|just|(?:can|could|will|would) (?:you|u|someone|somebody|anyone|anybody|they|a \w+|one of you)(?: please| pls)?|(?:want|need|like|prefer|ask|have|get) (?:you|someone|somebody|anyone|a \w+) to|to have (?:you|someone|somebody)) )(?:call|ring|phone) (?:me|us)(?: back| up)?(?: (?:now|please|pls|asap|today|tonight|tomorrow|on|at|when|about|this|instead|and|by|first|in|as|if|because|or|to|so|\d+)\b|$)"),
        r"\b(?:i (?:want|need|would like)|id like|request(?:ing)?|give me|schedule) (?:a |an )?(?:call ?back|phone call|call(?: back| from you)?)(?: (?:please|now|today|asap|about|from)\b|$)".to_owned(),
        r"\b(?:transfer|connect|redirect|forward|escalate) (?:me|us)(?: (?:over|through|up|now|please|pls|asap|immediately|already|then|right)\b|$)".to_owned(),
        r"\bescalat(?:e|ed|ing) (?:this|it|that|my (?:case|issue|complaint|ticket|request|problem|matter)|the (?:case|issue|complaint|ticket|matter))\b|\b(?:want|need|have|get|would like) (?:this|it|that|my \w+) escalated\b|^(?:please )?(?:escalate|escalation)(?: please| now)?$".to_owned(),
        // German, French, Spanish, Italian, Portuguese, Dutch.
        r"\b(?:mit|zu|an|durch) (?:einem|einer|einen|jemand\w*|nem|ner) ?(?:echten |richtigen )?(?:mensch\w*|mitarbeiter\w*|berater\w*|person|kolleg\w*|support)?\b(?: \w+)* (?:sprechen|reden|verbinden|verbunden|weiterleiten|schreiben)".to_owned(),
        r"\b(?:mensch|menschen|mitarbeiter|mitarbeiterin|echte person|echten menschen|jemand echtes)\b(?: \w+)*(?: bitte| sprechen| reden)\b|\bmit (?:jemandem|einem menschen|einem mitarbeiter|einer person)\b".to_owned(),
        r"\b(?:ruft|rufen sie|ruf) (?:mich|uns) (?:bitte )?(?:an|zurück)\b|\b(?:mich|uns) (?:bitte )?(?:jemand )?(?:anrufen|zurückrufen)\b|\b(?:bitte um|möchte einen|brauche einen) (?:einen )?rückruf\b|^rückruf(?: bitte)?$|\bverbinden sie (?:mich|uns)\b".to_owned(),
        r"\b(?:parler|discuter|transférer|passer|joindre)\b(?: \w+){0,4} (?:quelquun|une personne|un humain|un conseiller|une conseillère|un agent|un être humain|un collègue)\b|^(?:une personne|un humain|un conseiller)(?: \w+)*$|\b(?:appelez|rappelez) moi\b|\b(?:mappeler|me rappeler)\b".to_owned(),
        r"\b(?:hablar|pasar|páseme|pásame|comunicar|conectar|quiero|necesito)\b(?: \w+){0,4} (?:una persona|un humano|alguien|un agente|un asesor|una asesora|un representante|persona real)\b|\b(?:llámame|llámeme|llámenme|llamadme)\b|\b(?:puede|pueden|puedes|podéis|podrían|podría) (?:alguien )?llamarme\b".to_owned(),
        r"\b(?:parlare|passare|passi|passami|vorrei|voglio)\b(?: \w+){0,4} (?:una persona|un umano|qualcuno|un operatore|unoperatrice|un essere umano|un addetto)\b|\b(?:chiamatemi|richiamatemi|mi chiami|mi richiami|(?:potete|può|potreste) (?:chiamarmi|richiamarmi))\b".to_owned(),
        r"\b(?:falar|passar|passe|ligar|quero|preciso)\b(?: \w+){0,4} (?:uma pessoa|um humano|alguém|um atendente|um agente|um assistente humano|pessoa real)\b|\b(?:me (?:ligue|liguem|liga)|(?:ligue|liguem|liga|podem ligar|pode ligar) (?:para mim|me))\b".to_owned(),
        r"\b(?:spreken|praten|doorverbinden|verbinden|wil|graag)\b(?: \w+){0,4} (?:een mens|een persoon|iemand|een medewerker|een collega|echt persoon)\b|\b(?:een mens|een medewerker|iemand)\b(?: \w+){0,3} (?:spreken|praten)\b|\b(?:bel|bel me|belt u) (?:me|mij|ons|mij terug|terug|mij op)\b|\b(?:mij|me) (?:iemand )?(?:even )?(?:bellen|terugbellen)\b".to_owned(),
    ]
    .iter()
    // A pattern that does not compile would show in the test below.
    .filter_map(|pattern| over_plain(pattern))
    .collect()
});

/// Wanting something of somebody is not wanting somebody: "the operator manual", "someone to sign for it".
static NOT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        r"\b(?:fits?|sleeps?|for|size|sized|holds) (?:a |an |one |two |1 |2 |3 |4 )?(?:person|people)\b",
        r"\b(?:one|two|three|four|1|2|3|4|6) ?(?:person|people|man)\b",
        r"\bgift for (?:someone|somebody)\b",
        r"\b(?:operator|agent|staff|employee|person|manager|human)s? (?:manual|manuals|handbook|guide|instructions|discount|price|version|edition|tent|size|card|for the \w+)\b",
        r"\b(?:someone|somebody|a person|an individual) (?:to sign|to be home|to be at home|at home|to receive|who ordered)\b",
    ];
    over_plain(&patterns.join("|"))
});

/// Whether the message asks for a person, in one of its sentences or as a whole.
pub fn wants_person(text: &str) -> bool {
    let text: String = text.chars().take(1000).collect();
    std::iter::once(text.as_str()).chain(sentences::split(&text)).any(|part| {
        let plain = plain(part);
        !NOT.as_ref().is_some_and(|not| not.is_match(&plain)) && ASKS.iter().any(|asks| asks.is_match(&plain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(ASKS.len(), 20);
        assert!(NOT.is_some());
    }

    #[test]
    fn a_person_is_asked_for_in_many_words() {
        let table = [
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
            "call me",
            "call me back please",
            "hi, call me",
            "i cannot sign in. call me",
            "my 2 person tent is broken. let me talk to a human",
            "where is my order? agent please",
            "please call me on 555 0100",
            "can someone call me",
            "Could you call me tomorrow?",
            "i want somebody to call me",
            "i need a callback",
            "transfer me",
            "transfer me please",
            "no bots",
            "no bots please",
            "no more bots",
            "escalate this",
            "please escalate my case",
            "i want this escalated",
            "i'd like a human",
            "give me a real person",
            "get me a human",
        ];
        let wrong: Vec<&str> = table.into_iter().filter(|text| !wants_person(text)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_person_is_asked_for_in_six_more_languages() {
        let table = [
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
            "Mitarbeiter",
            "Mitarbeiter bitte",
            "ein Mensch bitte",
            "Kundenservice",
            "medewerker",
            "een medewerker graag",
            "agente",
            "un agente por favor",
            "operatore",
            "conseiller",
            "un conseiller svp",
            "atendente",
            "rufen Sie mich an",
            "können Sie mich zurückrufen",
            "appelez-moi",
            "llámame por favor",
            "chiamatemi",
            "me liguem por favor",
            "bel me terug",
        ];
        let wrong: Vec<&str> = table.into_iter().filter(|text| !wants_person(text)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn other_people_are_not_asked_for() {
        let table = [
            "does this tent fit two people",
            "2 person tent",
            "i ordered a gift for someone",
            "where is my order",
            "which sleeping bag for one person",
            "a person stole my parcel from the porch",
            "did somebody sign for it",
            "can i get the boots in size 9",
            "is there a 4 person tent in stock",
            "i like people",
            "it is for one person. human error i guess",
            "operator manual",
            "i need the operator manual",
            "people love this tent",
            "is the agent for the stove cleaning included",
            "do i need an impregnating agent",
            "do i need someone to sign for the parcel",
            "i want a tent that people like",
            "you can call me Tom",
            "call me Al",
            "the driver did not call me",
            "nobody called me",
            "will the courier call me before delivery",
            "can you transfer me the refund",
            "transfer my points",
            "is it machine washable or not a machine wash",
            "no the washing machine is fine",
            "my agent number is on the invoice",
            "how do i get a staff discount",
            "does it come with a call function",
            "eine Person hat unterschrieben",
            "tenda para uma pessoa",
            "tienda para una persona",
        ];
        let wrong: Vec<&str> = table.into_iter().filter(|text| wants_person(text)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
