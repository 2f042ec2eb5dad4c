//! TwiML: what Twilio is to say and do next. Whatever is said is escaped here and nowhere else.

use std::fmt::Write as _;

use super::super::WebhookAnswer;

/// How the languages of our phrases and some others are spoken where the operator names no other way, BCP 47.
#[rustfmt::skip]
const LOCALES: [(&str, &str); 22] = [
    ("en", "en-US"), ("de", "de-DE"), ("fr", "fr-FR"), ("es", "es-ES"), ("it", "it-IT"), ("pt", "pt-BR"),
    ("nl", "nl-NL"), ("ca", "ca-ES"), ("da", "da-DK"), ("fi", "fi-FI"), ("el", "el-GR"), ("hi", "hi-IN"),
    ("ja", "ja-JP"), ("ko", "ko-KR"), ("nb", "nb-NO"), ("no", "nb-NO"), ("pl", "pl-PL"), ("ro", "ro-RO"),
    ("ru", "ru-RU"), ("sv", "sv-SE"), ("tr", "tr-TR"), ("zh", "zh-CN"),
];

/// The tag under which `language` (ISO 639-1) is spoken and understood: the operator's own, else the usual one, else that
/// of English.
pub fn locale<'a>(language: &str, preferred: &'a [String]) -> &'a str {
    let of_language = |tag: &&String| tag.split('-').next() == Some(language);
    let known = || LOCALES.iter().find(|(code, _)| *code == language).map(|(_, tag)| *tag);
    preferred.iter().find(of_language).map(String::as_str).or_else(known).unwrap_or("en-US")
}

/// A text inside XML: markup is made harmless, and what XML 1.0 cannot hold is left out.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' | '\t' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

/// One answer to Twilio, verb by verb.
#[derive(Debug, Clone)]
pub struct Twiml<'a> {
    locale: &'a str,
    verbs: String,
}

impl<'a> Twiml<'a> {
    /// An answer that is spoken as `locale` says.
    pub fn new(locale: &'a str) -> Self {
        Self { locale, verbs: String::new() }
    }

    /// Says these texts, one after the other.
    #[must_use]
    pub fn say(mut self, texts: &[String]) -> Self {
        self.verbs.push_str(&said(self.locale, texts));
        self
    }

    /// Says these texts and listens for speech and keys, also while they are said; what was heard, or that nothing was,
    /// goes to `action`.
    #[must_use]
    pub fn listen(mut self, texts: &[String], action: &str, timeout_seconds: u32) -> Self {
        // Writing to a string cannot fail.
        _ = write!(
            self.verbs,
            "<Gather input=\"speech dtmf\" method=\"POST\" action=\"{}\" language=\"{}\" speechTimeout=\"auto\" timeout=\"{timeout_seconds}\" actionOnEmptyResult=\"true\">{}</Gather>",
            escaped(action),
            escaped(self.locale),
            said(self.locale, texts),
        );
        self
    }

    /// Goes on at `url`.
    #[must_use]
    pub fn go_on(mut self, url: &str) -> Self {
        _ = write!(self.verbs, "<Redirect method=\"POST\">{}</Redirect>", escaped(url));
        self
    }

    /// Calls `number` and connects it once the words at `whisper` were said there; how that ended goes to `action`.
    #[must_use]
    pub fn transfer(mut self, number: &str, whisper: &str, action: &str) -> Self {
        _ = write!(
            self.verbs,
            "<Dial method=\"POST\" action=\"{}\"><Number method=\"POST\" url=\"{}\">{}</Number></Dial>",
            escaped(action),
            escaped(whisper),
            escaped(number),
        );
        self
    }

    /// Ends the call.
    #[must_use]
    pub fn hang_up(mut self) -> Self {
        self.verbs.push_str("<Hangup/>");
        self
    }

    /// The answer.
    pub fn answer(self) -> WebhookAnswer {
        WebhookAnswer::xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{}</Response>",
            self.verbs
        ))
    }
}

fn said(locale: &str, texts: &[String]) -> String {
    let say = |text: &String| format!("<Say language=\"{}\">{}</Say>", escaped(locale), escaped(text));
    texts.iter().filter(|text| !text.trim().is_empty()).map(say).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_words_stay_words() {
        let hostile = "</Say><Dial>+1900</Dial> & \"x\" 'y' ]]>\u{0}\u{8}\u{ffff}\u{1b}\n<!--";
        assert_eq!(
            escaped(hostile),
            "&lt;/Say&gt;&lt;Dial&gt;+1900&lt;/Dial&gt; &amp; &quot;x&quot; &apos;y&apos; ]]&gt; &lt;!--"
        );
        let answer = Twiml::new("en-US").say(&[hostile.to_owned()]).hang_up().answer();
        assert_eq!(answer.body.matches("<Dial>").count(), 0, "{}", answer.body);
    }

    #[test]
    fn an_answer_says_listens_transfers_and_ends() {
        let answer = Twiml::new("de-DE")
            .listen(&["Grüß Gott".to_owned(), " ".to_owned()], "https://a.example/x?a=1&b=2", 5)
            .transfer("+14155550100", "https://a.example/w?c=1&d=2", "https://a.example/d")
            .answer();
        insta::assert_snapshot!(answer.body, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Gather input="speech dtmf" method="POST" action="https://a.example/x?a=1&amp;b=2" language="de-DE" speechTimeout="auto" timeout="5" actionOnEmptyResult="true"><Say language="de-DE">Grüß Gott</Say></Gather><Dial method="POST" action="https://a.example/d"><Number method="POST" url="https://a.example/w?c=1&amp;d=2">+14155550100</Number></Dial></Response>"#);
    }

    #[test]
    fn a_language_is_spoken_as_the_operator_says_else_as_usual() {
        let preferred = ["en-GB".to_owned(), "pt-PT".to_owned()];
        assert_eq!(locale("en", &preferred), "en-GB");
        assert_eq!(locale("pt", &preferred), "pt-PT");
        assert_eq!(locale("nl", &preferred), "nl-NL");
        assert_eq!(locale("xx", &[]), "en-US");
        for language in crate::templates::LANGUAGES {
            assert!(LOCALES.iter().any(|(code, _)| *code == language), "{language}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leaves_markup_behind(text in any::<String>()) {
            prop_assert!(!escaped(&text).contains(['<', '>', '"', '\'', '\0']));
        }
    }
}
