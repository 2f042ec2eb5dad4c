//! Mail that no person wrote, and news of our own that came back: neither is ever answered.
//!
//! Sources: RFC 3834 (`Auto-Submitted`), RFC 3464 (delivery status), the marks of mailing lists and of Exchange.

use mail_parser::HeaderName;

use super::mime::{Head, Mail};
use super::proof::{self, Mailbox};
use super::read::{Envelope, Post, UNPROVEN};
use super::token::Tokens;
use crate::channels::{Incoming, StatusUpdate};
use crate::domain::delivery::DeliveryState;

/// What programs write under, without hyphens, dots and underscores.
const MACHINES: [&str; 5] = ["mailerdaemon", "noreply", "donotreply", "bounces", "bounce"];
/// Most of a report on delivery that is read, in bytes.
const REPORT_BYTES_MAX: usize = 65_536;
/// Recipients in a report that are looked at.
const RECIPIENTS_MAX: usize = 20;

/// What a mail brings that no person wrote; none when a person may have written it.
pub(super) fn verdict(
    post: &Post,
    mail: &Mail<'_>,
    from: Option<&Mailbox>,
    envelope: &Envelope<'_>,
) -> Option<Incoming> {
    let head = &mail.head;
    if head.written("message-id").iter().any(|id| post.tokens.ours(id).is_some()) {
        return Some(Incoming::Nothing("our own mail came back"));
    }
    let report =
        mail.parts.iter().find(|part| part.mail == 0 && part.head.kind() == "message/delivery-status");
    if let Some(report) = report {
        return Some(delivery_status(post, mail, &report.text(REPORT_BYTES_MAX)));
    }
    reason(post, head, from, envelope).map(Incoming::Nothing)
}

fn reason(
    post: &Post,
    head: &Head<'_>,
    from: Option<&Mailbox>,
    envelope: &Envelope<'_>,
) -> Option<&'static str> {
    let first = |name: &str| head.written(name).into_iter().next();
    let submitted = first("auto-submitted")
        .map(|value| value.split([';', ' ']).next().unwrap_or_default().to_lowercase());
    if submitted.is_some_and(|value| value != "no") {
        return Some("an automatic mail");
    }
    let precedence = first("precedence").unwrap_or_default().to_lowercase();
    if matches!(precedence.as_str(), "bulk" | "list" | "junk" | "auto_reply") {
        return Some("a mail in bulk");
    }
    if ["list-id", "list-unsubscribe"].iter().any(|name| first(name).is_some()) {
        return Some("a mail of a list");
    }
    if ["x-auto-response-suppress", "x-autoreply", "x-autorespond"].iter().any(|name| first(name).is_some()) {
        return Some("a mail that asks for no automatic answer");
    }
    let returned = first("return-path").is_some_and(|path| path == "<>");
    if returned || envelope.sender == Some("") || head.kind() == "multipart/report" {
        return Some("a mail that nobody can answer");
    }
    let (local, domain) = from?.address.rsplit_once('@')?;
    let ours = post.addresses.iter().any(|ours| from.is_some_and(|from| Tokens::is_for(&from.address, ours)));
    if ours || post.own_domains.iter().any(|own| own.eq_ignore_ascii_case(domain)) {
        return Some("a mail of our own house");
    }
    let local =
        local.split_once('+').map_or(local, |(base, _)| base).to_lowercase().replace(['-', '.', '_'], "");
    MACHINES.contains(&local.as_str()).then_some("a mail of a program")
}

/// A report on something that left: news of one of our deliveries, if it is ours and names who it was sent to.
fn delivery_status(post: &Post, mail: &Mail<'_>, report: &str) -> Incoming {
    let field = |name: &str| {
        let named = report
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(move |(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect::<Vec<_>>()
    };
    let state = match field("action").first().map(|action| action.to_lowercase()).as_deref() {
        Some("failed") => DeliveryState::Failed,
        Some("delivered") => DeliveryState::Delivered,
        _ => return Incoming::Nothing("a report on a delivery that is still under way"),
    };
    let headers = mail.parts.iter().find(|part| part.head.kind() == "text/rfc822-headers");
    let headers = headers.map(|part| part.text(REPORT_BYTES_MAX)).unwrap_or_default();
    let returned = Head::of(mail.inner.unwrap_or(headers.as_bytes()));
    let ours = returned
        .written("message-id")
        .iter()
        .find_map(|id| Some((id.trim_matches(['<', '>']).to_owned(), post.tokens.ours(id)?)));
    let Some((provider_id, ours)) = ours else {
        return Incoming::Nothing("a report on a mail that is not ours");
    };
    let named = ["final-recipient", "original-recipient"].iter().flat_map(|name| field(name));
    let named = named.filter_map(|value| {
        proof::address(value.rsplit_once(';').map_or(value.as_str(), |(_, address)| address))
    });
    let written = proof::mailboxes(&returned, &HeaderName::To).into_iter().map(|to| to.address);
    let participant = named.chain(written).take(RECIPIENTS_MAX).any(|address| {
        [address.clone(), format!("{UNPROVEN}{address}")]
            .iter()
            .any(|who| post.tokens.proven_by_id(&ours, who).is_some())
    });
    if !participant {
        return Incoming::Nothing("a report on a mail that is not ours");
    }
    let status: Option<String> = field("status")
        .first()
        .map(|status| status.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(12).collect());
    let reason = (state == DeliveryState::Failed)
        .then(|| format!("it came back: {}", status.unwrap_or_default()).trim_end().to_owned());
    Incoming::Status(StatusUpdate { provider_id, delivery: Some(ours.delivery), state, reason })
}
