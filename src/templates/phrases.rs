//! The fixed phrases of the assistant, a file of templates per language.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Serialize;

use super::Templates;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/prompts/phrases");

/// ISO 639-1 codes with phrases of their own; others hear the first.
pub const LANGUAGES: [&str; 7] = ["en", "de", "fr", "es", "it", "pt", "nl"];

/// Said when a phrase cannot be rendered; it takes no variables.
const LAST_RESORT: &str = "tool_trouble";

type Language = BTreeMap<String, String>;

/// Every fixed phrase in every language.
pub struct Phrases {
    templates: Arc<Templates>,
    languages: BTreeMap<&'static str, Language>,
}

impl Phrases {
    /// Reads the built-in phrases and the single keys that `<workspace>/prompts/phrases/<language>.toml`
    /// replaces. Every unknown key, and every template that takes other variables than the English one,
    /// is a problem.
    pub fn load(templates: Arc<Templates>, workspace: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut languages = BTreeMap::new();
        for language in LANGUAGES {
            let file = format!("{language}.toml");
            let text = EMBEDDED.get_file(&file).and_then(|f| f.contents_utf8()).unwrap_or_default();
            let mut phrases = read(text, &file, &mut problems);
            if let Some(path) = workspace.map(|folder| folder.join("prompts").join("phrases").join(&file))
                && path.is_file()
            {
                let shown = path.display().to_string();
                match std::fs::read_to_string(&path) {
                    Ok(text) => phrases.extend(read(&text, &shown, &mut problems)),
                    Err(error) => problems.push(format!("{shown}: {error}")),
                }
            }
            languages.insert(language, phrases);
        }
        let phrases = Self { templates, languages };
        phrases.check(&mut problems);
        if problems.is_empty() { Ok(phrases) } else { Err(problems) }
    }

    /// The phrase `key` in `language`, or in English where that language lacks it.
    pub fn say(&self, language: &str, key: &str, context: impl Serialize) -> String {
        let Some(source) = self.source(language, key) else {
            tracing::error!(phrase.key = key, "there is no such phrase");
            return self.source(language, LAST_RESORT).unwrap_or_default().to_owned();
        };
        self.templates.render(source, context).unwrap_or_else(|error| {
            tracing::error!(phrase.key = key, %error, "a phrase could not be rendered");
            self.source(language, LAST_RESORT).unwrap_or_default().to_owned()
        })
    }

    fn source(&self, language: &str, key: &str) -> Option<&str> {
        let own = self.languages.get(language).and_then(|phrases| phrases.get(key));
        own.or_else(|| self.languages.get(LANGUAGES[0])?.get(key)).map(String::as_str)
    }

    fn check(&self, problems: &mut Vec<String>) {
        let Some(english) = self.languages.get(LANGUAGES[0]) else { return };
        for (language, phrases) in &self.languages {
            for (key, source) in phrases {
                let Some(model) = english.get(key) else {
                    problems
                        .push(format!("prompts/phrases/{language}.toml: `{key}` is not a phrase of ours"));
                    continue;
                };
                match (self.templates.references(source), self.templates.references(model)) {
                    (Ok(own), Ok(expected)) if own != expected => problems.push(format!(
                        "prompts/phrases/{language}.toml: `{key}` takes {own:?}, the English one {expected:?}"
                    )),
                    (Err(error), _) => {
                        problems.push(format!("prompts/phrases/{language}.toml: `{key}`: {error}"));
                    }
                    (Ok(_), _) => {}
                }
            }
        }
    }
}

fn read(text: &str, file: &str, problems: &mut Vec<String>) -> Language {
    toml::from_str(text).unwrap_or_else(|error| {
        problems.push(format!("{file}: {error}"));
        Language::new()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn built_in() -> Phrases {
        Phrases::load(Arc::new(Templates::new()), None).unwrap()
    }

    #[test]
    fn all_seven_languages_have_the_same_phrases_with_the_same_variables() {
        let phrases = built_in();
        let keys = |language: &str| phrases.languages[language].keys().cloned().collect::<Vec<_>>();
        for language in LANGUAGES {
            assert_eq!(keys(language), keys("en"), "{language}");
        }
    }

    #[test]
    fn every_phrase_renders_in_every_language_without_leftovers() {
        let phrases = built_in();
        let context = json!({
            "name": "Ada", "business": "Our shop", "question": "Which order is it?", "choices": ["one", "two"],
            "team": "support", "opens": "on Monday", "day": "monday", "hour": 8, "minute": "00",
            "site": "https://shop.example", "title": "Delivery times", "amount": "$900.00", "urgency": "high",
            "code": "482913", "minutes": 10, "count": 2,
        });
        for language in LANGUAGES {
            for key in phrases.languages["en"].keys() {
                let said = phrases.say(language, key, &context);
                assert!(!said.trim().is_empty() && !said.contains(['{', '}']), "{language} {key}: {said}");
            }
        }
        for language in LANGUAGES {
            let said = phrases.say(language, "handoff_closed", json!({"team": "support", "opens": null}));
            let trouble = phrases.say(language, "tool_trouble", ());
            assert!(!said.contains("none") && said != trouble, "{language}: {said}");
        }
        insta::assert_snapshot!(phrases.say("en", "handoff_closed", &context), @"I am passing this to a person. Our support team is back on Monday; you keep your place, and they will answer you here.");
    }

    #[test]
    fn a_language_or_a_key_we_lack_falls_back_and_never_says_nothing() {
        let phrases = built_in();
        assert_eq!(phrases.say("xx", "declined_ok", ()), phrases.say("en", "declined_ok", ()));
        assert_eq!(phrases.say("de", "no_such_key", ()), phrases.say("de", "tool_trouble", ()));
        assert_eq!(phrases.say("de", "handoff_now", json!({})), phrases.say("de", "tool_trouble", ()));
        assert!(!phrases.say("de", "tool_trouble", ()).is_empty());
    }

    #[test]
    fn a_workspace_replaces_single_phrases_and_its_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prompts").join("phrases");
        std::fs::create_dir_all(&file).unwrap();
        std::fs::write(file.join("en.toml"), "goodbye = 'Fair winds!'").unwrap();
        let phrases = Phrases::load(Arc::new(Templates::new()), Some(folder.path())).unwrap();
        assert_eq!(phrases.say("en", "goodbye", ()), "Fair winds!");
        assert_eq!(phrases.say("de", "goodbye", ()), built_in().say("de", "goodbye", ()));

        std::fs::write(file.join("de.toml"), "goodby = 'x'\nhandoff_now = '{{ who }}'\nalso = '{{ x'")
            .unwrap();
        let problems = Phrases::load(Arc::new(Templates::new()), Some(folder.path())).err().unwrap();
        assert_eq!(problems.len(), 3, "{problems:#?}");
    }
}
