//! Messenger, played.

use super::meta::{Social, TextMax};
use crate::channels::messenger::NAME;

pub(super) const PAGE: Social = Social {
    channel: NAME,
    object: "page",
    account: "1906385232743451",
    customers: 5_410_000_000_000_000,
    text_max: TextMax::Chars(2000),
};
