//! The settings of channels: one section each, switched on by `enabled`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::EmailSettings;

/// The sections of all channels that have settings.
#[derive(Debug, Clone)]
pub struct Channels {
    /// Telegram.
    pub telegram: TelegramSettings,
    /// Email.
    pub email: EmailSettings,
}

impl Channels {
    /// What a channel that is switched on lacks.
    pub(super) fn problems(&self) -> Vec<String> {
        let telegram = &self.telegram;
        let mut wrong = lacking(
            "telegram",
            telegram.enabled,
            &[
                ("bot_token", telegram.bot_token.expose_secret()),
                ("webhook_secret", telegram.webhook_secret.expose_secret()),
                ("api_base", &telegram.api_base),
            ],
        );
        wrong.extend(self.email.problems());
        wrong
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

pub(super) fn lacking(section: &str, enabled: bool, needed: &[(&str, &str)]) -> Vec<String> {
    let empty = needed.iter().filter(|(_, value)| enabled && value.is_empty());
    empty
        .map(|(key, _)| {
            let name = format!("FIRSTLINE__{}__{}", section.to_uppercase(), key.to_uppercase());
            format!("[{section}] is enabled but `{key}` is empty: set it, or {name} in the environment")
        })
        .collect()
}
