//! The settings of channels: one section each, switched on by `enabled`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The sections of all channels that have settings.
#[derive(Debug, Clone)]
pub struct Channels {
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
        problems
    }
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

fn lacking(section: &str, enabled: bool, needed: &[(&str, &str)]) -> Vec<String> {
    let empty = needed.iter().filter(|(_, value)| enabled && value.is_empty());
    empty
        .map(|(key, _)| {
            let name = format!("FIRSTLINE__{}__{}", section.to_uppercase(), key.to_uppercase());
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
