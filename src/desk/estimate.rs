//! How long a team's customers usually wait for a person, from the record.

use super::Desk;
use crate::config::Routing;
use crate::domain::ids::TeamId;
use crate::domain::routing::estimate;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;
use crate::store::{Store, StoreError};

/// The minutes within which four of five customers of `team` had their first answer lately, in its working time; none
/// where the record has too little to say, or what it says helps nobody.
pub async fn minutes(
    (store, desk, settings): (&Store, &Desk, &Routing),
    team: &TeamId,
    urgency: Urgency,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let after = now.plus_ms(-settings.estimate_age_ms);
    let recent = store.recent_waits(team, urgency, after, settings.estimate_samples_max).await?;
    let waits: Vec<i64> = recent.iter().map(|(since, at)| desk.worked_ms(team, *since, *at)).collect();
    Ok(estimate::minutes_to_tell(&waits, settings.worth()))
}
