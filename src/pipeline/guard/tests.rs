//! What each rule must stop, and what it must let pass.

use proptest::prelude::*;

use super::*;
