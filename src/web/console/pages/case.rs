//! One case on one page: the note, the thread of all channels, what is known of the customer, and what can be done.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::super::download;
use super::super::super::error::ApiError;
use super::super::super::extract::{Asked, Peer};
use super::super::super::stream::{self, Live, Places, Source};
use super::super::super::watcher::Watcher;
use super::super::frame::{People, frame, line, people, workers};
use super::super::sign_in::SignedIn;
use super::super::{framed, shown};
use super::panels::{self, Panel};
use crate::desk::{approvals, ways};
use crate::domain::case::{Case, SettledAs};
use crate::domain::ids::{AgentId, CaseId};
use crate::domain::role::Right;
use crate::domain::time::Timestamp;
use crate::store::{CaseFile, CaseFilter, Lane, Page, QueueOrder, StoreError, Worklist};

const PAGE: &str = concat!(
    include_str!("../templates/case.html"),
    include_str!("../templates/side.html"),
    include_str!("../templates/conversation.html")
);
/// Entries of a long thread that are shown at first, and at most.
const ENTRIES_MAX: i64 = 100;
const WHOLE_MAX: i64 = 5000;
/// Lines of the list beside a case.
const RAIL_MAX: i64 = 30;
/// Other cases of the customer.
pub(super) const OTHERS_MAX: i64 = 20;

#[derive(Debug, Deserialize)]
pub(in super::super) struct Look {
    panel: Option<String>,
    /// Show the thread from its beginning.
    whole: Option<String>,
    /// A reply was stopped: this place of the thread was the last that its writer had seen.
    changed: Option<i64>,
    /// A word about what was just done.
    said: Option<String>,
}

/// One case.
pub(in super::super) async fn case(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Asked(look): Asked<Look>,
) -> Result<Response, ApiError> {
    let file = signed_in.case(&edge, &id).await?;
    let (store, id) = (&edge.app.store, file.case.id.clone());
    let people = people(&edge).await?;
    let now = edge.app.clock.now();
    store.see_mentions(&signed_in.agent.id, &id, now).await?;
    let handoff = store.handoff(&id).await?;
    let chosen = look.panel.as_deref().and_then(Panel::parse);
    let chosen = chosen.filter(|panel| *panel != Panel::Why || signed_in.may(Right::SeeLog));
    let chosen = chosen.unwrap_or(if handoff.is_some() { Panel::Note } else { Panel::Customer });
    let others = others(&edge, &signed_in, &file.case).await?;
    let mut context = frame(&edge, &signed_in, (&shown::issue(file.case.issue.as_deref()), "case")).await?;
    let pending = approvals::of_case(store, &file.case, now).await?;
    context["case"] = shown::case(&edge, &file.case, signed_in.may(Right::Act));
    context["customer"] = json!({"name": file.customer.name, "email": file.customer.email, "id": file.customer.id,
        "tier": file.customer.crm.tier});
    context["approval"] = pending
        .map(|pending| shown::approval(&edge, &file.case, &signed_in.agent, &people, &pending))
        .unwrap_or_default();
    context["offered"] = json!(file.case.wait.offer.as_ref().map(|offer| {
        json!({"to": people.get(offer.agent.as_str()), "because": offer.because.join(", ")})
    }));
    context["desk"] = edge.app.store.desk_case_of(&id).await?.as_ref().map(shown::desk).unwrap_or_default();
    context["holder"] = json!(file.case.agent.as_ref().and_then(|agent| people.get(agent.as_str())));
    context["mine"] = json!(file.case.agent.as_ref() == Some(&signed_in.agent.id));
    context["panel"] = json!(chosen.as_str());
    context["panels"] = panels::tabs(handoff.is_some(), signed_in.may(Right::SeeLog));
    context["side"] = panels::panel(&edge, &file, &people, (chosen, handoff.as_ref(), &others)).await?;
    context["came_back"] = came_back(&others, now);
    context["rating"] =
        store.rating(&id).await?.map(|rating| shown::rating(&rating, &people)).unwrap_or_default();
    context["said"] = json!(look.said.as_deref().and_then(shown::done_words));
    thread(&edge, &file, &people, &look, &mut context).await?;
    compose(&edge, &signed_in, &file, &mut context).await?;
    context["rights"] =
        json!({"act": signed_in.may(Right::Act), "merge": signed_in.may(Right::MergeCustomers)});
    acts(&edge, &signed_in, &mut context).await?;
    context["rail"] = rail(&edge, &signed_in, &people, &id).await?;
    framed(&edge, PAGE, &context)
}

/// The thread, its newest entries where it is long.
async fn thread(
    edge: &Edge,
    file: &CaseFile,
    people: &People,
    look: &Look,
    context: &mut Value,
) -> Result<(), StoreError> {
    let store = &edge.app.store;
    let most = if look.whole.is_some() { WHOLE_MAX } else { ENTRIES_MAX };
    let after = (file.case.message_seq - most).max(0);
    let messages = store.messages(&file.case.id, after, most).await?;
    let deliveries = store.deliveries(&file.case.id).await?;
    let mut entries: Vec<Value> =
        messages.iter().map(|message| shown::entry(message, people, &deliveries)).collect();
    for (entry, message) in entries.iter_mut().zip(&messages) {
        entry["new"] = json!(look.changed.is_some_and(|seen| message.seq > seen));
    }
    context["thread"] = json!(entries);
    context["earlier"] = json!(after);
    context["last"] = json!(messages.last().map_or(0, |message| message.seq));
    context["changed"] = json!(look.changed.is_some());
    Ok(())
}

/// What the writer has begun, by which ways it can leave, and the texts that are kept ready.
async fn compose(
    edge: &Edge,
    signed_in: &SignedIn,
    file: &CaseFile,
    context: &mut Value,
) -> Result<(), StoreError> {
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let draft = store.draft(&signed_in.agent.id, &file.case.id).await?;
    let ways = ways::of_case(store, &edge.app.pipeline.parts().channels, &file.case, now).await?;
    let chosen = draft.as_ref().and_then(|draft| draft.way.clone());
    let shown_ways: Vec<Value> = ways
        .iter()
        .map(|way| {
            let mut shown = shown::way(way);
            shown["chosen"] = json!(chosen.as_ref() == Some(&way.key()));
            shown
        })
        .collect();
    let files = store.uploads(&signed_in.agent.id, &file.case.id).await?;
    let macros = edge.app.macros.for_language(&file.case.language);
    context["ways"] = json!(shown_ways);
    context["draft"] = json!({
        "text": draft.as_ref().map_or("", |draft| draft.text.as_str()),
        "kind": draft.as_ref().map_or("reply", |draft| draft.kind.as_str()),
        "kept": draft.as_ref().map(|draft| draft.at),
    });
    // What was seen is what this page shows: whoever is told of a change has now seen it.
    context["seen"] = context["last"].clone();
    context["reply_id"] = json!(edge.app.clock.new_id().to_string());
    context["files"] = json!(files.iter().map(shown::upload).collect::<Vec<_>>());
    context["macros"] =
        json!(macros.iter().map(|one| json!({"id": one.id, "title": one.title})).collect::<Vec<_>>());
    context["most"] = json!(edge.app.config.limits.message_chars_max);
    Ok(())
}

/// To whom it can be given, and how it can be put aside or settled.
async fn acts(edge: &Edge, signed_in: &SignedIn, context: &mut Value) -> Result<(), StoreError> {
    let people = if signed_in.may(Right::AssignOthers) { workers(edge).await? } else { People::new() };
    let desk = &edge.app.pipeline.parts().desk;
    let teams: Vec<Value> =
        desk.teams().into_iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    let others: Vec<Value> = people
        .iter()
        .filter(|(id, _)| id.as_str() != signed_in.agent.id.as_str())
        .map(|(id, name)| json!({"id": id, "name": name}))
        .collect();
    context["teams"] = json!(teams);
    context["agents"] = json!(others);
    context["kinds"] =
        json!(SettledAs::ALL.map(|kind| json!({"id": kind.as_str(), "words": shown::settled_as(kind)})));
    context["snoozes"] = json!([
        {"id": "hour", "words": "For an hour"}, {"id": "three_hours", "words": "For three hours"},
        {"id": "tomorrow", "words": "Until tomorrow, 9:00"}, {"id": "monday", "words": "Until Monday, 9:00"},
        {"id": "reply", "words": "Until they write"},
    ]);
    Ok(())
}

/// Other cases of the customer, the newest first.
async fn others(edge: &Edge, signed_in: &SignedIn, case: &Case) -> Result<Vec<Case>, StoreError> {
    let filter = CaseFilter {
        customer: Some(case.customer.clone()),
        reach: signed_in.reach.clone(),
        ..CaseFilter::default()
    };
    let part = Page { cursor: None, limit: OTHERS_MAX + 1 };
    let (mut cases, _) = edge.app.store.list_cases(&filter, &part).await?;
    cases.retain(|other| other.id != case.id);
    Ok(cases)
}

/// What came of their last case, where they had one.
fn came_back(others: &[Case], now: Timestamp) -> Value {
    let settled = others.iter().filter(|other| !other.open()).max_by_key(|other| other.updated_at);
    settled.map_or(Value::Null, |last| {
        json!({
            "id": last.id, "issue": shown::issue(last.issue.as_deref()), "outcome": shown::outcome(last),
            "ago": shown::ago(now, last.updated_at), "count": others.len(),
        })
    })
}

/// The list beside the case: what the agent has, then what waits.
async fn rail(
    edge: &Edge,
    signed_in: &SignedIn,
    people: &People,
    chosen: &CaseId,
) -> Result<Value, StoreError> {
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let list = |standing, agent: Option<AgentId>| Worklist {
        standing,
        teams: (agent.is_none() && !signed_in.agent.teams.is_empty()).then(|| signed_in.agent.teams.clone()),
        agent,
        reach: signed_in.reach.clone(),
        channel: None,
        urgency: None,
        language: None,
    };
    let order = QueueOrder::at(now, &edge.app.config.routing);
    let own = list(Lane::Taken, Some(signed_in.agent.id.clone()));
    let mine = store.worklist(&own, order, RAIL_MAX, 0).await?;
    let waiting = store.worklist(&list(Lane::Waiting, None), order, RAIL_MAX, 0).await?;
    let lines = |all: &[crate::store::WorkLine]| -> Vec<Value> {
        all.iter().map(|one| line(edge, people, one, now, Some(chosen))).collect()
    };
    Ok(json!([
        {"heading": "With me", "blank": "You have no open case.", "lines": lines(&mine)},
        {"heading": "Waiting", "blank": "Nobody is waiting.", "lines": lines(&waiting)},
    ]))
}

/// A file that came with a message, to be kept and never shown.
pub(in super::super) async fn attachment(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    download::attachment(&edge, &id, &signed_in.reach).await
}

/// One case, live.
pub(in super::super) async fn follow(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Peer(address): Peer,
    Path(id): Path<String>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Live, Response> {
    let file = signed_in.case(&edge, &id).await.map_err(IntoResponse::into_response)?;
    let id = file.case.id.clone();
    let resumed = headers.get("last-event-id").and_then(|value| Places::parse(value.to_str().ok()?));
    let places = resumed.unwrap_or_else(|| Places::of(&id, after.after.unwrap_or(0).max(0)));
    let watcher = Watcher::Session(signed_in.session.token_hash);
    stream::open(&edge, address, Source::Case(id, watcher), Some(places)).map_err(IntoResponse::into_response)
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct After {
    after: Option<i64>,
}
