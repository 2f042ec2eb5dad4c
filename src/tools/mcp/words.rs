//! Words of a server, made fit for a model, a log or a person: bounded, on one line, without control characters.

/// Longest name of a tool that a model may call.
const NAME_CHARS_MAX: usize = 64;

/// At most `chars_max` characters of a text; white space and control characters become single spaces. Characters that
/// change the direction of writing, or that nobody sees, are left out: they make a text look like another.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let mut cleaned = String::new();
    let mut space = false;
    let mut count = 0;
    for c in text.chars().filter(|c| !unseen(*c)) {
        if c.is_whitespace() || c.is_control() {
            space = count > 0;
            continue;
        }
        if count + usize::from(space) >= chars_max {
            break;
        }
        if std::mem::take(&mut space) {
            cleaned.push(' ');
            count += 1;
        }
        cleaned.push(c);
        count += 1;
    }
    cleaned
}

/// Zero-width characters, marks of direction, tags and private characters.
fn unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// The name under which a tool of a server is called: `<server>_<tool>`, in the characters that every model takes.
pub(super) fn tool_name(server: &str, tool: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    format!("{server}_{tool}").chars().map(fit).take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_lose_what_nobody_should_see() {
        for (said, read) in [
            ("Status of\r\n one\torder. ", "Status of one order."),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("pay\u{202e}dnufer\u{200b}!", "paydnufer!"),
            ("\u{e0041}hidden", "hidden"),
            ("", ""),
        ] {
            assert_eq!(clean(said, 100), read);
        }
        assert_eq!(clean("one two three", 7), "one two");
        assert_eq!(clean("one two three", 4), "one");
    }

    proptest! {
        #[test]
        fn cleaned_words_keep_their_bound(text in any::<String>(), most in 0_usize..40) {
            let cleaned = clean(&text, most);
            prop_assert!(cleaned.chars().count() <= most);
            prop_assert!(!cleaned.chars().any(char::is_control));
            prop_assert_eq!(clean(&cleaned, most), cleaned);
        }

        #[test]
        fn names_of_tools_are_what_models_take(tool in any::<String>()) {
            let name = tool_name("shop", &tool);
            prop_assert!(name.starts_with("shop_") && name.len() <= 64);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        }
    }
}
