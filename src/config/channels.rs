//! The settings of channels: one section each, switched on by `enabled`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::EmailSettings;

/// The sections of all channels that have settings.
#[derive(Debug, Clone)]
pub struct Channels {
    /// The operator's own channels.
    pub in_app: InAppSettings,
    /// Telegram.
    pub telegram: TelegramSettings,
    /// WhatsApp.
    pub whatsapp: WhatsAppSettings,
    /// Messenger.
    pub messenger: MetaSettings,
    /// Instagram.
    pub instagram: MetaSettings,
    /// Slack.
    pub slack: SlackSettings,
    /// SMS.
    pub sms: SmsSettings,
    /// The phone.
    pub voice: VoiceSettings,
    /// Email.
    pub email: EmailSettings,
}

impl Channels {
    /// What a channel that is switched on lacks.
    pub(super) fn problems(&self) -> Vec<String> {
        let telegram = &self.telegram;
        let mut problems = lacking(
            "telegram",
            telegram.enabled,
            &[
                ("bot_token", telegram.bot_token.expose_secret()),
                ("webhook_secret", telegram.webhook_secret.expose_secret()),
                ("api_base", &telegram.api_base),
            ],
        );
        problems.extend(self.whatsapp.problems());
        problems.extend(self.messenger.problems("messenger"));
        problems.extend(self.instagram.problems("instagram"));
        let slack = &self.slack;
        problems.extend(lacking(
            "slack",
            slack.enabled,
            &[
                ("signing_secret", slack.signing_secret.expose_secret()),
                ("bot_token", slack.bot_token.expose_secret()),
                ("api_base", &slack.api_base),
            ],
        ));
        problems.extend(self.sms.problems());
        problems.extend(self.voice.problems());
        problems.extend(self.email.problems());
        problems
    }
}

/// The operator's own channels: where answers are sent beside the streams that can be read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InAppSettings {
    /// Where every answer is posted; empty: nowhere.
    pub webhook_url: String,
    /// Signs what is posted there, `whsec_…`.
    pub webhook_secret: SecretString,
}

/// Telegram.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelegramSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The bot's token.
    pub bot_token: SecretString,
    /// The `secret_token` that was given to `setWebhook`.
    pub webhook_secret: SecretString,
    /// Where the Bot API is.
    pub api_base: String,
}

/// WhatsApp, by the Cloud API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatsAppSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The secret of the app, with which its webhooks are signed.
    pub app_secret: SecretString,
    /// What was typed as verify token when the webhook was set up.
    pub verify_token: SecretString,
    /// The token of the system user that sends.
    pub access_token: SecretString,
    /// The id of the phone number that answers; not the number itself.
    pub phone_number_id: String,
    /// An approved template with one variable in its body, for the time when free words may not be sent; empty: none.
    pub template_name: String,
    /// The language the template was approved in.
    pub template_language: String,
    /// Where the Graph API is.
    pub api_base: String,
    /// Its version.
    pub api_version: String,
}

impl WhatsAppSettings {
    fn problems(&self) -> Vec<String> {
        let needed = [
            ("app_secret", self.app_secret.expose_secret()),
            ("verify_token", self.verify_token.expose_secret()),
            ("access_token", self.access_token.expose_secret()),
            ("phone_number_id", &self.phone_number_id),
            ("template_language", &self.template_language),
            ("api_base", &self.api_base),
            ("api_version", &self.api_version),
        ];
        lacking("whatsapp", self.enabled, &needed)
    }
}

/// Messenger or Instagram.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The secret of the app, with which its webhooks are signed.
    pub app_secret: SecretString,
    /// What was typed as verify token when the webhook was set up.
    pub verify_token: SecretString,
    /// The token of the page or of the account that sends.
    pub access_token: SecretString,
    /// Where the Graph API is.
    pub api_base: String,
    /// Its version.
    pub api_version: String,
}

impl MetaSettings {
    fn problems(&self, section: &str) -> Vec<String> {
        let needed = [
            ("app_secret", self.app_secret.expose_secret()),
            ("verify_token", self.verify_token.expose_secret()),
            ("access_token", self.access_token.expose_secret()),
            ("api_base", &self.api_base),
            ("api_version", &self.api_version),
        ];
        lacking(section, self.enabled, &needed)
    }
}

/// Slack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The signing secret of the app.
    pub signing_secret: SecretString,
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// Where the Web API is.
    pub api_base: String,
}
/// SMS by Twilio.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The account, `AC…`.
    pub account_sid: String,
    /// The account's token: signs what comes in and opens the interface.
    pub auth_token: SecretString,
    /// Our number in E.164, for what does not answer a message to a number of ours.
    pub from: String,
    /// A messaging service, `MG…`, that chooses the number; empty for none.
    pub messaging_service_sid: String,
    /// Where Twilio's interface is.
    pub api_base: String,
}

impl SmsSettings {
    fn problems(&self) -> Vec<String> {
        let whence =
            if self.messaging_service_sid.is_empty() { &self.from } else { &self.messaging_service_sid };
        lacking(
            "sms",
            self.enabled,
            &[
                ("account_sid", &self.account_sid),
                ("auth_token", self.auth_token.expose_secret()),
                ("from", whence),
                ("api_base", &self.api_base),
            ],
        )
    }
}

/// The phone by Twilio.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The account's token: signs what comes in.
    pub auth_token: SecretString,
    /// Where a call goes that a person is to take, in E.164; empty: nobody is called.
    pub transfer_to: String,
    /// Whether that number is called when the team is closed, too.
    pub transfer_out_of_hours: bool,
    /// Speech that was understood with less confidence than this counts as not understood.
    pub confidence_min: f64,
    /// Times in a row that nothing is understood before a person gets the call.
    pub misses_max: u32,
    /// Longest a request of the call is held for its answer.
    pub answer_wait_ms: u64,
    /// Times a call is asked to hold on for one answer before a person gets it.
    pub waits_max: u32,
    /// Longest pause before the caller's first word or after a key.
    pub input_timeout_seconds: u32,
    /// Languages as the voice is to speak them, BCP 47: `en-GB`; for those that are not named, the usual one.
    pub locales: Vec<String>,
}

impl VoiceSettings {
    fn problems(&self) -> Vec<String> {
        let mut problems = lacking("voice", self.enabled, &[("auth_token", self.auth_token.expose_secret())]);
        if self.answer_wait_ms > ANSWER_WAIT_MS_MAX {
            problems.push(format!(
                "[voice] answer_wait_ms is {}: Twilio gives up after 15 s, so at most {ANSWER_WAIT_MS_MAX}",
                self.answer_wait_ms
            ));
        }
        if !(0.0..=1.0).contains(&self.confidence_min) {
            problems.push("[voice] confidence_min must be between 0 and 1".to_owned());
        }
        let dialled = self.transfer_to.strip_prefix('+').unwrap_or_default();
        let is_number = !dialled.is_empty() && dialled.bytes().all(|b| b.is_ascii_digit());
        if !self.transfer_to.is_empty() && !is_number {
            problems.push("[voice] transfer_to must be a number in E.164 such as +14155550100".to_owned());
        }
        problems
    }
}

/// Longest that a call may be kept waiting by one request: the answer must be with Twilio before its own 15 s are over.
const ANSWER_WAIT_MS_MAX: u64 = 10_000;

pub(super) fn lacking(section: &str, enabled: bool, needed: &[(&str, &str)]) -> Vec<String> {
    let empty = needed.iter().filter(|(_, value)| enabled && value.is_empty());
    empty
        .map(|(key, _)| {
            let name = super::setting_name(section, key);
            format!("[{section}] is enabled but `{key}` is empty: set it, or {name} in the environment")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Environment, Sources};

    #[test]
    fn a_channel_that_is_switched_on_without_its_credentials_says_which_are_missing() {
        for (section, missing) in [
            ("telegram", vec!["bot_token", "webhook_secret"]),
            ("whatsapp", vec!["app_secret", "verify_token", "access_token", "phone_number_id"]),
            ("messenger", vec!["app_secret", "verify_token", "access_token"]),
            ("instagram", vec!["app_secret", "verify_token", "access_token"]),
            ("slack", vec!["signing_secret", "bot_token"]),
        ] {
            let name = format!("FIRSTLINE__{}__ENABLED", section.to_uppercase());
            let environment = Environment::default().with(&name, "true");
            let error = Config::load(Sources { environment, ..Sources::default() }).err().unwrap();
            let said = |key| format!("[{section}] is enabled but `{key}` is empty");
            assert_eq!(error.0.len(), missing.len(), "{error:?}");
            for (problem, key) in error.0.iter().zip(missing) {
                assert!(problem.starts_with(&said(key)), "{problem}");
            }
        }
    }
}
