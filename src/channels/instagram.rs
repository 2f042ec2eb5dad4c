//! Instagram: messages to a professional account, by `meta::social`.

use super::meta::social::{Medium, Metadata, Social};
use super::{Bounds, Pace};
use crate::config::MetaSettings;

/// Its name in the record.
pub const NAME: &str = "instagram";

/// The account that `settings` names.
pub fn account(settings: &MetaSettings, client: reqwest::Client, pace: Pace, bounds: Bounds) -> Social {
    let medium = Medium { name: NAME, object: "instagram", metadata: Metadata::Unknown };
    Social::new(medium, settings, client, pace, bounds)
}
