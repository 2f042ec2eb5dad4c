//! What routing reads and writes: waiting cases, who can do what, who is there, and open offers.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{AgentId, CaseId, ProcedureId, TeamId};
use crate::domain::role::Role;
use crate::domain::routing::{Capacity, Offer, Passed, Presence, Wait};
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

use super::columns::Columns;
use super::order::{QueueOrder, place, ranked};
use super::presences::Heard;
use super::rows::{Value, json, maybe, moment, storable, text};
use super::{Store, StoreError};

/// What an account says of what its owner can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// What they know.
    pub skills: Vec<String>,
    /// Channels they serve; none: every one.
    pub channels: Vec<String>,
    /// How many cases fill them, where it differs from the settings.
    pub capacity: Capacity,
}

/// An account as routing sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: AgentId,
    /// How they sign in.
    pub login: String,
    /// How they are shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their teams.
    pub teams: Vec<TeamId>,
    /// ISO 639-1 codes they speak.
    pub languages: Vec<String>,
    /// What else they can do.
    pub abilities: Abilities,
    /// What was last heard of them; none before they first were there.
    pub heard: Option<Heard>,
}

/// A case that waits for people, as far as routing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingCase {
    /// The case.
    pub case: CaseId,
    /// The team it belongs to.
    pub team: Option<TeamId>,
    /// What it is about.
    pub intent: Option<ProcedureId>,
    /// ISO 639-1.
    pub language: String,
    /// The channel last written on.
    pub channel: String,
    /// How soon.
    pub urgency: Urgency,
    /// Since when it waits.
    pub since: Timestamp,
    /// When the first answer is due.
    pub due_at: Option<Timestamp>,
    /// Who let it pass.
    pub passed: Vec<Passed>,
}

/// An offer that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOffer {
    /// Of which case.
    pub case: CaseId,
    /// To whom.
    pub agent: AgentId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Cases of one channel that weigh on one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub agent: AgentId,
    /// The channel.
    pub channel: String,
    /// How many.
    pub count: i64,
}

/// The part of a wait that is kept as JSON.
#[derive(Serialize, Deserialize)]
struct Kept {
    because: Vec<String>,
    at: Option<i64>,
    passed: Vec<(AgentId, i64)>,
}

/// The values of a case's row that hold its wait.
pub(super) fn wait_values(wait: &Wait) -> Result<[Value; 6], sqlx::Error> {
    let offer = wait.offer.as_ref();
    let kept = Kept {
        because: offer.map(|offer| offer.because.clone()).unwrap_or_default(),
        at: offer.map(|offer| offer.at.0),
        passed: wait.passed.iter().map(|passed| (passed.agent.clone(), passed.at.0)).collect(),
    };
    let empty = offer.is_none() && kept.passed.is_empty();
    Ok([
        moment(wait.since),
        moment(wait.due_at),
        moment(wait.answered_at),
        maybe(offer.map(|offer| offer.agent.as_str())),
        moment(offer.map(|offer| offer.expires_at)),
        if empty { Value::NoText } else { text(&json(&kept)?) },
    ])
}

/// Reads the wait of a case.
pub(super) fn wait(columns: &Columns<'_>) -> Result<Wait, StoreError> {
    let kept: Option<Kept> = columns.maybe_json("wait")?;
    let (because, at) = kept.as_ref().map_or((Vec::new(), None), |kept| (kept.because.clone(), kept.at));
    let offer = match (columns.maybe_id("offered_to")?, columns.maybe_at("offer_expires_at")?) {
        (Some(agent), Some(expires_at)) => {
            Some(Offer { agent, because, at: at.map_or(expires_at, Timestamp), expires_at })
        }
        _ => None,
    };
    Ok(Wait {
        since: columns.maybe_at("waiting_since")?,
        due_at: columns.maybe_at("due_at")?,
        answered_at: columns.maybe_at("first_answer_at")?,
        offer,
        passed: passed(kept),
    })
}

fn passed(kept: Option<Kept>) -> Vec<Passed> {
    let passed = kept.map(|kept| kept.passed).unwrap_or_default();
    passed.into_iter().map(|(agent, at)| Passed { agent, at: Timestamp(at) }).collect()
}

impl Store {
    /// Sets what the owner of an account can do. Returns whether there is such an account.
    pub async fn set_abilities(&self, agent: &AgentId, abilities: &Abilities) -> Result<bool, StoreError> {
        let sql = "update agents set skills = $1, channels = $2, capacity = $3 where id = $4 returning id";
        let query = sqlx::query(sql)
            .bind(storable(&json(&abilities.skills)?))
            .bind(storable(&json(&abilities.channels)?))
            .bind(storable(&json(&abilities.capacity)?))
            .bind(agent.as_str());
        Ok(!self.write(query).await?.is_empty())
    }

    /// What the owner of an account can do; nothing said where there is no such account.
    pub async fn abilities(&self, agent: &AgentId) -> Result<Abilities, StoreError> {
        let sql = "select skills, channels, capacity from agents where id = $1";
        let row = self.row(sqlx::query(sql).bind(agent.as_str())).await?;
        row.map_or(Ok(Abilities::default()), |row| able(&Columns::of(&row, "agents")))
    }

    /// Every account with what its owner can do and whether they are there, by login.
    pub async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        let sql =
            "select a.id, a.login, a.name, a.role, a.teams, a.languages, a.skills, a.channels, a.capacity,
            p.chosen, p.seen_at, p.given_at, p.version
            from agents a left join presences p on p.agent_id = a.id order by a.login";
        let rows = self.rows(sqlx::query(sql)).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "agents");
                Ok(Member {
                    id: columns.id("id")?,
                    login: columns.text("login")?,
                    name: columns.text("name")?,
                    role: columns.named("role", Role::parse)?,
                    teams: columns.json("teams")?,
                    languages: columns.json("languages")?,
                    abilities: able(&columns)?,
                    heard: heard(&columns)?,
                })
            })
            .collect()
    }

    /// Cases that wait and are offered to nobody, next ones first, as [`crate::domain::routing::rank()`] orders them.
    pub async fn waiting(&self, order: QueueOrder, limit: i64) -> Result<Vec<WaitingCase>, StoreError> {
        let sql = concat!(
            "with waiting as (select id, team, intent, language, channel, urgency, wait, due_at,
                coalesce(waiting_since, updated_at) as since,
                coalesce(due_at, coalesce(waiting_since, updated_at) + $2) as due, ",
            place!("urgency"),
            " as place
            from cases where state = 'queued' and offered_to is null)
            select id, team, intent, language, channel, urgency, wait, due_at, since from waiting
            order by ",
            ranked!("$1", "$2"),
            " limit $3"
        );
        let rows =
            self.rows(sqlx::query(sql).bind(order.now.0).bind(order.raise_ms.max(1)).bind(limit)).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "cases");
                Ok(WaitingCase {
                    case: columns.id("id")?,
                    team: columns.maybe_id("team")?,
                    intent: columns.maybe_id("intent")?,
                    language: columns.text("language")?,
                    channel: columns.text("channel")?,
                    urgency: columns.named("urgency", Urgency::parse)?,
                    since: columns.at("since")?,
                    due_at: columns.maybe_at("due_at")?,
                    passed: passed(columns.maybe_json("wait")?),
                })
            })
            .collect()
    }

    /// Every open offer, or those to one person; the first to end first.
    pub async fn open_offers(&self, agent: Option<&AgentId>) -> Result<Vec<OpenOffer>, StoreError> {
        let sql = "select id, offered_to, offer_expires_at from cases
            where offered_to is not null and (cast($1 as text) is null or offered_to = $1)
            order by offer_expires_at, id";
        let rows = self.rows(sqlx::query(sql).bind(agent.map(AgentId::as_str))).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "cases");
                Ok(OpenOffer {
                    case: columns.id("id")?,
                    agent: columns.id("offered_to")?,
                    expires_at: columns.at("offer_expires_at")?,
                })
            })
            .collect()
    }

    /// What weighs on people: cases they have in which the customer waits or something happened after `idle`, and what
    /// they are offered.
    pub async fn held(&self, idle: Timestamp) -> Result<Vec<Held>, StoreError> {
        let sql = "select agent_id, channel, count(*) as n from (
                select agent_id, channel from cases where state = 'agent' and agent_id is not null
                    and (inbound_seq > answered_seq or updated_at > $1)
                union all select offered_to as agent_id, channel from cases where offered_to is not null) weighing
            group by agent_id, channel order by agent_id, channel";
        let rows = self.rows(sqlx::query(sql).bind(idle.0)).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "cases");
                Ok(Held {
                    agent: columns.id("agent_id")?,
                    channel: columns.text("channel")?,
                    count: columns.int("n")?,
                })
            })
            .collect()
    }

    /// Cases that somebody has, whose customers wait for a word, and in which nothing happened since `before`.
    pub async fn forsaken(&self, agent: &AgentId, before: Timestamp) -> Result<Vec<CaseId>, StoreError> {
        let sql =
            "select id from cases where state = 'agent' and agent_id = $1 and inbound_seq > answered_seq
            and updated_at <= $2 order by updated_at, id";
        let rows = self.rows(sqlx::query(sql).bind(agent.as_str()).bind(before.0)).await?;
        rows.iter().map(|row| Columns::of(row, "cases").id("id")).collect()
    }

    /// When the newest waits of a team at an urgency began and were answered, the last answered first.
    pub async fn recent_waits(
        &self,
        team: &TeamId,
        urgency: Urgency,
        after: Timestamp,
        limit: i64,
    ) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        let sql = "select waiting_since, first_answer_at from cases
            where team = $1 and urgency = $2 and first_answer_at > $3 and waiting_since is not null
            order by first_answer_at desc, id limit $4";
        let query = sqlx::query(sql).bind(team.as_str()).bind(urgency.as_str()).bind(after.0).bind(limit);
        let rows = self.rows(query).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "cases");
                Ok((columns.at("waiting_since")?, columns.at("first_answer_at")?))
            })
            .collect()
    }
}

fn able(columns: &Columns<'_>) -> Result<Abilities, StoreError> {
    Ok(Abilities {
        skills: columns.maybe_json("skills")?.unwrap_or_default(),
        channels: columns.maybe_json("channels")?.unwrap_or_default(),
        capacity: columns.maybe_json("capacity")?.unwrap_or_default(),
    })
}

pub(super) fn heard(columns: &Columns<'_>) -> Result<Option<Heard>, StoreError> {
    let Some(chosen) = columns.maybe_named("chosen", Presence::parse)? else { return Ok(None) };
    Ok(Some(Heard {
        chosen,
        seen_at: columns.at("seen_at")?,
        given_at: columns.at("given_at")?,
        version: columns.int("version")?,
    }))
}
