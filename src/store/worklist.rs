//! The lists that people work from: cases by who has them, by urgency and age, with what a line of a list shows.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::domain::case::CaseState;
use crate::domain::ids::{AgentId, CaseId, CustomerId, TeamId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

use super::cases::within;
use super::columns::Columns;
use super::order::{QueueOrder, place, ranked};
use super::rows::storable;
use super::{Store, StoreError};

/// Lines read at once.
const LINES_MAX: usize = 100;

/// Which cases, in which state. Not more than three states at once, so that the index on them serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Waiting for a person, with one, or put aside.
    Open,
    /// Waiting for a person.
    Waiting,
    /// With a person.
    Taken,
    /// Put aside.
    Snoozed,
    /// With the assistant.
    Assistant,
    /// Settled, the latest first.
    Resolved,
    /// Over, the latest first.
    Closed,
}

impl Lane {
    /// Every one, in the order in which a page offers them.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Waiting,
        Self::Taken,
        Self::Snoozed,
        Self::Assistant,
        Self::Resolved,
        Self::Closed,
    ];

    /// The name used in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Snoozed => "snoozed",
            Self::Assistant => "assistant",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Reads the name used in addresses.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == text)
    }

    fn states(self) -> [CaseState; 3] {
        match self {
            Self::Open => [CaseState::Queued, CaseState::Agent, CaseState::Snoozed],
            Self::Waiting => [CaseState::Queued; 3],
            Self::Taken => [CaseState::Agent; 3],
            Self::Snoozed => [CaseState::Snoozed; 3],
            Self::Assistant => [CaseState::Assistant; 3],
            Self::Resolved => [CaseState::Resolved; 3],
            Self::Closed => [CaseState::Closed; 3],
        }
    }

    /// Whether what changed last comes first, and not what is most urgent.
    fn latest_first(self) -> bool {
        matches!(self, Self::Assistant | Self::Resolved | Self::Closed)
    }
}

/// Which cases to list. What is absent does not matter.
#[derive(Debug, Clone)]
pub struct Worklist {
    /// In which state.
    pub standing: Lane,
    /// The person who has them.
    pub agent: Option<AgentId>,
    /// Only of these teams.
    pub teams: Option<Vec<TeamId>>,
    /// Who asks sees no others.
    pub reach: Reach,
    /// The channel last written on.
    pub channel: Option<String>,
    /// How soon.
    pub urgency: Option<Urgency>,
    /// ISO 639-1 of the conversation.
    pub language: Option<String>,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkLine {
    /// The case.
    pub id: CaseId,
    /// Whose it is.
    pub customer: CustomerId,
    /// How they are called.
    pub name: Option<String>,
    /// The issue in one line.
    pub issue: Option<String>,
    /// Who has it.
    pub state: CaseState,
    /// How soon.
    pub urgency: Urgency,
    /// The team it is with.
    pub team: Option<TeamId>,
    /// The person who has it.
    pub agent: Option<AgentId>,
    /// The channel last written on.
    pub channel: String,
    /// Why it went to people, in one word.
    pub reason: Option<String>,
    /// Since when it waits, or when it last changed.
    pub since: Timestamp,
    /// When a person's first answer is due.
    pub due_at: Option<Timestamp>,
    /// When a snooze ends.
    pub snoozed_until: Option<Timestamp>,
    /// The customer has written and nobody has answered.
    pub unanswered: bool,
}

/// How many cases there are in the lists that every page names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkCounts {
    /// With this person.
    pub mine: i64,
    /// Put aside by this person.
    pub snoozed: i64,
    /// Waiting, in the teams of this person.
    pub teams: i64,
    /// Waiting, in all that this person may see.
    pub waiting: i64,
}

/// Teams as one text in which each stands between commas of its own.
fn listed(teams: &[TeamId]) -> String {
    let names: Vec<&str> = teams.iter().map(TeamId::as_str).collect();
    format!(",{},", names.join(",,"))
}

/// Which cases a list is of, with a place for how their states are asked for.
macro_rules! wanted {
    ($states:literal) => {
        concat!(
            " from cases k where k.state ",
            $states,
            " and (cast($4 as text) is null or k.agent_id = $4)
              and (cast($5 as text) is null or k.team is null or k.agent_id = $5
                or replace($6, ',' || k.team || ',', '') = $6)
              and (cast($7 as text) is null or replace($7, ',' || k.team || ',', '') <> $7)
              and (cast($8 as text) is null or k.channel = $8)
              and (cast($9 as text) is null or k.urgency = $9)
              and (cast($10 as text) is null or k.language = $10) "
        )
    };
}

/// What a line is read from: by the ids of cases that were chosen before, so that nothing is joined for the others.
const LINES: &str = "select k.id, k.customer_id, coalesce(top.name, c.name) as name, k.issue, k.state, k.urgency, k.team,
    k.agent_id, k.channel, h.reason as reason,
    case when k.state = 'queued' then coalesce(k.waiting_since, h.at, k.updated_at) else k.updated_at end as since,
    k.due_at, k.snoozed_until, case when k.inbound_seq > k.answered_seq then 1 else 0 end as unanswered
    from cases k join customers c on c.id = k.customer_id left join customers top on top.id = c.root_id
    left join handoffs h on h.id = (select newest.id from handoffs newest
        where newest.case_id = k.id order by newest.at desc, newest.id desc limit 1)
    where k.id in ";

impl Store {
    /// A part of a list: `limit` lines after the first `skipped`. What waits comes in the order in which it is served
    /// ([`crate::domain::routing::rank()`]), what is settled by when it changed.
    pub async fn worklist(
        &self,
        wanted: &Worklist,
        order: QueueOrder,
        limit: i64,
        skipped: i64,
    ) -> Result<Vec<WorkLine>, StoreError> {
        let sql = if wanted.standing.latest_first() {
            // One state, so that the index gives the order. The other two are the same.
            concat!(
                "select k.id",
                wanted!("= $1 and cast($2 as text) = cast($3 as text)"),
                "order by k.updated_at desc, k.id desc limit $11 offset $12"
            )
        } else {
            // The clock of whoever had their first answer has stopped: they come last among their equals.
            concat!(
                "with listed as (select k.id, coalesce(k.waiting_since, k.updated_at) as since,
                case when k.state <> 'queued' and k.first_answer_at is not null then 9007199254740991
                    else coalesce(k.due_at, coalesce(k.waiting_since, k.updated_at) + $13) end as due, ",
                place!("k.urgency"),
                " as place",
                wanted!("in ($1, $2, $3)"),
                ") select id from listed order by ",
                ranked!("$14", "$13"),
                " limit $11 offset $12"
            )
        };
        let (person, hidden) = within(&wanted.reach);
        let [one, two, three] = wanted.standing.states().map(CaseState::as_str);
        let query = sqlx::query(sql)
            .bind(one)
            .bind(two)
            .bind(three)
            .bind(wanted.agent.as_ref().map(AgentId::as_str))
            .bind(person)
            .bind(hidden)
            .bind(wanted.teams.as_deref().map(listed))
            .bind(wanted.channel.as_deref().map(storable))
            .bind(wanted.urgency.map(Urgency::as_str))
            .bind(wanted.language.as_deref().map(storable))
            .bind(limit)
            .bind(skipped);
        let query = if wanted.standing.latest_first() {
            query
        } else {
            query.bind(order.raise_ms.max(1)).bind(order.now.0)
        };
        let chosen = self.rows(query).await?;
        self.lines_of(&ids(&chosen)?).await
    }

    /// These cases as lines, in the order given; those that are gone are left out.
    pub async fn lines_of(&self, ids: &[CaseId]) -> Result<Vec<WorkLine>, StoreError> {
        let mut found = BTreeMap::new();
        for part in ids.chunks(LINES_MAX) {
            let marks: Vec<String> = (1..=part.len()).map(|place| format!("${place}")).collect();
            let mut query = sqlx::query(AssertSqlSafe(format!("{LINES}({})", marks.join(", "))));
            for id in part {
                query = query.bind(id.as_str().to_owned());
            }
            for row in self.rows(query).await? {
                let line = line(&row)?;
                found.insert(line.id.clone(), line);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The counts that every page names.
    pub async fn work_counts(
        &self,
        agent: &AgentId,
        teams: &[TeamId],
        reach: &Reach,
    ) -> Result<WorkCounts, StoreError> {
        let sql = "select count(case when agent_id = $1 and state = 'agent' then 1 end) as mine,
            count(case when agent_id = $1 and state = 'snoozed' then 1 end) as snoozed,
            count(case when state = 'queued' and replace($2, ',' || team || ',', '') <> $2 then 1 end) as teams,
            count(case when state = 'queued' and (cast($3 as text) is null or team is null
                or replace($4, ',' || team || ',', '') = $4) then 1 end) as waiting
            from cases where state in ('queued', 'agent', 'snoozed')";
        let (person, hidden) = within(reach);
        let query = sqlx::query(sql).bind(agent.as_str()).bind(listed(teams)).bind(person).bind(hidden);
        let Some(row) = self.row(query).await? else { return Ok(WorkCounts::default()) };
        let columns = Columns::of(&row, "cases");
        Ok(WorkCounts {
            mine: columns.int("mine")?,
            snoozed: columns.int("snoozed")?,
            teams: columns.int("teams")?,
            waiting: columns.int("waiting")?,
        })
    }

    /// What an agent settled since a moment, the latest first.
    pub async fn settled_by(
        &self,
        agent: &AgentId,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<WorkLine>, StoreError> {
        let sql = "select id from cases where agent_id = $1 and state in ('resolved', 'closed') and resolved_at >= $2
            order by resolved_at desc, id desc limit $3";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(since.0).bind(limit);
        let settled = self.rows(query).await?;
        self.lines_of(&ids(&settled)?).await
    }
}

fn ids(rows: &[AnyRow]) -> Result<Vec<CaseId>, StoreError> {
    rows.iter().map(|row| Columns::of(row, "cases").id("id")).collect()
}

fn line(row: &AnyRow) -> Result<WorkLine, StoreError> {
    let columns = Columns::of(row, "cases");
    Ok(WorkLine {
        id: columns.id("id")?,
        customer: columns.id("customer_id")?,
        name: columns.maybe_text("name")?,
        issue: columns.maybe_text("issue")?,
        state: columns.named("state", CaseState::parse)?,
        urgency: columns.named("urgency", Urgency::parse)?,
        team: columns.maybe_id("team")?,
        agent: columns.maybe_id("agent_id")?,
        channel: columns.text("channel")?,
        reason: columns.maybe_text("reason")?,
        since: columns.at("since")?,
        due_at: columns.maybe_at("due_at")?,
        snoozed_until: columns.maybe_at("snoozed_until")?,
        unanswered: columns.int("unanswered")? == 1,
    })
}
