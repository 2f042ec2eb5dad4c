//! Patterns that are compiled once; one that does not compile finds nothing, and a test says so.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// A pattern over folded text.
pub(super) type Pattern = LazyLock<Option<Regex>>;

/// Compiles a pattern. Folded text has plain digits and, but for foreign scripts, plain letters; the boundaries of
/// those are found by the fast engine, which gives up where it would have to ask Unicode.
pub(super) fn compile(source: &str) -> Option<Regex> {
    let source = source.replace(r"\b", r"(?-u:\b)").replace(r"\d", "[0-9]");
    RegexBuilder::new(&source).size_limit(64 << 20).dfa_size_limit(16 << 20).build().ok()
}

/// Every match as its place in the text.
pub(super) fn places(pattern: &Pattern, text: &str) -> Vec<(usize, usize)> {
    pattern.as_ref().map(|p| p.find_iter(text).map(|m| (m.start(), m.end())).collect()).unwrap_or_default()
}

/// The first match.
pub(super) fn first<'t>(pattern: &Pattern, text: &'t str) -> Option<&'t str> {
    pattern.as_ref().and_then(|p| p.find(text)).map(|m| m.as_str())
}

/// Whether each pattern of the guard compiles.
#[cfg(test)]
pub(super) fn every() -> Vec<bool> {
    [super::pieces::patterns(), super::shape::patterns(), super::links::patterns(), super::claims::patterns()]
        .into_iter()
        .flatten()
        .map(|pattern| pattern.is_some())
        .collect()
}
