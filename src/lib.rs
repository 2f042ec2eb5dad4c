//! Firstline, a digital worker for customer support.

pub mod config;
pub mod desk;
pub mod domain;
pub mod pipeline {
    //! The life of a message.

    pub mod guard;
}
