//! Twilio's signature: HMAC-SHA1 over the whole public address and the sorted fields of the form.
//!
//! Source: <https://www.twilio.com/docs/usage/security> and the behaviour of the vendor's own client libraries: the address
//! with and without its port both count, a value that stands twice under one name counts once, and a body that is no form
//! is named by its hash in the query (`bodySHA256`).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Where it stands.
pub const HEADER: &str = "x-twilio-signature";
/// The parameter of the query that names the hash of a body which is no form.
const BODY_HASH: &str = "bodySHA256";

/// The fields of a form; a name that stands twice has several values.
pub type Fields = BTreeMap<String, Vec<String>>;

/// The signature of a form that is posted to `url`; none without a token.
pub fn of(token: &str, url: &str, fields: &Fields) -> Option<String> {
    keyed(token, url, fields).map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
}

/// Whether `found` is the signature of this request, compared in constant time.
pub fn matches(token: &str, url: &str, fields: &Fields, body: &[u8], found: &str) -> bool {
    let Ok(found) = STANDARD.decode(found) else { return false };
    let none = Fields::new();
    let fields = match body_hash(url) {
        // Such a body is not read as a form, so its hash has to match as well.
        Some(hash) if !hash_matches(&hash, body) => return false,
        Some(_) => &none,
        None => fields,
    };
    spellings(url).iter().any(|url| {
        keyed(token, url, fields).is_some_and(|mac| {
            let signed = mac.finalize().into_bytes();
            bool::from(signed.as_slice().ct_eq(&found))
        })
    })
}

fn keyed(token: &str, url: &str, fields: &Fields) -> Option<Hmac<Sha1>> {
    if token.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).ok()?;
    mac.update(url.as_bytes());
    for (name, values) in fields {
        for value in values.iter().collect::<BTreeSet<_>>() {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
    }
    Some(mac)
}

fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == BODY_HASH).map(|(_, hash)| hash.into_owned())
}

fn hash_matches(hash: &str, body: &[u8]) -> bool {
    let own = hex::encode(Sha256::digest(body));
    bool::from(own.as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes()))
}

/// The address as it is, and with its port added or left out: Twilio signs either.
fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return spellings };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let other = match (port, scheme) {
        (Some((name, _)), _) => name.to_owned(),
        (None, "https") => format!("{host}:443"),
        (None, _) => format!("{host}:80"),
    };
    spellings.push(format!("{scheme}://{other}{path}"));
    spellings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "12345";
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn fields(caller: &str) -> Fields {
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        Fields::from([
            one("CallSid", "CA1234567890ABCDE"),
            one("Caller", caller),
            one("Digits", "1234"),
            one("From", caller),
            one("To", "+18005551212"),
        ])
    }

    #[test]
    fn the_published_vectors_are_reproduced() {
        for (caller, signature) in [
            ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
        ] {
            assert_eq!(of(TOKEN, URL, &fields(caller)).as_deref(), Some(signature));
            assert!(matches(TOKEN, URL, &fields(caller), b"", signature));
        }
        assert!(!matches(TOKEN, URL, &fields("+14158675309"), b"", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
    }

    #[test]
    fn the_address_counts_with_and_without_its_port() {
        let fields = fields("+14158675309");
        for (signed, called) in [
            ("https://a.example/x?y=1", "https://a.example:443/x?y=1"),
            ("https://a.example:443/x", "https://a.example/x"),
            ("https://a.example/x", "https://a.example:8443/x"),
            ("http://a.example:80/x", "http://a.example/x"),
            ("http://a.example", "http://a.example:80"),
            ("http://[::1]:80/x", "http://[::1]/x"),
        ] {
            let signature = of(TOKEN, signed, &fields).unwrap();
            assert!(matches(TOKEN, called, &fields, b"", &signature), "{signed} {called}");
        }
        let signature = of(TOKEN, "https://a.example/x", &fields).unwrap();
        for other in
            ["https://b.example/x", "https://a.example/y", "http://a.example/x", "https://a.example/x?z"]
        {
            assert!(!matches(TOKEN, other, &fields, b"", &signature), "{other}");
        }
    }

    #[test]
    fn a_body_that_is_no_form_counts_by_its_hash() {
        let body = br#"{"property":"value","boolean":true}"#;
        let hash = hex::encode(Sha256::digest(body));
        let url = format!("https://a.example/x?bodySHA256={hash}&y=1");
        let signature = of(TOKEN, &url, &Fields::new()).unwrap();
        // Whatever a form would read from such a body counts for nothing.
        let read = Fields::from([("property".to_owned(), vec![String::new()])]);
        assert!(matches(TOKEN, &url, &read, body, &signature));
        assert!(matches(TOKEN, &url.replace(".example/", ".example:443/"), &read, body, &signature));
        assert!(!matches(TOKEN, &url, &Fields::new(), b"{}", &signature));
        let bare = "https://a.example/x";
        let signature = of(TOKEN, bare, &Fields::new()).unwrap();
        assert!(!matches(TOKEN, bare, &read, body, &signature), "without the hash the fields are signed");
    }

    #[test]
    fn a_value_that_stands_twice_counts_once_and_in_order() {
        let twice = |values: &[&str]| {
            Fields::from([("MediaUrl".to_owned(), values.iter().map(|v| (*v).to_owned()).collect())])
        };
        let signature = of(TOKEN, URL, &twice(&["a", "b"])).unwrap();
        assert!(matches(TOKEN, URL, &twice(&["b", "a", "b"]), b"", &signature));
        assert!(!matches(TOKEN, URL, &twice(&["b"]), b"", &signature));
    }

    #[test]
    fn nothing_matches_without_a_token() {
        assert_eq!(of("", URL, &Fields::new()), None);
        assert!(!matches("", URL, &Fields::new(), b"", ""));
        assert!(!matches(TOKEN, URL, &Fields::new(), b"", ""));
    }

    proptest! {
        #[test]
        fn no_address_and_no_signature_is_too_strange(url in any::<String>(), found in any::<String>(), body: Vec<u8>) {
            prop_assert!(!matches(TOKEN, &url, &Fields::new(), &body, &found));
        }
    }
}
