//! What language models are told by us: the files of `prompts/`, each of which a workspace may replace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Serialize;

use super::{TemplateError, Templates};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/prompts");

/// The prompts and the variables that each may take. None of them is ever a text of a customer.
const PROMPTS: [(&str, &[&str]); 8] = [
    ("triage", &["business"]),
    ("resolve", &["business"]),
    ("word", &["business"]),
    ("ask", &["business"]),
    ("revise", &["reasons"]),
    ("issue_line", &["language"]),
    ("language", &[]),
    ("colleague", &[]),
];

/// Every prompt, checked.
pub struct Prompts {
    templates: Arc<Templates>,
    texts: BTreeMap<&'static str, String>,
}

impl Prompts {
    /// Reads the built-in prompts and those that `<workspace>/prompts/<name>.md.j2` replaces. A prompt that does not
    /// compile or takes a variable that it is not given is a problem.
    pub fn load(templates: Arc<Templates>, workspace: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut texts = BTreeMap::new();
        for (name, variables) in PROMPTS {
            let (shown, text) = source(name, workspace);
            let text = match text {
                Ok(text) if text.trim().is_empty() => {
                    problems.push(format!("{shown}: is empty; write the prompt or delete the file"));
                    continue;
                }
                Ok(text) => text,
                Err(error) => {
                    problems.push(format!("{shown}: {error}"));
                    continue;
                }
            };
            match templates.references(&text) {
                Ok(names) => {
                    let strange = names.iter().filter(|name| !variables.contains(&name.as_str()));
                    problems.extend(strange.map(|name| {
                        format!("{shown}: there is no `{name}` here; it may use {}", listed(variables))
                    }));
                }
                Err(error) => problems.push(format!("{shown}: {error}")),
            }
            texts.insert(name, text);
        }
        if problems.is_empty() { Ok(Self { templates, texts }) } else { Err(problems) }
    }

    /// The prompt `name` with its variables filled in.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<String, TemplateError> {
        let text = self.texts.get(name).map_or("", String::as_str);
        self.templates.render(text, context).map(|prompt| prompt.trim().to_owned())
    }
}

/// Where a prompt stands, and its text: the workspace's own, else ours.
fn source(name: &str, workspace: Option<&Path>) -> (String, std::io::Result<String>) {
    let file = format!("{name}.md.j2");
    let own = workspace.map(|folder| folder.join("prompts").join(&file)).filter(|path| path.is_file());
    if let Some(path) = own {
        return (path.display().to_string(), std::fs::read_to_string(path));
    }
    let text = EMBEDDED.get_file(&file).and_then(|file| file.contents_utf8()).unwrap_or_default();
    (format!("prompts/{file}"), Ok(text.to_owned()))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "no variables".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workspace(file: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("prompts")).unwrap();
        std::fs::write(folder.path().join("prompts").join(file), text).unwrap();
        folder
    }

    #[test]
    fn every_prompt_reads_as_it_was_reviewed() {
        let prompts = Prompts::load(Arc::new(Templates::new()), None).unwrap();
        let context = json!({"business": "Harbor & Pine", "reasons": ["amounts: $900"], "language": "en"});
        for (name, _) in PROMPTS {
            insta::assert_snapshot!(name, prompts.render(name, &context).unwrap());
        }
    }

    #[test]
    fn a_workspace_replaces_one_prompt_and_mistakes_in_it_are_named() {
        let own = workspace("word.md.j2", "Say it as {{ business }} would.");
        let prompts = Prompts::load(Arc::new(Templates::new()), Some(own.path())).unwrap();
        assert_eq!(prompts.render("word", json!({"business": "X"})).unwrap(), "Say it as X would.");
        assert!(prompts.render("language", json!({})).unwrap().contains("# Language"));
        for (text, part) in
            [("{{ customer }}", "there is no `customer` here"), ("{{ x", "syntax error"), (" ", "is empty")]
        {
            let own = workspace("word.md.j2", text);
            let problems = Prompts::load(Arc::new(Templates::new()), Some(own.path())).err().unwrap();
            assert!(problems.join("\n").contains(part), "{text}: {problems:?}");
        }
    }
}
