//! What calls to a language model took and cost.

use serde::{Deserialize, Serialize};

/// The tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read by the model.
    pub input: u64,
    /// Of these, remembered from an earlier call.
    pub cached: u64,
    /// Written by the model.
    pub output: u64,
    /// Who counted.
    pub counted: Counted,
}

/// Who counted the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The server.
    #[default]
    ByServer,
    /// We did: the server said nothing of it.
    ByUs,
}

/// One attempt at a call, for the record of the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The model that was asked; empty when none was.
    pub model: String,
    /// What for.
    pub purpose: String,
    /// `ok`, the kind of the error, or `abandoned`.
    pub outcome: String,
    /// Its tokens.
    #[serde(flatten)]
    pub usage: Usage,
    /// How long it took.
    pub milliseconds: i64,
    /// What it cost, in millionths of the currency of the prices.
    pub cost_micros: i64,
}

/// What was spent so far, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// For this customer, today.
    pub customer_day_micros: i64,
    /// For everybody, today.
    pub day_micros: i64,
    /// For everybody, ever.
    pub total_micros: i64,
}
