//! The id token of an identity provider (OpenID Connect Core, 3.1.3.7): who signed it, for whom, when, and for which
//! sign-in.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::domain::time::Timestamp;

const TOKEN_BYTES_MAX: usize = 32_768;
/// OpenID Connect Core, 2: at most 255 characters.
const SUBJECT_CHARS_MAX: usize = 255;
const SHOWN_CHARS_MAX: usize = 100;

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum TokenError {
    #[error("the provider's answer is no signed token")]
    Malformed,
    #[error("the provider's token is not signed by RS256 or ES256")]
    Algorithm,
    #[error("the provider has no key by which its token was signed")]
    UnknownKey,
    #[error("the signature of the provider's token does not match")]
    Forged,
    #[error("the provider's token is of another issuer")]
    Issuer,
    #[error("the provider's token is for somebody else's program")]
    Audience,
    #[error("the provider's token is over, or its clock is far from ours")]
    Time,
    #[error("the provider's token belongs to another sign-in")]
    Nonce,
    #[error("the provider's token names nobody")]
    Nobody,
}

/// What is demanded of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demands<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
    pub(super) skew_ms: i64,
}

/// Who somebody is to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Subject {
    /// The key, with the issuer.
    pub(in crate::web) id: String,
    /// How they may be shown: their name, or an email address that the provider has verified.
    pub(in crate::web) shown: Option<String>,
}

/// The claims that are read; others do not matter.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    azp: Option<String>,
    nonce: Option<String>,
    name: Option<Value>,
    email: Option<Value>,
    email_verified: Option<Value>,
}

/// The key id of a token and by what it is signed, before anything of it is believed.
pub(super) fn signed_by(token: &str) -> Result<(Option<String>, Algorithm), TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    // A header that names `none` or anything unknown is no header to this reader.
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    // By the provider's public keys alone: with HS256 everybody could sign by them (RFC 8725, 3.1).
    if [Algorithm::RS256, Algorithm::ES256].contains(&header.alg) {
        Ok((header.kid, header.alg))
    } else {
        Err(TokenError::Algorithm)
    }
}

/// The one key by which a token may have been signed.
pub(super) fn key_of(keys: &JwkSet, (kid, algorithm): &(Option<String>, Algorithm)) -> Option<DecodingKey> {
    let mut fitting = keys.keys.iter().filter(|key| fits(key, *algorithm));
    let found = match kid {
        Some(kid) => fitting.find(|key| key.common.key_id.as_deref() == Some(kid)),
        // Without a name only one key can be meant.
        None => fitting.next().filter(|_| fitting.next().is_none()),
    };
    DecodingKey::from_jwk(found?).ok()
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => algorithm == Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) => {
            algorithm == Algorithm::ES256 && curve.curve == EllipticCurve::P256
        }
        AlgorithmParameters::OctetKey(_) | AlgorithmParameters::OctetKeyPair(_) => false,
    };
    let signs = key.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature);
    let verifies = key.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    kind && signs && verifies
}

/// Who a token says signs in, once everything about it was checked.
pub(super) fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    demands: Demands<'_>,
) -> Result<Subject, TokenError> {
    let mut validation = Validation::new(algorithm);
    // What it says is checked below, by our clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Value>(token, key, &validation).map_err(|_| TokenError::Forged)?;
    let claims: Claims = serde_json::from_value(decoded.claims).map_err(|_| TokenError::Malformed)?;
    if claims.iss != demands.issuer {
        return Err(TokenError::Issuer);
    }
    if !for_us(&claims, demands.client_id) {
        return Err(TokenError::Audience);
    }
    let (now, skew) = (demands.now.0 as f64, demands.skew_ms as f64);
    let at = |seconds: f64| seconds * 1000.0;
    let begun = at(claims.iat) <= now + skew && claims.nbf.is_none_or(|nbf| at(nbf) <= now + skew);
    // Not a number is neither before nor after: it is refused.
    if !(begun && at(claims.exp) > now - skew) {
        return Err(TokenError::Time);
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(demands.nonce.as_bytes())) {
        return Err(TokenError::Nonce);
    }
    let fits = (1..=SUBJECT_CHARS_MAX).contains(&claims.sub.chars().count());
    if !fits || claims.sub.chars().any(char::is_control) {
        return Err(TokenError::Nobody);
    }
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(shown);
    let verified = claims.email_verified.as_ref().is_some_and(|said| *said == Value::Bool(true));
    let email = text(&claims.email).filter(|_| verified);
    Ok(Subject { shown: text(&claims.name).or(email), id: claims.sub })
}

/// Whether we are the audience, and where there are several, the one to whom it was given.
fn for_us(claims: &Claims, client_id: &str) -> bool {
    let named = match &claims.aud {
        Value::String(one) => one == client_id,
        Value::Array(several) => {
            let ours = several.iter().any(|one| one.as_str() == Some(client_id));
            ours && (several.len() == 1 || claims.azp.is_some())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    named && claims.azp.as_ref().is_none_or(|azp| azp == client_id)
}

fn shown(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
