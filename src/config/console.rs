//! The settings of `[console]`: where agents work, and how they sign in.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::role::Role;

/// Where agents work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// How long a sign-in lasts at most.
    pub session_ms: i64,
    /// A sign-in that is not used for this long ends.
    pub idle_ms: i64,
    /// Event streams that one sign-in may have open at once.
    pub streams_per_session_max: usize,
    /// Sign-ins per address.
    pub attempts_per_minute_max: usize,
    /// Sign-ins per account, whatever the addresses.
    pub attempts_per_account_per_minute_max: usize,
    /// Whether everybody who signs in with a password needs a second factor.
    pub second_factor: SecondFactor,
    /// The identity provider.
    pub oidc: Oidc,
}

/// Whether a second factor is asked of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Whoever likes has one.
    Optional,
    /// Whoever has none sets one up before anything else.
    Required,
}

/// An identity provider that speaks OpenID Connect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its address, as it calls itself; empty: none.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// Proves that we are; empty for a public client.
    pub client_secret: SecretString,
    /// How the button calls it.
    pub name: String,
    /// What is asked for, between spaces.
    pub scopes: String,
    /// What somebody becomes whom nobody knows yet; empty: they are refused.
    pub auto_provision_role: String,
    /// How long its keys and addresses are believed.
    pub cache_ms: u64,
    /// Longest wait for one of its answers.
    pub timeout_ms: u64,
    /// How far its clock may be off.
    pub clock_skew_ms: i64,
}

impl Oidc {
    /// Whether there is one.
    pub fn configured(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// What becomes of somebody whom nobody knows yet.
    pub fn provisioned(&self) -> Option<Role> {
        Role::parse(&self.auto_provision_role)
    }
}

impl Console {
    /// What contradicts itself; `public_base_url` is the address that the provider sends people back to.
    pub(super) fn problems(&self, public_base_url: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let oidc = &self.oidc;
        if self.idle_ms <= 0 || self.session_ms <= 0 {
            wrong.push("[console] session_ms and idle_ms must be above 0".to_owned());
        }
        if !oidc.auto_provision_role.is_empty() && oidc.provisioned().is_none() {
            let roles = Role::ALL.map(Role::as_str).join(", ");
            wrong.push(format!("[console.oidc] auto_provision_role must be empty or one of {roles}"));
        }
        if !oidc.configured() {
            let lonely = !oidc.client_id.is_empty() || !oidc.client_secret.expose_secret().is_empty();
            if lonely {
                wrong.push(
                    "[console.oidc] has a client and no issuer; name the provider's address".to_owned(),
                );
            }
            return wrong;
        }
        let host =
            oidc.issuer.strip_prefix("http://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
        let local = host.is_some_and(|host| ["localhost", "127.0.0.1"].contains(&host));
        if !oidc.issuer.starts_with("https://") && !local {
            wrong.push("[console.oidc] issuer must begin with https://".to_owned());
        }
        if oidc.client_id.is_empty() {
            wrong.push("[console.oidc] needs the client_id that the provider gave you".to_owned());
        }
        if public_base_url.is_empty() {
            wrong.push(
                "[console.oidc] needs [server] public_base_url, to which the provider sends people back"
                    .to_owned(),
            );
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Environment, Sources};

    fn load(named: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = named.iter().fold(Environment::default(), |e, (name, value)| e.with(name, value));
        Config::load(Sources { environment, ..Sources::default() })
    }

    #[test]
    fn the_environment_reaches_a_section_within_a_section() {
        let secret = ("FIRSTLINE__CONSOLE__OIDC__CLIENT_SECRET", "hush-hush");
        let config = load(&[
            ("FIRSTLINE__CONSOLE__OIDC__ISSUER", "https://id.example"),
            ("FIRSTLINE__CONSOLE__OIDC__CLIENT_ID", "firstline"),
            ("FIRSTLINE__SERVER__PUBLIC_BASE_URL", "https://support.example"),
            secret,
        ])
        .unwrap();
        assert_eq!(config.console.oidc.issuer, "https://id.example");
        assert!(!config.effective.to_string().contains("hush-hush"));
        let lonely = load(&[secret]).unwrap_err().to_string();
        assert!(lonely.contains("[console.oidc] has a client and no issuer"), "{lonely}");
    }

    #[test]
    fn a_provider_needs_encryption_a_client_and_a_way_back() {
        let wrong =
            load(&[("FIRSTLINE__CONSOLE__OIDC__ISSUER", "http://id.example")]).unwrap_err().to_string();
        for part in ["https://", "client_id", "public_base_url"] {
            assert!(wrong.contains(part), "{part} in {wrong}");
        }
    }
}
