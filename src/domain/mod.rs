//! What things are: customers, cases, messages, procedures and the rules between them.
//!
//! The domain does nothing: no IO, no async, no clock of its own. Everything here is a plain value
//! that the layers above store, send or decide about.

pub mod assurance;
pub mod case;
pub mod crm;
pub mod customer;
pub mod decision;
pub mod delivery;
pub mod event;
pub mod handoff;
pub mod ids;
pub mod measures;
pub mod merge;
pub mod message;
pub mod money;
pub mod procedure;
pub mod rating;
pub mod receipt;
pub mod role;
pub mod routing;
pub mod team;
pub mod time;
pub mod topic;
pub mod triage;
pub mod turn;
pub mod usage;
