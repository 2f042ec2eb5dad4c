//! The phone by Twilio, played: a whole call from its first ring, as a caller would hear it.

use std::sync::Once;
use std::time::Duration;

use axum::Router;

use super::twilio::{self, ACCOUNT, OURS, TOKEN};
use super::twiml::{self, Verb};
use super::{Outbox, Provider, ProviderCall, Said, Sent};
use crate::channels::voice::NAME;

/// Addresses that Twilio follows one after the other before it gives a call up.
const REDIRECTS_MAX: usize = 100;
/// After this Twilio gives a request up.
const REQUEST: Duration = Duration::from_secs(15);

pub(super) struct Voice;

impl Provider for Voice {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn proves(&self) -> bool {
        false
    }

    fn settings(&self, _: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        vec![(NAME, "enabled", "true".to_owned()), (NAME, "auth_token", TOKEN.to_owned())]
    }

    fn says(&self, said: &Said<'_>, base: &str) -> ProviderCall {
        let call = sid(said.id);
        let fields = [&identity(&call, said.from)[..], &[("Confidence", "0.9"), ("SpeechResult", said.text)]];
        twilio::posted("/channels/voice/turn?turn=1", twilio::form(&fields.concat()), base)
    }

    fn signed(&self, call: &ProviderCall, body: Vec<u8>, base: &str) -> ProviderCall {
        twilio::posted(&call.target, body, base)
    }

    /// What is spoken has been heard: nobody tells.
    fn status(&self, _: &Sent, _: &str, _: &str) -> Option<ProviderCall> {
        None
    }

    fn address(&self, customer: u32) -> String {
        twilio::number(customer)
    }

    /// Nothing is sent to it: answers are spoken in the call.
    fn router(&self, _: Outbox) -> Router {
        Router::new()
    }
}

fn sid(id: u64) -> String {
    format!("CA{id:032x}")
}

fn identity<'a>(call: &'a str, from: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("CallSid", call),
        ("AccountSid", ACCOUNT),
        ("From", from),
        ("To", OURS),
        ("Direction", "inbound"),
        ("CallStatus", "in-progress"),
    ]
}

/// A call that cannot go on, and why.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service did not answer in time, or not at all.
    #[error("the service did not answer: {0}")]
    Silent(String),
    /// It refused, or answered with something that is no TwiML.
    #[error("the service answered {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// It has ended.
    #[error("the call is over")]
    Over,
}

/// Where a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// Somebody listens; what is heard goes there.
    Listens(String),
    /// It was given to a person.
    Transferred { number: String, whisper: Option<String>, action: Option<String> },
    /// It has ended.
    Over,
}

/// A call of a customer.
pub struct Call {
    client: reqwest::Client,
    base: String,
    from: String,
    sid: String,
    line: Line,
    greeting: Vec<String>,
    /// The last request of the caller's own, and the TwiML that answered it.
    last: Option<(ProviderCall, String)>,
}

impl Call {
    /// Rings a service that is reached at `base`, from the number `from`; `id` tells calls apart.
    pub async fn begin(base: &str, from: &str, id: u64) -> Result<Self, CallError> {
        static CRYPTO: Once = Once::new();
        // Taken by whoever comes first in this process.
        CRYPTO.call_once(|| _ = rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST)
            .build()
            .map_err(|error| CallError::Silent(error.to_string()))?;
        let mut call = Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            from: from.to_owned(),
            sid: sid(id),
            line: Line::Over,
            greeting: Vec::new(),
            last: None,
        };
        let first = format!("{}/channels/voice", call.base);
        call.greeting = call.follow(first, &[]).await?;
        Ok(call)
    }

    /// What was said first.
    pub fn greeting(&self) -> &[String] {
        &self.greeting
    }

    /// Says words, understood well; what is heard then.
    pub async fn say(&mut self, words: &str) -> Result<Vec<String>, CallError> {
        self.turn(&[("Confidence", "0.92"), ("SpeechResult", words)]).await
    }

    /// Says words of which Twilio is as sure as `confidence` says.
    pub async fn mumble(&mut self, words: &str, confidence: &str) -> Result<Vec<String>, CallError> {
        self.turn(&[("Confidence", confidence), ("SpeechResult", words)]).await
    }

    /// Presses keys.
    pub async fn press(&mut self, keys: &str) -> Result<Vec<String>, CallError> {
        self.turn(&[("Digits", keys)]).await
    }

    /// Says nothing.
    pub async fn stay_silent(&mut self) -> Result<Vec<String>, CallError> {
        self.turn(&[]).await
    }

    /// The number the call was given to.
    pub fn transferred(&self) -> Option<&str> {
        match &self.line {
            Line::Transferred { number, .. } => Some(number),
            Line::Listens(_) | Line::Over => None,
        }
    }

    /// Whether it has ended.
    pub fn over(&self) -> bool {
        self.line == Line::Over
    }

    /// What the person hears to whom the call is given.
    pub async fn whisper(&mut self) -> Result<Vec<String>, CallError> {
        let Line::Transferred { whisper: Some(url), .. } = self.line.clone() else {
            return Err(CallError::Over);
        };
        let (verbs, _) = self.post(&url, &[]).await?;
        Ok(texts(&verbs))
    }

    /// The person has not answered, or has hung up: what the caller hears then.
    pub async fn dialled(&mut self, status: &str) -> Result<Vec<String>, CallError> {
        let Line::Transferred { action: Some(url), .. } = self.line.clone() else {
            return Err(CallError::Over);
        };
        self.follow(url, &[("DialCallStatus", status)]).await
    }

    /// The caller's last request again, as after an answer that was lost: the TwiML before, and now.
    pub async fn again(&mut self) -> Result<(String, String), CallError> {
        let Some((request, before)) = self.last.clone() else { return Err(CallError::Over) };
        let (_, now) = self.send(request).await?;
        Ok((before, now))
    }

    async fn turn(&mut self, heard: &[(&str, &str)]) -> Result<Vec<String>, CallError> {
        let Line::Listens(action) = self.line.clone() else { return Err(CallError::Over) };
        self.follow(action, heard).await
    }

    /// Does what TwiML says until somebody has to speak or the call has ended.
    async fn follow(&mut self, url: String, heard: &[(&str, &str)]) -> Result<Vec<String>, CallError> {
        let (mut url, mut fields, mut said) = (url, heard.to_vec(), Vec::new());
        for step in 0..REDIRECTS_MAX {
            let (verbs, request) = self.post(&url, &fields).await?;
            if step == 0 {
                self.last = Some(request);
            }
            fields.clear();
            let Some(next) = self.perform(verbs, &mut said) else { return Ok(said) };
            url = next;
        }
        Err(CallError::Silent("it redirects for ever".to_owned()))
    }

    /// Performs verbs in order; the address to go on at, where one says so.
    fn perform(&mut self, verbs: Vec<Verb>, said: &mut Vec<String>) -> Option<String> {
        self.line = Line::Over;
        for verb in verbs {
            match verb {
                Verb::Say(text) => said.push(text),
                Verb::Gather { action, prompt } => {
                    said.extend(prompt);
                    self.line = Line::Listens(action);
                    return None;
                }
                Verb::Redirect(url) => return Some(url),
                Verb::Dial { number, whisper, action } => {
                    self.line = Line::Transferred { number, whisper, action };
                    return None;
                }
                Verb::Hangup => return None,
            }
        }
        None
    }

    async fn post(
        &self,
        url: &str,
        more: &[(&str, &str)],
    ) -> Result<(Vec<Verb>, (ProviderCall, String)), CallError> {
        let Some(target) = url.strip_prefix(&self.base) else {
            return Err(CallError::Silent(format!("{url} is not an address of the service")));
        };
        let fields = [&identity(&self.sid, &self.from)[..], more].concat();
        let request = twilio::posted(target, twilio::form(&fields), &self.base);
        let (verbs, body) = self.send(request.clone()).await?;
        Ok((verbs, (request, body)))
    }

    async fn send(&self, request: ProviderCall) -> Result<(Vec<Verb>, String), CallError> {
        let silent = |error: reqwest::Error| CallError::Silent(error.without_url().to_string());
        let mut sent = self.client.post(format!("{}{}", self.base, request.target));
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let answer = sent.body(request.body).send().await.map_err(silent)?;
        let status = answer.status();
        let body = answer.text().await.map_err(silent)?;
        match twiml::read(&body).filter(|_| status.is_success()) {
            Some(verbs) => Ok((verbs, body)),
            None => Err(CallError::Refused { status: status.as_u16(), body }),
        }
    }
}

fn texts(verbs: &[Verb]) -> Vec<String> {
    let said = |verb: &Verb| match verb {
        Verb::Say(text) => Some(text.clone()),
        Verb::Gather { .. } | Verb::Redirect(_) | Verb::Dial { .. } | Verb::Hangup => None,
    };
    verbs.iter().filter_map(said).collect()
}
