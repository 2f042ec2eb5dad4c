//! `firstline knowledge search`: one JSON line in, one out.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Knowledge;

#[derive(Deserialize)]
struct Question {
    id: Value,
    text: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: Value,
    answerable: f32,
    hits: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    article: &'a str,
    title: &'a str,
    score: f32,
    passage: &'a str,
}

/// Answers `{"id","text"}` with `{"id","answerable","hits":[…]}`, at most `limit` hits, best first.
///
/// A line that is no question gives `{"id"?,"error"}`. Neither ends with a line break.
pub fn search_line(knowledge: &Knowledge, line: &str, limit: usize) -> Result<String, String> {
    let question: Question = serde_json::from_str(line).map_err(|error| {
        let mut answer = json!({ "error": format!("expected {{\"id\", \"text\"}}: {error}") });
        let id = serde_json::from_str::<Value>(line).ok().and_then(|value| value.get("id").cloned());
        if let (Some(id), Some(answer)) = (id, answer.as_object_mut()) {
            answer.insert("id".to_owned(), id);
        }
        answer.to_string()
    })?;
    let search = knowledge.search(&question.text, None, limit);
    let hits = search
        .hits
        .iter()
        .map(|hit| Shown {
            article: &hit.article,
            title: &hit.title,
            score: hit.score,
            passage: &hit.passage,
        })
        .collect();
    let answer = Answer { id: question.id, answerable: search.answerable, hits };
    serde_json::to_string(&answer).map_err(|error| json!({ "error": error.to_string() }).to_string())
}
