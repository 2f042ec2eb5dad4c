//! The command line: one file per subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod abilities;
mod audit;
mod channels;
mod chat;
mod check;
mod customer;
mod eval;
mod knowledge;
mod lines;
mod operations;
mod output;
mod reports;
mod routing;
mod serve;
mod shop;
mod summarize;
mod tools;
mod triage;
mod trial;
mod workspace;

/// A digital worker for customer support. Without a configuration file it runs the demo.
#[derive(Debug, Parser)]
#[command(name = "firstline", version, about, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
struct Globals {
    /// The configuration file; its folder is the workspace.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The workspace: firstline.toml, knowledge/, prompts/, evals/.
    #[arg(long, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// The database, `sqlite://path` or `postgres://…`.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve(serve::Options),
    /// Have a conversation in the terminal, through the same pipeline
    Chat(chat::Options),
    /// Read configuration, knowledge, prompts, tools and scenarios; print every problem
    Check(check::Options),
    /// Search the knowledge as the assistant does
    Knowledge(knowledge::Options),
    /// Read messages and say what they are about, JSON lines in and out
    Triage(triage::Options),
    /// Summarise conversations, JSON lines in and out
    Summarize(summarize::Options),
    /// Run scenario suites and compare with the baseline
    Eval(eval::Options),
    /// Find out whether one channel knows what was said on another
    Audit(audit::Options),
    /// Try a channel without an account: its provider is played here
    Channels(channels::Options),
    /// Tools of an API that describes itself
    Tools(tools::Options),
    /// Play a day of routing
    Routing(routing::Options),
    /// The measures: count them again from the logs, to check or to replace what stands
    Reports(reports::Options),
    /// Bring the database's schema up to date
    Migrate,
    /// Accounts of agents
    User(operations::UserOptions),
    /// API keys
    Key(operations::KeyOptions),
    /// Customers: take them over from a CRM, hand out or erase what is known of one
    Customer(customer::Options),
}

/// How a command ended other than well.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The work found failures.
    #[error("{0}")]
    Found(String),
    /// Wrong usage or configuration.
    #[error("{0}")]
    Usage(String),
    /// Something broke on the way.
    #[error("{0:#}")]
    Broke(#[from] anyhow::Error),
}

impl Failure {
    fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs the program: exit 0 done, 1 the work found failures, 2 wrong usage or configuration.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    // The first one wins; a second call in one process is harmless.
    _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Failure::Broke(error.into()))),
    };
    let Arguments { globals, command } = arguments;
    let result = runtime.block_on(async move {
        match command.unwrap_or(Command::Serve(serve::Options::default())) {
            Command::Serve(options) => serve::run(&globals, options).await,
            Command::Chat(options) => chat::run(&globals, options).await,
            Command::Check(options) => check::run(&globals, &options).await,
            Command::Knowledge(options) => knowledge::run(&globals, &options),
            Command::Triage(options) => triage::run(&globals, &options),
            Command::Summarize(options) => summarize::run(&options),
            Command::Eval(options) => eval::run(&globals, options).await,
            Command::Audit(options) => audit::run(&globals, options).await,
            Command::Channels(options) => channels::run(options).await,
            Command::Tools(options) => tools::run(&options),
            Command::Routing(options) => routing::run(&globals, options),
            Command::Reports(options) => reports::run(&globals, options).await,
            Command::Migrate => operations::migrate(&globals).await,
            Command::User(options) => operations::user(&globals, options).await,
            Command::Key(options) => operations::key(&globals, options).await,
            Command::Customer(options) => customer::run(&globals, options).await,
        }
    });
    ended(result)
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    output::complain(&failure.to_string());
    match failure {
        Failure::Found(_) | Failure::Broke(_) => ExitCode::from(1),
        Failure::Usage(_) => ExitCode::from(2),
    }
}
