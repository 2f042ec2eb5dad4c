//! Words that go to a person before anything else: danger, harm, law, fraud, the press.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::triage::Urgency;
use crate::language::{over_plain, plain};

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
            r"\b(?:kill(?:ing)? myself|end my life|suicid\w*|want to die|wanna die|(?:dont|do not) want to (?:live|be alive)|(?:end|ending) it all|hurt myself|self harm|umbringen|selbstmord|mich umbringen|me suicider|veux mourir|en finir avec la vie|quiero morir|no quiero vivir|voglio morire|farla finita|quero morrer|não quero viver|wil dood|wil niet meer leven|nicht mehr leben|bringe mich um|will sterben|suicidarme|matarme|uccidermi|me matar|zelfmoord)\b",
        ),
        (
            Alarm::Safety,
            r"\b(?:caught fire|catch(?:es|ing)? fire|(?:tent|stove|battery|lamp|canister|torch|jacket|bag|hair|house|it|its|was|set) (?:is |was |went |my \w+ |the \w+ )?on fire|burst into flames|exploded|explosion|blew up|burn(?:ed|t) (?:my|me|his|her|our|myself|himself|herself)|got burn(?:ed|t)|third degree|second degree burns?|burns on (?:my|his|her)|gas (?:is )?leak\w*|leak(?:ing|s|ed)? gas|smell(?:s|ed|ing)? (?:of )?gas|carbon monoxide|injured|caused (?:an |my )?injur(?:y|ies)|(?:in|to|at) (?:the )?hospital with|(?:are|am|is|was|were|went|ended up|rushed|taken) (?:in|to|at) (?:the |a )?hospital|called an ambulance|in an ambulance|(?:to|in|at) the emergency room|up in flames|flames? (?:came|shot|coming|shooting) (?:out|from)|(?:battery|lamp|torch|stove|canister|lantern|charger|it) (?:is|was|started) smoking|burn(?:ed|t) down|burn(?:ed|t|s) (?:a hole|through)|(?:is|was|am|are|im|were|started|hand|finger|leg) bleeding|poison(?:ed|ing)|electric shock|electrocuted|allergic reaction|nearly died|almost died|collapsed on (?:me|us|my)|got hurt|was hurt|hurt my|broke my (?:leg|arm|ankle|wrist|hand|foot)|melted in my|smok(?:e|ing) (?:came|coming) (?:out|from)|started smoking|swollen battery|battery (?:is )?swollen)\b",
        ),
        (
            Alarm::Safety,
            r"\b(?:verletzt|verbrannt|verbrennung\w*|explodiert|(?:es|kocher|zelt|akku|lampe|batterie) brennt$|in flammen|rauch aus|feuer gefangen|gasgeruch|riecht nach gas|gas tritt aus|im krankenhaus|ins krankenhaus|a pris feu|brûlé|brûlure\w*|blessé|blessée|explosé|fuite de gaz|(?:sent|odeur de|sens) (?:le |du )?gaz|à lhôpital|se incendió|se prendió fuego|me quemé|huele a gas|olor a gas|mi sono bruciat[oa]|odore di gas|puzza di gas|queimei|me queimei|cheiro de gás|cheira a gás|ruik gas|ruikt naar gas|gaslucht|quemadura\w*|quemado|herido|herida|explotó|fuga de gas|ha preso fuoco|ustion\w*|ferito|ferita|esploso|fuga di gas|in ospedale|pegou fogo|queimadura\w*|ferido|explodiu|vazamento de gás|in brand|verbrand|gewond|ontploft|gaslek|in het ziekenhuis)\b",
        ),
        (
            Alarm::Legal,
            r"\b(?:lawyer|attorney|solicitor|my lawyers|legal action|take legal|legal team|sue you|suing|(?:ill|will|gonna|going to|to|can|could) sue(?: (?:you|them|harbor|this|your))?$|sue (?:you|your|this) |will sue|going to sue|see you in court|tak(?:e|ing) (?:you|this|it|them) to court|small claims|lawsuit|court order|subpoena|trading standards|consumer protection|better business bureau|bbb complaint|attorney general|ombudsman|cease and desist|gdpr complaint|data protection authority|(?:the|a|your|to) (?:financial |market |industry )?regulators? (?:will|about|if|unless))\b",
        ),
        (
            Alarm::Legal,
            r"\b(?:anwalt|anwältin|rechtsanwalt|verklagen|verklage|(?:vor|ans|zum|vors) gericht|klage (?:ein|gegen|erheben)|rechtliche schritte|verbraucherschutz|verbraucherzentrale|avocat|avocate|porter plainte|poursuites|tribunal|poursuivre en justice|abogado|abogada|(?:voy a|vamos a) (?:demandar|denunciar)\w*|(?:los|les|os) (?:voy a |vamos a )?(?:demandar|denunciar)\w*|juzgado|avvocato|(?:vi|la|sporgo|faccio|fare) denunci\w+|vie legali|tribunale|advogado|advogada|processar (?:vocês|você|a empresa|a loja)|processo vocês|procon|advocaat|rechtszaak|aanklagen|rechter)\b",
        ),
        (
            Alarm::Fraud,
            r"\b(?:fraud|fraudulent|unauthori[sz]ed (?:charge|payment|transaction|order)|didnt (?:make|place|authori[sz]e) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|did not (?:make|place|authori[sz]e) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|never (?:made|placed|authori[sz]ed) (?:this|that|the|an|any) (?:order|purchase|charge|payment)|card (?:was|has been|got|is) (?:stolen|cloned|hacked)|stolen card|stole my card|account (?:was|has been|got|is) hacked|hacked (?:into )?my account|someone (?:used|is using|has used) my (?:card|account)|somebody (?:used|is using|has used) my (?:card|account)|identity theft|(?:was not|wasnt|not) me who (?:ordered|bought|paid|placed|made|did)|(?:i )?(?:didnt|did not|never|dont|do not) (?:recogni[sz]e|know) (?:this|that|the|a|these) (?:charge|payment|transaction|order|purchase)|(?:charge|payment|transaction|purchase|order)s? (?:that |which )?(?:i |we )(?:didnt|did not|never|dont|do not) (?:make|made|place|placed|authori[sz]ed?|recogni[sz]e|approve)|(?:someone|somebody) (?:else )?(?:ordered|bought|paid|shopped|did)(?: \w+){0,3} (?:with|on|using|from) my (?:card|account)|not my (?:order|purchase) but (?:i was|my card)|kreditkarte gestohlen|karte wurde gestohlen|betrug|(?:abbuchung|bestellung|zahlung) war ich nicht|nicht ich (?:bestellt|gekauft)|jemand hat mein(?:e|en)? (?:konto|karte|kreditkarte) (?:benutzt|verwendet)|konto (?:wurde )?gehackt|fraude|carte (?:a été |est |bancaire )?volée|pas moi qui (?:ai|a) (?:commandé|payé|acheté)|volé ma carte|robaron (?:la|mi) tarjeta|cargo que no (?:hice|reconozco)|no fui yo|rubato la (?:mia )?carta|non sono stato io|addebito che non|roubaram (?:o )?meu cartão|não fui eu|kaart is gestolen|piraté|tarjeta robada|me hackearon|carta rubata|frode|cartão roubado|gestolen kaart|gehackt)\b",
        ),
        (
            Alarm::Press,
            r"\b(?:journalist|reporter|newspaper|magazine article|news desk|press inquiry|press enquiry|media inquiry|media enquiry|press office|press contact|writing an article|writing a story about|interview with your|quote for (?:a|our|my) (?:story|article)|presseanfrage|journalistin|redaktion|journaliste|periodista|giornalista|jornalista|pers vraag)\b",
        ),
    ];
    // A pattern that does not compile would show in the test below.
    patterns.into_iter().filter_map(|(alarm, pattern)| Some((alarm, over_plain(pattern)?))).collect()
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
            ("my tent went up in flames", Alarm::Safety),
            ("es riecht nach Gas", Alarm::Safety),
            ("ça sent le gaz", Alarm::Safety),
            ("huele a gas", Alarm::Safety),
            ("mi sono bruciato", Alarm::Safety),
            ("cheiro de gás", Alarm::Safety),
            ("ik ruik gas", Alarm::Safety),
            ("i dont want to live anymore", Alarm::SelfHarm),
            ("ich bringe mich um", Alarm::SelfHarm),
            ("je veux mourir", Alarm::SelfHarm),
            ("quiero morir", Alarm::SelfHarm),
            ("ik wil dood", Alarm::SelfHarm),
            ("im suing", Alarm::Legal),
            ("i will sue", Alarm::Legal),
            ("los voy a demandar", Alarm::Legal),
            ("it was not me who ordered", Alarm::Fraud),
            ("there's a charge i did not make", Alarm::Fraud),
            ("i don't recognize this charge", Alarm::Fraud),
            ("ma carte a été volée", Alarm::Fraud),
            ("me robaron la tarjeta", Alarm::Fraud),
            ("roubaram meu cartão", Alarm::Fraud),
            ("mijn kaart is gestolen", Alarm::Fraud),
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
            "does the stove have a gas regulator",
            "ship to St Mary's Hospital",
            "bleeding edge",
            "hiking pole after knee injury",
            "these boots are on fire!",
            "der Kocher brennt nicht",
            "vocês podem processar meu reembolso",
            "address it to my friend Sue",
            "is it in a tv show",
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
