//! An agent's own day: who named them, what waits for them, what comes back today, what they settled.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::super::error::ApiError;
use super::super::frame::{frame, line, people};
use super::super::framed;
use super::super::sign_in::SignedIn;
use crate::domain::time::Timestamp;
use crate::store::{Lane, QueueOrder, Worklist};

const PAGE: &str = include_str!("../templates/day.html");
/// Lines of each part.
const LINES_MAX: i64 = 100;
/// Notes that name the agent.
const MENTIONS_MAX: i64 = 20;
/// Longest part of a note that is shown.
const NOTE_CHARS_MAX: usize = 200;

/// The page.
pub(in super::super) async fn day(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
) -> Result<Response, ApiError> {
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let people = people(&edge).await?;
    let agent = &signed_in.agent.id;
    let (begins, ends) = today(&edge, now);
    let own = |standing| Worklist {
        standing,
        agent: Some(agent.clone()),
        teams: None,
        reach: signed_in.reach.clone(),
        channel: None,
        urgency: None,
        language: None,
    };
    let order = QueueOrder::at(now, &edge.app.config.routing);
    let mut taken = store.worklist(&own(Lane::Taken), order, LINES_MAX, 0).await?;
    // Whoever waits for an answer comes before those who were answered.
    taken.sort_by_key(|one| !one.unanswered);
    let mut snoozed = store.worklist(&own(Lane::Snoozed), order, LINES_MAX, 0).await?;
    snoozed.sort_by_key(|one| one.snoozed_until.unwrap_or(Timestamp(i64::MAX)));
    let (back_today, later): (Vec<_>, Vec<_>) =
        snoozed.into_iter().partition(|one| one.snoozed_until.is_some_and(|until| until < ends));
    let settled = store.settled_by(agent, begins, LINES_MAX).await?;
    let shown = |lines: &[crate::store::WorkLine]| -> Vec<Value> {
        lines.iter().map(|one| line(&edge, &people, one, now, None)).collect()
    };
    let mentions: Vec<Value> = store
        .mentions(agent, &signed_in.reach, MENTIONS_MAX)
        .await?
        .into_iter()
        .map(|one| {
            json!({
                "case": one.case, "at": one.at, "new": one.seen_at.is_none(),
                "by": one.by.as_ref().and_then(|by| people.get(by.as_str())),
                "text": one.text.chars().take(NOTE_CHARS_MAX).collect::<String>(),
            })
        })
        .collect();
    let mut context = frame(&edge, &signed_in, ("My day", "day")).await?;
    context["mentions"] = json!(mentions);
    context["parts"] = json!([
        {"id": "waiting", "heading": "With me", "blank": "You have no open case.", "lines": shown(&taken)},
        {"id": "today", "heading": "Comes back today", "blank": "Nothing comes back today.", "lines": shown(&back_today)},
        {"id": "later", "heading": "Put aside for later", "blank": "Nothing is put aside.", "lines": shown(&later)},
        {"id": "settled", "heading": "Settled today", "blank": "Nothing yet.", "lines": shown(&settled)},
    ]);
    framed(&edge, PAGE, &context)
}

/// When the day begins and ends where the default team works.
fn today(edge: &Edge, now: Timestamp) -> (Timestamp, Timestamp) {
    let desk = &edge.app.pipeline.parts().desk;
    let (day, zone) = (desk.today(now), desk.zone());
    let at = |day: jiff::civil::Date| {
        day.to_zoned(zone.clone()).map_or(now, |moment| Timestamp(moment.timestamp().as_millisecond()))
    };
    (at(day), at(day.tomorrow().unwrap_or(day)))
}
