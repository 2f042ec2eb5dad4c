//! The demo: Harbor & Pine, a small outdoor-gear shop as an HTTP service, with its own data and configuration.
//!
//! Firstline reaches it only over HTTP, through the tools declared in `firstline.toml`, as it would reach a real
//! shop. The YAML files are the shop on its opening day; what happens afterwards is in the journal. A call goes
//! `routes` → `shop` (one write at a time) → `decide` (the rules) → `journal` (on the disk) → `state` (in memory).

mod answers;
mod calendar;
mod catalogue;
mod crm;
mod decide;
mod faults;
mod journal;
mod knowledge;
mod model;
pub mod page;
mod people;
mod routes;
mod seed;
mod shop;
mod state;
#[cfg(test)]
mod tests;

pub use faults::{Fault, FaultMode, Faults};
pub use journal::JournalError;
pub use knowledge::knowledge;
pub use people::{DemoPerson, people};
pub use routes::router;
pub use shop::{DemoCustomer, DemoOrder, Shop, ShopError};

/// The demo's configuration: business, teams, tools. It reads `SHOP_URL` and `SHOP_TOKEN` from the environment.
pub const CONFIG: &str = include_str!("firstline.toml");
