//! Messenger: a page of Facebook, by `meta::social`.

use super::meta::social::{Medium, Metadata, Social};
use super::{Bounds, Pace};
use crate::config::MetaSettings;

/// Its name in the record.
pub const NAME: &str = "messenger";

/// The page that `settings` names.
pub fn page(settings: &MetaSettings, client: reqwest::Client, pace: Pace, bounds: Bounds) -> Social {
    let medium = Medium { name: NAME, object: "page", metadata: Metadata::Echoed };
    Social::new(medium, settings, client, pace, bounds)
}
