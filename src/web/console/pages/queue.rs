//! The list: mine, my teams', everybody's; by urgency and age; with filters that live in the address, and the search.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::super::error::ApiError;
use super::super::super::extract::Asked;
use super::super::frame::{frame, line, people};
use super::super::framed;
use super::super::sign_in::{SignedIn, form};
use crate::desk::search;
use crate::domain::ids::TeamId;
use crate::domain::triage::Urgency;
use crate::store::{Lane, QueueOrder, SavedView, StoreError, WorkLine, Worklist};
use crate::templates::LANGUAGES;

const PAGE: &str = include_str!("../templates/queue.html");
/// Lines on one page.
const LINES_MAX: i64 = 50;
/// Pages that are leafed through; whoever looks further back searches.
const PAGES_MAX: i64 = 200;
/// Longest search.
const SEARCH_CHARS_MAX: usize = 200;
/// Lists that one agent may keep, and their names.
const VIEWS_MAX: i64 = 30;
const NAME_CHARS_MAX: usize = 60;

/// What the address asks for; what is empty or unknown does not matter.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in super::super) struct Wanted {
    list: Option<String>,
    state: Option<String>,
    channel: Option<String>,
    urgency: Option<String>,
    team: Option<String>,
    language: Option<String>,
    q: Option<String>,
    page: Option<String>,
}

impl Wanted {
    fn tidy(mut self) -> Self {
        for field in [
            &mut self.list,
            &mut self.state,
            &mut self.channel,
            &mut self.urgency,
            &mut self.team,
            &mut self.language,
            &mut self.q,
        ] {
            let kept =
                field.take().map(|text| text.trim().chars().take(SEARCH_CHARS_MAX).collect::<String>());
            *field = kept.filter(|text| !text.is_empty());
        }
        self
    }

    fn list(&self, signed_in: &SignedIn) -> &'static str {
        let chosen =
            self.list.as_deref().and_then(|list| ["mine", "teams", "all"].into_iter().find(|l| *l == list));
        chosen.unwrap_or(if signed_in.agent.teams.is_empty() { "all" } else { "teams" })
    }

    fn standing(&self, list: &str) -> Lane {
        let usual = if list == "mine" { Lane::Open } else { Lane::Waiting };
        self.state.as_deref().and_then(Lane::parse).unwrap_or(usual)
    }

    fn page(&self) -> i64 {
        self.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, PAGES_MAX)
    }

    /// The filters as they stand in an address, without the page.
    fn query(&self) -> String {
        let fields = [
            ("list", &self.list),
            ("state", &self.state),
            ("channel", &self.channel),
            ("urgency", &self.urgency),
            ("team", &self.team),
            ("language", &self.language),
            ("q", &self.q),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    fn worklist(&self, signed_in: &SignedIn) -> Worklist {
        let list = self.list(signed_in);
        let agent = &signed_in.agent;
        let team = self.team.as_deref().and_then(|team| TeamId::parse(team).ok());
        let own = (list == "teams" && !agent.teams.is_empty()).then(|| agent.teams.clone());
        Worklist {
            standing: self.standing(list),
            agent: (list == "mine").then(|| agent.id.clone()),
            teams: team.map(|team| vec![team]).or(own),
            reach: signed_in.reach.clone(),
            channel: self.channel.clone(),
            urgency: self.urgency.as_deref().and_then(Urgency::parse),
            language: self.language.clone(),
        }
    }
}

/// What was found, and whether there is more.
struct Found {
    lines: Vec<WorkLine>,
    more: bool,
    searched: bool,
}

async fn find(edge: &Edge, signed_in: &SignedIn, wanted: &Wanted) -> Result<Found, StoreError> {
    let store = &edge.app.store;
    if let Some(typed) = &wanted.q {
        let found = search::search(store, typed, &signed_in.reach, LINES_MAX).await?;
        return Ok(Found { lines: store.lines_of(&found.ids).await?, more: found.more, searched: true });
    }
    let skipped = (wanted.page() - 1) * LINES_MAX;
    let order = QueueOrder::at(edge.app.clock.now(), &edge.app.config.routing);
    let mut lines = store.worklist(&wanted.worklist(signed_in), order, LINES_MAX + 1, skipped).await?;
    let more = lines.len() as i64 > LINES_MAX;
    lines.truncate(LINES_MAX as usize);
    Ok(Found { lines, more, searched: false })
}

/// The list.
pub(in super::super) async fn queue(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, ApiError> {
    let wanted = wanted.tidy();
    let found = find(&edge, &signed_in, &wanted).await?;
    let list = wanted.list(&signed_in);
    let standing = wanted.standing(list);
    let (now, people) = (edge.app.clock.now(), people(&edge).await?);
    let mut context = frame(&edge, &signed_in, ("Queue", "queue")).await?;
    let lines: Vec<Value> = found.lines.iter().map(|one| line(&edge, &people, one, now, None)).collect();
    let views = edge.app.store.views(&signed_in.agent.id).await?;
    let parts = edge.app.pipeline.parts();
    let teams: Vec<Value> =
        parts.desk.teams().into_iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    let channels: Vec<Value> = parts
        .channels
        .names()
        .into_iter()
        .map(|name| json!({"id": name, "name": super::super::shown::channel(name)}))
        .collect();
    context["lines"] = json!(lines);
    context["more"] = json!(found.more);
    context["searched"] = json!(found.searched);
    context["list"] = json!(list);
    context["standing"] = json!(standing.as_str());
    context["filtered"] = json!(
        wanted.channel.is_some()
            || wanted.urgency.is_some()
            || wanted.team.is_some()
            || wanted.language.is_some()
    );
    context["wanted"] = json!({
        "state": wanted.state, "channel": wanted.channel, "urgency": wanted.urgency, "team": wanted.team,
        "language": wanted.language, "q": wanted.q, "page": wanted.page(), "query": wanted.query(),
    });
    context["heading"] = json!(heading(list, standing, wanted.q.as_deref()));
    context["views"] = json!(views.iter().map(|view| json!({
        "id": view.id, "name": view.name, "query": view.query, "current": view.query == wanted.query(),
    })).collect::<Vec<Value>>());
    context["teams"] = json!(teams);
    context["channels"] = json!(channels);
    context["languages"] =
        json!(LANGUAGES.map(|code| json!({"id": code, "name": super::super::shown::language(code)})));
    framed(&edge, PAGE, &context)
}

fn heading(list: &str, standing: Lane, typed: Option<&str>) -> String {
    if typed.is_some() {
        return "Found".to_owned();
    }
    let whose = match list {
        "mine" => "Mine",
        "teams" => "My teams",
        _ => "Everybody",
    };
    let what = match standing {
        Lane::Open => "open",
        Lane::Waiting => "waiting for a person",
        Lane::Taken => "with a person",
        Lane::Snoozed => "put aside",
        Lane::Assistant => "with the assistant",
        Lane::Resolved => "resolved",
        Lane::Closed => "closed",
    };
    format!("{whose}: {what}")
}

/// Keeps the list as it stands under a name, or lets go of one.
pub(in super::super) async fn keep_view(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Redirect, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let store = &edge.app.store;
    let agent = &signed_in.agent.id;
    if let Some(id) = fields.remove("drop") {
        store.drop_view(agent, &id).await?;
        return Ok(Redirect::to("/console"));
    }
    let name = fields.remove("name").unwrap_or_default().trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(ApiError::invalid(format!("give the list a name of 1 to {NAME_CHARS_MAX} characters")));
    }
    // Read and written again, so that nothing but filters is kept.
    let typed = fields.remove("query").unwrap_or_default();
    let mut wanted = Wanted::default();
    for (name, value) in form_urlencoded::parse(typed.as_bytes()) {
        let field = match name.as_ref() {
            "list" => &mut wanted.list,
            "state" => &mut wanted.state,
            "channel" => &mut wanted.channel,
            "urgency" => &mut wanted.urgency,
            "team" => &mut wanted.team,
            "language" => &mut wanted.language,
            "q" => &mut wanted.q,
            _ => continue,
        };
        *field = Some(value.into_owned());
    }
    let query = wanted.tidy().query();
    let view = SavedView { id: edge.app.clock.new_id().to_string(), name, query: query.clone() };
    if !store.keep_view(agent, &view, (edge.app.clock.now(), VIEWS_MAX)).await? {
        return Err(ApiError::invalid(format!("you keep {VIEWS_MAX} lists already; let go of one first")));
    }
    Ok(Redirect::to(&format!("/console?{query}")))
}
