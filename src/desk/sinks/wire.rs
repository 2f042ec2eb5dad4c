//! Calls to another desk's interface: bounded in time and size, and each failure told by who must act.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::Value;

use super::Untaken;
use crate::channels::outgoing::{self, Answer};

/// What every call shares.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) client: reqwest::Client,
    pub(super) timeout: Duration,
}

impl Wire {
    /// The answer, whatever its status. That nobody knows whether a request was taken is for its caller to see to, who
    /// looks before it is sent again.
    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Answer, Untaken> {
        let later = |why: String| Untaken::Later { why, after_ms: None };
        tokio::time::timeout(self.timeout, outgoing::call(request))
            .await
            .map_err(|_| later(format!("no answer within {} ms", self.timeout.as_millis())))?
            .map_err(|error| later(error.to_string()))
    }

    /// The body of the answer to a request that was taken.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Value, Untaken> {
        let answer = self.call(request).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(answer.body),
            _ => Err(refused(&answer)),
        }
    }
}

/// Why something was not taken: what is missing or forbidden there is not there in an hour either; the rest may be.
pub(super) fn refused(answer: &Answer) -> Untaken {
    let status = answer.status.as_u16();
    let why = format!("status {status}");
    match status {
        400 | 404 | 405 | 410 | 413 | 415 | 422 => Untaken::Never(why),
        // A token that was taken away is given again by the operator; until the case is given back, that may be.
        _ => Untaken::Later { why, after_ms: answer.after_ms },
    }
}
