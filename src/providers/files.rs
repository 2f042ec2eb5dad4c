//! Files as the played providers take them: read from a form or a body, described, and known by an id from then on.

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Largest request with a file that is taken, in bytes.
const REQUEST_BYTES_MAX: usize = 110_000_000;

/// One field of a form.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    file_name: Option<String>,
    kind: Option<String>,
    content: Bytes,
}

impl Field {
    /// What it says.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }

    /// What it is, where it is a file.
    pub(super) fn described(&self) -> Option<Value> {
        let name = self.file_name.as_deref().filter(|name| !name.is_empty())?;
        Some(described(name, self.kind.as_deref().unwrap_or_default(), &self.content))
    }
}

/// A file as it is remembered.
pub(super) fn described(name: &str, kind: &str, content: &[u8]) -> Value {
    let sha256 = hex::encode(Sha256::digest(content));
    json!({"name": name, "type": kind, "bytes": content.len(), "sha256": sha256})
}

/// How large a request may be that brings a file.
pub(super) fn room() -> DefaultBodyLimit {
    DefaultBodyLimit::max(REQUEST_BYTES_MAX)
}

/// The fields of a multipart form; none where it is no such form.
pub(super) async fn form(headers: &HeaderMap, body: Bytes) -> Vec<Field> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(kind) else { return Vec::new() };
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut multipart = multer::Multipart::new(body, boundary);
    let mut fields = Vec::new();
    while let Ok(Some(field)) = multipart.next_field().await {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let kind = field.content_type().map(ToString::to_string);
        let content = field.bytes().await.unwrap_or_default();
        fields.push(Field { name, file_name, kind, content });
    }
    fields
}

/// The words of a field.
pub(super) fn said(fields: &[Field], name: &str) -> String {
    fields.iter().find(|field| field.name == name).map(Field::text).unwrap_or_default()
}

/// The file in a field.
pub(super) fn file(fields: &[Field], name: &str) -> Option<Value> {
    fields.iter().find(|field| field.name == name)?.described()
}
