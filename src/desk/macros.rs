//! Texts that agents keep ready: one Markdown file each, with variables that are checked before anybody uses them.
//!
//! They are files beside the articles and the phrases, so that whoever looks after what is said to customers looks after
//! them too, with the same history and the same review. A workspace with a folder `macros` has its own; else there are
//! these few.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Business;
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::templates::{TemplateError, Templates};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/macros");

/// Most macros of a workspace.
const MACROS_MAX: usize = 500;
/// Longest text of one.
const TEXT_BYTES_MAX: usize = 20_000;
/// What a text may name.
const VARIABLES: [&str; 9] = [
    "customer.name",
    "customer.first_name",
    "agent.name",
    "agent.first_name",
    "business.name",
    "business.email",
    "business.phone",
    "case.id",
    "case.issue",
];

/// The front matter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    title: String,
    language: Option<String>,
}

/// One text that is kept ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macro {
    /// The name of its file without `.md`.
    pub id: String,
    /// How agents know it.
    pub title: String,
    /// ISO 639-1, where it is for one language.
    pub language: Option<String>,
    text: String,
}

/// All of them.
pub struct Macros {
    templates: Arc<Templates>,
    all: Vec<Macro>,
}

impl Macros {
    /// Reads `<workspace>/macros/*.md`, or the built-in ones where there is no such folder. Every file that cannot be
    /// used, and every name that no text may take, is a problem.
    pub fn load(templates: Arc<Templates>, workspace: &Path) -> Result<Self, Vec<String>> {
        let folder = workspace.join("macros");
        let mut problems = Vec::new();
        let files = if folder.is_dir() { of_folder(&folder, &mut problems) } else { built_in() };
        let mut all = Vec::new();
        for (name, text) in files.into_iter().take(MACROS_MAX) {
            match read(&name, &text, &templates) {
                Ok(one) => all.push(one),
                Err(problem) => problems.push(format!("macros/{name}.md: {problem}")),
            }
        }
        all.sort_by(|a, b| (&a.title, &a.id).cmp(&(&b.title, &b.id)));
        if problems.is_empty() { Ok(Self { templates, all }) } else { Err(problems) }
    }

    /// Those for a conversation in `language` first, then those for none in particular, then the rest; by title.
    pub fn for_language(&self, language: &str) -> Vec<&Macro> {
        let rank = |one: &&Macro| match one.language.as_deref() {
            Some(own) if own == language => 0,
            None => 1,
            Some(_) => 2,
        };
        let mut sorted: Vec<&Macro> = self.all.iter().collect();
        sorted.sort_by_key(rank);
        sorted
    }

    /// The words of one for a case; none when there is no such macro.
    pub fn say(
        &self,
        id: &str,
        case: &Case,
        customer: &Customer,
        agent: &str,
        business: &Business,
    ) -> Option<Result<String, TemplateError>> {
        let one = self.all.iter().find(|one| one.id == id)?;
        let first = |name: &str| name.split_whitespace().next().unwrap_or_default().to_owned();
        let name = customer.name.clone().unwrap_or_default();
        let context: Value = json!({
            "customer": {"first_name": first(&name), "name": name},
            "agent": {"name": agent, "first_name": first(agent)},
            "business": {"name": business.name, "email": business.email, "phone": business.phone},
            "case": {"id": case.id, "issue": case.issue.clone().unwrap_or_default()},
        });
        Some(self.templates.render(&one.text, context).map(|text| text.trim().to_owned()))
    }
}

fn built_in() -> Vec<(String, Cow<'static, str>)> {
    let file = |file: &'static include_dir::File<'static>| {
        let name = file.path().file_stem()?.to_str()?.to_owned();
        Some((name, Cow::Borrowed(file.contents_utf8()?)))
    };
    EMBEDDED.files().filter_map(file).collect()
}

fn of_folder(folder: &Path, problems: &mut Vec<String>) -> Vec<(String, Cow<'static, str>)> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(format!("{}: {error}", folder.display()));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push((name.to_owned(), Cow::Owned(text))),
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    files.sort();
    files
}

fn read(name: &str, text: &str, templates: &Templates) -> Result<Macro, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("is longer than {TEXT_BYTES_MAX} bytes"));
    }
    let text = text.replace("\r\n", "\n");
    let rest = text.strip_prefix("---\n").ok_or("begins with a line `---`, then `title: …`, then `---`")?;
    let (yaml, body) = rest.split_once("\n---\n").ok_or("the front matter is never closed with `---`")?;
    let front: Front = serde_saphyr::from_str(yaml)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    if front.title.trim().is_empty() || body.trim().is_empty() {
        return Err("needs a title and a text".to_owned());
    }
    let known = BTreeSet::from(VARIABLES);
    let taken = templates.references(body).map_err(|error| error.to_string())?;
    if let Some(other) = taken.iter().find(|name| !known.contains(name.as_str())) {
        return Err(format!("`{other}` is not known here; there are {}", VARIABLES.join(", ")));
    }
    Ok(Macro {
        id: name.to_owned(),
        title: front.title.trim().to_owned(),
        language: front.language,
        text: body.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Macro, String> {
        read("hello", text, &Templates::new())
    }

    #[test]
    fn a_macro_may_name_what_a_case_has_and_nothing_else() {
        let known = one("---\ntitle: Hello\nlanguage: de\n---\nHallo {{ customer.first_name }}").unwrap();
        assert_eq!((known.title.as_str(), known.language.as_deref()), ("Hello", Some("de")));
        let wrong = one("---\ntitle: Hello\n---\n{{ customer.password }}").unwrap_err();
        assert!(wrong.contains("`customer.password` is not known here"), "{wrong}");
        for broken in [
            "Hello",
            "---\ntitle: x\n",
            "---\nname: x\n---\ny",
            "---\ntitle: x\n---\n{{ x",
            "---\ntitle: x\n---\n ",
        ] {
            assert!(one(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_workspace_has_its_own_macros_and_hears_what_is_wrong_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let templates = Arc::new(Templates::new());
        assert!(!Macros::load(templates.clone(), folder.path()).unwrap().all.is_empty(), "the built-in ones");
        std::fs::create_dir(folder.path().join("macros")).unwrap();
        std::fs::write(folder.path().join("macros/a.md"), "---\ntitle: A\n---\nHi {{ agent.name }}").unwrap();
        std::fs::write(folder.path().join("macros/note.txt"), "not one").unwrap();
        let own = Macros::load(templates.clone(), folder.path()).unwrap();
        assert_eq!(own.all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a"]);
        std::fs::write(folder.path().join("macros/b.md"), "no front matter").unwrap();
        let problems = Macros::load(templates, folder.path()).map(drop).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with("macros/b.md: "), "{problems:?}");
    }
}
