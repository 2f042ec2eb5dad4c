//! The measures over a period: what is asked for, read once, for the API and the console alike.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Edge;
use super::error::ApiError;
use crate::domain::case::CaseState;
use crate::domain::measures::{Count, Figure, Kind, Measure, Named, Prices, Sums, date, day_of, days};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;
use crate::store::{Backlog, By, Cut};

mod export;

pub(super) use export::csv;

/// Days of a report when nobody says.
const DAYS: i64 = 28;
/// Longest period.
const DAYS_MAX: i64 = 3660;
/// How a case without an intent or a team is called.
pub(super) const NONE: &str = "none";
/// Articles and reasons that are listed.
const LISTED_MAX: usize = 200;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The first day, as 2026-11-01, in the time zone of the reports; without it 28 days are told.
    pub(super) from: Option<String>,
    /// The last day; without it, today.
    pub(super) to: Option<String>,
    /// Only cases that began on this channel.
    pub(super) channel: Option<String>,
    /// Only cases about this procedure; `none` for those about none.
    pub(super) intent: Option<String>,
    /// Only cases of this team; `none` for those that never went to people.
    pub(super) team: Option<String>,
    /// Only cases in this language.
    pub(super) language: Option<String>,
    /// `channel`, `intent`, `team`, `language` or `day`: told apart by it, too.
    pub(super) by: Option<String>,
    /// `previous`: compared with as many days before.
    pub(super) compare: Option<String>,
    /// `json`, which is the default, or `csv`.
    pub(super) format: Option<String>,
}

/// What was asked for, understood.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) cut: Cut,
    pub(super) previous: Option<Cut>,
    pub(super) by: By,
    pub(super) zone: String,
    /// The day it is there.
    pub(super) today: i64,
}

fn day(name: &str, text: Option<&String>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = text.parse::<Date>().map(days);
    read.map(Some).map_err(|_| ApiError::invalid(format!("`{name}` must be a day such as 2026-11-01")))
}

impl Wanted {
    /// Whether a file for a spreadsheet is wanted.
    pub(super) fn csv(&self) -> Result<bool, ApiError> {
        match self.format.as_deref() {
            None | Some("" | "json") => Ok(false),
            Some("csv") => Ok(true),
            Some(_) => Err(ApiError::invalid("`format` must be `json` or `csv`")),
        }
    }

    /// Reads it for somebody who reaches so far, with today's day in the zone in which is counted.
    pub(super) async fn understood(&self, edge: &Edge, reach: &Reach) -> Result<Scope, ApiError> {
        let standing = edge.app.store.standing().await?;
        let zone = standing.map_or_else(|| edge.app.config.report_zone(), |standing| standing.zone);
        let wall = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
        let today = day_of(edge.app.clock.now(), &wall);
        let to = day("to", self.to.as_ref())?.unwrap_or(today) + 1;
        let from = day("from", self.from.as_ref())?.unwrap_or(to - DAYS);
        if from >= to {
            return Err(ApiError::invalid("`from` must not be after `to`"));
        }
        if to - from > DAYS_MAX {
            return Err(ApiError::invalid(format!("a period has at most {DAYS_MAX} days; ask for less")));
        }
        let by = match self.by.as_deref() {
            None | Some("") => By::Nothing,
            Some("channel") => By::Channel,
            Some("intent") => By::Intent,
            Some("team") => By::Team,
            Some("language") => By::Language,
            Some("day") => By::Day,
            Some(_) => {
                return Err(ApiError::invalid(
                    "`by` must be `channel`, `intent`, `team`, `language` or `day`",
                ));
            }
        };
        let word = |word: &Option<String>| {
            let word = word.as_deref().filter(|word| !word.is_empty())?;
            Some(if word == NONE { String::new() } else { word.to_owned() })
        };
        let cut = Cut {
            from,
            to,
            channel: word(&self.channel),
            intent: word(&self.intent),
            team: word(&self.team),
            language: word(&self.language),
            reach: reach.clone(),
        };
        let previous = match self.compare.as_deref() {
            None | Some("" | "none") => None,
            Some("previous") => Some(Cut { from: from - (to - from), to: from, ..cut.clone() }),
            Some(_) => return Err(ApiError::invalid("`compare` must be `previous`, or absent")),
        };
        Ok(Scope { cut, previous, by, zone, today })
    }
}

/// The sums that a report is made of.
pub(super) struct Read {
    pub(super) scope: Scope,
    pub(super) total: Sums,
    pub(super) before: Option<Sums>,
    pub(super) groups: Vec<Group>,
    pub(super) prices: Prices,
}

/// One channel, intent, team, language or day.
pub(super) struct Group {
    pub(super) key: String,
    pub(super) sums: Sums,
    pub(super) before: Option<Sums>,
}

/// What things cost here.
pub(super) fn prices(edge: &Edge) -> Prices {
    let settings = &edge.app.config.prices;
    Prices {
        currency: settings.currency.clone(),
        segments: settings.segments.clone(),
        tool_call: settings.tool_call,
        agent_minute: settings.agent_minute,
    }
}

/// The sums of a cut.
pub(super) async fn total(edge: &Edge, cut: &Cut) -> Result<Sums, ApiError> {
    Ok(edge.app.store.sums(cut, By::Nothing).await?.remove("").unwrap_or_default())
}

/// The sums of a cut, told apart; the most cases first, days in their order.
pub(super) async fn groups(
    edge: &Edge,
    cut: &Cut,
    previous: Option<&Cut>,
    by: By,
) -> Result<Vec<Group>, ApiError> {
    if by == By::Nothing {
        return Ok(Vec::new());
    }
    let store = &edge.app.store;
    let mut before = match previous {
        Some(cut) => Some(store.sums(cut, by).await?),
        None => None,
    };
    let mut groups: Vec<Group> = Vec::new();
    for (key, sums) in store.sums(cut, by).await? {
        let day = key.parse::<i64>().ok().filter(|_| by == By::Day);
        // A day is compared with the one at the same place of the period before.
        let then = day.map_or_else(|| key.clone(), |day| (day - (cut.to - cut.from)).to_string());
        let before = before.as_mut().map(|before| before.remove(&then).unwrap_or_default());
        let key = match day {
            Some(day) => date(day).to_string(),
            None if key.is_empty() => NONE.to_owned(),
            None => key,
        };
        groups.push(Group { key, sums, before });
    }
    if by == By::Day {
        groups.sort_by(|a, b| a.key.cmp(&b.key));
    } else {
        groups.sort_by_key(|group| std::cmp::Reverse(group.sums.get(Count::Cases)));
    }
    Ok(groups)
}

/// Reads what a report is made of.
pub(super) async fn read(edge: &Edge, scope: Scope) -> Result<Read, ApiError> {
    let total = total(edge, &scope.cut).await?;
    let before = match &scope.previous {
        Some(cut) => Some(self::total(edge, cut).await?),
        None => None,
    };
    let groups = groups(edge, &scope.cut, scope.previous.as_ref(), scope.by).await?;
    Ok(Read { total, before, groups, prices: prices(edge), scope })
}

/// A measure over some cases.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FigureBody {
    /// None where there is nothing to divide by.
    pub(super) value: Option<f64>,
    /// What was counted.
    pub(super) counted: i64,
    /// Of how many: the denominator.
    pub(super) of: i64,
    /// Of a time, in milliseconds: nine of ten are below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p90: Option<f64>,
    /// Of a score: the share of those asked who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_rate: Option<f64>,
    /// Of a cost: the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) whole: Option<f64>,
}

/// One channel, intent, team, language or day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GroupBody {
    /// Which; `none` for cases that have none.
    key: String,
    #[serde(flatten)]
    figure: FigureBody,
    /// In the period before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<FigureBody>,
}

/// A measure over a period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeasureBody {
    measure: &'static str,
    title: &'static str,
    /// What it is, so that anybody can count it again.
    definition: &'static str,
    /// `cases`, `share`, `ms`, `score`, or the currency of the prices.
    unit: String,
    #[serde(flatten)]
    figure: FigureBody,
    /// In the period before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<FigureBody>,
    /// Told apart, where that was asked for.
    groups: Vec<GroupBody>,
}

/// Handoffs for one reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ReasonBody {
    pub(super) reason: String,
    pub(super) handoffs: i64,
    /// In which a person did what the assistant could not.
    pub(super) right: i64,
    /// That no person was needed for.
    pub(super) not_right: i64,
}

/// How an article fares.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ArticleBody {
    pub(super) article: String,
    /// Cases that cite it.
    pub(super) cases: i64,
    /// … and were contained.
    pub(super) contained: i64,
    /// … and went to people, or came back.
    pub(super) failed: i64,
}

/// Cases that wait for people or are with them, now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct BacklogBody {
    /// `queued`, `agent` or `snoozed`.
    #[schema(value_type = String)]
    pub(super) state: CaseState,
    /// `none` for none.
    pub(super) team: String,
    pub(super) cases: i64,
    /// Of them those whose first answer by a person is overdue.
    pub(super) late: i64,
    /// … and those in which it is due within the next hour.
    pub(super) due_soon: i64,
    /// Since when nothing has happened in the one that waits longest.
    #[schema(value_type = String)]
    pub(super) oldest_at: Timestamp,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportBody {
    /// The first day.
    from: String,
    /// The last day.
    to: String,
    /// The time zone of its days.
    zone: String,
    measures: Vec<MeasureBody>,
    reasons: Vec<ReasonBody>,
    articles: Vec<ArticleBody>,
    /// What the cases cost, part by part.
    cost: Vec<CostBody>,
    backlog: Vec<BacklogBody>,
}

/// A part of what cases cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct CostBody {
    /// `tokens`, `messages`, `tools` or `people`.
    pub(super) part: &'static str,
    pub(super) amount: f64,
}

/// A figure as it is handed out.
pub(super) fn shown(measure: Measure, figure: Figure) -> FigureBody {
    let second = |kind| figure.second.filter(|_| measure.kind() == kind);
    FigureBody {
        value: figure.value,
        counted: figure.counted,
        of: figure.of,
        p90: second(Kind::Time),
        response_rate: second(Kind::Score),
        whole: second(Kind::Money),
    }
}

/// The unit of a measure.
pub(super) fn unit(measure: Measure, prices: &Prices) -> String {
    match measure.kind() {
        Kind::Count => "cases".to_owned(),
        Kind::Share => "share".to_owned(),
        Kind::Time => "ms".to_owned(),
        Kind::Score => "score".to_owned(),
        Kind::Money => prices.currency.clone(),
    }
}

/// Handoffs by reason, the most first.
pub(super) fn reasons(sums: &Sums) -> Vec<ReasonBody> {
    let one = |(reason, handoffs): (&str, i64)| ReasonBody {
        reason: reason.to_owned(),
        handoffs,
        right: sums.of(Named::ReasonRight, reason),
        not_right: sums.of(Named::ReasonUnneeded, reason),
    };
    let mut all: Vec<ReasonBody> = sums.named(Named::Reason).map(one).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.handoffs));
    all.truncate(LISTED_MAX);
    all
}

/// Articles, the most cited first.
pub(super) fn articles(sums: &Sums) -> Vec<ArticleBody> {
    let one = |(article, cases): (&str, i64)| ArticleBody {
        article: article.to_owned(),
        cases,
        contained: sums.of(Named::ArticleContained, article),
        failed: sums.of(Named::ArticleFailed, article),
    };
    let mut all: Vec<ArticleBody> = sums.named(Named::Article).map(one).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.cases));
    all.truncate(LISTED_MAX);
    all
}

/// What waits now, as it is handed out.
pub(super) fn waiting(backlog: Vec<Backlog>) -> Vec<BacklogBody> {
    let named = |team: String| if team.is_empty() { NONE.to_owned() } else { team };
    let one = |one: Backlog| BacklogBody {
        state: one.state,
        team: named(one.team),
        cases: one.cases,
        late: one.late,
        due_soon: one.soon,
        oldest_at: one.oldest_at,
    };
    backlog.into_iter().map(one).collect()
}

impl Read {
    /// A measure over the period.
    pub(super) fn measure(&self, measure: Measure) -> MeasureBody {
        let figure = |sums: &Sums| shown(measure, measure.figure(sums, &self.prices));
        let group = |group: &Group| GroupBody {
            key: group.key.clone(),
            figure: figure(&group.sums),
            previous: group.before.as_ref().map(figure),
        };
        MeasureBody {
            measure: measure.as_str(),
            title: measure.title(),
            definition: measure.definition(),
            unit: unit(measure, &self.prices),
            figure: figure(&self.total),
            previous: self.before.as_ref().map(figure),
            groups: self.groups.iter().map(group).collect(),
        }
    }

    /// What the cases cost, part by part.
    pub(super) fn cost(&self) -> Vec<CostBody> {
        let parts = self.prices.parts(&self.total).into_iter();
        parts.map(|(part, amount)| CostBody { part, amount }).collect()
    }

    /// Everything there is to say of the period.
    pub(super) fn whole(&self, backlog: Vec<Backlog>) -> ReportBody {
        let cut = &self.scope.cut;
        ReportBody {
            from: date(cut.from).to_string(),
            to: date(cut.to - 1).to_string(),
            zone: self.scope.zone.clone(),
            measures: Measure::ALL.iter().map(|measure| self.measure(*measure)).collect(),
            reasons: reasons(&self.total),
            articles: articles(&self.total),
            cost: self.cost(),
            backlog: waiting(backlog),
        }
    }
}
