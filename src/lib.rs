//! Firstline: a digital worker for customer support.

pub mod demo;
/// What things are: of the domain, the demo needs only time.
pub mod domain {
    pub mod time;
}
