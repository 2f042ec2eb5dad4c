//! How models are called when they fail.
