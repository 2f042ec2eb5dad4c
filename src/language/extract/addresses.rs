//! Postal addresses, in the two orders people write them: number before street, and street before number.

use std::sync::LazyLock;

use regex::Regex;

use super::{own, read};

/// A number, up to three words of a name and a word for a street, or such a word and a name; then what follows.
static NUMBER_FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(
        r"(?i)(?:^|[\s:(])(?P<address>\d{1,6}[a-z]?(?:\s?(?:bis|ter))?,?\s+(?:(?:[^\W\d_][\w.'’-]*\s+){1,3}?(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way|court|ct|place|pl|square|sq|terrace|highway|hwy|parkway|pkwy|close|crescent|circle|cir|row|hill|gardens|grove|trail|mews|walk|quay)|broadway|(?:rue|avenue|av|boulevard|bd|chemin|allée|quai|cours|impasse|place|route)\s+[^\W\d_][\w.'’-]*)\b[^\n,;!?]{0,60}(?:,\s*[^\n,;!?]{2,60}){0,4}(?:\n[^\n;!?]{0,60}?\b\d{4,5}\b(?:[ ][^\W\d_][^\n,;!?]{1,30})?)?)",
    )
});

/// A name of a street with its number, then a postcode and a town.
static STREET_FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(
        r"(?i)(?:^|[\s:(])(?P<address>(?:(?-i:\p{Lu})[\p{L}.'’-]*(?:\s(?:de|la|del|della|di|da|do|dos|das|des|du|der|den|dem|van|von|\d{1,2}\.|(?-i:\p{Lu})[\p{L}.'’-]*)){0,5}|[\p{L}.-]*(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|straat|laan|plein|gracht|kade)|(?:calle|via|viale|rua|avenida|avenue|piazza|plaza|corso|rue|praça)(?:\s\p{L}+){1,4}),?\s(?:n[°º.]\s?)?\d{1,4}\s?[a-z]?(?:[/-]\d{1,3})?(?:,\s*[^\n,;!?]{1,15})?(?:,\s*|\s+)(?:(?-i:[A-Z]{1,2})-)?\d{4,5}(?:-\d{3})?(?:\s(?-i:[A-Z]{2})\b)?\s+\p{L}[\p{L}.'’-]*(?:\s(?:(?:am|an der|im|de|la|den|o|sur|del|di)\s)?(?-i:\p{Lu})[\p{L}.'’-]*){0,3}(?:,\s*(?:germany|deutschland|france|italia|italy|españa|spain|portugal|nederland|(?:the )?netherlands|österreich|austria|schweiz|switzerland|suisse|belgique|belgië|belgium))?)",
    )
});

/// First words after a number that make it a count or a time: "30 minutes drive", "2 way radios".
const COUNTED: [&str; 26] = [
    "day", "days", "week", "weeks", "month", "months", "hour", "hours", "minute", "minutes", "year", "years",
    "mile", "miles", "km", "way", "x", "items", "orders", "pairs", "pieces", "of", "times", "more", "people",
    "person",
];

/// Words that no name of a street holds.
const NO_NAME: [&str; 14] =
    ["for", "the", "to", "in", "on", "with", "my", "is", "was", "are", "and", "or", "from", "by"];

/// Words with which something else begins.
const ENDS: [&str; 24] = [
    "instead", "please", "pls", "thanks", "thank", "and", "because", "not", "by", "but", "where", "can", "i",
    "its", "it", "asap", "bitte", "danke", "und", "svp", "merci", "gracias", "grazie", "since",
];

/// Words that stand before a street without being part of its name.
const LEADS: [&str; 22] = [
    "bitte",
    "an",
    "nach",
    "neu",
    "neue",
    "adresse",
    "lieferadresse",
    "address",
    "please",
    "to",
    "send",
    "ship",
    "svp",
    "à",
    "a",
    "jetzt",
    "in",
    "at",
    "enviar",
    "por",
    "favor",
    "die",
];

/// The postal address in a text: a house number and a street, with the town where it is given.
pub fn address(text: &str) -> Option<String> {
    let text = read(text);
    let street_first = STREET_FIRST.iter().flat_map(|form| form.captures_iter(&text));
    let named =
        street_first.filter_map(|parts| Some(without_leads(parts.name("address")?.as_str()).to_owned()));
    let number_first = NUMBER_FIRST.iter().flat_map(|form| form.captures_iter(&text));
    let numbered = number_first.filter_map(|parts| {
        let address = parts.name("address")?.as_str();
        is_named(address).then(|| cut(address))
    });
    let mut found = numbered.chain(named).map(|address| address.trim_end_matches(['.', ',', ' ']).to_owned());
    found.find(|address| address.split_whitespace().count() >= 3)
}

/// Whether what follows the number can be the name of a street.
fn is_named(address: &str) -> bool {
    let first_part = address.split([',', '\n']).next().unwrap_or_default().to_lowercase();
    let mut words = first_part.split_whitespace().skip(1);
    let first = words.next().unwrap_or_default();
    !COUNTED.contains(&first)
        && !NO_NAME.contains(&first)
        && words.take(2).all(|word| !matches!(word, "for" | "the" | "my" | "is" | "was" | "are" | "with"))
}

/// The address up to the word with which something else begins.
fn cut(address: &str) -> String {
    let mut end = address.len();
    let mut at = 0;
    for word in address.split_inclusive([' ', '\n']) {
        let bare = word.trim().trim_matches([',', '.', '(', ')']).to_lowercase().replace(['\'', '’'], "");
        if at > 0 && ENDS.contains(&bare.as_str()) {
            end = at;
            break;
        }
        at += word.len();
    }
    address.get(..end).unwrap_or_default().trim().to_owned()
}

fn without_leads(address: &str) -> &str {
    let mut rest = address;
    while let Some((word, after)) = rest.split_once(' ')
        && LEADS.contains(&word.to_lowercase().as_str())
    {
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(NUMBER_FIRST.is_some() && STREET_FIRST.is_some());
    }

    #[test]
    fn addresses_are_found_in_the_forms_of_several_countries() {
        for (text, found) in [
            ("please ship it to 27 Monroe Street, Madison, WI 53711", "27 Monroe Street, Madison, WI 53711"),
            (
                "please ship my order to a different address, 22 Lake Street, Duluth, MN 55802",
                "22 Lake Street, Duluth, MN 55802",
            ),
            ("9 Oak Ave", "9 Oak Ave"),
            ("my new address is 9 oak ave, madison, wi 53711, thanks", "9 oak ave, madison, wi 53711"),
            ("27 Monroe Street please", "27 Monroe Street"),
            ("send it to 221b Baker Street, London NW1 6XE and call me", "221b Baker Street, London NW1 6XE"),
            ("ship to\n27 Monroe Street\nMadison, WI 53711", "27 Monroe Street\nMadison, WI 53711"),
            ("12 rue de Rivoli, 75001 Paris", "12 rue de Rivoli, 75001 Paris"),
            ("Hauptstraße 5, 10115 Berlin", "Hauptstraße 5, 10115 Berlin"),
            ("bitte an die Hauptstraße 5, 10115 Berlin schicken", "Hauptstraße 5, 10115 Berlin"),
            ("Bitte Hauptstr. 5a 10115 Berlin", "Hauptstr. 5a 10115 Berlin"),
            ("neue adresse: hauptstraße 5, 10115 berlin", "hauptstraße 5, 10115 berlin"),
            (
                "Am Markt 3, 60311 Frankfurt am Main, Deutschland",
                "Am Markt 3, 60311 Frankfurt am Main, Deutschland",
            ),
            ("Straße des 17. Juni 135, 10623 Berlin", "Straße des 17. Juni 135, 10623 Berlin"),
            ("Calle Mayor 5, 3º B, 28013 Madrid", "Calle Mayor 5, 3º B, 28013 Madrid"),
            ("spedite a Via Roma 12, 00184 Roma", "Via Roma 12, 00184 Roma"),
            ("Kerkstraat 12, 1017 AB Amsterdam", "Kerkstraat 12, 1017 AB Amsterdam"),
            ("Rua Augusta 100, 1100-053 Lisboa", "Rua Augusta 100, 1100-053 Lisboa"),
        ] {
            assert_eq!(address(text).as_deref(), Some(found), "{text}");
        }
    }

    #[test]
    fn counts_times_and_ids_are_no_address() {
        for text in [
            "3 weeks late, where is it",
            "2 tents, one arrived broken",
            "30 minutes drive, is that ok",
            "2 way radios, one broken",
            "i want to 2",
            "where is my order",
            "HP-10042, where is it",
            "at 10 i was at my place",
            "5 days, 10115 people",
            "i paid $40 for a street map",
            "Order 10042, 10043 please",
            "on 3 December, 2026 it said",
            "",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
