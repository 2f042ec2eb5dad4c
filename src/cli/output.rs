//! What goes to the terminal: results to standard output, everything else to standard error.

use std::io::Write;

use anyhow::Context;

/// Prints a line of a result.
pub(super) fn line(text: &str) {
    // A reader that has gone away (`| head`) is no failure of ours.
    _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a remark to standard error.
pub(super) fn remark(text: &str) {
    _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints an error to standard error.
pub(super) fn complain(text: &str) {
    remark(&format!("firstline: {text}"));
}

/// A value as JSON for `--json`.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value).context("the result could not be written as JSON")?);
    Ok(())
}
