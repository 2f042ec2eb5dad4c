//! The operator's CRM as it is declared in `[crm]`: how it is asked, what its answers mean, and what it is told.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Method;
use crate::domain::topic::Topic;

/// `[crm]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmSettings {
    /// Whether it is asked and told.
    pub enabled: bool,
    /// Where a customer is found by the operator's own id.
    pub by_external_id: String,
    /// Where one is found by a proven mail address.
    pub by_email: String,
    /// Where one is found by a proven phone number.
    pub by_phone: String,
    /// Headers of every question.
    pub headers: BTreeMap<String, String>,
    /// Longest an answer may take.
    pub timeout_ms: u64,
    /// What was asked this long ago is asked again.
    pub max_age_ms: i64,
    /// After a failure nobody is asked for this long.
    pub pause_ms: i64,
    /// Longest value that is taken.
    pub value_chars_max: usize,
    /// Expressions over `response`, by field.
    pub fields: BTreeMap<String, String>,
    /// What it is told.
    pub write_back: WriteBackSettings,
}

/// `[crm.write_back]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteBackSettings {
    /// Where; empty: it is told nothing.
    pub url: String,
    /// How.
    pub method: Method,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// The body, JSON as text.
    pub body: String,
    /// What it is told about.
    pub events: Vec<CrmEvent>,
    /// Longest one attempt may take.
    pub timeout_ms: u64,
    /// Attempts before it is given up with an alert.
    pub attempts_max: i64,
    /// Pause before the second attempt; doubles each time.
    pub retry_ms: i64,
    /// Longest pause.
    pub retry_ms_max: i64,
    /// How long an attempt is held by the process that makes it.
    pub lease_ms: i64,
}

/// Something a CRM may be told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum CrmEvent {
    /// A case was resolved.
    #[serde(rename = "case.resolved")]
    Resolved,
    /// A case went to people.
    #[serde(rename = "case.handed_off")]
    HandedOff,
}

impl CrmEvent {
    /// What it is to everybody else.
    pub fn topic(self) -> Topic {
        match self {
            Self::Resolved => Topic::Resolved,
            Self::HandedOff => Topic::HandedOff,
        }
    }
}

impl CrmSettings {
    /// What the CRM is told about; nothing where it is switched off.
    pub fn told(&self) -> &[CrmEvent] {
        if self.enabled && !self.write_back.url.is_empty() { &self.write_back.events } else { &[] }
    }
}
