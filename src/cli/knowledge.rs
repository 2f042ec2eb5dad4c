//! `firstline knowledge search`: the shared search, for one query or for JSON lines.

use clap::Subcommand;

use super::lines::{self, Answered, Files};
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::knowledge::{self, Knowledge};

/// What `knowledge` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Search as the assistant does
    Search {
        /// What to look for
        #[arg(required_unless_present = "input")]
        query: Option<String>,
        /// JSON lines to read instead; `-` is standard input
        #[arg(long, value_name = "FILE", requires = "output", conflicts_with = "query")]
        input: Option<String>,
        /// Where to write JSON lines; `-` is standard output
        #[arg(long, value_name = "FILE", requires = "input")]
        output: Option<String>,
        /// Most articles to show
        #[arg(long, default_value_t = 5)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(globals: &Globals, options: &Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    let config = workspace.config(None)?;
    let cache = Workspace::cache(&config).map(|folder| folder.join("index"));
    let limits = knowledge::Limits::from(&config.knowledge);
    let (knowledge, problems) = Knowledge::open(workspace.origin(), cache.as_deref(), limits);
    for problem in problems {
        output::remark(&problem.to_string());
    }
    let Command::Search { query, input, output: out, limit, json } = &options.command;
    if let (Some(input), Some(out)) = (input, out) {
        let files = Files { input: input.clone(), output: out.clone() };
        return lines::answer(&files, |line| match knowledge::search_line(&knowledge, line, *limit) {
            Ok(line) => Answered { line, bad: false },
            Err(line) => Answered { line, bad: true },
        });
    }
    let found = knowledge.search(query.as_deref().unwrap_or_default(), None, *limit);
    if *json {
        let hits: Vec<_> = found.hits.iter().map(hit).collect();
        output::json(&serde_json::json!({"answerable": found.answerable, "hits": hits}))?;
        return Ok(());
    }
    output::line(&format!("answerable {:.2}", found.answerable));
    for hit in &found.hits {
        output::line(&format!(
            "\n{:>6.2}  {}  ({})\n        {}",
            hit.score, hit.title, hit.article, hit.snippet
        ));
    }
    Ok(())
}

fn hit(hit: &knowledge::Hit) -> serde_json::Value {
    serde_json::json!({"article": hit.article, "title": hit.title, "score": hit.score, "passage": hit.passage})
}
