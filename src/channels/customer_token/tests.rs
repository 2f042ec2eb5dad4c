//! Whose tokens count, for how long, and which tricks do not work.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::config::{Environment, Sources};

const SECRET: &str = "a secret of the operator's that is long enough";
const PRIVATE: &str = include_str!("test_private.pem");
const PUBLIC: &str = include_str!("test_public.pem");
const NOW: Timestamp = Timestamp(1_795_406_400_000);

fn tokens(settings: &[(&str, &str)]) -> Result<CustomerTokens, Vec<String>> {
    let environment = settings.iter().fold(Environment::default(), |environment, (key, value)| {
        environment.with(&format!("FIRSTLINE__IDENTITY__{}", key.to_uppercase()), value)
    });
    CustomerTokens::new(&Config::load(Sources { environment, ..Sources::default() }).unwrap())
}

fn both() -> CustomerTokens {
    tokens(&[("token_secret", SECRET), ("token_public_key", PUBLIC)]).unwrap()
}

fn claims(extra: &Value) -> Value {
    let seconds = NOW.0 / 1000;
    let mut claims = json!({"sub": "cust-0007", "iat": seconds, "exp": seconds + 600});
    for (key, value) in extra.as_object().unwrap() {
        claims[key] = value.clone();
    }
    claims
}

fn hs256(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn rs256(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(PRIVATE.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

#[test]
fn a_token_of_either_kind_says_who_is_signed_in_until_it_is_over() {
    let who = json!({"name": "Ann", "email": "ann@mail.example", "phone_number": "+4930123", "role": "vip"});
    for token in [hs256(&claims(&who)), rs256(&claims(&who))] {
        let signed = both().verify(&token, NOW).unwrap();
        assert_eq!(signed.person.external_id, "cust-0007");
        assert_eq!(signed.person.name.as_deref(), Some("Ann"));
        assert_eq!(signed.person.email.as_deref(), Some("ann@mail.example"));
        assert_eq!(signed.person.phone.as_deref(), Some("+4930123"));
        assert_eq!(signed.expires_at, NOW.plus_ms(600_000));
        assert_eq!(both().verify(&token, NOW.plus_ms(600_000)), Err(TokenError::Expired));
    }
}

#[test]
fn a_key_counts_for_its_own_algorithm_only() {
    let (secret_only, key_only) =
        (tokens(&[("token_secret", SECRET)]).unwrap(), tokens(&[("token_public_key", PUBLIC)]).unwrap());
    assert_eq!(secret_only.verify(&rs256(&claims(&json!({}))), NOW), Err(TokenError::Algorithm));
    assert_eq!(key_only.verify(&hs256(&claims(&json!({}))), NOW), Err(TokenError::Algorithm));
    // Signed with the public key, which everybody may have, as if it were a secret.
    let confused = EncodingKey::from_secret(PUBLIC.as_bytes());
    let confused = encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &confused).unwrap();
    assert_eq!(key_only.verify(&confused, NOW), Err(TokenError::Algorithm));
    assert_eq!(both().verify(&confused, NOW), Err(TokenError::Forged));
    let longer = EncodingKey::from_secret(SECRET.as_bytes());
    let longer = encode(&Header::new(Algorithm::HS512), &claims(&json!({})), &longer).unwrap();
    assert_eq!(both().verify(&longer, NOW), Err(TokenError::Algorithm));
    // `{"alg":"none"}` and no signature.
    let body = hs256(&claims(&json!({})));
    let body = body.split('.').nth(1).unwrap();
    assert_eq!(both().verify(&format!("eyJhbGciOiJub25lIn0.{body}."), NOW), Err(TokenError::Malformed));
    assert_eq!(tokens(&[]).unwrap().verify(&rs256(&claims(&json!({}))), NOW), Err(TokenError::NotSetUp));
}

#[test]
fn a_token_that_was_changed_anywhere_proves_nothing() {
    let (tokens, token) = (both(), hs256(&claims(&json!({}))));
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(tokens.verify(&changed, NOW).is_err(), "{at}");
    }
    for text in ["", ".", "..", "a.b.c", "é.é.é", &"x".repeat(9000)] {
        assert_eq!(tokens.verify(text, NOW), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn times_issuer_audience_and_subject_are_enforced() {
    let seconds = NOW.0 / 1000;
    for (extra, wrong) in [
        (json!({"exp": null}), TokenError::Endless),
        (json!({"exp": seconds + 86_401}), TokenError::Endless),
        (json!({"exp": seconds + 86_401, "iat": null}), TokenError::Endless),
        (json!({"exp": 1e300}), TokenError::Endless),
        (json!({"exp": "tomorrow"}), TokenError::Malformed),
        (json!({"exp": seconds}), TokenError::Expired),
        (json!({"nbf": seconds + 120}), TokenError::Early),
        (json!({"iat": seconds + 120}), TokenError::Early),
        (json!({"sub": null}), TokenError::Nobody),
        (json!({"sub": 7}), TokenError::Nobody),
        (json!({"sub": " "}), TokenError::Nobody),
        (json!({"sub": "a\nb"}), TokenError::Nobody),
        (json!({"sub": "x".repeat(201)}), TokenError::Nobody),
    ] {
        assert_eq!(both().verify(&hs256(&claims(&extra)), NOW), Err(wrong), "{extra}");
    }
    let strict = tokens(&[
        ("token_secret", SECRET),
        ("token_issuer", "https://shop.example"),
        ("token_audience", "firstline"),
    ]);
    let strict = strict.unwrap();
    let good = json!({"iss": "https://shop.example", "aud": ["shop", "firstline"]});
    assert!(strict.verify(&hs256(&claims(&good)), NOW).is_ok());
    for wrong in [
        json!({}),
        json!({"iss": "https://evil.example", "aud": "firstline"}),
        json!({"iss": "https://shop.example", "aud": "shop"}),
    ] {
        assert_eq!(strict.verify(&hs256(&claims(&wrong)), NOW), Err(TokenError::Foreign), "{wrong}");
    }
}

#[test]
fn a_key_that_is_none_is_said_at_the_start() {
    let problem = tokens(&[("token_public_key", "nonsense")]).unwrap_err();
    assert!(problem[0].contains("no RSA public key"), "{problem:?}");
    let problem = tokens(&[("token_public_key_file", "no/such.pem")]).unwrap_err();
    assert!(problem[0].contains("no/such.pem"), "{problem:?}");
}
