//! How a reply finds back to its thread: a token in our Message-IDs, and in the address that a reply goes to where the
//! operator's mail server knows plus addresses.
//!
//! The token names the thread and is signed together with who takes part in it. Used by anybody else it says nothing.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Letters of the name of a thread, and of its signature: 80 bits each.
const HEX_CHARS: usize = 20;

/// Our address, our domain and the key of the tokens.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    secret: SecretString,
    local: String,
    domain: String,
}

/// One of our Message-IDs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OurId {
    /// The delivery that it was made for.
    pub(super) delivery: String,
    token: String,
}

impl Tokens {
    pub(super) fn new(address: &str, secret: SecretString) -> Self {
        let (local, domain) = address.split_once('@').unwrap_or((address, ""));
        Self { secret, local: local.to_lowercase(), domain: domain.to_lowercase() }
    }

    /// The thread with the first mail `root`, as `participant` began it.
    pub(super) fn thread(root: &str, participant: &str) -> String {
        let mut hasher = Sha256::new();
        for part in [root, participant] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hex_head(&hasher.finalize())
    }

    /// What proves that `participant` was written to in this thread.
    pub(super) fn token(&self, thread: &str, participant: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()).ok()?;
        mac.update(b"reply\0");
        mac.update(thread.as_bytes());
        mac.update(b"\0");
        mac.update(participant.as_bytes());
        Some(format!("{thread}.{}", hex_head(&mac.finalize().into_bytes())))
    }

    /// The Message-ID of a delivery, without its brackets; the same at every try.
    pub(super) fn message_id(&self, delivery: &str, thread: &str, participant: &str) -> Option<String> {
        Some(format!("{delivery}.{}@{}", self.token(thread, participant)?, self.domain))
    }

    /// The address that a reply in this thread goes to.
    pub(super) fn plus_address(&self, thread: &str, participant: &str) -> Option<String> {
        Some(format!("{}+{}@{}", self.local, self.token(thread, participant)?, self.domain))
    }

    /// Reads a Message-ID, if it has the shape of ours.
    pub(super) fn ours(&self, id: &str) -> Option<OurId> {
        let (local, domain) = id.trim_matches(['<', '>', ' ']).rsplit_once('@')?;
        if !domain.eq_ignore_ascii_case(&self.domain) {
            return None;
        }
        let mut pieces = local.rsplitn(3, '.');
        let (mac, thread, delivery) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let shaped = hex_chars(mac) && hex_chars(thread) && !delivery.is_empty();
        let token = || format!("{thread}.{mac}").to_ascii_lowercase();
        shaped.then(|| OurId { delivery: delivery.to_ascii_lowercase(), token: token() })
    }

    /// Whether `address` is `ours`, perhaps with a token in it.
    pub(super) fn is_for(address: &str, ours: &str) -> bool {
        let (Some((local, domain)), Some((our_local, our_domain))) =
            (address.rsplit_once('@'), ours.rsplit_once('@'))
        else {
            return false;
        };
        let base = local.split_once('+').map_or(local, |(base, _)| base);
        domain.eq_ignore_ascii_case(our_domain)
            && (base.eq_ignore_ascii_case(our_local) || local.eq_ignore_ascii_case(our_local))
    }

    /// The thread that one of our own Message-IDs proves for `participant`.
    pub(super) fn proven_by_id(&self, id: &OurId, participant: &str) -> Option<String> {
        self.proven(&id.token, participant)
    }

    /// The thread that the address of a reply proves for `participant`.
    pub(super) fn proven_by_address(&self, address: &str, participant: &str) -> Option<String> {
        let (local, domain) = address.rsplit_once('@')?;
        let (base, token) = local.rsplit_once('+')?;
        let ours = base.eq_ignore_ascii_case(&self.local) && domain.eq_ignore_ascii_case(&self.domain);
        ours.then(|| self.proven(&token.to_ascii_lowercase(), participant)).flatten()
    }

    fn proven(&self, token: &str, participant: &str) -> Option<String> {
        let (thread, _) =
            token.split_once('.').filter(|(thread, mac)| hex_chars(thread) && hex_chars(mac))?;
        let expected = self.token(thread, participant)?;
        crate::channels::webhook::same_secret(&expected, token).then(|| thread.to_owned())
    }
}

fn hex_head(bytes: &[u8]) -> String {
    hex::encode(bytes).chars().take(HEX_CHARS).collect()
}

fn hex_chars(text: &str) -> bool {
    text.len() == HEX_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new("Help@Shop.example", SecretString::from("a long and random secret"))
    }

    #[test]
    fn a_reply_finds_its_thread_and_nobody_elses_does() {
        let (tokens, thread) = (tokens(), Tokens::thread("first@mail.example", "ann@mail.example"));
        let id = tokens.message_id("0195-d1", &thread, "ann@mail.example").unwrap();
        let ours = tokens.ours(&format!("<{id}>")).unwrap();
        assert_eq!(ours.delivery, "0195-d1");
        assert_eq!(tokens.proven_by_id(&ours, "ann@mail.example"), Some(thread.clone()));
        for other in ["bob@mail.example", "unproven:ann@mail.example", "Ann@mail.example", ""] {
            assert_eq!(tokens.proven_by_id(&ours, other), None, "{other}");
        }
        let address = tokens.plus_address(&thread, "ann@mail.example").unwrap();
        assert!(address.split('@').next().unwrap().len() <= 64, "RFC 5321 allows no longer local part");
        assert_eq!(tokens.proven_by_address(&address.to_uppercase(), "ann@mail.example"), Some(thread));
        assert_eq!(tokens.proven_by_address(&address, "bob@mail.example"), None);
        assert!(
            Tokens::is_for(&address, "help@shop.example")
                && !Tokens::is_for("x@shop.example", "help@shop.example")
        );
    }

    #[test]
    fn a_token_changed_anywhere_proves_nothing() {
        let (tokens, thread) = (tokens(), Tokens::thread("first@mail.example", "ann@mail.example"));
        let id = tokens.message_id("d", &thread, "ann@mail.example").unwrap();
        for at in 2..=2 + 2 * HEX_CHARS {
            let mut forged = id.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            let proven = tokens.ours(&forged).and_then(|id| tokens.proven_by_id(&id, "ann@mail.example"));
            assert_eq!(proven, None, "{forged}");
        }
        for foreign in [
            "",
            "x",
            "@",
            "a@shop.example",
            "a.b.c@shop.example",
            &id.replace("shop.example", "shop.example.evil.example"),
        ] {
            assert_eq!(tokens.ours(foreign), None, "{foreign}");
        }
    }
}
