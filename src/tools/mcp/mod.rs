//! Tools of MCP servers: listed by them, classified by us, called like every other tool.
//!
//! Whatever a server says is somebody else's word: names, descriptions, schemas and results are bounded and cleaned,
//! and what a tool may do follows from the configuration alone. `rmcp` is known in this folder only.

mod answer;
mod call;
mod connection;
mod life;
mod listing;
mod schema;
mod server;
mod words;

pub(super) use call::McpReach;
pub use life::Survey;
pub use server::Server;
pub(super) use server::servers;

/// The key of the ledger in the `_meta` of a call that writes: a server that has seen it before need not act again.
pub const IDEMPOTENCY_KEY: &str = "firstline/idempotency-key";
