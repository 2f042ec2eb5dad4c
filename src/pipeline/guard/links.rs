//! Rules on where a reply sends people: links, addresses and telephone numbers are ours or known ones.

use std::sync::LazyLock;

use super::grounds::Sight;
use super::patterns::{Pattern, compile, first, places};
use super::pieces::Value;
use super::text::stands_in;
use super::violation;
use crate::domain::decision::{Severity, Violation};

/// Markup that hides a target, spelt-out dots, and encodings that have no place in a reply.
static HIDING: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"!\[|\]\s*\[|(?m)^\s*\[[^\]\n]+\]:|<\s*[a-z!/]|\bhref\b|\bsrc\s*=|&#|%2e|%2f|%5c|\\\\|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[:\]",
        r"|\b(?:javascript|vbscript|data|mailto|tel|sms|file|blob|intent|about|view-source|chrome)\s?:\s?[^\s]",
        r"|\bh(?:xx|\*\*|__)ps?\b|\bhttps?\s*:\s+/|\w\s+(?:dot|punkt|punto|ponto)\s+(?:com|net|org|io|co|ru|xyz|info|biz|shop|app|dev|de|fr|es|it|pt|nl|uk|eu|ly)\b|\w\s+dot\s+\w+\s+slash\b",
        r"|\w\s+\.\s*(?:com|net|org|io|ru|xyz|info|biz|shop|app)\b|\w\s*\.\s+(?:com|net|org|io|ru|xyz|biz|ly)\b",
    ))
});
/// Anything with a scheme or two slashes.
static SCHEMED: Pattern = LazyLock::new(|| {
    compile(r"(?:[\pL\pN+.\-]*\s?:\s?)?(?://|/\\|\\/)[^\s]*|\b[a-z][a-z0-9+\-]*:/[^\s]*|\bhttps?:[^\s]+")
});
/// A bare domain or address number.
static BARE: Pattern = LazyLock::new(|| {
    compile(
        r"@?[\pL\pN\pM_-]+(?:\.[\pL\pN\pM_-]+)*\.(?:[\pL\pM]{2,}|xn--[a-z0-9-]+)(?::\d+)?(?:[/?#][^\s]*)?|\b\d{1,3}(?:\.\d{1,3}){3}\b[^\s]*|\b0x[0-9a-f]{6,}\b",
    )
});
static EMAIL: Pattern =
    LazyLock::new(|| compile(r"[^\s@<>()\[\],;:]+\s?@\s?[\pL\pN\pM_-]+(?:\.[\pL\pN\pM_-]+)*"));
static SPELT_EMAIL: Pattern = LazyLock::new(|| {
    compile(r"\w+\s?(?:\(at\)|\[at\]|\{at\}|\sat\s)\s?\w+(?:\.\w+|\s?(?:\(dot\)|\[dot\]|\sdot\s)\s?\w+)")
});

/// Links go to allowed hosts over https, in the open, and to pages that a result, a passage or a setting names.
pub(super) fn links(sight: &Sight<'_>) -> Option<Violation> {
    let text = &sight.marked;
    let block = |found: &str| Some(violation("links", found, Severity::Block));
    if let Some(found) = first(&HIDING, text) {
        return block(found);
    }
    let mut rest = text.clone();
    for (start, end) in places(&SCHEMED, text).into_iter().rev() {
        let url = trimmed(text.get(start..end).unwrap_or_default());
        if !schemed(sight, url) {
            return block(url);
        }
        rest.replace_range(start..end, " ");
    }
    for (start, end) in places(&EMAIL, &rest).into_iter().rev() {
        rest.replace_range(start..end, " ");
    }
    for (start, end) in places(&BARE, &rest) {
        let found = trimmed(rest.get(start..end).unwrap_or_default());
        if !bare(sight, found) {
            return block(found);
        }
    }
    // Inline markdown must show an absolute target, which was judged above.
    text.match_indices("](").find_map(|(at, _)| {
        let target = text.get(at + 2..)?.trim_start();
        if target.starts_with("https://") {
            None
        } else {
            block(target.split_whitespace().next().unwrap_or("]("))
        }
    })
}

/// Without the punctuation of the sentence around it.
fn trimmed(url: &str) -> &str {
    let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', '"', '\'', '>', '*', '_']);
    if url.contains('(') { url } else { url.trim_end_matches([')', ']', '.', ',']) }
}

fn schemed(sight: &Sight<'_>, url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let (host, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = host.strip_suffix(":443").unwrap_or(host);
    // A trick in the spelling makes it differ from what was written.
    let open = sight.said.to_ascii_lowercase().contains(url);
    open && allowed(sight, host) && plain_path(path) && known(sight, url, path)
}

fn bare(sight: &Sight<'_>, found: &str) -> bool {
    if sight.grounds().says(found) && !found.contains(['/', '?', '#', ':']) && found.is_ascii() {
        let host = found.trim_start_matches('@');
        return allowed(sight, host) || !host.contains('.') || stands_in_passage(sight, found);
    }
    let (host, path) = found.find(['/', '?', '#']).map_or((found, ""), |at| found.split_at(at));
    let open = sight.said.to_ascii_lowercase().contains(found);
    open && allowed(sight, host) && plain_path(path) && known(sight, &format!("https://{found}"), path)
}

/// Our own articles may name a file or a foreign site in passing; results and customers may not.
fn stands_in_passage(sight: &Sight<'_>, found: &str) -> bool {
    sight.context.passages.iter().any(|passage| stands_in(&passage.to_lowercase(), found))
}

fn allowed(sight: &Sight<'_>, host: &str) -> bool {
    host.is_ascii() && sight.context.settled.allowed_hosts.iter().any(|ours| ours == host)
}

/// No user part, no second address, no way to send the reader on.
fn plain_path(path: &str) -> bool {
    let onward = ["//", "\\", "@", "http:", "https:", "%2f", "%3a", "%40", "www."];
    let redirects = [
        "url=",
        "redirect",
        "next=",
        "goto=",
        "dest=",
        "target=",
        "return=",
        "return_to=",
        "continue=",
        "forward=",
    ];
    path.is_ascii() && !onward.iter().chain(&redirects).any(|part| path.contains(part))
}

/// The site itself is known; a page of it is named by a ground, and not by its beginning alone.
fn known(sight: &Sight<'_>, url: &str, path: &str) -> bool {
    if path.is_empty() || path == "/" {
        return true;
    }
    let grounds = sight.grounds();
    let whole = |text: &str| {
        text.match_indices(url).any(|(at, _)| {
            let after = text.get(at + url.len()..).unwrap_or_default();
            let end = after.find(|c: char| c.is_whitespace() || "\"'<>)]".contains(c)).unwrap_or(after.len());
            after.get(..end).is_some_and(|tail| tail.chars().all(|c| ".,;:!?*_".contains(c)))
        })
    };
    // The customer's words never make a link known, so the prose is asked without them.
    whole(&grounds.facts)
        || sight.context.passages.iter().any(|passage| whole(&passage.to_lowercase()))
        || sight.context.settled.site.trim_end_matches('/').eq_ignore_ascii_case(url.trim_end_matches('/'))
}

/// Email addresses and telephone numbers are ours or stand in a result of this customer's case.
pub(super) fn contacts(sight: &Sight<'_>) -> Option<Violation> {
    if let Some(found) = first(&SPELT_EMAIL, &sight.marked).filter(|found| !sight.grounds().says(found)) {
        return Some(violation("contacts", found, Severity::Block));
    }
    let mut text = sight.marked.clone();
    for (start, end) in places(&SCHEMED, &sight.marked).into_iter().rev() {
        text.replace_range(start..end, " ");
    }
    for (start, end) in places(&EMAIL, &text) {
        let email = trimmed(text.get(start..end).unwrap_or_default());
        if !email.is_ascii() || !sight.grounds().says(email) {
            return Some(violation("contacts", email, Severity::Block));
        }
    }
    let unknown = sight.pieces().iter().find(|piece| match &piece.value {
        Value::Phone(digits) => !sight.grounds().rings(digits) && !sight.grounds().says(&piece.text),
        _ => false,
    });
    unknown.map(|piece| violation("contacts", &piece.text, Severity::Block))
}

/// Every pattern of this file.
#[cfg(test)]
pub(super) fn patterns() -> Vec<&'static Pattern> {
    vec![&HIDING, &SCHEMED, &BARE, &EMAIL, &SPELT_EMAIL]
}
