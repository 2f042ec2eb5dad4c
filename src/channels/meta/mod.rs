//! What the channels of Meta share: how their webhooks are signed and set up, and the way through a batch.
//!
//! Sources: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started> (handshake, signature).

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use super::json::Fields;
use super::webhook::{same_secret, signed_sha256};
use super::{BadInput, ChannelError, LABEL_CHARS_MAX, Webhook, WebhookAnswer};

pub(super) mod graph;
pub mod social;

/// Where the signature comes.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";
/// Most entries, changes, messages or statuses in one list; Meta sends up to a thousand updates together.
pub(super) const BATCH_MAX: usize = 1000;
/// Longest id of a message: those of Instagram have about 200 characters.
pub(super) const ID_CHARS_MAX: usize = 500;
/// Longest challenge that is given back.
const CHALLENGE_BYTES_MAX: usize = 1000;

/// What proves that Meta calls.
pub(super) struct Keys {
    app_secret: SecretString,
    verify_token: SecretString,
}

impl Keys {
    pub(super) fn new(app_secret: &SecretString, verify_token: &SecretString) -> Self {
        Self { app_secret: app_secret.clone(), verify_token: verify_token.clone() }
    }

    /// A GET asks whether this is the right place; whoever knows the token gets the challenge back.
    pub(super) fn greet(&self, webhook: &Webhook<'_>) -> Option<Result<WebhookAnswer, ChannelError>> {
        if webhook.method != Method::GET {
            return None;
        }
        let asked = webhook.parameter("hub.mode").is_some_and(|mode| mode == "subscribe");
        let token = webhook.parameter("hub.verify_token").unwrap_or_default();
        let known = same_secret(self.verify_token.expose_secret(), &token);
        let challenge = webhook.parameter("hub.challenge").filter(|text| text.len() <= CHALLENGE_BYTES_MAX);
        Some(match challenge {
            Some(challenge) if asked && known => Ok(WebhookAnswer::text(challenge.into_owned())),
            Some(_) | None => {
                Err(ChannelError::Forged("hub.verify_token does not match `verify_token` of the settings"))
            }
        })
    }

    /// `sha256=` and the HMAC of the raw body in hex. What Meta escapes in it would be lost by reading and writing it.
    pub(super) fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        let given = webhook.header(SIGNATURE_HEADER).and_then(|value| value.strip_prefix("sha256="));
        let Some(signature) = given.and_then(|text| hex::decode(text).ok()) else {
            return Err(ChannelError::Forged("X-Hub-Signature-256 is missing or is no sha256=<hex>"));
        };
        signed_sha256(self.app_secret.expose_secret().as_bytes(), &[webhook.body], &signature)
    }
}

/// The entries of a batch about `object`. News of something else is refused, not passed over: a customer's message may
/// have been sent to the wrong address.
pub(super) fn entries(
    webhook: &Webhook<'_>,
    depth_max: usize,
    object: &str,
) -> Result<Vec<Fields>, BadInput> {
    let mut body = Fields::of_body(webhook.body, depth_max)?;
    let found = body.required_label("object", LABEL_CHARS_MAX)?;
    if found != object {
        let problem = format!("is `{found}`; this address takes `{object}`, so set the webhook up for that");
        return Err(BadInput::new("object", problem));
    }
    body.objects("entry", BATCH_MAX)
}
