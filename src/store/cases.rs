//! Reading cases: one with what a turn needs, or lists by what an agent asks for.

use std::sync::Arc;

use sqlx::any::AnyRow;

use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState};
use crate::domain::ids::{AgentId, CaseId, CustomerId, ProcedureId, TeamId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

use super::cache::CaseFile;
use super::columns::Columns;
use super::customers::customer;
use super::routing::wait;
use super::rows::storable;
use super::{Store, StoreError};

/// Reads of a case file that are repeated when a commit comes between; the last one is taken as it is.
const READS_MAX: usize = 3;

/// Which cases to list. What is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Who has it.
    pub state: Option<CaseState>,
    /// The team it belongs to.
    pub team: Option<TeamId>,
    /// The person who has it.
    pub agent: Option<AgentId>,
    /// The channel last written on.
    pub channel: Option<String>,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// What it is about.
    pub intent: Option<ProcedureId>,
    /// Opened at or after.
    pub from: Option<Timestamp>,
    /// Opened before.
    pub to: Option<Timestamp>,
    /// Who asks sees no others.
    pub reach: Reach,
}

/// Which part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// What the previous part gave; none for the first.
    pub cursor: Option<String>,
    /// How many at most.
    pub limit: i64,
}

/// Counts for the operator's dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickCounts {
    /// Cases that are not closed, by state.
    pub cases: Vec<(CaseState, i64)>,
    /// Open turns that may begin.
    pub due_turns: i64,
    /// Turns that were given up.
    pub dead_turns: i64,
}

/// Cases by a filter, with a place for whose they are: of one customer they are few, and found by that alone.
macro_rules! listed {
    ($whose:literal) => {
        concat!(
            "select id, coalesce((select root_id from customers where customers.id = cases.customer_id), customer_id)
            as customer_id, state, version, channel, conversation, assurance, intent, issue, language,
            urgency, sentiment, team, agent_id, resolution, follows, pending, memory, message_seq, inbound_seq,
            answered_seq, event_seq, event_hash, opened_at, updated_at, resolved_at, snoozed_until, doubt, move_offer,
            waiting_since, due_at, first_answer_at, offered_to, offer_expires_at, wait
            from cases
            where (cast($1 as text) is null or state = $1)
              and (cast($2 as text) is null or team = $2)
              and (cast($3 as text) is null or agent_id = $3)
              and (cast($4 as text) is null or channel = $4)
              and ",
            $whose,
            " and (cast($6 as text) is null or intent = $6)
              and (cast($7 as bigint) is null or opened_at >= $7)
              and (cast($8 as bigint) is null or opened_at < $8)
              and (cast($9 as bigint) is null or (opened_at, id) < ($9, $10))
              and (cast($12 as text) is null or team is null or agent_id = $12
                or replace($13, ',' || team || ',', '') = $13)
            order by opened_at desc, id desc limit $11"
        )
    };
}

impl Store {
    /// A case with what a turn needs, as this process knows it. Another process may know better: then a commit is
    /// refused as stale, and [`Store::case_fresh`] tells more.
    pub async fn case(&self, id: &CaseId) -> Result<Option<Arc<CaseFile>>, StoreError> {
        match self.0.files.get(id) {
            Some(file) => Ok(Some(file)),
            None => self.case_fresh(id).await,
        }
    }

    /// A case with what a turn needs, from the database.
    pub async fn case_fresh(&self, id: &CaseId) -> Result<Option<Arc<CaseFile>>, StoreError> {
        let mut reads = 0;
        loop {
            let mark = self.0.files.mark();
            let Some(file) = self.read_case_file(id).await? else { return Ok(None) };
            let file = Arc::new(file);
            reads += 1;
            if self.0.files.read(mark, &file) || reads == READS_MAX {
                return Ok(Some(file));
            }
        }
    }

    async fn read_case_file(&self, id: &CaseId) -> Result<Option<CaseFile>, StoreError> {
        let sql = "select k.id, coalesce(o.root_id, k.customer_id) as customer_id, k.state, k.version, k.channel,
            k.conversation, k.assurance, k.intent, k.issue, k.language, k.urgency, k.sentiment, k.team, k.agent_id,
            k.resolution, k.follows, k.pending, k.memory, k.message_seq, k.inbound_seq, k.answered_seq, k.event_seq,
            k.event_hash, k.opened_at, k.updated_at, k.resolved_at, k.snoozed_until, k.doubt, k.move_offer,
            k.waiting_since, k.due_at, k.first_answer_at, k.offered_to, k.offer_expires_at, k.wait
            from cases k left join customers o on o.id = k.customer_id where k.id = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(id.as_str())).await? else { return Ok(None) };
        let case = case(&row)?;
        let sql = "select id, external_id, name, email, phone, language, crm, created_at, version
            from customers where id = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(case.customer.as_str())).await? else {
            return Err(StoreError::Corrupt { what: "cases.customer_id".to_owned() });
        };
        let customer = Arc::new(customer(&row)?);
        let extent = self.0.files.extent();
        // Entries that came after the case was read belong to a newer version of it.
        let messages = self.newest_messages(id, case.message_seq, extent.messages_max as i64).await?;
        let receipts = self.newest_receipts(id, extent.receipts_max as i64).await?;
        Ok(Some(CaseFile { case, customer, messages, receipts }))
    }

    /// Cases by a filter, the last opened first; and the cursor of the next part.
    pub async fn list_cases(
        &self,
        filter: &CaseFilter,
        page: &Page,
    ) -> Result<(Vec<Case>, Option<String>), StoreError> {
        let (before_at, before_id) = cursor(page)?;
        let sql = if filter.customer.is_some() {
            listed!(
                "cases.customer_id in (select id from customers
                where coalesce(root_id, id) = (select coalesce(root_id, id) from customers where id = $5))"
            )
        } else {
            listed!("cast($5 as text) is null")
        };
        let (person, hidden) = within(&filter.reach);
        let query = sqlx::query(sql)
            .bind(filter.state.map(CaseState::as_str))
            .bind(filter.team.as_ref().map(TeamId::as_str))
            .bind(filter.agent.as_ref().map(AgentId::as_str))
            .bind(filter.channel.as_deref().map(storable))
            .bind(filter.customer.as_ref().map(CustomerId::as_str))
            .bind(filter.intent.as_ref().map(ProcedureId::as_str))
            .bind(filter.from.map(|at| at.0))
            .bind(filter.to.map(|at| at.0))
            .bind(before_at)
            .bind(before_id)
            .bind(page.limit)
            .bind(person)
            .bind(hidden);
        let cases = self.rows(query).await?.iter().map(case).collect::<Result<Vec<_>, _>>()?;
        let next = next_cursor(page, cases.len(), cases.last().map(|c| (c.opened_at, c.id.as_str())));
        Ok((cases, next))
    }

    /// Cases whose snooze is over, the longest over first.
    pub async fn snoozed_until(&self, now: Timestamp, max: usize) -> Result<Vec<CaseId>, StoreError> {
        let sql = "select id from cases where state = 'snoozed' and snoozed_until <= $1
            order by snoozed_until, id limit $2";
        self.ids(sqlx::query(sql).bind(now.0).bind(max as i64)).await
    }

    /// Cases that were resolved before a moment and are not closed, the longest ago first.
    pub async fn resolved_before(&self, moment: Timestamp, max: usize) -> Result<Vec<CaseId>, StoreError> {
        let sql = "select id from cases where state = 'resolved' and resolved_at < $1
            order by resolved_at, id limit $2";
        self.ids(sqlx::query(sql).bind(moment.0).bind(max as i64)).await
    }

    async fn ids(
        &self,
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<CaseId>, StoreError> {
        self.rows(query).await?.iter().map(|row| Columns::of(row, "cases").id("id")).collect()
    }

    /// Counts for the operator's dashboards.
    pub async fn quick_counts(&self, now: Timestamp) -> Result<QuickCounts, StoreError> {
        let sql =
            "select state, count(*) as n from cases where state <> 'closed' group by state order by state";
        let mut cases = Vec::new();
        for row in self.rows(sqlx::query(sql)).await? {
            let columns = Columns::of(&row, "cases");
            cases.push((columns.named("state", CaseState::parse)?, columns.int("n")?));
        }
        let sql = "select (select count(*) from turns where closed_at is null and due_at <= $1) as due,
            (select count(*) from turns where outcome = 'dead') as dead";
        let rows = self.rows(sqlx::query(sql).bind(now.0)).await?;
        let count = |column| rows.first().map_or(Ok(0), |row| Columns::of(row, "turns").int(column));
        Ok(QuickCounts { cases, due_turns: count("due")?, dead_turns: count("dead")? })
    }
}

/// Who a query is limited to and the teams it leaves out, each between commas; nobody and none where all is seen.
pub(super) fn within(reach: &Reach) -> (Option<&str>, String) {
    match reach {
        Reach::All => (None, String::new()),
        Reach::Within { agent, hidden } => {
            let names: Vec<&str> = hidden.iter().map(TeamId::as_str).collect();
            // Each has commas of its own on both sides, also where two meet.
            (Some(agent.as_str()), format!(",{},", names.join(",,")))
        }
    }
}

/// Where a part of a list begins: after the row opened then, with that id.
pub(super) fn cursor(page: &Page) -> Result<(Option<i64>, Option<String>), StoreError> {
    let Some(text) = &page.cursor else { return Ok((None, None)) };
    let (at, id) = text.split_once('.').ok_or(StoreError::Cursor)?;
    Ok((Some(at.parse().map_err(|_| StoreError::Cursor)?), Some(storable(id))))
}

/// The cursor of the next part; none after a part that was not full.
pub(super) fn next_cursor(page: &Page, found: usize, last: Option<(Timestamp, &str)>) -> Option<String> {
    let (at, id) = last?;
    (found as i64 >= page.limit).then(|| format!("{}.{id}", at.0))
}

/// Reads a case.
pub(super) fn case(row: &AnyRow) -> Result<Case, StoreError> {
    let columns = Columns::of(row, "cases");
    Ok(Case {
        id: columns.id("id")?,
        customer: columns.id("customer_id")?,
        state: columns.named("state", CaseState::parse)?,
        version: columns.int("version")?,
        channel: columns.text("channel")?,
        conversation: columns.text("conversation")?,
        assurance: columns.named("assurance", Assurance::parse)?,
        intent: columns.maybe_id("intent")?,
        issue: columns.maybe_text("issue")?,
        language: columns.text("language")?,
        urgency: columns.named("urgency", Urgency::parse)?,
        sentiment: columns.word("sentiment")?,
        team: columns.maybe_id("team")?,
        agent: columns.maybe_id("agent_id")?,
        resolution: columns.maybe_word("resolution")?,
        follows: columns.maybe_id("follows")?,
        pending: columns.maybe_json("pending")?,
        memory: columns.text("memory")?,
        message_seq: columns.int("message_seq")?,
        inbound_seq: columns.int("inbound_seq")?,
        answered_seq: columns.int("answered_seq")?,
        event_seq: columns.int("event_seq")?,
        event_hash: columns.text("event_hash")?,
        opened_at: columns.at("opened_at")?,
        updated_at: columns.at("updated_at")?,
        resolved_at: columns.maybe_at("resolved_at")?,
        snoozed_until: columns.maybe_at("snoozed_until")?,
        doubt: columns.maybe_json("doubt")?,
        move_offer: columns.maybe_json("move_offer")?,
        wait: wait(&columns)?,
    })
}
