//! JSON lines in, JSON lines out, in the same order; a bad line is answered in its place.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use anyhow::Context;

use super::Failure;

/// Where lines come from and go to; `-` is standard input or output.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Files {
    /// JSON lines to read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) input: String,
    /// Where to write JSON lines; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) output: String,
}

/// One line's answer, and whether the line was bad.
pub(super) struct Answered {
    pub(super) line: String,
    pub(super) bad: bool,
}

/// Answers every line. Bad ones are counted and end in exit 1, never in an abort.
pub(super) fn answer(files: &Files, one: impl Fn(&str) -> Answered) -> Result<(), Failure> {
    let input: Box<dyn Read> = if files.input == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(
            File::open(&files.input)
                .map_err(|e| Failure::Usage(format!("`{}` cannot be read: {e}", files.input)))?,
        )
    };
    let output: Box<dyn Write> = if files.output == "-" {
        Box::new(std::io::stdout())
    } else {
        Box::new(
            File::create(&files.output)
                .map_err(|e| Failure::Usage(format!("`{}` cannot be written: {e}", files.output)))?,
        )
    };
    let (mut reader, mut output) = (BufReader::new(input), BufWriter::new(output));
    let progress = indicatif::ProgressBar::new_spinner();
    let (mut bad, mut bytes) = (0_usize, Vec::new());
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).context("the input could not be read")? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            continue;
        }
        let answered = one(text.trim());
        bad += usize::from(answered.bad);
        writeln!(output, "{}", answered.line).context("the output could not be written")?;
        progress.inc(1);
    }
    output.flush().context("the output could not be written")?;
    progress.finish_and_clear();
    if bad > 0 {
        return Err(Failure::Found(format!(
            "{bad} line(s) could not be read; each has its error in its place"
        )));
    }
    Ok(())
}

/// The answer to a line that cannot be read: its id where it has one, and why.
pub(super) fn bad(line: &str, error: &str) -> Answered {
    let id = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|value| value.get("id").cloned());
    let mut answer = serde_json::Map::new();
    answer.extend(id.map(|id| ("id".to_owned(), id)));
    answer.insert("error".to_owned(), error.into());
    Answered { line: serde_json::Value::Object(answer).to_string(), bad: true }
}
