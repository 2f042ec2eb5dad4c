//! What customers think of how their cases were settled.

use crate::domain::ids::{CaseId, MessageId};
use crate::domain::rating::{Rating, Scale, Score};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::{Value, maybe, storable, text};
use super::{Store, StoreError};

/// The row of a new one.
pub(super) fn row(rating: &Rating) -> Vec<Value> {
    vec![
        text(rating.case.as_str()),
        text(rating.customer.as_str()),
        text(&rating.channel),
        text(&rating.conversation),
        text(&rating.of),
        maybe(rating.message.as_ref().map(MessageId::as_str)),
        Value::Int(rating.asked_seq),
        Value::Int(rating.asked_at.0),
        maybe(rating.skipped.as_deref()),
    ]
}

/// The row of an answer.
pub(super) fn answer(case: &CaseId, score: &Score, at: Timestamp) -> Vec<Value> {
    vec![
        text(case.as_str()),
        Value::Int(score.points),
        text(score.scale.as_str()),
        maybe(score.comment.as_deref()),
        Value::Int(at.0),
    ]
}

impl Store {
    /// What was asked about a case, and answered.
    pub async fn rating(&self, case: &CaseId) -> Result<Option<Rating>, StoreError> {
        let sql =
            "select case_id, customer_id, channel, conversation, of_whom, message_id, asked_seq, asked_at,
            skipped, score, scale, comment, answered_at from ratings where case_id = $1";
        let row = self.row(sqlx::query(sql).bind(case.as_str())).await?;
        row.map(|row| rating(&Columns::of(&row, "ratings"))).transpose()
    }

    /// What was asked last in a thread since a moment, while nobody has answered.
    pub async fn rating_asked_in(
        &self,
        (channel, conversation): (&str, &str),
        since: Timestamp,
    ) -> Result<Option<Rating>, StoreError> {
        let sql =
            "select case_id, customer_id, channel, conversation, of_whom, message_id, asked_seq, asked_at,
            skipped, score, scale, comment, answered_at from ratings
            where channel = $1 and conversation = $2 and asked_at >= $3 and message_id is not null
                and answered_at is null
            order by asked_at desc limit 1";
        let query = sqlx::query(sql).bind(storable(channel)).bind(storable(conversation)).bind(since.0);
        self.row(query).await?.map(|row| rating(&Columns::of(&row, "ratings"))).transpose()
    }

    /// Whether a message asked for a rating: nobody is alarmed when it does not arrive.
    pub async fn asks_for_rating(&self, message: &MessageId) -> Result<bool, StoreError> {
        let sql = "select case_id from ratings where message_id = $1";
        Ok(self.row(sqlx::query(sql).bind(message.as_str())).await?.is_some())
    }

    /// Cases that were resolved between two moments, on another channel than `except`, and about which nobody was asked;
    /// nor was their customer about another one since `quiet_since`.
    pub async fn unrated_cases(
        &self,
        (from, to): (Timestamp, Timestamp),
        except: &str,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<CaseId>, StoreError> {
        let sql = "select k.id from cases k where k.state = 'resolved' and k.resolved_at >= $1 and k.resolved_at <= $2
                and k.channel <> $3
                and not exists (select 1 from ratings r where r.case_id = k.id)
                and not exists (select 1 from ratings r where r.customer_id = k.customer_id
                    and r.message_id is not null and r.asked_at > $4)
            order by k.resolved_at limit $5";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query =
            sqlx::query(sql).bind(from.0).bind(to.0).bind(storable(except)).bind(quiet_since.0).bind(limit);
        self.rows(query).await?.iter().map(|row| Columns::of(row, "cases").id("id")).collect()
    }
}

fn rating(columns: &Columns<'_>) -> Result<Rating, StoreError> {
    let answered = columns.maybe_at("answered_at")?;
    let score = match answered {
        None => None,
        Some(at) => {
            let scale = columns.named("scale", Scale::parse)?;
            let comment = columns.maybe_text("comment")?;
            Some((Score { points: columns.int("score")?, scale, comment }, at))
        }
    };
    Ok(Rating {
        case: columns.id("case_id")?,
        customer: columns.id("customer_id")?,
        channel: columns.text("channel")?,
        conversation: columns.text("conversation")?,
        of: columns.text("of_whom")?,
        message: columns.maybe_id("message_id")?,
        asked_seq: columns.int("asked_seq")?,
        asked_at: columns.at("asked_at")?,
        skipped: columns.maybe_text("skipped")?,
        score,
    })
}
