//! The measures on one page: what works and what does not, per channel and together, and the cases behind each number.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::Asked;
use super::super::reports::{self, Group, NONE, Wanted};
use super::frame::frame;
use super::framed;
use super::sign_in::SignedIn;
use crate::domain::measures::{Count, Measure, Named, Sums, date};
use crate::domain::role::{Reach, Right};
use crate::domain::time::Timestamp;
use crate::store::{By, Cut, Page};

mod plots;
mod view;

use view::View;

const PAGE: &str = include_str!("reports.html");
const CASES: &str = include_str!("reports_cases.html");
const STYLE: &str = include_str!("reports.css");
/// Cases on one page of a list.
const CASES_SHOWN: i64 = 50;
/// Questions without an answer that are shown at once.
const GAPS_SHOWN: i64 = 8;

/// The style of the reports.
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// The whole report; as a file where that is asked for.
pub(super) async fn report(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Asked(mut wanted): Asked<Wanted>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeReports)?;
    if let Some(format) = wanted.format.clone() {
        let csv = wanted.csv()?;
        let read = reports::read(&edge, wanted.understood(&edge, &signed_in.reach).await?).await?;
        if csv {
            return reports::csv(&read, Measure::ALL);
        }
        if !format.is_empty() {
            let backlog = edge.app.store.backlog(&signed_in.reach, edge.app.clock.now()).await?;
            return Ok(axum::Json(read.whole(backlog)).into_response());
        }
    }
    wanted.compare.get_or_insert_with(|| "previous".to_owned());
    wanted.by.get_or_insert_with(|| "channel".to_owned());
    let mut scope = wanted.understood(&edge, &signed_in.reach).await?;
    if matches!(scope.by, By::Day | By::Month | By::Nothing) {
        scope.by = By::Channel;
        wanted.by = Some("channel".to_owned());
    }
    let read = reports::read(&edge, scope).await?;
    let steps = plots::steps(&edge, &read.scope.cut).await?;
    let view = View { edge: &edge, wanted: &wanted, read: &read, steps: &steps };
    let mut context = frame(&edge, &signed_in, ("Reports", "reports")).await?;
    context["narrow"] = json!(signed_in.reach != Reach::All);
    context["period"] = view.period();
    context["choices"] = choices(&edge, &wanted, &read.scope).await?;
    context["tiles"] = view.tiles();
    context["plots"] = plots::all(&steps, &read.scope.cut);
    context["table"] = view.table();
    context["reasons"] = view.reasons();
    context["articles"] = view.articles();
    context["cost"] = view.cost();
    context["opinions"] = view.opinions();
    context["times"] = view.times();
    context["gaps"] = gaps(&edge, &view).await?;
    context["backlog"] = view.backlog(edge.app.store.backlog(&signed_in.reach, edge.app.clock.now()).await?);
    context["definitions"] = view.definitions();
    context["empty"] = json!(read.total.get(Count::Cases) == 0);
    framed(&edge, PAGE, &context)
}

/// What can be chosen: whatever there are cases of in the period.
async fn choices(edge: &Edge, wanted: &Wanted, scope: &reports::Scope) -> Result<Value, ApiError> {
    let Cut { from, to, reach, .. } = scope.cut.clone();
    let cut = Cut { from, to, reach, ..Cut::default() };
    let mut lists = Vec::new();
    for (name, label, by, chosen) in [
        ("channel", "Channel", By::Channel, &wanted.channel),
        ("intent", "About", By::Intent, &wanted.intent),
        ("team", "Team", By::Team, &wanted.team),
        ("language", "Language", By::Language, &wanted.language),
    ] {
        let groups = reports::groups(edge, &cut, None, by).await?;
        let chosen = chosen.clone().unwrap_or_default();
        let mut options: Vec<Value> = groups
            .iter()
            .map(|group| json!({"key": group.key, "label": named(edge, by, &group.key)}))
            .collect();
        if !chosen.is_empty() && groups.iter().all(|group| group.key != chosen) {
            options.push(json!({"key": chosen, "label": named(edge, by, &chosen)}));
        }
        lists.push(json!({"name": name, "label": label, "chosen": chosen, "options": options}));
    }
    Ok(json!(lists))
}

/// A channel, an intent, a team or a language as people call it.
fn named(edge: &Edge, by: By, key: &str) -> String {
    let parts = edge.app.pipeline.parts();
    match by {
        By::Team if key == NONE => "Never went to people".to_owned(),
        By::Team => crate::domain::ids::TeamId::parse(key)
            .map_or_else(|_| key.to_owned(), |team| parts.desk.team_name(&team)),
        By::Intent if key == NONE => "No procedure".to_owned(),
        By::Intent => {
            let procedures = parts.knowledge.procedures();
            let known = procedures.iter().find(|procedure| procedure.id.as_str() == key);
            known.map_or_else(|| super::shown::words(key), |procedure| procedure.title.clone())
        }
        By::Language if key.is_empty() || key == NONE => "Unknown".to_owned(),
        By::Channel => super::shown::words(key),
        By::Language | By::Day | By::Month | By::Nothing => key.to_owned(),
    }
}

/// The newest questions that nothing answers, in the customers' words.
async fn gaps(edge: &Edge, view: &View<'_>) -> Result<Value, ApiError> {
    let page = Page { cursor: None, limit: GAPS_SHOWN };
    let mark = Sums::mark_of(Count::Gaps);
    let (cases, _) = edge.app.store.counted_cases(&view.read.scope.cut, &mark, &page).await?;
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| json!({"id": case.id, "issue": case.issue, "channel": super::shown::words(&case.place.channel)}))
        .collect();
    let all = view.read.total.get(Count::Gaps);
    Ok(json!({"cases": cases, "all": all, "link": view.cases("count", Count::Gaps.as_str())}))
}

/// Which cases.
#[derive(Debug, Deserialize)]
pub(super) struct Behind {
    count: Option<String>,
    reason: Option<String>,
    article: Option<String>,
    from: Option<String>,
    to: Option<String>,
    channel: Option<String>,
    intent: Option<String>,
    team: Option<String>,
    language: Option<String>,
    cursor: Option<String>,
}

impl Behind {
    fn wanted(&self) -> Wanted {
        Wanted {
            from: self.from.clone(),
            to: self.to.clone(),
            channel: self.channel.clone(),
            intent: self.intent.clone(),
            team: self.team.clone(),
            language: self.language.clone(),
            ..Wanted::default()
        }
    }

    /// What stands in the record of these cases, and how they are called.
    fn mark(&self) -> Result<(String, String), ApiError> {
        if let Some(reason) = &self.reason {
            let title = format!("Handed over: {}", super::shown::reason(reason));
            return Ok((Sums::mark_of_name(Named::Reason, reason), title));
        }
        if let Some(article) = &self.article {
            return Ok((Sums::mark_of_name(Named::Article, article), format!("Answered with “{article}”")));
        }
        let name = self.count.as_deref().unwrap_or(Count::Cases.as_str());
        let count = Count::ALL.iter().find(|count| count.as_str() == name);
        let count = count.ok_or_else(|| ApiError::not_found("number"))?;
        let measure = Measure::ALL.iter().find(|measure| measure.cases() == *count);
        let title = measure.map_or_else(|| super::shown::words(name), |measure| measure.title().to_owned());
        Ok((Sums::mark_of(*count), title))
    }
}

/// The cases behind a number.
pub(super) async fn cases(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Asked(behind): Asked<Behind>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeReports)?;
    let (mark, title) = behind.mark()?;
    let wanted = behind.wanted();
    let scope = wanted.understood(&edge, &signed_in.reach).await?;
    let shown = Page { cursor: behind.cursor.clone(), limit: CASES_SHOWN };
    let (cases, next) = edge.app.store.counted_cases(&scope.cut, &mark, &shown).await?;
    let zone = jiff::tz::TimeZone::get(&scope.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let began = |at: Timestamp| at.to_jiff().to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string();
    let lines: Vec<Value> = cases
        .iter()
        .map(|case| {
            let place = &case.place;
            let word = |by, key: &str| named(&edge, by, if key.is_empty() { NONE } else { key });
            json!({
                "id": case.id, "at": case.opened_at, "began": began(case.opened_at), "issue": case.issue, "state": super::shown::words(case.state.as_str()),
                "channel": word(By::Channel, &place.channel), "intent": word(By::Intent, &place.intent),
                "team": word(By::Team, &place.team),
            })
        })
        .collect();
    let mut context = frame(&edge, &signed_in, (&title, "reports")).await?;
    let mut words = vec![format!("{} to {}", date(scope.cut.from), date(scope.cut.to - 1))];
    for (by, key) in [
        (By::Channel, &behind.channel),
        (By::Intent, &behind.intent),
        (By::Team, &behind.team),
        (By::Language, &behind.language),
    ] {
        words.extend(key.as_deref().filter(|key| !key.is_empty()).map(|key| named(&edge, by, key)));
    }
    context["words"] = json!(words.join(" · "));
    context["cases"] = json!(lines);
    context["back"] = json!(view::address("/console/reports", &view::fields(&wanted), &[]));
    let mut here = view::fields(&wanted);
    for (name, value) in [("count", &behind.count), ("reason", &behind.reason), ("article", &behind.article)]
    {
        here.extend(value.clone().map(|value| (name, value)));
    }
    context["next"] =
        json!(next.map(|next| view::address("/console/reports/cases", &here, &[("cursor", &next)])));
    framed(&edge, CASES, &context)
}

/// The groups of a table and what they are called.
fn called(edge: &Edge, by: By, group: &Group) -> String {
    named(edge, by, &group.key)
}
