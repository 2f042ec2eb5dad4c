//! Reading handoffs and the queue of cases that wait for people.

use sqlx::any::AnyRow;

use crate::domain::case::Case;
use crate::domain::handoff::Handoff;
use crate::domain::ids::{CaseId, TeamId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

use super::cases::{case, within};
use super::columns::Columns;
use super::order::{QueueOrder, place, ranked};
use super::{Store, StoreError};

/// A case that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedCase {
    /// The case.
    pub case: Case,
    /// Why it went to people, in one word; none when a person put it there.
    pub reason: Option<String>,
    /// Since when it waits.
    pub since: Timestamp,
}

impl Store {
    /// The newest handoff of a case.
    pub async fn handoff(&self, case: &CaseId) -> Result<Option<Handoff>, StoreError> {
        let sql = "select id, case_id, team, urgency, reason, note, at, taken_by
            from handoffs where case_id = $1 order by at desc, id desc limit 1";
        self.row(sqlx::query(sql).bind(case.as_str())).await?.map(|row| handoff(&row)).transpose()
    }

    /// The cases that wait for a person, of one team or of all within reach, in the order in which they are served
    /// ([`crate::domain::routing::rank()`]): by urgency, raised with the delay, then by the clock, then by the wait.
    pub async fn queue(
        &self,
        team: Option<&TeamId>,
        reach: &Reach,
        order: QueueOrder,
        limit: i64,
    ) -> Result<Vec<QueuedCase>, StoreError> {
        let sql = concat!(
            "with waiting as (select k.id,
            coalesce((select root_id from customers where customers.id = k.customer_id), k.customer_id) as customer_id, k.state, k.version, k.channel, k.conversation, k.assurance, k.intent,
            k.issue, k.language, k.urgency, k.sentiment, k.team, k.agent_id, k.resolution, k.follows, k.pending,
            k.memory, k.message_seq, k.inbound_seq, k.answered_seq, k.event_seq, k.event_hash, k.opened_at,
            k.updated_at, k.resolved_at, k.snoozed_until, k.doubt, k.move_offer, k.waiting_since, k.due_at, k.first_answer_at,
            k.offered_to, k.offer_expires_at, k.wait, h.reason as reason,
            coalesce(k.waiting_since, h.at, k.updated_at) as since,
            coalesce(k.due_at, coalesce(k.waiting_since, h.at, k.updated_at) + $4) as due,
            ",
            place!("k.urgency"),
            " as place
            from cases k left join handoffs h on h.id = (select newest.id from handoffs newest
                where newest.case_id = k.id order by newest.at desc, newest.id desc limit 1)
            where k.state = 'queued' and (cast($1 as text) is null or k.team = $1)
              and (cast($5 as text) is null or k.team is null or replace($6, ',' || k.team || ',', '') = $6))
            select * from waiting order by ",
            ranked!("$3", "$4"),
            " limit $2"
        );
        let (person, hidden) = within(reach);
        let query = sqlx::query(sql)
            .bind(team.map(TeamId::as_str))
            .bind(limit)
            .bind(order.now.0)
            .bind(order.raise_ms.max(1))
            .bind(person)
            .bind(hidden);
        let rows = self.rows(query).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "handoffs");
                Ok(QueuedCase {
                    case: case(row)?,
                    reason: columns.maybe_text("reason")?,
                    since: columns.at("since")?,
                })
            })
            .collect()
    }
}

fn handoff(row: &AnyRow) -> Result<Handoff, StoreError> {
    let columns = Columns::of(row, "handoffs");
    Ok(Handoff {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        team: columns.id("team")?,
        urgency: columns.named("urgency", Urgency::parse)?,
        reason: columns.text("reason")?,
        note: columns.json("note")?,
        at: columns.at("at")?,
        taken_by: columns.maybe_id("taken_by")?,
    })
}
