//! The demo's articles and procedures, in the binary, so that the demo runs from an empty folder.

use std::borrow::Cow;

use include_dir::{Dir, include_dir};

use crate::knowledge::Source;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/knowledge");

/// Every article and procedure of the demo.
pub fn knowledge() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&FILES, &mut sources);
    sources
}

fn collect(folder: &'static Dir<'static>, sources: &mut Vec<Source>) {
    for file in folder.files() {
        let text = file.contents_utf8().filter(|_| file.path().extension().is_some_and(|e| e == "md"));
        if let Some(text) = text {
            sources.push(Source { path: file.path().display().to_string(), text: Cow::Borrowed(text) });
        }
    }
    for inner in folder.dirs() {
        collect(inner, sources);
    }
}
