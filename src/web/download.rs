//! Strangers' files leave as downloads and nothing else: no type that a browser would show, no script, a harmless name.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::{Edge, access};
use crate::domain::ids::AttachmentId;
use crate::domain::role::Reach;
use crate::store::StoredAttachment;

/// Longest name of a file that is passed on.
const NAME_CHARS_MAX: usize = 100;
/// Whatever it is, it is opened in a sandbox without scripts or an origin.
const POLICY: &str = "sandbox; default-src 'none'";

/// The file with this id, if the case it came in is within reach.
pub(super) async fn attachment(edge: &Edge, id: &str, reach: &Reach) -> Result<Response, ApiError> {
    Ok(to_be_kept(within_reach(edge, id, reach).await?))
}

/// What is stored of it, if the case it came in is within reach.
pub(super) async fn within_reach(edge: &Edge, id: &str, reach: &Reach) -> Result<StoredAttachment, ApiError> {
    let id = AttachmentId::parse(id).map_err(|_| ApiError::not_found("attachment"))?;
    let file = edge.app.store.attachment(&id).await?.ok_or_else(|| ApiError::not_found("attachment"))?;
    let case = access::case(edge, file.case.as_str(), reach).await;
    case.map_err(|error| error.or_not_found("attachment"))?;
    Ok(file)
}

/// A file as a download.
pub(super) fn to_be_kept(file: StoredAttachment) -> Response {
    let disposition =
        HeaderValue::from_str(&disposition(&file.name)).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, Body::from(bytes::Bytes::from_owner(file.content))).into_response()
}

/// `Content-Disposition` with the name in plain letters and, for those who read it, as it was (RFC 6266, RFC 8187).
fn disposition(name: &str) -> String {
    let name = harmless(name);
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push('%');
            whole.push_str(&hex::encode_upper([byte]));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

/// A name without folders, control characters, quotes or characters that turn the writing around.
fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let kept: String = last
        .chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .map(|c| if "\"%;:*?<>|".contains(c) { '_' } else { c })
        .take(NAME_CHARS_MAX)
        .collect();
    let kept = kept.trim().trim_start_matches('.').trim_end_matches('.');
    if kept.is_empty() { "attachment".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_neither_leave_its_folder_nor_its_header() {
        for (name, expected) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("a\"; filename=\"b.html", "a__ filename=_b.html"),
            ("line\r\nSet-Cookie: a=b", "lineSet-Cookie_ a=b"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("...", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(harmless(name), expected, "{name}");
        }
        assert_eq!(harmless(&"x".repeat(1000)).len(), NAME_CHARS_MAX);
    }

    #[test]
    fn a_name_in_any_writing_is_kept_for_those_who_read_it() {
        let said = disposition("Résumé (1).pdf");
        assert_eq!(
            said,
            "attachment; filename=\"R_sum_ (1).pdf\"; filename*=UTF-8''R%C3%A9sum%C3%A9%20%281%29.pdf"
        );
        assert!(HeaderValue::from_str(&said).is_ok());
    }
}
