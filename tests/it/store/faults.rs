//! x
use super::{Record, on_both};
use std::sync::Arc;
on_both! {}
