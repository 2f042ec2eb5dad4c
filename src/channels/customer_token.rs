//! Customer tokens: the operator's own site or app signs who is signed in there, as a JWT (RFC 7519).
//!
//! `sub` is the operator's id of the customer and the only key. A token counts only under the algorithm that its key
//! was configured for: HS256 with the shared secret, RS256 with the public key. That a public key is no secret can then
//! not be turned against us (RFC 8725, section 3.1).

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::LABEL_CHARS_MAX;
use super::web_chat::Person;
use crate::config::Config;
use crate::domain::time::Timestamp;

const TOKEN_BYTES_MAX: usize = 8192;
/// How far the operator's clock may be ahead of ours.
const SKEW_MS: i64 = 60_000;

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing is configured that could check one.
    #[error("customer tokens are not set up here; set [identity] token_secret or token_public_key")]
    NotSetUp,
    /// It is no JWT.
    #[error("the customer token is not a JWT of three parts with a JSON header and JSON claims")]
    Malformed,
    /// It is signed in another way.
    #[error(
        "the customer token is signed by an algorithm that is not set up here; use HS256 or RS256 with its own key"
    )]
    Algorithm,
    /// Somebody else signed it, or it was changed.
    #[error("the signature of the customer token does not match; check the key in [identity]")]
    Forged,
    /// It names nobody.
    #[error(
        "the customer token names nobody: `sub` is your id of the customer, up to 200 visible characters"
    )]
    Nobody,
    /// It is for ever, or for too long.
    #[error("the customer token needs `exp`, at most [identity] token_lifetime_ms_max after `iat` or now")]
    Endless,
    /// Its time is over.
    #[error("the customer token is over; sign a new one")]
    Expired,
    /// Its time has not come.
    #[error("the customer token is not valid yet; check the clock of whoever signs it")]
    Early,
    /// Somebody else's site signed it, or for somebody else.
    #[error(
        "`iss` or `aud` of the customer token is not what [identity] token_issuer and token_audience say"
    )]
    Foreign,
}

/// What a token says, once its signature and its time have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who is signed in.
    pub person: Person,
    /// After this moment the token is worth nothing.
    pub expires_at: Timestamp,
}

/// The claims that are read; others do not matter.
#[derive(Deserialize)]
struct Claims {
    sub: Option<Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<Value>,
    aud: Option<Value>,
    name: Option<Value>,
    email: Option<Value>,
    #[serde(alias = "phone_number")]
    phone: Option<Value>,
}

/// Checks tokens.
#[derive(Clone)]
pub struct CustomerTokens {
    secret: Option<DecodingKey>,
    public_key: Option<DecodingKey>,
    issuer: String,
    audience: String,
    lifetime_ms_max: i64,
}

impl std::fmt::Debug for CustomerTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustomerTokens([redacted])")
    }
}

impl CustomerTokens {
    /// The configured keys; a key file is read below the workspace.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        let settings = &config.identity;
        let secret = settings.token_secret.expose_secret();
        let secret = (!secret.is_empty()).then(|| DecodingKey::from_secret(secret.as_bytes()));
        let (pem, place) = if settings.token_public_key_file.is_empty() {
            (settings.token_public_key.clone(), "token_public_key".to_owned())
        } else {
            let file = config.workspace.join(&settings.token_public_key_file);
            let read = std::fs::read_to_string(&file);
            let pem =
                read.map_err(|e| vec![format!("[identity] token_public_key_file: {}: {e}", file.display())])?;
            (pem, file.display().to_string())
        };
        let public_key = (!pem.is_empty())
            .then(|| DecodingKey::from_rsa_pem(pem.as_bytes()))
            .transpose()
            .map_err(|_| {
                vec![format!("[identity] {place} is no RSA public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
            })?;
        Ok(Self {
            secret,
            public_key,
            issuer: settings.token_issuer.clone(),
            audience: settings.token_audience.clone(),
            lifetime_ms_max: settings.token_lifetime_ms_max,
        })
    }

    /// Who the token says is signed in.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<SignedIn, TokenError> {
        if self.secret.is_none() && self.public_key.is_none() {
            return Err(TokenError::NotSetUp);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        let key = match header.alg {
            Algorithm::HS256 => self.secret.as_ref(),
            Algorithm::RS256 => self.public_key.as_ref(),
            Algorithm::HS384
            | Algorithm::HS512
            | Algorithm::ES256
            | Algorithm::ES384
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
            | Algorithm::EdDSA => None,
        };
        let key = key.ok_or(TokenError::Algorithm)?;
        let mut validation = Validation::new(header.alg);
        // Times are compared with the clock of this service, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenError::Forged,
                _ => TokenError::Malformed,
            })?;
        self.read(claims.claims, now)
    }

    fn read(&self, claims: Claims, now: Timestamp) -> Result<SignedIn, TokenError> {
        let expires_at = claims.exp.and_then(moment).ok_or(TokenError::Endless)?;
        if expires_at <= now {
            return Err(TokenError::Expired);
        }
        let issued_at = match claims.iat {
            Some(iat) => moment(iat).ok_or(TokenError::Malformed)?,
            None => now,
        };
        let begins_at = claims.nbf.map(|nbf| moment(nbf).ok_or(TokenError::Malformed)).transpose()?;
        if issued_at.max(begins_at.unwrap_or(issued_at)) > now.plus_ms(SKEW_MS) {
            return Err(TokenError::Early);
        }
        if expires_at > issued_at.plus_ms(self.lifetime_ms_max) {
            return Err(TokenError::Endless);
        }
        let for_us = |expected: &str, found: Option<&Value>| match found {
            _ if expected.is_empty() => true,
            Some(Value::String(one)) => one == expected,
            Some(Value::Array(many)) => many.iter().any(|one| one == expected),
            _ => false,
        };
        if !for_us(&self.issuer, claims.iss.as_ref()) || !for_us(&self.audience, claims.aud.as_ref()) {
            return Err(TokenError::Foreign);
        }
        let external_id = label(claims.sub).ok_or(TokenError::Nobody)?;
        let person = Person {
            external_id,
            name: label(claims.name),
            email: label(claims.email),
            phone: label(claims.phone),
        };
        Ok(SignedIn { person, expires_at })
    }
}

/// A visible text of one line.
fn label(value: Option<Value>) -> Option<String> {
    let Some(Value::String(text)) = value else { return None };
    let fits = !text.trim().is_empty()
        && !text.chars().any(char::is_control)
        && text.chars().count() <= LABEL_CHARS_MAX;
    fits.then_some(text)
}

/// A `NumericDate` of RFC 7519: seconds, perhaps with a fraction.
fn moment(seconds: f64) -> Option<Timestamp> {
    // Years 1970 to 9999; what is outside is no date of ours.
    (0.0..253_402_300_800.0).contains(&seconds).then_some(Timestamp((seconds * 1000.0) as i64))
}

/// Whether a text has the form of a customer token: three parts, where our own chat sessions have two.
pub fn looks_like_one(text: &str) -> bool {
    text.matches('.').count() == 2
}

#[cfg(test)]
mod tests;
