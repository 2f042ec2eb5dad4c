//! Rules on what a reply is as a whole: words, of bearable length, without secrets or our own insides.

use std::sync::LazyLock;

use super::grounds::Sight;
use super::patterns::{Pattern, compile, first, places};
use super::violation;
use crate::domain::decision::{Severity, Violation};

/// It says something.
pub(super) fn empty(sight: &Sight<'_>) -> Option<Violation> {
    let silent = !sight.draft.text.chars().any(char::is_alphanumeric);
    silent.then(|| violation("empty", "no words", Severity::Revise))
}

/// It is not longer than a reply may be.
pub(super) fn length(sight: &Sight<'_>) -> Option<Violation> {
    let chars = sight.draft.text.chars().count();
    let most = sight.context.reply_chars_max;
    (chars > most)
        .then(|| violation("length", &format!("{chars} characters, {most} allowed"), Severity::Revise))
}

/// It reads in the order in which it is written.
pub(super) fn disguise(sight: &Sight<'_>) -> Option<Violation> {
    let hidden = |c: char| {
        matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{E0000}'..='\u{E007F}')
            || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    };
    let found = sight.said.chars().find(|c| hidden(*c))?;
    Some(violation("disguise", &format!("U+{:04X}", u32::from(found)), Severity::Block))
}

static INTERNALS: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"system (?:prompt|message)|\bas an? (?:ai|artificial|large language)\b|\blanguage model\b|\bmy (?:instructions|prompt|guidelines)\b",
        r"|(?:ignore|disregard) (?:all |the )?(?:previous|prior|above)|\{\{|\}\}|\{%|%\}|<\||\|>|\[/?inst\]|```|<</?sys>>",
        r#"|\{\s*"\s*\w+\s*"\s*:|\btool_calls?\b|\bfunction_call\b|\bidempotency[-_]key\b|\bsk-[a-z0-9]{8,}|\bflk_\w+|\bbearer [a-z0-9._-]{8,}"#,
        r"|\b(?:systemprompt|sprachmodell|modele de langage|modelo de lenguaje|modello linguistico|modelo de linguagem|taalmodel)\b|\b[a-z0-9+/]{48,}={0,2}",
    ))
});

/// Nothing of prompts, markers, templates or raw data is in it.
pub(super) fn internals(sight: &Sight<'_>) -> Option<Violation> {
    let told = first(&INTERNALS, &sight.plain).map(|found| violation("internals", found, Severity::Block));
    told.or_else(|| {
        let name = sight
            .plain
            .split_whitespace()
            .find(|word| is_name_of_code(word) && !sight.grounds().says(word))?;
        Some(violation("internals", name, Severity::Revise))
    })
}

/// `refund_order` and its like are written for machines; addresses may have the same sign in them.
fn is_name_of_code(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    word.contains('_') && word.split('_').all(letters)
}

macro_rules! secret {
    () => {
        r"(?:card (?:number|details)|cvv2?|cvc2?|cv2|passwords?|passcode|pin(?: code| number)?|one[- ]time (?:code|password)|otp|2fa code|security code|verification code|sms code|code (?:(?:that|which) )?(?:(?:we|i)(?:'ve| have)? (?:just )?(?:sent|texted|e-?mailed|mailed)|you (?:just )?(?:got|received|were sent) (?:by|in|from))|authentication code|kartennummer|kreditkartennummer|passwort|kennwort|prufziffer|prufnummer|einmalcode|sicherheitscode|tan|geheimzahl|numero de (?:la |votre )?carte|mot de passe|code de securite|code secret|cryptogramme|numero de (?:la |su |tu )?tarjeta|contrasena|clave|codigo de seguridad|codigo de verificacion|numero (?:della|di) carta|numero della (?:sua |tua )?carta|parola d'ordine|codice di sicurezza|codice di verifica|numero (?:do|de|do seu) cartao|senha|palavra-passe|codigo de seguranca|kaartnummer|creditcardnummer|wachtwoord|pincode|beveiligingscode|verificatiecode)\b"
    };
}

static ASKS_SECRET: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:(?:send|give|tell|provide|enter|type|confirm|share|reply with|need|want|require|submit|text|message|read|what is|what's|what are|which is)",
        r"|(?:schicken|senden|nennen|geben|teilen|sagen|brauchen|benotigen|brauche|benotige|bestatigen|wie lautet|eingeben|gib|sag|schick|nenn)",
        r"|(?:envoyez|donnez|indiquez|communiquez|fournissez|saisissez|entrez|confirmez|quel est|donne|envoie)",
        r"|(?:envie|envienos|indique|proporcione|diganos|digame|facilite|introduzca|confirme|cual es|dime|mandame)",
        r"|(?:inserisca|invii|fornisca|comunichi|indichi|confermi|mi dia|ci dia|qual e|dimmi|inviami)",
        r"|(?:informe|forneca|digite|insira|diga|confirme|qual e)",
        r"|(?:stuur|geef|vul|noem|bevestig|deel|wat is|vertel))\b[^.!?\n]{0,70}?\b",
        secret!(),
        r"|\b",
        secret!(),
        r"[^.!?\n]{0,40}?\b(?:eingeben|nennen|senden|mitteilen|angeben|schicken|bestatigen|opgeven|sturen|invoeren|delen|please)\b",
    ))
});
static WARNS: Pattern = LazyLock::new(|| {
    compile(
        r"(?:\bnever|\bnot|n't|\bnie|\bnicht|\bkeine?n?|\bjamais|\bpas|\bnunca|\bno|\bmai|\bnon|\bnao|\bnooit|\bniet|\bgeen|\bwithout)\b",
    )
});
static OURS: Pattern =
    LazyLock::new(|| compile(r"\b(?:i|we|i'll|we'll|will|can|ich|wir|shall|a link|to)\s*$"));
static HARMLESS: Pattern = LazyLock::new(|| {
    compile(r"\b(?:link|reset|gift card|forgot(?:ten)?|new password|neues passwort|nouveau mot de passe)\b")
});

/// It never asks for a card number, a password, a PIN or a code, and shows no card number.
pub(super) fn secrets(sight: &Sight<'_>) -> Option<Violation> {
    if let Some(card) = card_number(&sight.plain) {
        return Some(violation(
            "secrets",
            &format!("a card number of {} digits", card.len()),
            Severity::Block,
        ));
    }
    let text = &sight.plain;
    for (start, end) in places(&ASKS_SECRET, text) {
        let Some(found) = text.get(start..end) else { continue };
        let before = clause_before(text, start);
        let warned = first(&WARNS, before).is_some() || first(&WARNS, found).is_some();
        let harmless =
            first(&HARMLESS, found).is_some() || (first(&OURS, before).is_some() && !wants_it(found));
        if !warned && !harmless && !sight.quoted(found) {
            return Some(violation("secrets", found, Severity::Block));
        }
    }
    None
}

/// `I need your PIN` asks even though it is said of ourselves.
fn wants_it(found: &str) -> bool {
    ["need", "want", "require", "brauche", "benotige", "have your"].iter().any(|verb| found.starts_with(verb))
}

/// The part of the sentence before `at`.
pub(super) fn clause_before(text: &str, at: usize) -> &str {
    let head = text.get(..at).unwrap_or_default();
    let from = head.rfind(['.', '!', '?', '\n', ';', ':']).map_or(0, |end| end + 1);
    head.get(from..).unwrap_or_default()
}

static CARD: Pattern = LazyLock::new(|| compile(r"\b\d(?:[ -]?\d){12,18}\b"));

fn card_number(text: &str) -> Option<String> {
    places(&CARD, text).into_iter().find_map(|(start, end)| {
        let digits: String = text.get(start..end)?.chars().filter(char::is_ascii_digit).collect();
        luhn(&digits).then_some(digits)
    })
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10) && sum > 0
}

/// Every pattern of this file.
#[cfg(test)]
pub(super) fn patterns() -> Vec<&'static Pattern> {
    vec![&INTERNALS, &ASKS_SECRET, &WARNS, &OURS, &HARMLESS, &CARD]
}
