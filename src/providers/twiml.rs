//! Reads the TwiML that the service answers with, as far as a call needs it.

/// A verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Say(String),
    Gather { action: String, prompt: Vec<String> },
    Redirect(String),
    Dial { number: String, whisper: Option<String>, action: Option<String> },
    Hangup,
}

/// An element: its name, its attributes, its text and what is in it.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Deepest nesting that is read; TwiML has three levels.
const DEPTH_MAX: usize = 8;

/// The verbs in order; none where the text is no TwiML or holds a verb that is not known here.
pub(super) fn read(xml: &str) -> Option<Vec<Verb>> {
    let xml = xml.trim();
    let body = match xml.strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>")?.1,
        None => xml,
    };
    let mut rest = body.trim();
    let response = element(&mut rest, DEPTH_MAX)?;
    if response.name != "Response" || !rest.trim().is_empty() {
        return None;
    }
    response.children.into_iter().map(verb).collect()
}

fn verb(element: Element) -> Option<Verb> {
    match element.name.as_str() {
        "Say" => Some(Verb::Say(element.text)),
        "Gather" => Some(Verb::Gather {
            action: element.attribute("action")?,
            prompt: element.children.into_iter().map(|say| say.text).collect(),
        }),
        "Redirect" => Some(Verb::Redirect(element.text)),
        "Dial" => {
            let number = element.children.first()?;
            Some(Verb::Dial {
                number: number.text.clone(),
                whisper: number.attribute("url"),
                action: element.attribute("action"),
            })
        }
        "Hangup" => Some(Verb::Hangup),
        _ => None,
    }
}

/// Reads one element from the beginning of `rest`.
fn element(rest: &mut &str, depth: usize) -> Option<Element> {
    let depth = depth.checked_sub(1)?;
    let (tag, after) = rest.strip_prefix('<')?.split_once('>')?;
    *rest = after;
    let (tag, empty) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let (name, written) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut found = Element { name: name.to_owned(), attributes: attributes(written)?, ..Element::default() };
    if empty {
        return Some(found);
    }
    loop {
        let (text, _) = rest.split_at(rest.find('<')?);
        found.text.push_str(&plain(text));
        *rest = rest.strip_prefix(text)?;
        if let Some(closed) = rest.strip_prefix("</") {
            let (closing, after) = closed.split_once('>')?;
            *rest = after;
            return (closing == found.name).then_some(found);
        }
        found.children.push(element(rest, depth)?);
    }
}

fn attributes(written: &str) -> Option<Vec<(String, String)>> {
    let (mut rest, mut found) = (written.trim(), Vec::new());
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = value.split_once('"')?;
        found.push((name.to_owned(), plain(value)));
        rest = after.trim_start();
    }
    Some(found)
}

/// A text without the five entities of XML.
fn plain(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, mark)| text.replace(entity, mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channels::voice::twiml::Twiml;

    #[test]
    fn what_the_service_writes_is_read_back() {
        let hostile = "</Say> & \"x\" &lt; 'y'".to_owned();
        let written = Twiml::new("en-US")
            .say(std::slice::from_ref(&hostile))
            .listen(&["Yes?".to_owned()], "https://a.example/t?a=1&b=2", 5)
            .answer();
        let gather = Verb::Gather {
            action: "https://a.example/t?a=1&b=2".to_owned(),
            prompt: vec!["Yes?".to_owned()],
        };
        assert_eq!(read(&written.body), Some(vec![Verb::Say(hostile), gather]));
        let written =
            Twiml::new("en-US").transfer("+1415", "https://a.example/w", "https://a.example/d").answer();
        let dial = Verb::Dial {
            number: "+1415".to_owned(),
            whisper: Some("https://a.example/w".to_owned()),
            action: Some("https://a.example/d".to_owned()),
        };
        assert_eq!(read(&written.body), Some(vec![dial]));
        assert_eq!(read("<Response/>"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_twiml_is_refused() {
        for text in
            ["", "<Response>", "<Response><Say>x</Response>", "<Response><Play/></Response>", "{}", "<a/>"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"<Response>".repeat(10_000)), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            _ = read(&format!("<Response>{text}</Response>"));
        }
    }
}
