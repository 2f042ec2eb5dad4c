//! What several tests need: databases of their own, and things to put into them.

pub(crate) mod browser;
pub(crate) mod connected;
pub(crate) mod console;
pub(crate) mod database;
pub(crate) mod installed;
pub(crate) mod mcp;
pub(crate) mod played;
pub(crate) mod receiver;
pub(crate) mod service;
pub(crate) mod site;
pub(crate) mod stub_model;
pub(crate) mod world;
