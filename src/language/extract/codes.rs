//! One-time codes, PINs and card security codes: masked before anything is stored, like card numbers.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::own;

/// What stands in place of a code.
const MASK: &str = "••••";

/// Names that only secrets have.
const SECRET: &str = r"(?:otp|one[ -]?time (?:pass ?)?(?:code|password|pin|word)|pass ?code|(?:verification|security|login|log[ -]in|sign[ -]?in|access|auth|authentication|authorization|two[ -]factor|sms|text) (?:code|number|pin)|sms-code|2fa(?: code)?|(?:my|the|card) pin(?: code| number)?|pin(?: code)? (?:is|:|=)|(?-i:TAN)|cvv2?|cvc2?|(?:bestätigungs|einmal|sicherheits|verifizierungs|anmelde)code|einmalpasswort|code de (?:vérification|sécurité|confirmation|connexion)|code à usage unique|código de (?:verificación|seguridad|confirmación|acceso|verificação|segurança|confirmação|acesso)|codice di (?:verifica|sicurezza|conferma|accesso)|(?:verificatie|bevestigings|beveiligings|inlog)code|eenmalige code)";

/// Names that other codes have as well.
const PLAIN: &str = "(?:code|código|codigo|codice)";

/// Four to eight digits in the groups people copy them in, three for the codes on cards.
const DIGITS: &str = r"(?P<code>\d{2}(?:[ -]\d{2}){2}|\d{3,4}[ -]\d{3,4}|\d(?:[ -]\d){3,7}|\d{3,8})";

/// Words that lead from a name to its code.
const LEADS: &str = r"(?:is|was|are|says|ist|war|lautet|est|était|es|era|è|é|foi|=|:)";

/// Up to so many words may stand between a name and the word that leads to its code: "the code you sent me by text: …".
/// A comma, an end of a sentence or the name of another number ends it.
static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let word = r"(?:[^\s,.;!?\d:=]+)";
    [
        format!(r"(?i)\b(?P<name>{SECRET}|{PLAIN})(?P<between>(?:\s+{word}){{0,8}}?)\s*{LEADS}\s*(?:now |it )?{LEADS}?\s*#?{DIGITS}"),
        format!(r"(?i)\b(?P<name>{SECRET}|{PLAIN})(?P<between>)\s*[-,#(]?\s*{DIGITS}"),
        format!(r"(?i)(?:^|[\s(:]){DIGITS}\)?,?\s+{LEADS}\s+(?P<between>(?:{word}\s+){{0,3}}?)(?P<name>{SECRET}|{PLAIN})\b"),
    ]
    .iter()
    .filter_map(|form| own(form))
    .collect()
});

/// Words right before "code" that name a code of another kind.
const OTHER_KINDS: &str = "zip|postal|post|area|country|error|fault|product|item|model|article|qr|bar|dial|style|colour|color|size|order|\
    reference|booking|tracking|customer|discount|promo|promotional|voucher|coupon|gift|referral|store|tax|dress|source|status";

/// Words anywhere in the sentence that make a code a discount, or a number of a place.
const DISCOUNTS: &str = "discount|promo|promotion|promotional|voucher|coupon|gift|referral|off|checkout|basket|cart|rabatt|rabattcode|\
    gutschein|gutscheincode|aktionscode|réduction|promotionnel|remise|bon|descuento|cupón|promocional|sconto|buono|\
    promozionale|desconto|cupom|korting|kortingscode|actiecode|postal|postale|fiscale|fiscal|percent|prozent";

/// Names of other numbers: what follows them is theirs.
const OTHER_NUMBERS: &str = "order|number|bestellung|bestellnummer|nummer|commande|numéro|pedido|número|ordine|numero|encomenda|bestelling|\
    phone|telephone|tracking|zip|total|amount|price|year|invoice|street";

/// Six digits that stand alone, together or in groups.
static SIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(r"(?:^|[^\w.,+-])(?P<code>\d{6}|\d{3}[ -]\d{3}|\d{2}(?:[ -]\d{2}){2}|\d(?: \d){5})(?:$|[^\w-])")
});

/// The six digits in a text, where there are some and no others: what somebody types who was asked for a code.
pub fn six_digits(text: &str) -> Option<String> {
    let mut found =
        SIX.iter().flat_map(|form| form.captures_iter(text)).filter_map(|parts| parts.name("code"));
    let (first, more) = (found.next()?, found.next());
    more.is_none().then(|| first.as_str().chars().filter(char::is_ascii_digit).collect())
}

/// The text without its six digits.
pub fn mask_six_digits(text: &str) -> Cow<'_, str> {
    match SIX.iter().flat_map(|form| form.captures_iter(text)).find_map(|parts| parts.name("code")) {
        None => Cow::Borrowed(text),
        Some(code) => {
            let (before, after) = (text.get(..code.start()), text.get(code.end()..));
            let rest = mask_six_digits(after.unwrap_or_default());
            Cow::Owned(format!("{}{MASK}{rest}", before.unwrap_or_default()))
        }
    }
}

/// Whether a code was taken out of the text.
pub fn is_masked(text: &str) -> bool {
    text.contains(MASK)
}

/// The text with every one-time code as `••••`. Bare digits are nobody's code until a word says so; discount codes, order
/// numbers, postcodes and amounts stay.
pub(super) fn mask_codes(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_numeric) {
        return Cow::Borrowed(text);
    }
    let mut places: Vec<(usize, usize)> = Vec::new();
    for parts in FORMS.iter().flat_map(|form| form.captures_iter(text)) {
        let (Some(code), Some(name)) = (parts.name("code"), parts.name("name")) else { continue };
        let between = parts.name("between").map_or("", |found| found.as_str());
        if stands_alone(text, code.start(), code.end())
            && !holds(between, OTHER_NUMBERS)
            && is_secret(text, (name.start(), name.end()), code.as_str())
        {
            places.push((code.start(), code.end()));
        }
    }
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_unstable();
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for (start, end) in places.into_iter().filter(|(start, end)| start < end) {
        if start >= copied {
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(MASK);
        }
        copied = copied.max(end);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Whether the digits are no part of an amount, an id, a day or a longer number.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|head| head.chars().next_back());
    let mut rest = text.get(end..).unwrap_or_default().chars();
    let (next, after) = (rest.next(), rest.next());
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '%' | '€' | '$' | '£' | '/' | '_' | '@');
    let digit = |c: Option<char>| c.is_some_and(char::is_numeric);
    let goes_on = match next {
        Some(' ' | '-' | '.' | ',' | ':') => digit(after) || matches!(after, Some('%' | '€' | '$' | '£')),
        Some(c) => joined(c),
        None => false,
    };
    !goes_on
        && !before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '$' | '€' | '£' | '.' | '/' | '•'))
}

/// Whether what is called so, in this sentence, is a secret.
fn is_secret(text: &str, name: (usize, usize), code: &str) -> bool {
    let digits = code.chars().filter(|c| c.is_numeric()).count();
    let named = text.get(name.0..name.1).unwrap_or_default().to_lowercase();
    let card = ["cvv", "cvc", "security", "sécurité", "sicherheit", "seguridad", "sicurezza", "segurança"];
    if digits < CODE_DIGITS_MIN {
        return card.iter().any(|word| named.contains(word));
    }
    if !PLAIN.contains(&named) {
        return true;
    }
    let before = text.get(..name.0).unwrap_or_default();
    let last = before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    let touches = before.ends_with(|c: char| c.is_alphanumeric() || c == '-');
    let sentence_end = |c: char| matches!(c, '.' | '!' | '?' | '\n');
    let head = before.rsplit(sentence_end).next().unwrap_or_default();
    let tail = text.get(name.1..).unwrap_or_default().split(sentence_end).next().unwrap_or_default();
    let kind = OTHER_KINDS.split('|').any(|kind| kind == last.trim_end_matches([',', ':']));
    !kind && !touches && ![head, tail].iter().any(|part| part.contains('%') || holds(part, DISCOUNTS))
}

/// Codes of one use have at least so many digits.
const CODE_DIGITS_MIN: usize = 4;

fn holds(part: &str, words: &str) -> bool {
    let plain = crate::language::plain(part);
    plain.split(' ').any(|word| words.split('|').any(|known| known == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(FORMS.len(), 3);
    }

    #[test]
    fn one_time_codes_are_masked_however_they_are_named() {
        for (text, masked) in [
            ("my code is 482913", "my code is ••••"),
            ("My code is: 482913.", "My code is: ••••."),
            ("the code you sent: 48 29 13", "the code you sent: ••••"),
            ("the code you sent me by text is 482-913, ok?", "the code you sent me by text is ••••, ok?"),
            ("code 482913", "code ••••"),
            ("code: 4 8 2 9 1 3", "code: ••••"),
            ("482913 is the code", "•••• is the code"),
            ("482 913 is my verification code", "•••• is my verification code"),
            ("verification code 482913", "verification code ••••"),
            ("otp 4829", "otp ••••"),
            ("here is the one-time code: 48291357", "here is the one-time code: ••••"),
            ("my pin is 4829", "my pin is ••••"),
            ("cvv 123", "cvv ••••"),
            ("the security code is 123", "the security code is ••••"),
            (
                "i cannot sign in to see my order, the code is 482913",
                "i cannot sign in to see my order, the code is ••••",
            ),
            ("code 482913 and order HP-10042", "code •••• and order HP-10042"),
            ("mein Code ist 482913", "mein Code ist ••••"),
            ("der Bestätigungscode lautet 482913", "der Bestätigungscode lautet ••••"),
            ("le code que vous avez envoyé : 48 29 13", "le code que vous avez envoyé : ••••"),
            ("mi código es 482913", "mi código es ••••"),
            ("il codice è 482913", "il codice è ••••"),
            ("o código é 482913", "o código é ••••"),
            ("mijn code is 482913", "mijn code is ••••"),
            ("code is ４８２９１３", "code is ••••"),
            ("code 482913, code 591204", "code ••••, code ••••"),
        ] {
            assert_eq!(mask_codes(text), masked, "{text}");
            assert_eq!(mask_codes(masked), masked, "{masked}");
        }
    }

    #[test]
    fn six_digits_that_stand_alone_are_found_and_taken_out() {
        for (text, code, masked) in [
            ("482913", "482913", "••••"),
            ("48 29 13", "482913", "••••"),
            ("482-913", "482913", "••••"),
            ("4 8 2 9 1 3", "482913", "••••"),
            ("it says 482 913.", "482913", "it says ••••."),
            ("my code is 482913, thanks", "482913", "my code is ••••, thanks"),
        ] {
            assert_eq!(six_digits(text).as_deref(), Some(code), "{text}");
            assert_eq!(mask_six_digits(text), masked);
        }
        for text in ["", "48291", "4829130", "HP-482913", "482913-1", "1,482913", "a482913", "+482913"] {
            assert_eq!(six_digits(text), None, "{text}");
            assert_eq!(mask_six_digits(text), text);
        }
        assert_eq!(six_digits("482913 or 482914"), None, "one try at a time");
        assert_eq!(mask_six_digits("482913 or 482914"), "•••• or ••••");
    }

    #[test]
    fn other_codes_and_numbers_stay() {
        for text in [
            "482913",
            "48 29 13",
            "HP-10042",
            "order 10042",
            "my discount code 123456 does not work",
            "the code 123456 gives no discount",
            "code 2025 for 10% off is not accepted at checkout",
            "my discount code SUMMER10 does not work",
            "the code SUMMER10 is not accepted",
            "mein Gutscheincode 123456 geht nicht",
            "mon code promo 123456 ne marche pas",
            "my zip code is 53711",
            "code postal 75001",
            "código postal: 28013",
            "error code 4012",
            "the order code is 10042",
            "the code does not work, my order number is 10042",
            "the code does not work and my order number is 10042",
            "the code for HP-10042 never came",
            "code: HP-10042",
            "the code is 10.50",
            "the code is $1050",
            "the code is +1 555 010 0142",
            "code 555 010 0142",
            "i paid 4829 for the code",
            "where is my order",
            "the code came 20.11.2026",
            "",
        ] {
            assert_eq!(mask_codes(text), text);
        }
    }
}
