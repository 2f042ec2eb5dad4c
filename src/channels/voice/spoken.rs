//! What is spelt out on the phone, put together: ids letter by letter, and addresses with "at" and "dot".

/// Fewest digits that are taken for a spelt id.
const SPELT_DIGITS_MIN: usize = 3;
/// What the stroke in an id is called, as we say it ourselves and otherwise.
const STROKES: [&str; 9] =
    ["dash", "hyphen", "minus", "strich", "tiret", "guion", "trattino", "traço", "streepje"];
/// What the sign in an address is called.
const AT: [&str; 9] =
    ["at", "ät", "@", "arroba", "arobase", "chiocciola", "apenstaartje", "klammeraffe", "apestaart"];
/// What the point in an address is called.
const DOTS: [&str; 7] = ["dot", "punkt", "point", "punto", "ponto", "punt", "."];
/// What the low line is called, where it is one word.
const LOW_LINES: [&str; 3] = ["underscore", "unterstrich", "underline"];

/// Spelt ids and addresses put together: "H P dash 1 0 0 4 2" to "HP-10042", "tom dot becker at mail dot example" to
/// "tom.becker@mail.example". Everything else stays as it was heard.
pub(super) fn joined(text: &str) -> String {
    let addresses = with_addresses(text);
    let mut words: Vec<String> = Vec::new();
    let mut spelt: Vec<&str> = Vec::new();
    for word in addresses.split(' ') {
        let single = word.len() == 1 && word.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        let stroke = !spelt.is_empty() && STROKES.contains(&word.to_lowercase().as_str());
        if single || stroke {
            spelt.push(word);
        } else {
            words.extend(put_together(&std::mem::take(&mut spelt)));
            words.push(word.to_owned());
        }
    }
    words.extend(put_together(&spelt));
    words.join(" ")
}

fn put_together(spelt: &[&str]) -> Vec<String> {
    let digits = spelt.iter().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).count();
    let ends_in_one = spelt.last().is_some_and(|word| word.len() == 1);
    if digits < SPELT_DIGITS_MIN || !ends_in_one {
        return spelt.iter().map(|word| (*word).to_owned()).collect();
    }
    vec![spelt.iter().map(|word| if word.len() == 1 { *word } else { "-" }).collect()]
}

/// A word of an address as it is written.
fn sign(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let named = |names: &[&str]| names.contains(&word.as_str());
    if named(&DOTS) {
        Some(".")
    } else if named(&STROKES) {
        Some("-")
    } else if named(&LOW_LINES) {
        Some("_")
    } else {
        None
    }
}

/// Whether a word can be a piece of an address.
fn is_piece(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
        && word.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// Every "… at … dot …" as one word.
fn with_addresses(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut written: Vec<String> = Vec::new();
    // How many of the words have been written or put into an address.
    let mut done = 0;
    for (at, word) in words.iter().enumerate() {
        if at < done || !AT.contains(&word.to_lowercase().as_str()) {
            continue;
        }
        let (before, after) =
            (words.get(done..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default());
        let (name, host) = (name_length(before), host_length(after));
        if name == 0 || host == 0 {
            continue;
        }
        let (rest, name) = before.split_at(before.len() - name);
        written.extend(rest.iter().map(|word| (*word).to_owned()));
        let host = after.get(..host).unwrap_or_default();
        written.push(format!("{}@{}", together(name), together(host)));
        done = at + 1 + host.len();
    }
    written.extend(words.iter().skip(done).map(|word| (*word).to_owned()));
    written.join(" ")
}

fn together(words: &[&str]) -> String {
    let pieces = words.iter().map(|word| sign(word).map_or_else(|| word.to_lowercase(), str::to_owned));
    pieces.collect::<String>().trim_end_matches(['.', ',']).to_owned()
}

/// How many of the last words are the name before the sign: pieces joined by signs, letters that are spelt.
fn name_length(words: &[&str]) -> usize {
    let mut length = 0;
    let mut single = false;
    // Behind the next word (read from the end) stands the sign of the address, or one that joins it to what follows.
    let mut joined = true;
    for word in words.iter().rev() {
        if sign(word).is_some() && !joined {
            joined = true;
        } else if is_piece(word) && sign(word).is_none() && (joined || (single && word.len() == 1)) {
            (joined, single) = (false, word.len() == 1);
        } else {
            break;
        }
        length += 1;
    }
    // A sign has something before it.
    length - usize::from(joined && length > 0)
}

/// How many of the first words are the host after the sign: at least one dot, and no sign at the end.
fn host_length(words: &[&str]) -> usize {
    let (mut length, mut dotted, mut whole) = (0, false, 0);
    let mut single = false;
    let mut joined = true;
    for word in words {
        let bare = word.trim_end_matches(['.', ',', '?', '!']);
        if sign(word).is_some() && !joined {
            dotted |= sign(word) == Some(".");
            joined = true;
        } else if is_piece(bare) && sign(bare).is_none() && (joined || (single && bare.len() == 1)) {
            (joined, single) = (false, bare.len() == 1);
            dotted |= bare.contains('.');
        } else {
            break;
        }
        length += 1;
        if !joined && dotted {
            whole = length;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spelt_id_is_one_word_and_nothing_else_is_changed() {
        for (heard, read) in [
            ("it is H P dash 1 0 0 4 2 please", "it is HP-10042 please"),
            ("H P 1 0 0 4 2", "HP10042"),
            ("H P Strich 1 0 0 4 2", "HP-10042"),
            ("order 1 0 0 4 2", "order 10042"),
            ("I have 2 or 3 of them", "I have 2 or 3 of them"),
            ("I want A 4 paper", "I want A 4 paper"),
            ("1 2 3 dash", "1 2 3 dash"),
            ("a dash of salt", "a dash of salt"),
            ("  two  spaces", "  two  spaces"),
            ("", ""),
        ] {
            assert_eq!(joined(heard), read, "{heard}");
        }
    }

    #[test]
    fn a_spelt_address_is_one_word_and_a_place_is_none() {
        for (heard, read) in [
            ("it is mara dot lindqvist at mail dot example", "it is mara.lindqvist@mail.example"),
            ("Mara dot Lindqvist at mail.example, thank you", "mara.lindqvist@mail.example thank you"),
            ("tom underscore 2 at web dash mail dot example please", "tom_2@web-mail.example please"),
            ("m a r a at mail dot example", "mara@mail.example"),
            ("mara Punkt lindqvist ät mail Punkt example", "mara.lindqvist@mail.example"),
            ("mara punto lindqvist arroba mail punto example", "mara.lindqvist@mail.example"),
            ("H P dash 1 0 0 4 2 and mara at mail dot example", "HP-10042 and mara@mail.example"),
            ("I am at home", "I am at home"),
            ("at mail dot example", "at mail dot example"),
            ("meet me at five o'clock", "meet me at five o'clock"),
            ("mara at mail dot", "mara at mail dot"),
        ] {
            assert_eq!(joined(heard), read, "{heard}");
        }
    }

    proptest! {
        #[test]
        fn no_speech_is_too_strange(text in any::<String>()) {
            _ = joined(&text);
        }
    }
}
