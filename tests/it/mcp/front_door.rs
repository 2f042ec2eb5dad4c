//! A turn.
