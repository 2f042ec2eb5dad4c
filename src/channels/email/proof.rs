//! Who a mail is from, and whether our own edge has proven it.
//!
//! `From` is what anybody can type. It counts only where the edge that we run, or the provider that takes mail for us,
//! has written `Authentication-Results` (RFC 8601) under the name in `[email] authserv_id`, saying that DMARC passed for
//! the very domain of that `From`. RFC 8601 section 5 obliges that edge to remove results under its name that came in.

use mail_parser::{Address, HeaderName, HeaderValue};

use super::mime::Head;

/// The one mailbox a mail is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// With its domain in lower case; nothing else is folded.
    pub(super) address: String,
    pub(super) name: Option<String>,
}

/// Longest address, RFC 5321 section 4.5.3.1.
const ADDRESS_BYTES_MAX: usize = 254;
/// Longest name that is kept, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Reads an address as it is compared and kept.
pub(super) fn address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let plain = |c: char| {
        !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')')
    };
    let valid = !local.is_empty()
        && !domain.is_empty()
        && text.len() <= ADDRESS_BYTES_MAX
        && text.trim().chars().all(plain);
    (valid && !local.contains('@')).then(|| format!("{local}@{}", domain.to_lowercase()))
}

/// All mailboxes of a header, without those that are none.
pub(super) fn mailboxes(head: &Head<'_>, name: &HeaderName<'_>) -> Vec<Mailbox> {
    let lists = head.values(name).filter_map(HeaderValue::as_address);
    let all = lists.flat_map(Address::iter);
    all.filter_map(|one| {
        let name = one.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        Some(Mailbox { address: address(one.address.as_deref()?)?, name })
    })
    .collect()
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// The mailbox of the only `From`; none where there are several of either, or something unreadable among them.
pub(super) fn sender(head: &Head<'_>) -> Option<Mailbox> {
    if head.written("from").len() != 1 {
        return None;
    }
    let value = head.values(&HeaderName::From).next()?.as_address()?;
    let Address::List(list) = value else { return None };
    if list.len() != 1 {
        return None;
    }
    mailboxes(head, &HeaderName::From).pop()
}

/// Whether our edge says that DMARC passed for the domain of `from`, and nowhere anything else.
pub(super) fn dmarc_passed(head: &Head<'_>, authserv_id: &str, from: &Mailbox) -> bool {
    let Some((_, domain)) = from.address.rsplit_once('@') else { return false };
    let mut passed = false;
    for written in head.written("authentication-results") {
        let written = without_comments(&written);
        let mut results = written.split(';');
        let id = results.next().and_then(|id| id.split_whitespace().next()).unwrap_or_default();
        if authserv_id.is_empty() || !id.eq_ignore_ascii_case(authserv_id) {
            continue;
        }
        for result in results {
            let mut words = result.split_whitespace();
            let Some(verdict) = words.next().and_then(|word| dmarc(word)) else { continue };
            let about = words
                .filter_map(|word| word.split_once('='))
                .find(|(key, _)| key.eq_ignore_ascii_case("header.from"));
            let same = about.is_some_and(|(_, about)| about.trim_matches('"').eq_ignore_ascii_case(domain));
            if !(same && verdict.eq_ignore_ascii_case("pass")) {
                return false;
            }
            passed = true;
        }
    }
    passed
}

/// What `dmarc=…` says.
fn dmarc(word: &str) -> Option<&str> {
    let (method, verdict) = word.split_once('=')?;
    let method = method.split_once('/').map_or(method, |(name, _)| name);
    method.eq_ignore_ascii_case("dmarc").then_some(verdict)
}

/// A header without what stands in parentheses; what stands in quotes is no comment.
fn without_comments(text: &str) -> String {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        let plain = !escaped;
        escaped = c == '\\' && plain;
        match c {
            '"' if plain && depth == 0 => quoted = !quoted,
            '(' if plain && !quoted => depth += 1,
            ')' if plain && !quoted && depth > 0 => {
                depth -= 1;
                kept.push(' ');
                continue;
            }
            // Inside quotes nothing divides results.
            ';' | '=' | ' ' if quoted => {
                kept.push('_');
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::email::mime::{self, tests::CAPS};

    fn passed(results: &[&str], from: &str) -> bool {
        let headers: String =
            results.iter().flat_map(|result| ["Authentication-Results: ", result, "\r\n"]).collect();
        let raw = format!("{headers}From: {from}\r\n\r\nhello");
        let head = mime::split(raw.as_bytes(), CAPS).unwrap().head;
        sender(&head).is_some_and(|from| dmarc_passed(&head, "mx.shop.example", &from))
    }

    #[test]
    fn only_our_own_edge_proves_a_sender() {
        let ann = "Ann <ann@mail.example>";
        assert!(passed(&["mx.shop.example; dmarc=pass (p=none dis=none) header.from=mail.example"], ann));
        assert!(passed(
            &["MX.shop.example 1; spf=fail smtp.mailfrom=x.example;\r\n dmarc=pass header.from=Mail.example"],
            ann
        ));
        assert!(passed(
            &[
                "mx.shop.example; dkim=pass",
                "other; dmarc=fail header.from=mail.example",
                "mx.shop.example; dmarc=pass header.from=mail.example"
            ],
            ann
        ));
        for forged in [
            "mx.evil.example; dmarc=pass header.from=mail.example",
            "mx.shop.example.evil.example; dmarc=pass header.from=mail.example",
            "mx.shop.example; dmarc=pass header.from=evil.example",
            "mx.shop.example; dmarc=pass",
            "mx.shop.example; dmarc=fail header.from=mail.example",
            "mx.shop.example; dmarc=none header.from=mail.example",
            "mx.shop.example; dkim=pass header.d=mail.example; spf=pass",
            "mx.shop.example; none (dmarc=pass header.from=mail.example)",
            "mx.shop.example; spf=pass reason=\"x; dmarc=pass header.from=mail.example\"",
            "(mx.shop.example;) mx.evil.example; dmarc=pass header.from=mail.example",
        ] {
            assert!(!passed(&[forged], ann), "{forged}");
        }
        let both = [
            "mx.shop.example; dmarc=pass header.from=mail.example",
            "mx.shop.example; dmarc=fail header.from=mail.example",
        ];
        assert!(!passed(&both, ann));
    }

    #[test]
    fn exactly_one_from_with_one_mailbox_is_a_sender() {
        let from = |headers: &str| {
            let raw = format!("{headers}\r\n\r\nx");
            let head = mime::split(raw.as_bytes(), CAPS).unwrap().head;
            sender(&head).map(|one| (one.address, one.name))
        };
        let ann = |name: Option<&str>| Some(("Ann.B+x@mail.example".to_owned(), name.map(str::to_owned)));
        assert_eq!(
            from("From: \"Ann Baker\" <Ann.B+x@MAIL.example>\r\nReply-To: evil@evil.example"),
            ann(Some("Ann Baker"))
        );
        assert_eq!(from("From: Ann.B+x@mail.example"), ann(None));
        for none in [
            "Subject: x",
            "From:",
            "From: nobody",
            "From: a@x.example\r\nFrom: b@x.example",
            "From: a@x.example, b@x.example",
            "From: friends: a@x.example;",
            "Sender: a@x.example",
        ] {
            assert_eq!(from(none), None, "{none}");
        }
    }
}
