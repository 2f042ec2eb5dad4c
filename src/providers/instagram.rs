//! Instagram, played.

use super::meta::{Social, TextMax};
use crate::channels::instagram::NAME;

pub(super) const ACCOUNT: Social = Social {
    channel: NAME,
    object: "instagram",
    account: "17841405822304914",
    customers: 3_620_000_000_000_000,
    text_max: TextMax::Bytes(1000),
};
