//! Plain answers and small talk: only when the message holds nothing else.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::plain_words::plain_word;
use crate::language::{has_any, plain};

/// A plain yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go ahead.
    Yes,
    /// Leave it.
    No,
}

/// Words that ask for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallTalk {
    /// Hello.
    Greeting,
    /// Thank you.
    Thanks,
    /// Goodbye.
    Goodbye,
}

/// A message with more words than this is no plain answer.
const WORDS_MAX: usize = 9;

static YES: Phrases = LazyLock::new(|| {
    listed(
        "this is correct|its correct|it is correct|looks right|looks good|please go ahead|\
    yes|yes please do|y|yep|yeah|yea|yup|ya|yess|yesss|sure|sure thing|ok|okay|okey|k|kk|absolutely|definitely|\
    certainly|of course|correct|right|thats right|that is right|exactly|confirm|confirmed|i confirm|\
    agreed|i agree|go ahead|go for it|do it|do that|do so|proceed|make it so|sounds good|fine|\
    thats fine|fine by me|perfect|great|good|please|yes please|affirmative|yes i am|please do|\
    that is correct|go on|lets do it|by all means|that works|works for me|alright|all right|you can|\
    you may|thats correct|ja|ja bitte|jawohl|gerne|ja gerne|klar|na klar|bitte|mach das|machen sie das|\
    genau|richtig|in ordnung|einverstanden|passt|ok ja|bitte machen|oui|oui merci|ouais|bien sûr|\
    daccord|allez y|vas y|svp|sil vous plaît|oui sil vous plaît|exact|sí|si|sí por favor|si por favor|\
    claro|vale|de acuerdo|adelante|hazlo|hágalo|correcto|por favor|sì|certo|va bene|daccordo|procedi|\
    proceda|esatto|sì grazie|per favore|sì per favore|sim|sim por favor|claro que sim|pode|pode ser|\
    está bem|confirmo|isso|certo sim|ja graag|graag|prima|akkoord|zeker|doe maar|doe het|klopt|ja hoor|\
    alstublieft|jep|gern|claro que sí|claro que si|dale|that one is correct|das stimmt|stimmt|\
    tout à fait|va benissimo|com certeza",
    )
});

static NO: Phrases = LazyLock::new(|| {
    listed(
        "no|n|nope|nah|no thanks|no thank you|not now|dont|do not|dont do it|do not do it|dont do that|\
    please dont|leave it|no leave it|stop|never mind|nevermind|forget it|forget about it|\
    negative|not really|rather not|id rather not|wrong|thats wrong|not that|no way|no dont|hold on|wait|\
    wait no|no stop|no wait|please no|absolutely not|not yet|i changed my mind|changed my mind|keep it|\
    no keep it|no im good|im good|thats all|no thats all|no thats it|nein|nein danke|nee|lieber nicht|\
    bitte nicht|nicht|lass es|lassen sie es|vergiss es|non|non merci|pas maintenant|laissez|\
    laisse tomber|surtout pas|no gracias|mejor no|déjalo|déjelo|ahora no|para nada|no grazie|\
    meglio di no|lascia stare|lasci stare|não|nao|não obrigado|não obrigada|melhor não|deixa|deixe|\
    nee bedankt|nee dank je|liever niet|niet doen|laat maar|nee dank u|i dont want that|\
    no i dont want that|its wrong|not that one|auf keinen fall|certo que não|de jeito nenhum|\
    nee laat maar|lascia perdere",
    )
});

/// "Cancel it" may be the act that was offered, or the wish to stop it; one of these words beside it settles which.
const CLEAR: &[&str] = &["yes", "yeah", "yep", "yup", "yea", "no", "nope", "dont", "confirm", "confirmed"];

/// Words that may stand around a plain answer without making it something else.
static AROUND: Phrases = LazyLock::new(|| {
    listed(
        "cancel that|cancel|refund it|send it|return it|that one|this one|this|i want that|i do|\
    please|thanks|thank you|bitte|danke|merci|gracias|por favor|grazie|obrigado|obrigada|bedankt|graag|\
    alstublieft|yes|yeah|ok|okay|ja|oui|sí|si|sì|sim|no|nein|non|não|nee|do it|go ahead|thats fine|\
    cancel it|that|it|then|now|i am sure|im sure|leave it|dont|stop|right|correct|exactly|of course|\
    well|oh|uh|um|so|just|sure",
    )
});

/// A plain yes or no and nothing else; "yes but only the stove" is neither.
pub fn affirmation(text: &str) -> Option<Answer> {
    if let Some(answer) = by_sign(text) {
        return Some(answer);
    }
    if text.contains('?') {
        return None;
    }
    let plain = plain(text);
    if plain.split(' ').count() > WORDS_MAX {
        return None;
    }
    let words: Vec<&str> = plain.split(' ').collect();
    if has_any(&plain, &["cancel it", "cancel that"]) && !words.iter().any(|word| CLEAR.contains(word)) {
        return None;
    }
    // "please don't" holds a polite word that alone would be a yes.
    if NO.contains(plain.as_str()) {
        return Some(Answer::No);
    }
    let (yes, no) = (made_of(&plain, &YES), made_of(&plain, &NO));
    match (yes, no) {
        (true, false) => Some(Answer::Yes),
        (false, true) => Some(Answer::No),
        // "no" stands in both when only polite words surround it; the plain word decides.
        (true, true) => {
            let first = plain.split(' ').next().unwrap_or_default();
            let negative = NO.contains(first) && !YES.contains(first);
            (negative || YES.contains(plain.as_str())).then_some(if negative {
                Answer::No
            } else {
                Answer::Yes
            })
        }
        (false, false) => None,
    }
}

/// The same in a conversation in `language`, an ISO 639-1 code: also a bare word of it is an answer.
pub fn affirmation_in(text: &str, language: &str) -> Option<Answer> {
    affirmation(text).or_else(|| plain_word(text, language))
}

/// Phrases to look up: every message is held against all of them.
type Phrases = LazyLock<HashSet<&'static str>>;

/// Phrases parted by bars.
fn listed(phrases: &'static str) -> HashSet<&'static str> {
    phrases.split('|').collect()
}

fn by_sign(text: &str) -> Option<Answer> {
    let signs: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'))
        .collect();
    match signs.as_str() {
        "👍" | "👍👍" | "✅" | "👌" | "✔" => Some(Answer::Yes),
        "👎" | "❌" | "🚫" => Some(Answer::No),
        _ => None,
    }
}

/// Whether a text is one of these phrases with nothing but [`AROUND`] about it.
fn made_of(plain: &str, phrases: &HashSet<&'static str>) -> bool {
    if phrases.contains(plain) {
        return true;
    }
    let words: Vec<&str> = plain.split(' ').collect();
    let mut at = 0;
    let mut hit = false;
    while at < words.len() {
        let longest = (1..=4.min(words.len() - at)).rev().find_map(|size| {
            let piece = words.get(at..at + size)?.join(" ");
            let wanted = phrases.contains(piece.as_str());
            (wanted || AROUND.contains(piece.as_str())).then_some((size, wanted))
        });
        let Some((size, wanted)) = longest else { return false };
        hit |= wanted;
        at += size;
    }
    hit
}

static GREETINGS: Phrases = LazyLock::new(|| {
    listed(
        "hi|hii|hiii|hello|helo|hey|heya|hiya|yo|good morning|good afternoon|good evening|morning|greetings|\
    howdy|hi there|hello there|hey there|hallo|guten tag|guten morgen|guten abend|moin|servus|grüß gott|\
    bonjour|salut|bonsoir|hola|buenos días|buenas|buenas tardes|buenas noches|ciao|buongiorno|buonasera|\
    salve|olá|oi|bom dia|boa tarde|boa noite|goedemorgen|goedemiddag|goedenavond|dag|how are you|\
    hows it going|whats up|sup|anyone there|anybody there|are you there|is anyone there|test|\
    buenos dias|ola|hoi|goedendag|how are you doing",
    )
});
static THANKS: Phrases = LazyLock::new(|| {
    listed(
        "thanks|thank you|thx|ty|thanks a lot|thank you so much|thanks so much|many thanks|cheers|\
    much appreciated|great thanks|perfect thanks|ok thanks|okay thanks|awesome thanks|that helps|\
    that helped|got it thanks|great|perfect|awesome|cool|nice|you are great|brilliant|lovely|\
    thats great|thank you very much|wonderful|super|danke|vielen dank|danke schön|dankeschön|merci|\
    merci beaucoup|gracias|muchas gracias|grazie|grazie mille|obrigado|obrigada|muito obrigado|bedankt|\
    dank je|dank u|dank je wel|got it|understood|thats all|thats it|all good|problem solved|\
    it works now|tysm|thank u|dankjewel|muito obrigada|thanks for everything",
    )
});
static GOODBYES: Phrases = LazyLock::new(|| {
    listed(
        "bye|goodbye|good bye|bye bye|see you|see ya|cya|have a nice day|have a good day|have a great day|\
    take care|good night|later|ttyl|tschüss|auf wiedersehen|schönen tag|au revoir|bonne journée|adiós|\
    hasta luego|arrivederci|buona giornata|tchau|até logo|adeus|tot ziens|doei|fijne dag|you too|adios|\
    à bientôt|bis bald|tschau|ate logo",
    )
});
/// Names and fillers that may stand in small talk.
static FILLERS: Phrases = LazyLock::new(|| {
    listed(
        "there|team|all|everyone|guys|folks|and|ok|okay|well|oh|sir|madam|bot|again|support|no|yes|\
    for your help|for the help|for that|much|so much|you|very much|a lot|mate|today|doing",
    )
});

/// A greeting, thanks or a goodbye, and nothing else in the message.
pub fn small_talk(text: &str) -> Option<SmallTalk> {
    let signs = text.trim();
    if matches!(signs, "👋" | "🙏" | "❤️" | "😊" | "🙂") {
        return Some(if signs == "👋" { SmallTalk::Greeting } else { SmallTalk::Thanks });
    }
    let plain = plain(text);
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > WORDS_MAX {
        return None;
    }
    let mut found = None;
    let mut at = 0;
    while at < words.len() {
        let kinds = [
            (&GOODBYES, SmallTalk::Goodbye),
            (&THANKS, SmallTalk::Thanks),
            (&GREETINGS, SmallTalk::Greeting),
        ];
        let longest = (1..=4.min(words.len() - at)).rev().find_map(|size| {
            let piece = words.get(at..at + size)?.join(" ");
            if let Some((_, kind)) = kinds.iter().find(|(list, _)| list.contains(piece.as_str())) {
                return Some((size, Some(*kind)));
            }
            FILLERS.contains(piece.as_str()).then_some((size, None))
        });
        let (size, kind) = longest?;
        found = match (found, kind) {
            // Thanks weigh more than the hello or the goodbye around them.
            (Some(SmallTalk::Thanks), _) | (_, Some(SmallTalk::Thanks)) => Some(SmallTalk::Thanks),
            (_, Some(kind)) => Some(kind),
            (found, None) => found,
        };
        at += size;
    }
    found
}

/// Taking back in these words is all that the message says, or its end: "leave it at the door" is a wish.
const TAKEN_BACK_AT_END: &str = "forget it|forget about it|forget that|never mind|nevermind|nvm|leave it|dont do it|dont do that|\
    do not do it|do not do that|dont bother|scrap that|scrap it|stop that|stop it|i dont want that|vergiss es|\
    vergessen sie es|lass es|lassen sie es|hat sich erledigt|doch nicht|laisse tomber|laissez tomber|déjalo|déjelo|olvídalo|\
    olvídelo|lascia stare|lascia perdere|deixa para lá|deixa|esquece|esqueça|laat maar|laat maar zitten|actually no|\
    actually dont|cancel that|cancel that request|please stop|keep it|on second thought no";

/// Taking back wherever these stand, unless the message asks for something as well.
const TAKEN_BACK: &[&str] = &[
    "changed my mind",
    "change of mind",
    "on second thought",
    "i dont want it anymore",
    "no longer needed",
    "not needed anymore",
    "keep the order",
    "keep my order",
    "dont cancel",
];

/// Words of a request that begins where another ends.
const ASKS_ELSE: &[&str] = &[
    "return",
    "refund",
    "exchange",
    "send it back",
    "send them back",
    "how",
    "where",
    "when",
    "what",
    "can i",
    "instead",
    "is it",
    "in stock",
    "cancel it",
    "cancel the",
    "cancel my",
];

/// Words after "forget it" that change nothing.
const AFTERWARDS: &str = "then|please|thanks|thank you|for now|ok|okay|bitte|danke|merci|gracias|grazie|obrigado|obrigada|bedankt|\
    por favor|svp|now|its fine|its ok|im good";

/// Takes back what was asked for: "forget it", "actually don't".
pub fn takes_back(text: &str) -> bool {
    let text: String = text.chars().take(TAKES_BACK_CHARS).collect();
    let plain = plain(&text);
    if plain.split(' ').count() > 14 || text.contains('?') {
        return false;
    }
    let mut said = plain.as_str();
    while let Some(shorter) =
        AFTERWARDS.split('|').find_map(|word| said.strip_suffix(word)?.strip_suffix(' '))
    {
        said = shorter;
    }
    if matches!(
        said,
        "stop" | "no stop" | "ok stop" | "stopp" | "arrête" | "arrêtez" | "para" | "basta" | "pare"
    ) {
        return true;
    }
    let at_end = TAKEN_BACK_AT_END.split('|').any(|phrase| {
        said.strip_suffix(phrase).is_some_and(|head| {
            head.is_empty()
                || (head.ends_with(' ') && !ASKED_BEFORE.iter().any(|word| head.starts_with(word)))
        })
    });
    let starts = ["never mind", "forget it", "nevermind"].iter().any(|phrase| plain.starts_with(phrase));
    let anywhere = starts || has_any(&plain, TAKEN_BACK);
    at_end || (anywhere && !has_any(&plain, ASKS_ELSE))
}

/// How a sentence begins that asks or tells whether somebody forgot, left or stopped it.
const ASKED_BEFORE: [&str; 9] =
    ["did ", "do you ", "can ", "could ", "should ", "to ", "they ", "the driver ", "he "];

/// Nobody takes back in more characters than this.
const TAKES_BACK_CHARS: usize = 400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_yes_is_a_yes_and_a_yes_with_a_condition_is_not() {
        for text in [
            "yes",
            "Yes please!",
            "yep",
            "ok",
            "go ahead",
            "do it",
            "yes, go ahead",
            "sure thing",
            "👍",
            "Ja bitte",
            "oui",
            "Sí, por favor",
            "sim",
            "doe maar",
            "yes do it please",
            "yes, cancel it",
        ] {
            assert_eq!(affirmation(text), Some(Answer::Yes), "{text}");
        }
        for text in [
            "no",
            "nope",
            "No thanks",
            "no leave it",
            "don't do it",
            "👎",
            "nein danke",
            "non merci",
            "não",
            "stop",
            "no, stop",
            "please don't",
        ] {
            assert_eq!(affirmation(text), Some(Answer::No), "{text}");
        }
        for text in [
            "yes but only the stove",
            // After "refund 40 euros, yes?" this takes the refund back; a yes must be one whatever was asked.
            "cancel it",
            "ok cancel it",
            "ok cancel it then",
            "no go ahead",
            "yes if it is free",
            "what?",
            "ok?",
            "is that yes",
            "yes and refund 900",
            "maybe",
            "yes to the other one",
            "i said yes yesterday to your colleague",
            "the other one",
            "HP-10042",
            "",
            "not sure",
            "yes no",
        ] {
            assert_ne!(affirmation(text), Some(Answer::Yes), "{text}");
        }
    }

    #[test]
    fn small_talk_is_only_small_talk_alone() {
        assert_eq!(small_talk("hi there"), Some(SmallTalk::Greeting));
        assert_eq!(small_talk("Thanks, bye!"), Some(SmallTalk::Thanks));
        assert_eq!(small_talk("thank you so much for your help"), Some(SmallTalk::Thanks));
        assert_eq!(small_talk("see you"), Some(SmallTalk::Goodbye));
        assert_eq!(small_talk("Guten Tag"), Some(SmallTalk::Greeting));
        for text in [
            "hi where is my order",
            "thanks but it is still not here",
            "",
            "stove",
            "good morning, cancel my order",
        ] {
            assert_eq!(small_talk(text), None, "{text}");
        }
    }

    #[test]
    fn taking_back_is_told_from_a_wish_in_the_same_words() {
        for text in [
            "forget it",
            "never mind",
            "stop",
            "dont do that",
            "leave it",
            "actually leave it",
            "ok forget it then",
            "i changed my mind",
            "laat maar",
            "lass es bitte",
            "déjalo, gracias",
            "never mind, found it",
        ] {
            assert!(takes_back(text), "{text}");
        }
        for text in [
            "leave it with a neighbour",
            "please leave it at my porch",
            "stop sending me emails",
            "i changed my mind about the boots and want to return them",
            "the item is not needed anymore, how do i send it back",
            "did you forget it",
            "never mind the colour, is it in stock",
            "the stove won't stop",
            "where is my order",
        ] {
            assert!(!takes_back(text), "{text}");
        }
    }

    #[test]
    fn pieces_of_thanks_alone_are_no_small_talk() {
        for text in ["you", "again", "much", "for that", "so much"] {
            assert_eq!(small_talk(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = (affirmation(&text), small_talk(&text), takes_back(&text));
        }
    }
}
