//! Schemas as servers write them.
