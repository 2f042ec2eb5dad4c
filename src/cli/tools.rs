//! `firstline tools import`: writes the tools of an OpenAPI document for review.

use std::path::PathBuf;

use super::{Failure, output};
use crate::tools::import;

/// What `tools` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Print `[[tools]]` entries for the operations of an OpenAPI 3 document, JSON or YAML
    Import {
        /// The document
        document: PathBuf,
        /// The address of the API, when the document names none or another one is meant
        #[arg(long, value_name = "URL")]
        server: Option<String>,
    },
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Act::Import { document, server } = &options.act;
    let shown = document.display();
    let text = std::fs::read_to_string(document)
        .map_err(|error| Failure::Usage(format!("`{shown}` cannot be read: {error}")))?;
    let imported = import::import(&text, server.as_deref())
        .map_err(|problem| Failure::Usage(format!("`{shown}`: {problem}")))?;
    output::line(imported.text.trim_end());
    output::remark(&format!("{} tool(s), {} left out", imported.tools, imported.left_out.len()));
    for reason in &imported.left_out {
        output::remark(reason);
    }
    Ok(())
}
