//! What others may subscribe to, and what they are told of it: ids and facts, never what anybody said.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::case::Case;
use super::event::{Event, EventKind};
use super::message::{Author, Message, Visibility};

/// Something that leaves for whoever subscribes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// A case went to people.
    #[serde(rename = "case.handed_off")]
    HandedOff,
    /// A case was resolved.
    #[serde(rename = "case.resolved")]
    Resolved,
    /// A case was opened again.
    #[serde(rename = "case.reopened")]
    Reopened,
    /// The assistant or a person has said something to the customer.
    #[serde(rename = "message.sent")]
    MessageSent,
    /// The customer has scored somebody.
    #[serde(rename = "csat.received")]
    CsatReceived,
}

impl Topic {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandedOff => "case.handed_off",
            Self::Resolved => "case.resolved",
            Self::Reopened => "case.reopened",
            Self::MessageSent => "message.sent",
            Self::CsatReceived => "csat.received",
        }
    }

    /// What a line of the log is to others; most are nothing.
    pub fn of_event(kind: &str) -> Option<Self> {
        let known = [
            (EventKind::HandedOff.as_str(), Self::HandedOff),
            (EventKind::Resolved.as_str(), Self::Resolved),
            (EventKind::Reopened.as_str(), Self::Reopened),
            (EventKind::Rated.as_str(), Self::CsatReceived),
        ];
        known.into_iter().find(|(name, _)| *name == kind).map(|(_, topic)| topic)
    }

    /// What an entry of the thread is to others: what the customer wrote and what only agents read is nothing.
    pub fn of_message(message: &Message) -> Option<Self> {
        let said = message.author != Author::Customer && message.visibility == Visibility::Public;
        said.then_some(Self::MessageSent)
    }

    /// The particulars of the log that others may read.
    fn particulars(self) -> &'static [&'static str] {
        match self {
            Self::HandedOff => &["handoff", "reason"],
            Self::Resolved => &["by", "kind"],
            Self::Reopened => &["by", "reason"],
            Self::MessageSent => &[],
            Self::CsatReceived => &["score", "scale", "of", "channel", "comment"],
        }
    }
}

/// What is known of a case without anybody's words.
fn facts(case: &Case) -> Map<String, Value> {
    let facts = json!({
        "case_id": case.id, "customer_id": case.customer, "state": case.state, "channel": case.channel,
        "intent": case.intent, "language": case.language, "urgency": case.urgency, "team": case.team,
        "agent": case.agent, "resolution": case.resolution, "opened_at": case.opened_at,
        "resolved_at": case.resolved_at,
    });
    match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}

/// What others are told of a line of the log, the case being as that line left it.
pub fn of_event(topic: Topic, case: &Case, event: &Event) -> Value {
    let mut told = facts(case);
    let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
    for name in topic.particulars() {
        told.insert((*name).to_owned(), body.get(name).cloned().unwrap_or_default());
    }
    told.insert("event_seq".to_owned(), json!(event.seq));
    Value::Object(told)
}

/// What others are told of something that was said.
pub fn of_message(case: &Case, message: &Message) -> Value {
    let mut told = facts(case);
    let cited: Vec<&str> = message.citations.iter().map(|citation| citation.article.as_str()).collect();
    let said = json!({
        "id": message.id, "seq": message.seq, "author": message.author, "agent": message.agent,
        "channel": message.channel, "articles": cited, "at": message.at,
    });
    told.insert("message".to_owned(), said);
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_reads_back_from_its_name_and_a_score_is_one_by_its_kind_alone() {
        for topic in
            [Topic::HandedOff, Topic::Resolved, Topic::Reopened, Topic::MessageSent, Topic::CsatReceived]
        {
            assert_eq!(serde_json::to_value(topic).unwrap(), json!(topic.as_str()));
        }
        assert_eq!(Topic::of_event("rated"), Some(Topic::CsatReceived));
        assert_eq!(Topic::of_event("received"), None);
    }
}
