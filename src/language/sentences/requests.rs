//! The separate requests in one message: over its sentences, and on both sides of an "and".

use std::sync::LazyLock;

use regex::Regex;

use super::{push, split};
use crate::language::{has_any, plain};

/// More requests than this in one message are read as one text.
const REQUESTS_MAX: usize = 5;

/// A text longer than this is pasted matter, not a list of requests, and is read as one.
const REQUESTS_BYTES_MAX: usize = 16_000;

/// Words between two requests in one sentence, in seven languages. They part it only where both sides stand as requests.
const JOINTS: [&str; 18] = [
    " and also ",
    " and then ",
    " and ",
    " also ",
    " plus ",
    " & ",
    "; ",
    " und auch ",
    " und ",
    " sowie ",
    " et aussi ",
    " et ",
    " y también ",
    " y ",
    " e anche ",
    " e também ",
    " e ",
    " en ",
];

/// How a question begins.
const QUESTIONS: &str = "how|where|wheres|when|whens|what|whats|which|who|why|do you|does|did|is it|is there|is the|is my|are|are there|\
    can|will|would|wo|wann|wie|was|warum|welche|welcher|haben sie|habt ihr|gibt es|où|quand|comment|combien|quel|quelle|quels|\
    quelles|pourquoi|avez vous|est ce que|dónde|donde|cuándo|cuando|cómo|cuánto|cuál|qué|por qué|tienen|dove|dovè|quando|come|\
    quanto|quale|qual|perché|avete|onde|como|quanto custa|têm|waar|wanneer|hoe|wat|welke|waarom|hebben jullie|hebt u";

/// How a wish begins that says what it wants afterwards.
const WISHES: &str = "can you|can i|can we|could you|could i|will you|would you|i want|i need|i would like|id like|i wanna|please|pls|\
    give me|tell me|show me|help|ich möchte|ich will|ich brauche|ich hätte|können sie|könnt ihr|kann ich|kann man|bitte|\
    je veux|je voudrais|jaimerais|jai besoin|pouvez vous|puis je|peux tu|quiero|quisiera|necesito|puedo|pueden|puede|por favor|\
    voglio|vorrei|ho bisogno|posso|potete|può|quero|gostaria|preciso|podem|pode|ik wil|ik zou|ik heb|kunt u|kun je|\
    kunnen jullie|kan ik|graag|alstublieft";

/// What customers want done, as an order or after a wish.
const ACTS: &str = "cancel|return|refund|exchange|replace|change|update|send|resend|track|delete|stop|check|remove|reset|unsubscribe|\
    storniere|stornieren|erstatte|erstatten|ändere|ändern|schicke|schicken|sende|senden|lösche|löschen|\
    annuler|annulez|rembourser|remboursez|retourner|retournez|échanger|échangez|changer|changez|envoyer|envoyez|supprimez|\
    cancelar|cancele|cancelen|cancela|devolver|devuelvan|reembolsar|reembolsen|cambiar|cambien|cambie|enviar|envíen|\
    annullare|annullate|annulla|rimborsare|rimborsate|restituire|cambiare|cambiate|spedire|spedite|\
    anule|anulem|cancelem|devolvam|reembolsem|trocar|troquem|mudar|mudem|enviem|\
    annuleer|annuleren|stuur|wijzig|ruil|verwijder|retourneer";

/// The same in the languages that put it last: "HP-10042 stornieren und HP-10056 zurückgeben".
const ACTS_LAST: &str = "stornieren|zurückgeben|zurückschicken|umtauschen|tauschen|ändern|erstatten|löschen|kündigen|annuleren|terugsturen|\
    retourneren|ruilen|wijzigen|verwijderen|terugbetalen";

/// Words before the name of a thing.
const DETERMINERS: &str = "the|my|our|a|an|another|this|that|these|those|die|der|das|den|meine|meinen|mein|eine|einen|ein|le|la|les|ma|\
    mon|mes|un|une|el|los|las|mi|mis|una|il|lo|gli|i|mio|mia|o|os|as|meu|minha|um|uma|de|het|mijn|een";

/// Things that a request shares with the one beside it: "cancel my order and refund my money" is one request.
const SHARED: &str = "money|card|payment|amount|price|cost|costs|full|rest|account|same|one|ones|order|thing|stuff|whole|geld|betrag|\
    bestellung|argent|commande|montant|dinero|importe|pedido|soldi|importo|ordine|dinheiro|valor|encomenda|bedrag|bestelling";

/// Asking for help says nothing of what the help is for: it belongs to the request beside it.
static HELP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        r"(?:can|could|would|will) (?:you|u|someone|somebody|anyone|anybody) (?:please )?(?:help|assist)(?: me| us)?(?: out)?(?: with (?:this|that|something|it|an order|my order))?",
        r"(?:i need|need|i want|i would like|id like) (?:some |your )?(?:help|assistance)(?: with (?:this|that|something|it|an order|my order))?",
        r"(?:please )?help(?: me| us)?(?: out)?",
        r"(?:i have |i got |ive got )?(?:a |one |two |some |another )?(?:quick |short |simple )?questions?",
        r"(?:can|could|may) i ask (?:you )?(?:something|a question|a few questions)",
        r"(?:können sie|könnt ihr|kannst du|kann) (?:mir|uns)(?: jemand| bitte)* helfen|ich brauche hilfe|(?:ich habe )?eine (?:kurze )?frage",
        r"(?:pouvez vous|peux tu|pourriez vous) maider|jai besoin daide|(?:jai )?une question",
        r"(?:me )?(?:puede|pueden|podrían|puedes) ayudar(?:me)?|necesito ayuda|(?:tengo )?una pregunta",
        r"(?:mi )?(?:potete|può|puoi|potreste) aiutar(?:e|mi)|ho bisogno di aiuto|(?:ho )?una domanda",
        r"(?:podem|pode|poderiam) ajudar(?: me)?|preciso de ajuda|(?:tenho )?uma (?:pergunta|dúvida)",
        r"(?:kunt u|kun je|kunnen jullie) (?:mij|me|ons) helpen|ik heb hulp nodig|(?:ik heb )?een vraag",
    ];
    let around = "hi|hello|hey|please|pls|bitte|svp|por favor|per favore|alstublieft|hallo|bonjour|hola|ciao|olá|thanks|so|ok";
    Regex::new(&format!("^(?:(?:{around}) )*(?:{})(?: (?:{around}))*$", forms.join("|"))).ok()
});

/// The separate requests in a message, in order; a text that asks for one thing comes back whole.
///
/// Sentences that ask for nothing (context, greetings, "can you help me?") stay with the request they stand beside.
pub fn requests(text: &str) -> Vec<&str> {
    if text.len() > REQUESTS_BYTES_MAX {
        return vec![text.trim()];
    }
    let mut pieces: Vec<&str> = Vec::new();
    for sentence in split(text) {
        pieces.extend(at_joints(sentence));
    }
    let asking = pieces.iter().filter(|piece| asks(piece)).count();
    if !(2..=REQUESTS_MAX).contains(&asking) {
        return vec![text.trim()];
    }
    // Each request reaches from its first piece to the last one before the next request.
    let mut requests: Vec<&str> = Vec::new();
    let (mut from, mut asked, mut read) = (0, false, 0);
    for piece in pieces {
        let Some(at) = text.get(read..).and_then(|rest| rest.find(piece)).map(|at| read + at) else {
            continue;
        };
        read = at + piece.len();
        let piece_asks = asks(piece);
        if piece_asks && asked {
            push(&mut requests, text.get(from..at));
            from = at;
        }
        asked |= piece_asks;
    }
    push(&mut requests, text.get(from..));
    requests
}

fn at_joints(sentence: &str) -> Vec<&str> {
    let lower = sentence.to_lowercase();
    if lower.len() != sentence.len() {
        return vec![sentence];
    }
    let mut cuts: Vec<(usize, usize)> = JOINTS
        .iter()
        .flat_map(|joint| lower.match_indices(joint).map(|(at, joint)| (at, at + joint.len())))
        .collect();
    // Of the joints at one place the longest, so that what follows begins with the request.
    cuts.sort_unstable_by_key(|(at, end)| (*at, std::cmp::Reverse(*end)));
    cuts.dedup_by_key(|(at, _)| *at);
    let mut pieces = Vec::new();
    let mut from = 0;
    for (cut, end) in cuts {
        let (Some(head), Some(tail)) = (sentence.get(from..cut), sentence.get(end..)) else { continue };
        if stands(head) && begins(tail, head) {
            push(&mut pieces, Some(head));
            from = cut;
        }
    }
    push(&mut pieces, sentence.get(from..));
    pieces
}

/// Whether a sentence asks for something.
fn asks(piece: &str) -> bool {
    let plain = plain(piece);
    if plain.split(' ').count() < 2 || HELP.as_ref().is_some_and(|help| help.is_match(&plain)) {
        return false;
    }
    let plain = without_joint(&plain);
    piece.trim_end().ends_with('?')
        || [QUESTIONS, WISHES, ACTS].iter().any(|list| opener(plain, list).is_some())
        || names_act_last(plain)
        || has_any(
            plain,
            &["i want to", "i need", "can you", "could you", "can i", "how do i", "where is", "please"],
        )
}

/// Whether what stands before an "and" is a request of its own: "cancel" in "cancel and refund" shares its object.
fn stands(head: &str) -> bool {
    let plain = plain(head);
    let last = plain.rsplit(' ').next().unwrap_or_default();
    let shares = ACTS.split('|').any(|act| act == last) && !names_act_last(&plain);
    plain.split(' ').count() >= if has_id(&plain) { 2 } else { 3 } && !shares && asks(head)
}

/// Whether what follows an "and" begins a request of its own: a question, a wish, or an act upon a thing it names.
fn begins(tail: &str, head: &str) -> bool {
    let (tail, head) = (plain(tail), plain(head));
    let plain = without_joint(&tail);
    let long = plain.split(' ').count() >= 3;
    // In "die Hose und die Jacke zurückgeben" both halves share the verb at the end.
    let complete = names_act_last(&head) || opener(without_joint(&head), QUESTIONS).is_some();
    let acts = opener(plain, ACTS).is_some_and(names_thing)
        || (complete && names_act_last(plain) && names_thing(plain));
    let open = long && [QUESTIONS, WISHES].iter().any(|list| opener(plain, list).is_some());
    let help = HELP.as_ref().is_some_and(|help| help.is_match(plain));
    (acts || open) && !help
}

fn without_joint(plain: &str) -> &str {
    let mut rest = plain;
    while let Some(after) =
        ["and ", "also ", "then ", "plus ", "und ", "auch ", "et ", "aussi ", "y ", "también ", "e ", "en "]
            .iter()
            .find_map(|joint| rest.strip_prefix(joint))
    {
        rest = after;
    }
    rest
}

/// What follows the longest of these phrases at the start of a plain text.
fn opener<'a>(plain: &'a str, phrases: &str) -> Option<&'a str> {
    let rests = phrases.split('|').filter_map(|phrase| {
        plain.strip_prefix(phrase).filter(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    rests.min_by_key(|rest| rest.len()).map(str::trim_start)
}

fn names_act_last(plain: &str) -> bool {
    let last = plain.rsplit(' ').next().unwrap_or_default();
    plain.contains(' ') && ACTS_LAST.split('|').any(|act| act == last)
}

fn has_id(plain: &str) -> bool {
    plain.split(' ').any(|word| {
        word.len() >= ID_DIGITS_MIN && word.bytes().filter(u8::is_ascii_digit).count() >= ID_DIGITS_MIN
    })
}

/// A number of so many digits is somebody's number, not a count.
const ID_DIGITS_MIN: usize = 4;

/// Whether words name a thing of their own: an id, or a noun that the request beside them does not share.
fn names_thing(plain: &str) -> bool {
    let words: Vec<&str> = plain.split(' ').collect();
    has_id(plain)
        || words.windows(2).any(|pair| match pair {
            [before, noun] => {
                DETERMINERS.split('|').any(|word| word == *before)
                    && ![SHARED, DETERMINERS, ACTS, ACTS_LAST]
                        .iter()
                        .any(|list| list.split('|').any(|word| word == *noun))
            }
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(HELP.is_some());
    }

    #[test]
    fn two_requests_are_two() {
        for (text, second) in [
            ("wheres my order and also how do i return the boots", "and also how do i return the boots"),
            ("Where is my parcel? How do I return the boots?", "How do I return the boots?"),
            ("cancel my order please. when are you open on saturday?", "when are you open on saturday?"),
            ("cancel HP-10042 and refund HP-10056", "and refund HP-10056"),
            ("please cancel HP-10042 and then return HP-10056", "and then return HP-10056"),
            ("where is my order and what's your return policy", "and what's your return policy"),
            ("where is my order and what's your return policy?", "and what's your return policy?"),
            ("change my address & delete my newsletter subscription", "& delete my newsletter subscription"),
            ("cancel the boots and return the tent", "and return the tent"),
            ("where is HP-10042 plus can i return the tent", "plus can i return the tent"),
            ("track HP-10042; cancel HP-10056", "; cancel HP-10056"),
            ("hi can you help me? cancel HP-10042. how long do refunds take?", "how long do refunds take?"),
            ("Stornieren Sie HP-10042 und erstatten Sie HP-10056", "und erstatten Sie HP-10056"),
            ("Ich möchte HP-10042 stornieren und HP-10056 zurückgeben", "und HP-10056 zurückgeben"),
            (
                "Wo ist meine Bestellung und wie kann ich die Stiefel zurückgeben?",
                "und wie kann ich die Stiefel zurückgeben?",
            ),
            ("quiero cancelar HP-10042 y devolver HP-10056", "y devolver HP-10056"),
            ("dónde está mi pedido y cómo devuelvo las botas", "y cómo devuelvo las botas"),
            ("dov'è il mio ordine e come restituisco gli scarponi", "e come restituisco gli scarponi"),
            ("vorrei annullare HP-10042 e restituire HP-10056", "e restituire HP-10056"),
            ("où est ma commande et comment retourner les bottes", "et comment retourner les bottes"),
            ("annulez HP-10042 et remboursez HP-10056", "et remboursez HP-10056"),
            ("waar is mijn bestelling en hoe kan ik de laarzen ruilen", "en hoe kan ik de laarzen ruilen"),
            ("ik wil HP-10042 annuleren en HP-10056 ruilen", "en HP-10056 ruilen"),
            ("onde está a minha encomenda e como devolvo as botas", "e como devolvo as botas"),
            ("quero cancelar HP-10042 e devolver HP-10056", "e devolver HP-10056"),
        ] {
            let found = requests(text);
            assert_eq!((found.len(), found.last()), (2, Some(&second)), "{text}: {found:?}");
        }
    }

    #[test]
    fn one_request_is_one() {
        for text in [
            "i bought a tent and poles last week, where is it",
            "hi, my stove is broken. i need help with it",
            "where is my order",
            "HP-10042",
            "",
            "Can you help me? Where is my order?",
            "i have a question. where is my order?",
            "I need help. How do I return the boots?",
            "Können Sie mir helfen? Wo ist meine Bestellung?",
            "pouvez-vous m'aider? où est ma commande?",
            "do you have it in black and white",
            "is it available in black and white?",
            "do you sell pots and pans",
            "where are my pots and pans?",
            "cancel HP-10042 and HP-10056",
            "cancel the boots and the tent",
            "cancel the boots and the tent please",
            "please cancel and refund HP-10042",
            "i want to cancel and return my boots",
            "can i return and exchange it",
            "cancel my order and refund me",
            "cancel my order and refund my money",
            "cancel it and give it back",
            "return the boots and get a refund",
            "how do i wash and dry the jacket",
            "change my name and address",
            "can i also return the boots",
            "could you also check the size",
            "ich möchte die Hose und die Jacke zurückgeben",
            "quiero devolver las botas y la tienda",
            "vorrei restituire gli scarponi e la tenda",
            "je veux retourner les bottes et la tente",
            "ik wil de laarzen en de tent terugsturen",
            "quero devolver as botas e a tenda",
            "puedo cambiar la talla en la tienda",
        ] {
            assert_eq!(requests(text).len(), 1, "{text}: {:?}", requests(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            prop_assert!(!requests(&text).is_empty());
        }
    }
}
