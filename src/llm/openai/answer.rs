//! The one form all dialects of an answer are brought into, and the lenient shapes they are read from.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::usage::{Counted, Usage};

/// An answer that arrived whole. What it says is judged later.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) model: Option<String>,
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    pub(super) refused: bool,
    /// In the server's own words.
    pub(super) finish: String,
    pub(super) usage: Option<Usage>,
}

/// A call the model asks for.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// One event of a stream, or a whole answer: they differ in the name of one field.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default, borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(default, borrow, alias = "message")]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(default)]
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) content: Option<Content>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
    #[serde(default, borrow)]
    pub(super) tool_calls: Option<Vec<CallDelta<'a>>>,
}

/// Words, or parts that hold words.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default, borrow)]
    pub(super) function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FunctionDelta<'a> {
    #[serde(default)]
    pub(super) name: Option<String>,
    /// A text that holds JSON, or the JSON itself.
    #[serde(default, borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// The usage some server reports; nothing if it reports none, or none that can be read.
pub(super) fn usage(raw: &RawValue) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Reported {
        prompt_tokens: u64,
        #[serde(default)]
        completion_tokens: Option<u64>,
        #[serde(default)]
        prompt_tokens_details: Option<Details>,
    }
    #[derive(Deserialize)]
    struct Details {
        #[serde(default)]
        cached_tokens: Option<u64>,
    }
    let reported: Reported = serde_json::from_str(raw.get()).ok()?;
    if reported.prompt_tokens == 0 {
        return None;
    }
    Some(Usage {
        input: reported.prompt_tokens,
        cached: reported.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
        output: reported.completion_tokens.unwrap_or(0),
        counted: Counted::ByServer,
    })
}
