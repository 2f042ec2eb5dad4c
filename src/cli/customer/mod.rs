//! `firstline customer`: taking customers over from the operator's CRM, handing out and erasing what is known of one.

use std::path::PathBuf;

use super::{Failure, Globals};

mod import;
mod person;
mod report;
mod table;

/// What `customer` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Take customers over from a CSV file of the CRM; nobody is merged by a guess, and the same file again changes nothing
    Import(Import),
    /// Print everything about one person as JSON
    Export {
        /// Our id of them, or `external:` and the operator's own
        id: String,
    },
    /// Erase one person for ever, also while the service runs: counts stay, words go
    Erase {
        /// Our id of them, or `external:` and the operator's own
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What `customer import` takes.
#[derive(Debug, clap::Args)]
struct Import {
    /// CSV with a header: `external_id` and any of name, email, phone, language, tier, owner, tags
    file: PathBuf,
    /// Read and compare everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write every conflict and every bad line here, as JSON when the name ends in `.json`, else as CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    match options.act {
        Act::Import(options) => import::run(globals, &options).await,
        Act::Export { id } => person::export(globals, &id).await,
        Act::Erase { id, yes } => person::erase(globals, &id, yes).await,
    }
}
