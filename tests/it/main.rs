//! The integration tests, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod pipeline;
mod store;
mod support;
