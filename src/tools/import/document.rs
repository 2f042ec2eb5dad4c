//! The OpenAPI document: read once, references followed inside it and nowhere else.

use serde_json::{Map, Value};

use super::Trouble;

/// Largest document.
const DOCUMENT_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Longest chain of references to references.
const REFERENCES_MAX: usize = 32;

/// One document, version 3.0 or 3.1.
pub(super) struct Document {
    root: Value,
}

impl Document {
    /// Reads JSON or YAML. The error says what to do.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(format!(
                "the document is larger than {DOCUMENT_BYTES_MAX} bytes; keep the paths that customers need"
            ));
        }
        let text = text.trim_start_matches('\u{feff}');
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| format!("the document is not whole JSON: {error}"))?
        } else {
            serde_saphyr::from_str(text)
                .map_err(|error| format!("the document is neither JSON nor YAML: {error}"))?
        };
        if root.get("swagger").is_some() {
            return Err("the document is Swagger 2.0; convert it to OpenAPI 3 first".to_owned());
        }
        match root.get("openapi").and_then(Value::as_str) {
            Some(version) if version.starts_with("3.0") || version.starts_with("3.1") => Ok(Self { root }),
            Some(version) => Err(format!(
                "the document is OpenAPI {}; 3.0 and 3.1 can be read",
                version.chars().take(20).collect::<String>()
            )),
            None => Err("the document has no `openapi` version; is it an OpenAPI document?".to_owned()),
        }
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    pub(super) fn title(&self) -> &str {
        self.root.pointer("/info/title").and_then(Value::as_str).unwrap_or("an unnamed API")
    }

    pub(super) fn paths(&self) -> Result<&Map<String, Value>, String> {
        let paths = self.root.get("paths").and_then(Value::as_object);
        paths.ok_or_else(|| "the document has no `paths`; is it the right file?".to_owned())
    }

    /// What a reference finally means; the value itself when it is none.
    pub(super) fn follow<'d>(&'d self, value: &'d Value) -> Result<&'d Value, Trouble> {
        let (mut value, mut passed) = (value, Vec::new());
        while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            if passed.contains(&reference) || passed.len() >= REFERENCES_MAX {
                return Err(Trouble::Broken(format!(
                    "the reference `{reference}` leads back to itself ({}); correct the document",
                    passed.join(" → ")
                )));
            }
            passed.push(reference);
            value = self.target(reference)?;
        }
        Ok(value)
    }

    /// What one reference points at.
    pub(super) fn target(&self, reference: &str) -> Result<&Value, Trouble> {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(Trouble::LeftOut(format!(
                "`{reference}` is in another document; put all into one document first"
            )));
        };
        self.root.pointer(pointer).ok_or_else(|| {
            Trouble::Broken(format!("the reference `{reference}` points at nothing; correct the document"))
        })
    }
}
