//! What lies ready for every call: tools in the words of the protocol, and the shapes of answers.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};

use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::procedure::Procedure;
use crate::domain::receipt::Effect;
use crate::llm::{OutputSchema, ToolSpec};
use crate::tools::{Contents, Toolbox};

/// The tool with which the model searches again.
pub(super) const SEARCH: &str = "search_knowledge";
/// The tool with which it gives the case to people.
pub(super) const HAND_OFF: &str = "hand_off";

/// Made once, used by every turn.
pub(super) struct Kit {
    own: [ToolSpec; 2],
    /// The tools as they are explained, made anew when those of the toolbox have changed.
    explained: RwLock<Arc<Explained>>,
    pub(super) reply: Arc<OutputSchema>,
    pub(super) triage: Arc<OutputSchema>,
    pub(super) word: Arc<OutputSchema>,
    pub(super) listened: Arc<OutputSchema>,
}

/// The tools of one version of the toolbox.
struct Explained {
    version: u64,
    tools: BTreeMap<String, ToolSpec>,
}

impl Explained {
    /// Explains every tool whose arguments are known, and tells which cannot be.
    fn new(contents: &Contents) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut tools = BTreeMap::new();
        for tool in contents.tools().filter(|tool| tool.is_listed()) {
            if [SEARCH, HAND_OFF].contains(&tool.name.as_str()) {
                problems
                    .push(format!("tool `{}`: the name is taken by a tool of our own; rename it", tool.name));
                continue;
            }
            match ToolSpec::new(&tool.name, &tool.description, &tool.parameters) {
                Ok(spec) => drop(tools.insert(tool.name.clone(), spec)),
                Err(error) => problems.push(format!("tool `{}`: {error}", tool.name)),
            }
        }
        (Self { version: contents.version(), tools }, problems)
    }
}

impl Kit {
    pub(super) fn new(toolbox: &Toolbox) -> Result<Self, Vec<String>> {
        let (explained, mut problems) = Explained::new(&toolbox.contents());
        let own = own_tools();
        let schemas =
            [("reply", reply()), ("triage", triage()), ("words", words()), ("listened", listened())];
        let schemas =
            schemas.map(|(name, schema)| OutputSchema::new(name, schema, INSTRUCTION).map(Arc::new));
        match (own, schemas) {
            (Ok(own), [Ok(reply), Ok(triage), Ok(word), Ok(listened)]) if problems.is_empty() => {
                let explained = RwLock::new(Arc::new(explained));
                Ok(Self { own, explained, reply, triage, word, listened })
            }
            (Ok(_), schemas) => {
                problems.extend(schemas.into_iter().filter_map(Result::err));
                Err(problems)
            }
            (Err(error), _) => Err(vec![error.to_string()]),
        }
    }

    /// What the model may ask to be called at this assurance; inside a procedure only its own writes.
    pub(super) fn tools(
        &self,
        toolbox: &Toolbox,
        case: &Case,
        customer: &Customer,
        procedure: Option<&Procedure>,
    ) -> Arc<[ToolSpec]> {
        let known = customer.external_id.as_deref().is_some_and(|id| !id.is_empty());
        let own = |name: &String| procedure.is_none_or(|procedure| procedure.tools.contains(name));
        let contents = toolbox.contents();
        let explained = self.explained(&contents);
        let permitted = contents
            .tools()
            .filter(|tool| case.assurance >= tool.assurance && (known || !tool.needs_external_id))
            .filter(|tool| tool.effect == Effect::Read || own(&tool.name))
            .filter_map(|tool| explained.tools.get(&tool.name));
        self.own.iter().chain(permitted).cloned().collect()
    }

    /// The tools of this version; seldom anything but a look.
    fn explained(&self, contents: &Contents) -> Arc<Explained> {
        let kept = self.explained.read().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.version == contents.version() {
            return kept;
        }
        let (explained, problems) = Explained::new(contents);
        for problem in problems {
            tracing::warn!(%problem, "a tool of a server is not offered to the model");
        }
        let explained = Arc::new(explained);
        *self.explained.write().unwrap_or_else(PoisonError::into_inner) = explained.clone();
        explained
    }
}

const INSTRUCTION: &str = "Answer with one JSON object of this JSON Schema and nothing else:";

fn own_tools() -> Result<[ToolSpec; 2], serde_json::Error> {
    let query = json!({
        "type": "object", "additionalProperties": false, "required": ["query"],
        "properties": {"query": {"type": "string", "maxLength": 200, "description": "Words that the answer would have."}},
    });
    let reason = json!({
        "type": "object", "additionalProperties": false, "required": ["reason"],
        "properties": {"reason": {
            "type": "string", "enum": ["person_asked", "not_known", "not_permitted", "sensitive"],
        }},
    });
    Ok([
        ToolSpec::new(SEARCH, "Searches our help pages again, with words of your own.", &query)?,
        ToolSpec::new(HAND_OFF, "Gives the conversation to a person; nothing else is said then.", &reason)?,
    ])
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn reply() -> Value {
    object(
        &["text", "used", "language", "asks", "resolves", "issue"],
        &json!({
            "text": {"type": "string"},
            "used": {"type": "array", "items": {"type": "string"}},
            "language": {"type": "string"},
            "asks": {"type": "boolean"},
            "resolves": {"type": "boolean"},
            "issue": {"type": "string"},
        }),
    )
}

fn triage() -> Value {
    object(
        &["procedure", "confident", "language"],
        &json!({
            "procedure": {"type": "string"},
            "confident": {"type": "boolean"},
            "language": {"type": "string"},
        }),
    )
}

fn words() -> Value {
    object(&["text"], &json!({"text": {"type": "string"}}))
}

fn listened() -> Value {
    let told = object(&["slot", "value"], &json!({"slot": {"type": "string"}, "value": {"type": "string"}}));
    object(
        &["said", "values", "procedure", "text", "language"],
        &json!({
            "said": {"type": "string", "enum": ["values", "yes", "no", "other", "nothing"]},
            "values": {"type": "array", "items": told},
            "procedure": {"type": "string"},
            "text": {"type": "string"},
            "language": {"type": "string"},
        }),
    )
}
