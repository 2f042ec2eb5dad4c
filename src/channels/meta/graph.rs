//! Calls to Meta's Graph API, and what its error codes ask for.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::multipart::Form;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::channels::ChannelError;
use crate::channels::content::one_line;
use crate::channels::outgoing::{self, Answer};

/// Longest account of an error that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;
/// A read mark or a typing indicator is not worth a longer wait.
const MARK_TIMEOUT: Duration = Duration::from_secs(5);

/// What an error code asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Later,
    Never,
}

/// Error codes, first to last of a range. FROM MEMORY, not read on Meta's pages: correct them here alone. A code that
/// is not listed is judged by the HTTP status it comes with.
#[rustfmt::skip]
const CODES: [(i64, i64, Way); 23] = [
    (2, 2, Way::Later),             // the service is down for a moment
    (4, 4, Way::Later),             // calls of the app
    (10, 10, Way::Never),           // no permission; with subcode 2018278 outside the window
    (32, 32, Way::Later),           // calls of the page
    (100, 100, Way::Never),         // a parameter is wrong
    (190, 190, Way::Never),         // the token has expired
    (200, 299, Way::Never),         // no permission
    (551, 551, Way::Never),         // the person cannot be reached
    (613, 613, Way::Later),         // calls in a time
    (80_007, 80_007, Way::Later),   // calls of the business account
    (130_429, 130_429, Way::Later), // throughput
    (131_000, 131_000, Way::Later), // something went wrong
    (131_016, 131_016, Way::Later), // overloaded
    (131_026, 131_026, Way::Never), // cannot be delivered to this number
    (131_047, 131_047, Way::Never), // more than 24 hours since the customer wrote
    (131_048, 131_048, Way::Later), // spam limit
    (131_049, 131_049, Way::Never), // cap for marketing
    (131_051, 131_051, Way::Never), // kind of message
    (131_053, 131_053, Way::Never), // media
    (131_056, 131_056, Way::Later), // too many to the same number
    (132_000, 132_999, Way::Never), // templates
    (133_010, 133_010, Way::Never), // the number is not registered
    (368, 368, Way::Never),         // blocked for a breach of policy
];

fn way(code: i64) -> Option<Way> {
    CODES.iter().find(|(first, last, _)| (*first..=*last).contains(&code)).map(|(_, _, way)| *way)
}

/// One account at the Graph API.
pub(in crate::channels) struct Graph {
    client: reqwest::Client,
    base: String,
    token: SecretString,
}

impl Graph {
    pub(in crate::channels) fn new(
        client: reqwest::Client,
        (base, version): (&str, &str),
        token: &SecretString,
    ) -> Self {
        let base = format!("{}/{version}", base.trim_end_matches('/'));
        Self { client, base, token: token.clone() }
    }

    /// The address of a thing in it.
    pub(in crate::channels) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Sends a message; the answer that it was taken, else who must act.
    pub(in crate::channels) async fn send(&self, path: &str, body: &Value) -> Result<Value, ChannelError> {
        judged(outgoing::call(self.request(path, body)).await?)
    }

    /// Brings a file; what the answer says of it.
    pub(in crate::channels) async fn upload(&self, path: &str, form: Form) -> Result<Value, ChannelError> {
        let request = self.client.post(self.at(path)).bearer_auth(self.token.expose_secret());
        judged(outgoing::call(request.multipart(form)).await?)
    }

    /// Sends something that may be lost without harm.
    pub(in crate::channels) async fn mark(&self, path: &str, body: &Value) {
        let sent = tokio::time::timeout(MARK_TIMEOUT, outgoing::call(self.request(path, body))).await;
        let status = match sent {
            Ok(Ok(answer)) if answer.status.is_success() => return,
            Ok(Ok(answer)) => answer.status.as_u16(),
            Ok(Err(_)) | Err(_) => 0,
        };
        tracing::debug!(http.status = status, "a customer was not shown that a message was seen");
    }

    fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(self.at(path)).bearer_auth(self.token.expose_secret()).json(body)
    }
}

fn judged(answer: Answer) -> Result<Value, ChannelError> {
    let Some(error) = answer.body.get("error").filter(|error| error.is_object()) else {
        return answer.taken("");
    };
    let number = |name: &str| error.get(name).and_then(Value::as_i64);
    let code = number("code").unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let why = reason(code, number("error_subcode"), message);
    match way(code) {
        Some(Way::Later) => Err(ChannelError::Later { why, after_ms: answer.after_ms }),
        Some(Way::Never) => Err(ChannelError::Permanent(why)),
        // An error that comes with 200 has taken nothing.
        None if answer.status == StatusCode::OK => Err(ChannelError::Permanent(why)),
        None => answer.taken(&why),
    }
}

/// The account of an error: its code, and what Meta calls it.
pub(in crate::channels) fn reason(code: i64, subcode: Option<i64>, title: &str) -> String {
    let code = subcode.map_or_else(|| code.to_string(), |subcode| format!("{code}/{subcode}"));
    one_line(&format!("{code} {title}"), REASON_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: Value) -> Result<Value, ChannelError> {
        judged(Answer { status: StatusCode::from_u16(status).unwrap(), after_ms: Some(7000), body })
    }

    #[test]
    fn each_code_says_who_must_act_whatever_status_it_comes_with() {
        for code in [2, 4, 32, 613, 80_007, 130_429, 131_000, 131_048, 131_056] {
            let error = told(400, json!({"error": {"code": code, "message": "wait"}})).unwrap_err();
            let expected = ChannelError::Later { why: format!("{code} wait"), after_ms: Some(7000) };
            assert_eq!(error, expected);
        }
        for code in [10, 190, 200, 551, 131_026, 131_047, 131_049, 131_051, 132_000, 132_015, 133_010] {
            let error = told(500, json!({"error": {"code": code, "message": "no"}})).unwrap_err();
            assert_eq!(error, ChannelError::Permanent(format!("{code} no")));
        }
    }

    #[test]
    fn what_is_not_listed_is_judged_by_its_status_and_the_subcode_is_kept() {
        let odd = |status| told(status, json!({"error": {"code": 1, "message": "odd"}})).unwrap_err();
        assert_eq!(odd(400), ChannelError::Permanent("400 1 odd".to_owned()));
        assert!(matches!(odd(503), ChannelError::Later { .. }));
        assert!(matches!(odd(504), ChannelError::Unknown(_)));
        assert!(matches!(odd(200), ChannelError::Permanent(_)));
        let window = json!({"error": {"code": 10, "error_subcode": 2_018_278, "message": "outside"}});
        assert_eq!(told(400, window).unwrap_err(), ChannelError::Permanent("10/2018278 outside".to_owned()));
        assert!(told(200, json!({"message_id": "m"})).is_ok());
        assert!(matches!(told(200, Value::Null), Ok(Value::Null)));
    }
}
