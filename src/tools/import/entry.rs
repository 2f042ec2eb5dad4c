//! One `[[tools]]` entry as TOML: every text of the document is a value, never a line of its own.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::request::Request;
use crate::domain::receipt::Effect;

/// A tool to be written.
pub(super) struct Entry {
    /// Method and path, for the comment above it.
    pub(super) place: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) effect: Effect,
    pub(super) method: String,
    pub(super) request: Request,
    pub(super) oauth2: Option<Table>,
    /// The environment variables that it needs.
    pub(super) secrets: BTreeSet<String>,
}

impl Entry {
    /// The entry with its comments.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\n# {}\n", self.place);
        for note in &self.request.notes {
            text.extend(["# Review: ", &one_line(note), "\n"]);
        }
        if self.effect == Effect::Write {
            text.push_str("# A write: give it `amount` and `limits` if it moves money.\n");
        }
        let tools = Table::from_iter([("tools".to_owned(), Value::Array(vec![Value::Table(self.table())]))]);
        // Tables of texts, numbers and tables always have a TOML form.
        text.push_str(&toml::to_string(&tools).unwrap_or_default());
        text
    }

    fn table(&self) -> Table {
        let text = |text: &str| Value::String(text.to_owned());
        let (effect, assurance) = match self.effect {
            Effect::Read => ("read", "channel"),
            Effect::Write => ("write", "verified"),
        };
        let mut http = Table::from_iter([
            ("method".to_owned(), text(&self.method)),
            ("url".to_owned(), text(&self.request.url)),
        ]);
        if !self.request.headers.is_empty() {
            let headers = self.request.headers.iter().map(|(name, value)| (name.clone(), text(value)));
            http.insert("headers".to_owned(), Value::Table(headers.collect()));
        }
        if let Some(body) = &self.request.body {
            http.insert("body".to_owned(), text(body));
        }
        if let Some(oauth2) = &self.oauth2 {
            http.insert("oauth2".to_owned(), Value::Table(oauth2.clone()));
        }
        let mut table = Table::from_iter([
            ("name".to_owned(), text(&self.name)),
            ("description".to_owned(), text(&self.description)),
            ("effect".to_owned(), text(effect)),
            ("assurance".to_owned(), text(assurance)),
            ("http".to_owned(), Value::Table(http)),
        ]);
        if self.effect == Effect::Write {
            table.insert("confirm".to_owned(), Value::Boolean(true));
        }
        if let Ok(parameters) = Value::try_from(&self.request.parameters) {
            table.insert("parameters".to_owned(), parameters);
        }
        table
    }
}

/// What stands above all entries.
pub(super) fn heading(title: &str, secrets: &BTreeSet<String>) -> String {
    let mut text = format!(
        "# Tools of {}, for review: descriptions are written for whoever builds with the API, not for an assistant.\n",
        one_line(title)
    );
    if !secrets.is_empty() {
        let names = secrets.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        text.extend(["# They need these variables in the environment: ", &names, "\n"]);
    }
    text
}

/// A text of the document where only one line may stand.
pub(super) fn one_line(text: &str) -> String {
    let plain =
        text.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
