//! Words that go to a person before anything else: danger, harm, law, fraud, the press.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::triage::Urgency;
use crate::language::plain;

/// Why a person must see the message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Somebody was or could be hurt.
    Safety,
    /// Somebody may harm themselves.
    SelfHarm,
    /// Lawyers, courts, authorities.
    Legal,
    /// Money or an account was taken.
    Fraud,
    /// Journalists.
    Press,
}

impl Alarm {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::SelfHarm => "self_harm",
            Self::Legal => "legal",
            Self::Fraud => "fraud",
            Self::Press => "press",
        }
    }

    /// The team that sees to it, where there is one, and how soon.
    pub fn route(self) -> (&'static str, Urgency) {
        match self {
            Self::Safety | Self::SelfHarm => ("safety", Urgency::Urgent),
            Self::Legal => ("legal", Urgency::High),
            Self::Fraud => ("payments", Urgency::High),
            Self::Press => ("press", Urgency::Normal),
        }
    }
}

/// The gravest first.
static WORDS: LazyLock<Vec<(Alarm, Regex)>> = LazyLock::new(|| {
    let patterns = [
        (
            Alarm::SelfHarm,
            r"\b(?:kill(?:ing)? myself|end my life|suicid\w*|want to die|hurt myself|self harm|umbringen|selbstmord|mich umbringen|me suicider|suicidarme|matarme|uccidermi|me matar|zelfmoord)\b",
        ),
        (
            Alarm::Safety,
            r"\b(?:caught fire|catch(?:es|ing)? fire|on fire|burst into flames|exploded|explosion|blew up|burn(?:ed|t) (?:my|me|his|her|our|myself|himself|herself)|got burn(?:ed|t)|third degree|second degree burns?|burns on (?:my|his|her)|gas (?:is )?leak\w*|leak(?:ing|s|ed)? gas|smell(?:s|ed|ing)? (?:of )?gas|carbon monoxide|injured|injury|injuries|hospital|ambulance|emergency room|bleeding|poison(?:ed|ing)|electric shock|electrocuted|allergic reaction|nearly died|almost died|collapsed on (?:me|us|my)|got hurt|was hurt|hurt my|broke my (?:leg|arm|ankle|wrist|hand|foot)|overheat(?:ed|ing) and|melted in my|smok(?:e|ing) (?:came|coming) (?:out|from)|started smoking|swollen battery|battery (?:is )?swollen)\b",
        ),
        (
            Alarm::Safety,
            r"\b(?:verletzt|verbrannt|verbrennung\w*|explodiert|brennt|feuer gefangen|gasgeruch|gas tritt aus|krankenhaus|a pris feu|brûlé|brûlure\w*|blessé|blessée|explosé|fuite de gaz|hôpital|se incendió|quemadura\w*|quemado|herido|herida|explotó|fuga de gas|ha preso fuoco|ustion\w*|ferito|ferita|esploso|fuga di gas|ospedale|pegou fogo|queimadura\w*|ferido|explodiu|vazamento de gás|in brand|verbrand|gewond|ontploft|gaslek|ziekenhuis)\b",
        ),
        (
            Alarm::Legal,
            r"\b(?:lawyer|attorney|solicitor|my lawyers|legal action|take legal|legal team|sue you|suing you|will sue|going to sue|see you in court|take (?:you|this|it) to court|small claims|lawsuit|court order|subpoena|trading standards|consumer protection|better business bureau|bbb complaint|attorney general|ombudsman|cease and desist|gdpr complaint|data protection authority|regulator)\b",
        ),
        (
            Alarm::Legal,
            r"\b(?:anwalt|anwältin|rechtsanwalt|verklagen|klage|gericht|rechtliche schritte|verbraucherschutz|verbraucherzentrale|avocat|avocate|porter plainte|poursuites|tribunal|poursuivre en justice|abogado|abogada|demandar|denunciar|juzgado|avvocato|denuncia|vie legali|tribunale|advogado|advogada|processar|procon|advocaat|rechtszaak|aanklagen|rechter)\b",
        ),
        (
            Alarm::Fraud,
            r"\b(?:fraud|fraudulent|unauthori[sz]ed (?:charge|payment|transaction|order)|didnt (?:make|place|authori[sz]e) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|did not (?:make|place|authori[sz]e) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|never (?:made|placed|authori[sz]ed) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|card (?:was|has been|got|is) (?:stolen|cloned|hacked)|stolen card|stole my card|account (?:was|has been|got|is) hacked|hacked (?:into )?my account|someone (?:used|is using|has used) my (?:card|account)|somebody (?:used|is using|has used) my (?:card|account)|identity theft|kreditkarte gestohlen|karte wurde gestohlen|betrug|konto gehackt|fraude|carte volée|piraté|tarjeta robada|me hackearon|carta rubata|frode|cartão roubado|gestolen kaart|gehackt)\b",
        ),
        (
            Alarm::Press,
            r"\b(?:journalist|reporter|newspaper|magazine article|tv show|news desk|press inquiry|press enquiry|media inquiry|media enquiry|press office|press contact|writing an article|writing a story about|interview with your|for a story|presseanfrage|journalistin|redaktion|journaliste|periodista|giornalista|jornalista|pers vraag)\b",
        ),
    ];
    // A pattern that does not compile would show in the test below.
    patterns.into_iter().filter_map(|(alarm, pattern)| Some((alarm, Regex::new(pattern).ok()?))).collect()
});

/// The gravest alarm in a message.
pub fn alarm(text: &str) -> Option<Alarm> {
    let text: String = text.chars().take(4000).collect();
    let plain = plain(&text);
    WORDS.iter().find(|(_, words)| words.is_match(&plain)).map(|(alarm, _)| *alarm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(WORDS.len(), 7);
    }

    #[test]
    fn danger_law_fraud_and_the_press_are_heard() {
        for (text, alarm_of) in [
            ("the stove caught fire in our tent", Alarm::Safety),
            ("i smell gas when its off", Alarm::Safety),
            ("my son burned his hand, we are at the hospital", Alarm::Safety),
            ("the battery is swollen", Alarm::Safety),
            ("der Kocher ist explodiert", Alarm::Safety),
            ("i want to kill myself", Alarm::SelfHarm),
            ("you will hear from my lawyer", Alarm::Legal),
            ("ich gehe zum Anwalt", Alarm::Legal),
            ("I didn't place this order, someone used my card", Alarm::Fraud),
            ("my account has been hacked", Alarm::Fraud),
            ("I'm a journalist writing an article on your recall", Alarm::Press),
        ] {
            assert_eq!(alarm(text), Some(alarm_of), "{text}");
        }
    }

    #[test]
    fn ordinary_words_that_look_alike_raise_none() {
        for text in [
            "the stove won't fire up",
            "which paper size, legal or letter",
            "press the button for 3 seconds",
            "do you sell fire starters",
            "a burning question",
            "does the bottle leak water",
            "my tent leaks",
            "where is my order",
            "i want to cancel",
            "first aid kit in stock?",
            "is the fuel canister safe on a plane",
        ] {
            assert_eq!(alarm(text), None, "{text}");
        }
    }
}
