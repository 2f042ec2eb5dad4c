//! "Why did it do that?": the lines of a case's log as sentences, each with what it was decided on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::frame::People;
use super::super::shown::{self, words};
use crate::desk::note::{Declared, said_by};
use crate::domain::event::Event;
use crate::domain::receipt::Receipt;

/// What the lines are told with.
pub(super) struct Telling<'a> {
    pub(super) declared: &'a Declared,
    pub(super) people: &'a People,
    pub(super) receipts: &'a [Arc<Receipt>],
}

/// A line before it becomes a value of the page.
#[derive(Default)]
struct Told {
    text: String,
    /// `assistant`, `customer`, `people` or `trouble`, for the mark beside it.
    tone: &'static str,
    details: Vec<(String, String)>,
    /// The receipt that the facts of a note link to.
    receipt: Option<String>,
}

impl Told {
    fn new(tone: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone, ..Self::default() }
    }

    fn with(mut self, label: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.details.push((label.to_owned(), value));
        }
        self
    }
}

fn text<'v>(body: &'v Value, name: &str) -> &'v str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn percent(value: Option<&Value>) -> String {
    value
        .and_then(Value::as_f64)
        .map_or_else(|| "unknown".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn list(value: Option<&Value>, one: impl Fn(&Value) -> String) -> String {
    let entries = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Telling<'_> {
    /// One line of the page.
    pub(super) fn line(&self, event: &Event) -> Value {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let told = self
            .of_the_machine(&event.kind, &body)
            .or_else(|| self.of_people(&event.kind, &body))
            .unwrap_or_else(|| other(&event.kind, &body));
        json!({
            "seq": event.seq, "at": event.at, "kind": event.kind, "text": told.text, "tone": told.tone,
            "details": told.details, "receipt": told.receipt,
        })
    }

    fn who(&self, body: &Value) -> String {
        shown::by(text(body, "by"), self.people)
    }

    fn of_the_machine(&self, kind: &str, body: &Value) -> Option<Told> {
        let reason = || words(text(body, "reason"));
        Some(match kind {
            "opened" => {
                Told::new("customer", format!("The case began on {}", shown::channel(text(body, "channel"))))
            }
            "received" => Told::new(
                "customer",
                format!("The customer wrote on {}", shown::channel(text(body, "channel"))),
            ),
            "triaged" => triaged(self.declared, body),
            "searched" => Told::new(
                "assistant",
                format!(
                    "Looked into the articles: {} that the answer is there",
                    percent(body.get("answerable"))
                ),
            )
            .with(
                "Passages",
                list(body.get("hits"), |hit| format!("{} ({})", text(hit, "article"), score(hit))),
            )
            .with("Edition", text(body, "knowledge").chars().take(12).collect::<String>()),
            "tool_called" => self.called(body),
            "tool_denied" => Told::new(
                "trouble",
                format!("A rule did not allow {}", self.declared.words(text(body, "tool"))),
            )
            .with("Rule", reason())
            .with("Limit", text(body, "limit")),
            "confirm_asked" => Told::new(
                "assistant",
                format!("Asked for a yes to {}", self.declared.words(text(body, "tool"))),
            ),
            "guarded" => Told::new("trouble", "The guard stopped a draft")
                .with("Rule", words(text(body, "rule")))
                .with("Found", text(body, "found")),
            "replied" => Told::new("assistant", "The assistant answered").with(
                "Resting on",
                list(body.get("articles"), |one| one.as_str().unwrap_or_default().to_owned()),
            ),
            "resolved" if body.get("by").is_none() => Told::new("assistant", "The assistant settled it")
                .with("How", words(text(body, "resolution")))
                .with(
                    "Resting on",
                    list(body.get("articles"), |one| one.as_str().unwrap_or_default().to_owned()),
                ),
            "handed_off" => Told::new(
                "people",
                format!("Handed to people: {}", shown::reason(text(body, "reason")).to_lowercase()),
            )
            .with("Team", text(body, "team"))
            .with("Urgency", text(body, "urgency")),
            "silent" => Told::new("assistant", "The turn ended without a word").with("Because", reason()),
            "turn_failed" => Told::new("trouble", "A turn failed").with("Because", reason()),
            "delivered" => Told::new("trouble", format!("A message: {}", words(text(body, "state"))))
                .with("Because", text(body, "reason")),
            "model_called" => model(body),
            "proven" => {
                Told::new("customer", format!("A proof of who they are: {}", words(text(body, "outcome"))))
            }
            "crm_asked" => Told::new("assistant", "Asked the CRM who writes")
                .with("Answer", words(text(body, "outcome"))),
            "closed" => Told::new("assistant", "The time to reopen it is over"),
            "erased" => Told::new("people", "Every word of the customer was erased"),
            _ => return None,
        })
    }

    fn of_people(&self, kind: &str, body: &Value) -> Option<Told> {
        let who = self.who(body);
        Some(match kind {
            "resolved" => {
                Told::new("people", format!("{who} settled it")).with("As", words(text(body, "kind")))
            }
            "assigned" if !text(body, "reason").is_empty() => {
                Told::new("people", "It came back from being put aside")
            }
            "assigned" => match self.people.get(text(body, "agent")) {
                Some(to) if *to == who => Told::new("people", format!("{who} took it")),
                Some(to) => Told::new("people", format!("{who} gave it to {to}")),
                None => Told::new("people", format!("{who} put it back into the queue"))
                    .with("Team", text(body, "team")),
            },
            "agent_replied" => Told::new("people", format!("{who} answered"))
                .with("On", shown::channel(text(body, "channel"))),
            "noted" if text(body, "about") == "instruction" => {
                Told::new("people", format!("{who} told the assistant what to do"))
            }
            "noted" => Told::new("people", format!("{who} left a note"))
                .with("Named", list(body.get("named"), |one| one.as_str().unwrap_or_default().to_owned())),
            "suggested" => Told::new("people", format!("{who} asked the assistant for a reply"))
                .with("It had", words(text(body, "outcome")))
                .with(
                    "Resting on",
                    list(body.get("articles"), |one| one.as_str().unwrap_or_default().to_owned()),
                ),
            "looked_up" => Told::new(
                "people",
                format!("{who} had {} read afresh", self.declared.words(text(body, "tool"))),
            ),
            "snoozed" => Told::new("people", format!("{who} put it aside")).with(
                "Until",
                if text(body, "until").is_empty() { "the customer writes" } else { text(body, "until") },
            ),
            "returned" => Told::new("people", format!("{who} gave it back to the assistant")),
            "reopened" if body.get("by").is_none() => {
                Told::new("customer", "It was opened again").with("Because", words(text(body, "reason")))
            }
            "reopened" => Told::new("people", format!("{who} opened it again")),
            "merged" => Told::new("people", format!("{who} found the customer to be another one too")),
            "unmerged" => Told::new("people", format!("{who} separated the two customers again")),
            "approval_decided" => Told::new("people", format!("{who}: {}", words(text(body, "decision"))))
                .with("Tool", self.declared.words(text(body, "tool"))),
            _ => return None,
        })
    }

    fn called(&self, body: &Value) -> Told {
        let tool = self.declared.words(text(body, "tool"));
        let status = text(body, "status");
        if status == "claimed" {
            return Told::new(
                "assistant",
                format!("Wrote down that {tool} is about to be called, before calling it"),
            );
        }
        let tone = if status == "done" { "assistant" } else { "trouble" };
        let mut told = Told::new(tone, format!("{tool}: {status}"));
        if let Some(ms) = body.get("duration_ms").and_then(Value::as_i64) {
            told = told.with("Took", format!("{ms} ms"));
        }
        let id = text(body, "receipt");
        told.receipt = Some(id.to_owned()).filter(|id| !id.is_empty());
        let receipt = self.receipts.iter().find(|receipt| receipt.id.as_str() == id);
        if let Some(receipt) = receipt {
            for (label, value) in self.declared.arguments(&receipt.arguments) {
                told = told.with(&format!("With {}", label.to_lowercase()), value);
            }
            told.details.extend(said_by(&receipt.result));
            if let Some(message) = receipt.result.pointer("/error/message").and_then(Value::as_str) {
                told = told.with("It said", message);
            }
        }
        told
    }
}

fn score(hit: &Value) -> String {
    hit.get("score").and_then(Value::as_f64).map_or_else(String::new, |score| format!("{score:.2}"))
}

fn triaged(declared: &Declared, body: &Value) -> Told {
    let intent = text(body, "intent");
    let read = if intent.is_empty() { "nothing known".to_owned() } else { declared.words(intent) };
    let decision = match text(body, "decision") {
        "tier1" => "the assistant may try",
        "escalate" => "a person must have it",
        _ => "nothing known covers it",
    };
    Told::new("assistant", format!("Read as: {read} ({})", percent(body.get("confidence"))))
        .with("So", decision)
        .with("By", words(text(body, "reason")))
        .with(
            "Candidates",
            list(body.get("candidates"), |one| {
                format!("{} {}", words(text(one, "intent")), percent(one.get("confidence")))
            }),
        )
        .with("Urgency", text(body, "urgency"))
        .with("Mood", text(body, "sentiment"))
}

fn model(body: &Value) -> Told {
    let number = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
    let outcome = text(body, "outcome");
    let tone = if outcome == "ok" { "assistant" } else { "trouble" };
    let cost = number("cost_micros") as f64 / 1_000_000.0;
    Told::new(
        tone,
        format!("Asked the model {} to {}: {outcome}", text(body, "model"), words(text(body, "purpose"))),
    )
    .with("Tokens", format!("{} read, {} written", number("input"), number("output")))
    .with("Took", format!("{} ms", number("milliseconds")))
    .with("Cost", format!("{cost:.6}"))
}

/// What has no sentence of its own: its name, and what of its particulars is plain.
fn other(kind: &str, body: &Value) -> Told {
    let mut told = Told::new("assistant", shown::sentence(&words(kind)));
    for (name, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => told = told.with(&shown::sentence(&words(name)), text.clone()),
            Value::Number(number) => told = told.with(&shown::sentence(&words(name)), number.to_string()),
            Value::Array(_) => {
                let all = list(Some(value), |one| one.as_str().unwrap_or_default().to_owned());
                told = told.with(&shown::sentence(&words(name)), all);
            }
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CaseId;
    use crate::domain::time::Timestamp;

    fn told(kind: &str, body: &Value) -> Value {
        let people = People::from([("a1".to_owned(), "Ada".to_owned()), ("b2".to_owned(), "Bob".to_owned())]);
        let telling = Telling { declared: &Declared::default(), people: &people, receipts: &[] };
        let case = CaseId::parse("c").unwrap();
        let event = Event {
            case,
            seq: 1,
            at: Timestamp(0),
            kind: kind.to_owned(),
            body: body.to_string(),
            hash: String::new(),
        };
        telling.line(&event)
    }

    #[test]
    fn what_was_decided_reads_as_a_sentence_with_its_figures() {
        let line = told(
            "triaged",
            &json!({"intent": "order_status", "confidence": 0.834, "decision": "tier1",
            "reason": "intent", "candidates": [{"intent": "order_status", "confidence": 0.834}, {"intent": "returns", "confidence": 0.1}]}),
        );
        assert_eq!(line["text"], "Read as: Order status (83 %)");
        assert_eq!(line["details"][2], json!(["Candidates", "order status 83 %, returns 10 %"]));
        let line = told("assigned", &json!({"by": "agent:a1", "agent": "b2"}));
        assert_eq!(line["text"], "Ada gave it to Bob");
        assert_eq!(told("assigned", &json!({"by": "agent:a1", "agent": "a1"}))["text"], "Ada took it");
        assert_eq!(told("guarded", &json!({"rule": "amounts", "found": "$900"}))["tone"], "trouble");
    }

    #[test]
    fn a_kind_that_has_no_sentence_still_says_what_it_holds() {
        let line = told("offered", &json!({"because": ["speaks German", "2 of 5 taken"], "agent": "a1"}));
        assert_eq!(line["text"], "Offered");
        assert!(line["details"].to_string().contains("speaks German, 2 of 5 taken"), "{line}");
        assert_eq!(told("anything", &json!("not an object"))["text"], "Anything");
    }
}
