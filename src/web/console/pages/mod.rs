//! The console's pages, one file each.

pub(super) mod case;
pub(super) mod customer;
pub(super) mod day;
pub(super) mod original;
pub(super) mod panels;
pub(super) mod queue;
pub(super) mod why;
