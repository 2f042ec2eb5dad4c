//! Strict JSON from outside: every refusal names the field and says what to do.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Longest text for people to read that is no message, in characters.
pub const HINT_CHARS_MAX: usize = 200;
/// Longest text in a list of ids, in characters.
const LABELS_CHARS_MAX: usize = 500;

/// What is wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct BadInput {
    /// Path of the field; `body` for the whole.
    pub field: String,
    /// What is wrong and what to do, completing a sentence that begins with the field.
    pub problem: String,
}

impl BadInput {
    /// A problem of `field`.
    pub fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into() }
    }
}

/// Reads a JSON value; refuses duplicate keys, depth above `depth_max`, NUL and lone surrogates.
pub fn parse(body: &[u8], depth_max: usize) -> Result<Value, BadInput> {
    let text = std::str::from_utf8(body).map_err(|error| {
        BadInput::new("body", format!("is not UTF-8 from byte {}; send JSON as UTF-8", error.valid_up_to()))
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: depth_max }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| {
            let error = error.to_string();
            let surrogate = if error.contains("hex escape") {
                "; a \\u escape is half of a surrogate pair, send both"
            } else {
                ""
            };
            BadInput::new("body", format!("is not the JSON expected here: {error}{surrogate}"))
        })?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep; flatten it"))?;
        Ok(Self { depth })
    }
}

fn without_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') {
        return Err(E::custom("a text holds the character NUL (\\u0000); remove it"));
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        without_nul(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            without_nul(&key)?;
            let value = map.next_value_seed(inner)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key `{key}` stands twice; send it once")));
            }
        }
        Ok(Value::Object(object))
    }
}

/// The fields of one object; taking all that is known leaves only what is unknown.
#[derive(Debug, Default)]
pub struct Fields {
    path: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a whole body as one object.
    pub fn of_body(body: &[u8], depth_max: usize) -> Result<Self, BadInput> {
        Self::of(parse(body, depth_max)?, "body", "")
    }

    fn of(value: Value, shown: &str, path: &str) -> Result<Self, BadInput> {
        match value {
            Value::Object(left) => Ok(Self { path: path.to_owned(), left, known: Vec::new() }),
            other => Err(wrong(shown, "an object", &other)),
        }
    }

    fn named(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field; `null` counts as absent.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// A text of at most `chars_max` characters, if present.
    pub fn text(&mut self, name: &'static str, chars_max: usize) -> Result<Option<String>, BadInput> {
        let field = self.named(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let length = text.chars().count();
                if length > chars_max {
                    return Err(BadInput::new(
                        &field,
                        format!(
                            "has {length} characters; at most {chars_max} are taken, so shorten or split it"
                        ),
                    ));
                }
                Ok(Some(text))
            }
            Some(other) => Err(wrong(&field, "a string", &other)),
        }
    }

    /// A text that must be there.
    pub fn required_text(&mut self, name: &'static str, chars_max: usize) -> Result<String, BadInput> {
        let field = self.named(name);
        self.text(name, chars_max)?.ok_or_else(|| BadInput::new(&field, "is missing; add it as a string"))
    }

    /// A short text without control characters and not blank: an id, a name, an address.
    pub fn label(&mut self, name: &'static str, chars_max: usize) -> Result<Option<String>, BadInput> {
        let field = self.named(name);
        let text = self.text(name, chars_max)?;
        if text.as_deref().is_some_and(|t| t.trim().is_empty() || t.chars().any(char::is_control)) {
            return Err(BadInput::new(
                &field,
                "is blank or holds a control character; send a plain one-line text",
            ));
        }
        Ok(text)
    }

    /// A label that must be there.
    pub fn required_label(&mut self, name: &'static str, chars_max: usize) -> Result<String, BadInput> {
        let field = self.named(name);
        self.label(name, chars_max)?.ok_or_else(|| BadInput::new(&field, "is missing; add it as a string"))
    }

    /// Something for people to read, such as a display name: one line of at most [`HINT_CHARS_MAX`] characters. What is
    /// no such text counts as absent, since nobody is refused for the name of a file.
    pub fn hint(&mut self, name: &'static str) -> Option<String> {
        let Some(Value::String(text)) = self.take(name) else { return None };
        let line: String = one_line(&text).chars().take(HINT_CHARS_MAX).collect();
        (!line.is_empty()).then_some(line)
    }

    /// A number with or without a fraction, as text; anything else counts as absent.
    pub fn decimal(&mut self, name: &'static str) -> Option<String> {
        match self.take(name) {
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A list of at most `items_max` short texts; empty when absent.
    pub fn labels(&mut self, name: &'static str, items_max: usize) -> Result<Vec<String>, BadInput> {
        let field = self.named(name);
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= items_max => {
                let texts = items.into_iter().map(|item| match item {
                    Value::String(text) if text.chars().count() <= LABELS_CHARS_MAX => Ok(text),
                    Value::String(_) => Err(BadInput::new(&field, "holds a text that is too long for an id")),
                    other => Err(wrong(&field, "a list of strings", &other)),
                });
                texts.collect()
            }
            Some(Value::Array(items)) => {
                let length = items.len();
                Err(BadInput::new(&field, format!("has {length} entries; at most {items_max} are taken")))
            }
            Some(other) => Err(wrong(&field, "a list", &other)),
        }
    }

    /// `true` or `false`, if present.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, BadInput> {
        let field = self.named(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(&field, "true or false", &other)),
        }
    }

    /// A whole number, if present.
    pub fn number(&mut self, name: &'static str) -> Result<Option<i64>, BadInput> {
        let field = self.named(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number
                .as_i64()
                .map(Some)
                .ok_or_else(|| BadInput::new(&field, "is no whole number of 64 bits; send one")),
            Some(other) => Err(wrong(&field, "a whole number", &other)),
        }
    }

    /// A whole number that must be there.
    pub fn required_number(&mut self, name: &'static str) -> Result<i64, BadInput> {
        let field = self.named(name);
        self.number(name)?.ok_or_else(|| BadInput::new(&field, "is missing; add it as a whole number"))
    }

    /// Whether a field is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    /// An object, if present.
    pub fn maybe_object(&mut self, name: &'static str) -> Result<Option<Fields>, BadInput> {
        let field = self.named(name);
        self.take(name).map(|value| Self::of(value, &field, &field)).transpose()
    }

    /// A list of objects of at most `items_max`; empty when absent.
    pub fn objects(&mut self, name: &'static str, items_max: usize) -> Result<Vec<Fields>, BadInput> {
        let field = self.named(name);
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() > items_max => Err(BadInput::new(
                &field,
                format!("has {} entries; at most {items_max} are taken", items.len()),
            )),
            Some(Value::Array(items)) => {
                let entry = |(at, item)| {
                    let path = format!("{field}[{at}]");
                    Self::of(item, &path, &path)
                };
                items.into_iter().enumerate().map(entry).collect()
            }
            Some(other) => Err(wrong(&field, "a list", &other)),
        }
    }

    /// An object that must be there.
    pub fn object(&mut self, name: &'static str) -> Result<Fields, BadInput> {
        let field = self.named(name);
        let value =
            self.take(name).ok_or_else(|| BadInput::new(&field, "is missing; add it as an object"))?;
        Self::of(value, &field, &field)
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<(), BadInput> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let shown: String = unknown.chars().take(60).collect();
                Err(BadInput::new(
                    &self.named(&shown),
                    format!("is not known here; remove it (known: {})", self.known.join(", ")),
                ))
            }
        }
    }
}

/// The text without line breaks, control characters, double blanks, and what turns the direction of reading: a file
/// must not look as if its name ended otherwise.
pub(super) fn one_line(text: &str) -> String {
    let turns =
        |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let visible = text.chars().filter(|c| !turns(c)).map(|c| if c.is_control() { ' ' } else { c });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wrong(field: &str, expected: &str, found: &Value) -> BadInput {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    BadInput::new(field, format!("must be {expected}, not {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        parse(body.as_bytes(), 4).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_strict_json_is_refused_with_its_reason() {
        assert!(refused("{\"a\":1,\"a\":2}").contains("`a` stands twice"));
        assert!(refused("[[[[[1]]]]]").contains("nested too deep"));
        assert!(refused("\"\\ud800\"").contains("surrogate"));
        assert!(refused("\"\\u0000\"").contains("NUL"));
        assert!(refused("{\"a\":1} x").contains("trailing"));
        assert!(parse(b"\"\xff\"", 4).unwrap_err().to_string().contains("UTF-8"));
        assert_eq!(parse(b"[[[[1]]]]", 4).unwrap(), serde_json::json!([[[[1]]]]));
    }

    #[test]
    fn a_hint_is_one_line_without_tricks_or_absent() {
        let body = "{\"a\":\" in\\n voice\\u202efdp.exe\",\"b\":7,\"c\":\" \\t\",\"d\":1.5}";
        let mut body = Fields::of_body(body.as_bytes(), 8).unwrap();
        assert_eq!(body.hint("a").as_deref(), Some("in voicefdp.exe"));
        assert_eq!((body.hint("b"), body.hint("c"), body.hint("absent")), (None, None, None));
        assert_eq!(body.decimal("d").as_deref(), Some("1.5"));
    }

    #[test]
    fn a_list_of_ids_is_bounded_and_holds_texts_alone() {
        let read = |body: &str| Fields::of_body(body.as_bytes(), 8).unwrap().labels("mids", 2);
        assert_eq!(read(r#"{"mids":["a","b"]}"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read("{}"), Ok(Vec::new()));
        for wrong in [r#"{"mids":["a","b","c"]}"#, r#"{"mids":[1]}"#, r#"{"mids":"a"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_the_field_by_its_path() {
        let mut body = Fields::of_body(b"{\"sender\":{\"id\":5},\"x\":1}", 8).unwrap();
        let mut sender = body.object("sender").unwrap();
        assert_eq!(
            sender.required_label("id", 10).unwrap_err().to_string(),
            "`sender.id` must be a string, not a number"
        );
        assert_eq!(
            body.finish().unwrap_err().to_string(),
            "`x` is not known here; remove it (known: sender)"
        );
    }
}
