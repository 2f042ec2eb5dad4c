//! Measuring behaviour: scenarios as data, each trial in a world of its own, scored on what came out.

pub mod audit;
pub mod model;
pub mod report;
pub mod run;
pub mod scenario;
pub mod score;
