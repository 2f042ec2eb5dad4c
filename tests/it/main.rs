//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails panics; what is left out is said"
)]

mod agents_api;
mod approvals;
mod bad_input;
mod browser;
mod channels;
mod console;
mod deliver;
mod evals;
mod identity;
mod limits;
mod mcp;
mod model_turns;
mod model_wire;
mod pipeline;
mod readiness;
mod signed_in;
mod store;
mod support;
