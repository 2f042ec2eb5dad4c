//! Sign-in by an identity provider: its addresses and keys, and the exchange of a code for who somebody is.

mod token;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::config::Oidc;
use crate::domain::time::Timestamp;
use token::{Demands, TokenError};

pub(super) use token::Subject;

/// Longest answer of a provider that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// For a key that is not known, its keys are asked for again at most this often.
const KEYS_PAUSE_MS: i64 = 10_000;
const CALLBACK: &str = "/console/oidc/callback";

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum OidcError {
    #[error("the identity provider does not answer as it should ({0}); try again, or ask an administrator")]
    Provider(String),
    #[error("the identity provider did not take the code of this sign-in; begin again")]
    Code,
    #[error("{0}; begin again")]
    Token(#[from] TokenError),
}

/// What the provider says about itself (OpenID Connect Discovery, 3).
#[derive(Debug, Clone, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Debug, Default)]
struct Known {
    discovered: Option<(Timestamp, Arc<Discovered>)>,
    keys: Option<(Timestamp, Arc<JwkSet>)>,
}

/// The configured provider.
#[derive(Debug)]
pub(super) struct Provider {
    settings: Oidc,
    callback: String,
    http: Option<Client>,
    known: Mutex<Known>,
}

/// What one sign-in is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) state: &'a str,
    pub(super) nonce: &'a str,
    pub(super) verifier: &'a str,
}

/// What came back with the browser.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back<'a> {
    pub(super) code: &'a str,
    /// Who the answer says it is from (RFC 9207).
    pub(super) issuer: Option<&'a str>,
    pub(super) nonce: &'a str,
    pub(super) verifier: &'a str,
}

/// A key of a kind that this reader does not know is none for us, and no reason to refuse the others.
#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// Prepares to ask; nothing is sent.
    pub(super) fn new(settings: &Oidc, public_base_url: &str) -> Self {
        // Taken by whoever comes first in this process; ring is the only provider that is compiled in.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let limit = Duration::from_millis(settings.timeout_ms);
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(limit)
            .timeout(limit)
            .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
            .build()
            .ok();
        let callback = format!("{}{CALLBACK}", public_base_url.trim_end_matches('/'));
        Self { settings: settings.clone(), callback, http, known: Mutex::default() }
    }

    /// Where a browser goes to sign in.
    pub(super) async fn entrance(&self, bound: Bound<'_>, now: Timestamp) -> Result<String, OidcError> {
        let discovered = self.discovered(now).await?;
        let mut url = self.address(&discovered.authorization_endpoint)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(bound.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.callback)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", bound.state)
            .append_pair("nonce", bound.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Who came back: the code is exchanged, and the token that comes for it checked.
    pub(super) async fn identify(&self, back: Back<'_>, now: Timestamp) -> Result<Subject, OidcError> {
        let discovered = self.discovered(now).await?;
        let named = match back.issuer {
            Some(issuer) => issuer == self.settings.issuer,
            None => !discovered.authorization_response_iss_parameter_supported,
        };
        // An answer of another provider must not bring our code to this one, or theirs to ours.
        if !named {
            return Err(TokenError::Issuer.into());
        }
        let token = self.exchange(&discovered, back).await?;
        let signed_by = token::signed_by(&token)?;
        let mut keys = self.keys(&discovered, now, self.settings.cache_ms as i64).await?;
        if token::key_of(&keys, &signed_by).is_none() {
            keys = self.keys(&discovered, now, KEYS_PAUSE_MS).await?;
        }
        let key = token::key_of(&keys, &signed_by).ok_or(TokenError::UnknownKey)?;
        let demands = Demands {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: back.nonce,
            now,
            skew_ms: self.settings.clock_skew_ms,
        };
        Ok(token::verify(&token, signed_by.1, &key, demands)?)
    }

    async fn exchange(&self, discovered: &Discovered, back: Back<'_>) -> Result<String, OidcError> {
        let secret = self.settings.client_secret.expose_secret();
        let methods = &discovered.token_endpoint_auth_methods_supported;
        let basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", back.code),
            ("redirect_uri", &self.callback),
            ("client_id", &self.settings.client_id),
            ("code_verifier", back.verifier),
        ];
        let mut request = self.http()?.post(self.address(&discovered.token_endpoint)?);
        if !secret.is_empty() && basic {
            // RFC 6749, 2.3.1: both are form-encoded first.
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(&self.settings.client_id), Some(encoded(secret)));
        } else if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
        let answer = request.form(&form).send().await.map_err(unreachable)?;
        if answer.status().is_client_error() {
            return Err(OidcError::Code);
        }
        Ok(read::<Tokens>(answer).await?.id_token)
    }

    async fn discovered(&self, now: Timestamp) -> Result<Arc<Discovered>, OidcError> {
        let fresh = |at: Timestamp| (0..self.settings.cache_ms as i64).contains(&now.ms_since(at));
        if let Some((at, known)) = &self.known.lock().unwrap_or_else(PoisonError::into_inner).discovered
            && fresh(*at)
        {
            return Ok(known.clone());
        }
        let issuer = self.settings.issuer.trim_end_matches('/');
        let url = self.address(&format!("{issuer}/.well-known/openid-configuration"))?;
        let found: Discovered = read(self.http()?.get(url).send().await.map_err(unreachable)?).await?;
        if found.issuer != self.settings.issuer {
            return Err(OidcError::Provider(
                "it calls itself by another name than [console.oidc] issuer".to_owned(),
            ));
        }
        let found = Arc::new(found);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).discovered = Some((now, found.clone()));
        Ok(found)
    }

    /// The provider's keys, asked for again when they are older than that.
    async fn keys(
        &self,
        discovered: &Discovered,
        now: Timestamp,
        age_ms_max: i64,
    ) -> Result<Arc<JwkSet>, OidcError> {
        let fresh = |at: Timestamp| (0..age_ms_max).contains(&now.ms_since(at));
        if let Some((at, known)) = &self.known.lock().unwrap_or_else(PoisonError::into_inner).keys
            && fresh(*at)
        {
            return Ok(known.clone());
        }
        let url = self.address(&discovered.jwks_uri)?;
        let found: Keys = read(self.http()?.get(url).send().await.map_err(unreachable)?).await?;
        let keys = found.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let found = Arc::new(JwkSet { keys });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).keys = Some((now, found.clone()));
        Ok(found)
    }

    fn http(&self) -> Result<&Client, OidcError> {
        self.http.as_ref().ok_or_else(|| OidcError::Provider("there is no HTTP client".to_owned()))
    }

    /// An address of the provider: encrypted, save where the provider itself is on this machine.
    fn address(&self, text: &str) -> Result<Url, OidcError> {
        let wrong = || OidcError::Provider("one of its addresses is none, or is not encrypted".to_owned());
        let url = Url::parse(text).map_err(|_| wrong())?;
        let plain = self.settings.issuer.starts_with("http://") && url.scheme() == "http";
        if url.scheme() == "https" || plain { Ok(url) } else { Err(wrong()) }
    }
}

fn unreachable(error: reqwest::Error) -> OidcError {
    tracing::warn!(error = %error.without_url(), "the identity provider was not reached");
    OidcError::Provider("it was not reached".to_owned())
}

/// Reads an answer of bounded size.
async fn read<T: DeserializeOwned>(mut answer: reqwest::Response) -> Result<T, OidcError> {
    if !answer.status().is_success() {
        return Err(OidcError::Provider(format!("status {}", answer.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(OidcError::Provider("its answer is too large".to_owned()));
        }
    }
    serde_json::from_slice(&body)
        .map_err(|_| OidcError::Provider("its answer is not what it should be".to_owned()))
}
