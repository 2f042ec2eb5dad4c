//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails panics; what is left out is said"
)]

mod agents_api;
mod answers_out;
mod approvals;
mod attachments;
mod audit;
mod bad_input;
mod browser;
mod browser_console;
mod browser_mail;
mod channel_doors;
mod channel_fixtures;
mod channel_sends;
mod channels;
mod console;
mod console_work;
mod crm;
mod crm_asked;
mod deliver;
mod desks;
mod email;
mod email_real;
mod erasure;
mod evals;
mod faults;
mod files_desk;
mod files_out;
mod hostile;
mod identity;
mod limits;
mod mcp;
mod measures;
mod model_turns;
mod model_wire;
mod moving;
mod pipeline;
mod ratings;
mod readiness;
mod reports_api;
mod routing;
mod sign_in;
mod signatures;
mod signed_in;
mod sms;
mod store;
mod support;
mod voice;
mod webhooks_out;
mod weekly;
mod who_may;
