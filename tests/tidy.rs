//! The rules of the house that a program can check: who imports whom, what is absent, lengths, unused things.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const LINES_MAX: usize = 500;

/// The table of `src/lib.rs`: a module imports from layers below its own and from nobody beside it.
const LAYERS: [(&str, u8); 21] = [
    ("domain", 0),
    ("failpoints", 0),
    ("config", 1),
    ("telemetry", 1),
    ("language", 1),
    ("templates", 1),
    ("charts", 1),
    ("store", 2),
    ("knowledge", 2),
    ("channels", 2),
    ("llm", 2),
    ("tools", 3),
    ("desk", 3),
    ("assistant", 4),
    ("pipeline", 5),
    ("app", 6),
    ("web", 7),
    ("demo", 7),
    ("providers", 7),
    ("evals", 7),
    ("cli", 8),
];

/// The one import beside the table: logs are set up from the settings that say how.
const BESIDE: [(&str, &str); 1] = [("telemetry", "config")];

/// What each stage of the pipeline may use of its siblings. `turn` and its parts (`resolve`, `doubt`, `effect`,
/// `settle`, `handoff`) are one stage in several files; everything else meets only in `mod`.
const STAGES: &[(&str, &[&str])] = &[
    ("acquaint", &[]),
    ("alert", &[]),
    ("approve", &["settle", "turn", "write"]),
    ("await_end", &["ingest"]),
    ("consent", &[]),
    ("counting", &[]),
    ("deliver", &["alert", "proof"]),
    ("doors", &[]),
    ("doubt", TURN),
    ("effect", TURN),
    ("elsewhere", &[]),
    ("guard", &[]),
    ("handoff", TURN),
    ("housekeeping", &["alert", "approve", "rating"]),
    ("identity", &[]),
    ("ingest", &["consent", "identity", "moving", "proof", "rating", "which_case"]),
    ("moving", &["settle"]),
    ("rating", &["settle"]),
    ("proof", &["identity", "resolve", "which_case"]),
    ("resolve", &["effect", "guard", "handoff", "settle", "turn"]),
    ("settle", TURN),
    ("suggest", &["effect", "resolve", "turn"]),
    ("triage", &[]),
    ("turn", TURN),
    ("weekly", &[]),
    ("which_case", &[]),
    ("write", &["turn"]),
    ("write_back", &["elsewhere"]),
];
const TURN: &[&str] = &[
    "acquaint", "consent", "doubt", "effect", "handoff", "moving", "proof", "resolve", "settle", "turn",
    "write",
];

/// A word and the files (by beginning of path) where it may stand.
const ABSENT: [(&str, &[&str]); 11] = [
    (r"\btantivy::", &["knowledge/"]),
    (r"\baxum::", &["web/", "demo/", "providers/", "cli/serve.rs", "cli/shop.rs", "cli/audit.rs"]),
    (r"\bminijinja::", &["templates/"]),
    (r"\basync_openai::", &["llm/openai"]),
    (r"\b(?:tracing_)?opentelemetry\w*::", &["telemetry/"]),
    (r"\b(?:rmcp|process_wrap)::", &["tools/mcp/"]),
    (r"\bsqlx::(?:query|Any|Row|Executor|Transaction|migrate|Pool)", &["store/"]),
    (r"(?i)\b(?:select\s[^;]*\sfrom\s|insert into\s|delete from\s|update \w+ set\s)[\w$(]", &["store/"]),
    (r"\benv::vars?(?:_os)?\(", &["config.rs", "config/", "failpoints.rs"]),
    (r"\b(?:SystemTime|Timestamp|Zoned|Utc)::now\(", &["app.rs", "main.rs"]),
    (r"\b(?:Uuid::new_v4|Uuid::now_v7|thread_rng)\b", &["app.rs", "main.rs"]),
];

#[test]
fn imports_point_down() {
    let path = Regex::new(r"\bcrate::(\w+)").unwrap();
    let layers = BTreeMap::from(LAYERS);
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = layers.get(file.module()) else { continue };
        for (line, text) in file.code() {
            for found in path.captures_iter(text) {
                let target = found.get(1).unwrap().as_str();
                let Some(layer) = layers.get(target) else { continue };
                let allowed =
                    target == file.module() || layer < own || BESIDE.contains(&(file.module(), target));
                if !allowed {
                    wrong.push(format!("{}:{line} imports `{target}`", file.name));
                }
            }
        }
    }
    assert_none(&wrong, "imports that do not point down the table of src/lib.rs");
}

#[test]
fn every_module_has_a_layer() {
    let lib = read(&root().join("src/lib.rs"));
    let declared: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, LAYERS.iter().map(|(name, _)| *name).collect());
}

#[test]
fn a_stage_imports_no_other_stage() {
    let path = Regex::new(r"\b(?:super|crate::pipeline)::(\w+)").unwrap();
    let stages = STAGES.iter().copied().collect::<BTreeMap<_, _>>();
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| file.module() == "pipeline") {
        let inside = file.name.trim_start_matches("pipeline/");
        let own = inside.split(['/', '.']).next().unwrap();
        if own == "mod" {
            continue;
        }
        let Some(allowed) = stages.get(own) else {
            wrong.push(format!("{} is a stage without a line in STAGES", file.name));
            continue;
        };
        for (line, text) in file.code().filter(|(_, text)| !text.contains("super::super")) {
            for found in path.captures_iter(text) {
                let target = found.get(1).unwrap().as_str();
                let sibling = stages.contains_key(target) && target != own;
                if sibling && !(allowed.contains(&target) || inside.contains('/')) {
                    wrong.push(format!("{}:{line} imports `{target}`", file.name));
                }
            }
        }
    }
    assert_none(&wrong, "stages that know each other");
}

#[test]
fn what_is_absent_stays_absent() {
    let mut wrong = Vec::new();
    for (pattern, places) in ABSENT {
        let pattern = Regex::new(pattern).unwrap();
        for file in sources() {
            if places.iter().any(|place| file.name.starts_with(place)) {
                continue;
            }
            let found = file.code().filter(|(_, text)| pattern.is_match(text));
            wrong.extend(found.map(|(line, text)| format!("{}:{line} {}", file.name, text.trim())));
        }
    }
    assert_none(&wrong, "things outside their only place (`Deliberately absent`, src/lib.rs)");
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().chain(files("tests", "rs")).chain(files("benches", "rs")) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines", file.name));
        }
        if !file.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with a `//!` line", file.name));
        }
    }
    assert_none(&wrong, "files to split or to describe");
}

#[test]
fn nothing_is_left_for_later_and_no_lint_is_switched_off() {
    // The pieces are joined here so that this file is not found by its own search.
    let words = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["[al", "low("]];
    let mut wrong = Vec::new();
    for file in sources().into_iter().chain(files("tests", "rs")).chain(files("benches", "rs")) {
        for word in words.map(|pieces| pieces.concat()) {
            let found = file.text.lines().enumerate().filter(|(_, text)| text.contains(&word));
            wrong.extend(found.map(|(at, _)| format!("{}:{} {word}", file.name, at + 1)));
        }
    }
    assert_none(&wrong, "things left for later");
}

#[test]
fn every_phrase_is_used_and_every_language_has_it() {
    let code: String = sources().into_iter().map(|file| file.text).collect();
    let english = phrases("en");
    let unused: Vec<&String> = english.iter().filter(|key| !code.contains(&format!("\"{key}\""))).collect();
    assert_none(&unused, "phrases that nothing says");
    for file in files("prompts/phrases", "toml") {
        let language = file.name.rsplit('/').next().unwrap().trim_end_matches(".toml");
        assert_eq!(phrases(language), english, "the phrases of `{language}`");
    }
}

#[test]
fn every_tool_is_needed_by_a_scenario_and_forbidden_by_another() {
    let shop: toml::Table = toml::from_str(&read(&root().join("src/demo/firstline.toml"))).unwrap();
    let tools = shop["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
    let tools: BTreeSet<String> = tools.map(str::to_owned).collect();
    assert!(!tools.is_empty());
    for list in ["called", "not_called"] {
        let pattern = Regex::new(&format!(r"[\s{{]{list}:\s*\[([^\]]*)\]")).unwrap();
        let mut named = BTreeSet::new();
        for scenario in files("evals/scenarios", "yaml") {
            for found in pattern.captures_iter(&scenario.text) {
                named.extend(found[1].split(',').map(|name| name.trim().to_owned()));
            }
        }
        let missing: Vec<&String> = tools.difference(&named).collect();
        assert_none(&missing, &format!("tools that no scenario has under `{list}`"));
    }
}

#[test]
fn every_procedure_is_reached_by_a_scenario() {
    let list = Regex::new(r"[\s{]intents:\s*\[([^\]]*)\]").unwrap();
    let mut reached = BTreeSet::new();
    for scenario in files("evals/scenarios", "yaml") {
        for found in list.captures_iter(&scenario.text) {
            reached.extend(found[1].split(',').map(|name| name.trim().to_owned()));
        }
    }
    let line = Regex::new(r"(?m)^id: (\w+)$").unwrap();
    let procedures = files("knowledge/procedures", "md");
    let ids: BTreeSet<String> =
        procedures.iter().map(|file| line.captures(&file.text).unwrap()[1].to_owned()).collect();
    assert!(!ids.is_empty());
    let unreached: Vec<&String> = ids.difference(&reached).collect();
    assert_none(&unreached, "procedures that no scenario has under `intents`");
    let unknown: Vec<&String> = reached.difference(&ids).collect();
    assert_none(&unknown, "`intents` of scenarios that are no procedures");
}

/// One file of ours; `name` is the path below the folder it was looked for in.
struct File {
    name: String,
    text: String,
}

impl File {
    /// The first folder or file below `src/`.
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap()
    }

    /// Lines that are not comments and stand before the file's own tests, counted from one.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.name.ends_with("tests.rs") || self.name.contains("/tests/");
        let numbered = self.text.lines().enumerate().map(|(at, text)| (at + 1, text));
        numbered
            .take_while(move |(_, text)| !tests && *text != "#[cfg(test)]")
            .filter(|(_, text)| !text.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources() -> Vec<File> {
    let found = files("src", "rs");
    assert!(!found.is_empty());
    found
}

/// All files below `folder` whose name ends in `.extension`; none when there is no such folder.
fn files(folder: &str, extension: &str) -> Vec<File> {
    let base = root().join(folder);
    let (mut found, mut waiting) = (Vec::new(), vec![base.clone()]);
    while let Some(next) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                let name = path.strip_prefix(&base).unwrap().to_string_lossy().replace('\\', "/");
                found.push(File { name, text: read(&path) });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn phrases(language: &str) -> BTreeSet<String> {
    let file = root().join(format!("prompts/phrases/{language}.toml"));
    let table: toml::Table = toml::from_str(&read(&file)).unwrap();
    table.keys().cloned().collect()
}

fn assert_none<T: std::fmt::Display>(wrong: &[T], what: &str) {
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{what}:\n  {}", lines.join("\n  "));
}
