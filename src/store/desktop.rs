//! What agents leave on their desks: texts they have begun, cases they have open, lists they keep, words about them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::ids::{AgentId, AttachmentId, CaseId, MessageId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;

use super::attachments::StoredAttachment;
use super::cases::within;
use super::columns::Columns;
use super::rows::storable;
use super::{AHEAD_MS_MAX, Store, StoreError};

/// A text that an agent has begun in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentDraft {
    /// Who writes.
    pub agent: AgentId,
    /// In which case.
    pub case: CaseId,
    /// `reply` or `note`.
    pub kind: String,
    /// The way out that was chosen, `channel conversation`; none for the case's own.
    pub way: Option<String>,
    /// The words so far.
    pub text: String,
    /// Place of the newest message that the writer had seen.
    pub seen_seq: i64,
    /// When it was kept.
    pub at: Timestamp,
}

/// Somebody who has a case open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    /// Who.
    pub agent: AgentId,
    /// How they are called.
    pub name: String,
    /// They are writing.
    pub writing: bool,
}

/// A list that an agent keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// Ours.
    pub id: String,
    /// How they call it.
    pub name: String,
    /// Its filters, as in the address.
    pub query: String,
}

/// A note in which somebody is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The case.
    pub case: CaseId,
    /// The note.
    pub message: MessageId,
    /// When it was written.
    pub at: Timestamp,
    /// When they looked.
    pub seen_at: Option<Timestamp>,
    /// What it says.
    pub text: String,
    /// Who wrote it.
    pub by: Option<AgentId>,
}

/// A file that an agent has chosen for a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Ours.
    pub id: AttachmentId,
    /// Its name.
    pub name: String,
    /// MIME type as the browser says.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: i64,
}

impl Store {
    /// Keeps a text that an agent has begun; an empty one is let go of. An older one never replaces a newer, unless that
    /// one is from before the clock was set back.
    pub async fn keep_draft(&self, draft: &AgentDraft) -> Result<(), StoreError> {
        if draft.text.trim().is_empty() {
            return self.drop_draft(&draft.agent, &draft.case).await;
        }
        let sql = "insert into drafts (agent_id, case_id, kind, way, text, seen_seq, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (agent_id, case_id) do update set kind = excluded.kind, way = excluded.way,
                text = excluded.text, seen_seq = excluded.seen_seq, updated_at = excluded.updated_at
                where drafts.updated_at <= excluded.updated_at or drafts.updated_at > $8";
        let query = sqlx::query(sql)
            .bind(draft.agent.as_str())
            .bind(draft.case.as_str())
            .bind(storable(&draft.kind))
            .bind(draft.way.as_deref().map(storable))
            .bind(storable(&draft.text))
            .bind(draft.seen_seq)
            .bind(draft.at.0)
            .bind(draft.at.plus_ms(AHEAD_MS_MAX).0);
        self.write(query).await.map(drop)
    }

    /// The text that an agent has begun in a case.
    pub async fn draft(&self, agent: &AgentId, case: &CaseId) -> Result<Option<AgentDraft>, StoreError> {
        let sql = "select agent_id, case_id, kind, way, text, seen_seq, updated_at
            from drafts where agent_id = $1 and case_id = $2";
        let row = self.row(sqlx::query(sql).bind(agent.as_str()).bind(case.as_str())).await?;
        row.map(|row| {
            let columns = Columns::of(&row, "drafts");
            Ok(AgentDraft {
                agent: columns.id("agent_id")?,
                case: columns.id("case_id")?,
                kind: columns.text("kind")?,
                way: columns.maybe_text("way")?,
                text: columns.text("text")?,
                seen_seq: columns.int("seen_seq")?,
                at: columns.at("updated_at")?,
            })
        })
        .transpose()
    }

    /// Lets go of a text that was sent or given up.
    pub async fn drop_draft(&self, agent: &AgentId, case: &CaseId) -> Result<(), StoreError> {
        let sql = "delete from drafts where agent_id = $1 and case_id = $2";
        self.write(sqlx::query(sql).bind(agent.as_str()).bind(case.as_str())).await.map(drop)
    }

    /// An agent has a case open until then, and perhaps writes in it.
    pub async fn watch(
        &self,
        case: &CaseId,
        agent: &AgentId,
        writing: bool,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "insert into watchers (case_id, agent_id, writing, until) values ($1, $2, $3, $4)
            on conflict (case_id, agent_id) do update set writing = excluded.writing, until = excluded.until";
        let query = sqlx::query(sql).bind(case.as_str()).bind(agent.as_str());
        self.write(query.bind(i64::from(writing)).bind(until.0)).await.map(drop)
    }

    /// An agent has closed a case's page.
    pub async fn unwatch(&self, case: &CaseId, agent: &AgentId) -> Result<(), StoreError> {
        let sql = "delete from watchers where case_id = $1 and agent_id = $2";
        self.write(sqlx::query(sql).bind(case.as_str()).bind(agent.as_str())).await.map(drop)
    }

    /// Who else has a case open now, by name. Nobody says so for long ahead: that was before the clock was set back.
    pub async fn watchers(
        &self,
        case: &CaseId,
        but: &AgentId,
        now: Timestamp,
    ) -> Result<Vec<Watcher>, StoreError> {
        let sql = "select w.agent_id, a.name, w.writing from watchers w join agents a on a.id = w.agent_id
            where w.case_id = $1 and w.agent_id <> $2 and w.until > $3 and w.until <= $4 order by a.name, a.id";
        let query = sqlx::query(sql).bind(case.as_str()).bind(but.as_str()).bind(now.0);
        let rows = self.rows(query.bind(now.plus_ms(AHEAD_MS_MAX).0)).await?;
        let watcher = |row| {
            let columns = Columns::of(row, "watchers");
            Ok(Watcher {
                agent: columns.id("agent_id")?,
                name: columns.text("name")?,
                writing: columns.int("writing")? == 1,
            })
        };
        rows.iter().map(watcher).collect()
    }

    /// Keeps a list of an agent, unless they keep `most` already. Returns whether it was kept.
    pub async fn keep_view(
        &self,
        agent: &AgentId,
        view: &SavedView,
        (at, most): (Timestamp, i64),
    ) -> Result<bool, StoreError> {
        let sql =
            "insert into views (id, agent_id, name, query, at) select $1, $2, $3, $4, cast($5 as bigint)
            where (select count(*) from views where agent_id = $2) < $6 returning id";
        let query = sqlx::query(sql)
            .bind(storable(&view.id))
            .bind(agent.as_str())
            .bind(storable(&view.name))
            .bind(storable(&view.query))
            .bind(at.0)
            .bind(most);
        Ok(!self.write(query).await?.is_empty())
    }

    /// The lists that an agent keeps, the oldest first.
    pub async fn views(&self, agent: &AgentId) -> Result<Vec<SavedView>, StoreError> {
        let sql = "select id, name, query from views where agent_id = $1 order by at, id";
        let rows = self.rows(sqlx::query(sql).bind(agent.as_str())).await?;
        let view = |row| {
            let columns = Columns::of(row, "views");
            Ok(SavedView {
                id: columns.text("id")?,
                name: columns.text("name")?,
                query: columns.text("query")?,
            })
        };
        rows.iter().map(view).collect()
    }

    /// Lets go of a list. Returns whether the agent had it.
    pub async fn drop_view(&self, agent: &AgentId, id: &str) -> Result<bool, StoreError> {
        let sql = "delete from views where agent_id = $1 and id = $2 returning id";
        Ok(!self.write(sqlx::query(sql).bind(agent.as_str()).bind(storable(id))).await?.is_empty())
    }

    /// The notes in which an agent was named, of cases within reach, the newest first.
    pub async fn mentions(
        &self,
        agent: &AgentId,
        reach: &Reach,
        limit: i64,
    ) -> Result<Vec<Mention>, StoreError> {
        let sql = "select n.case_id, n.message_id, n.at, n.seen_at, m.text, m.agent_id
            from mentions n join messages m on m.id = n.message_id join cases k on k.id = n.case_id
            where n.agent_id = $1 and (cast($3 as text) is null or k.team is null or k.agent_id = $3
                or replace($4, ',' || k.team || ',', '') = $4) order by n.at desc, n.message_id desc limit $2";
        let (person, hidden) = within(reach);
        let query = sqlx::query(sql).bind(agent.as_str()).bind(limit).bind(person).bind(hidden);
        let rows = self.rows(query).await?;
        let mention = |row| {
            let columns = Columns::of(row, "mentions");
            Ok(Mention {
                case: columns.id("case_id")?,
                message: columns.id("message_id")?,
                at: columns.at("at")?,
                seen_at: columns.maybe_at("seen_at")?,
                text: columns.text("text")?,
                by: columns.maybe_id("agent_id")?,
            })
        };
        rows.iter().map(mention).collect()
    }

    /// How many of them they have not looked at.
    pub async fn unseen_mentions(&self, agent: &AgentId) -> Result<i64, StoreError> {
        let sql = "select count(*) as n from mentions where agent_id = $1 and seen_at is null";
        let row = self.row(sqlx::query(sql).bind(agent.as_str())).await?;
        row.map_or(Ok(0), |row| Columns::of(&row, "mentions").int("n"))
    }

    /// An agent has opened a case: what names them there is seen.
    pub async fn see_mentions(
        &self,
        agent: &AgentId,
        case: &CaseId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "update mentions set seen_at = $3 where agent_id = $1 and case_id = $2 and seen_at is null";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(case.as_str()).bind(now.0);
        self.write(query).await.map(drop)
    }

    /// Keeps a file that an agent has chosen for a reply.
    pub async fn keep_upload(&self, agent: &AgentId, file: &StoredAttachment) -> Result<(), StoreError> {
        let sql = "insert into uploads (id, agent_id, case_id, name, content_type, bytes_count, content, at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sqlx::query(sql)
            .bind(file.id.as_str())
            .bind(agent.as_str())
            .bind(file.case.as_str())
            .bind(storable(&file.name))
            .bind(file.content_type.as_deref().map(storable))
            .bind(file.content.len() as i64)
            .bind(STANDARD.encode(&file.content))
            .bind(file.at.0);
        self.write(query).await.map(drop)
    }

    /// The files that an agent has chosen in a case, without what is in them.
    pub async fn uploads(&self, agent: &AgentId, case: &CaseId) -> Result<Vec<Upload>, StoreError> {
        let sql = "select id, name, content_type, bytes_count from uploads
            where agent_id = $1 and case_id = $2 order by at, id";
        let rows = self.rows(sqlx::query(sql).bind(agent.as_str()).bind(case.as_str())).await?;
        let upload = |row| {
            let columns = Columns::of(row, "uploads");
            Ok(Upload {
                id: columns.id("id")?,
                name: columns.text("name")?,
                content_type: columns.maybe_text("content_type")?,
                bytes: columns.int("bytes_count")?,
            })
        };
        rows.iter().map(upload).collect()
    }

    /// The files themselves. The message they will come with is named by whoever puts them beside it.
    pub async fn uploaded(
        &self,
        agent: &AgentId,
        case: &CaseId,
    ) -> Result<Vec<StoredAttachment>, StoreError> {
        let sql = "select id, case_id, name, content_type, content, at
            from uploads where agent_id = $1 and case_id = $2 order by at, id";
        let rows = self.rows(sqlx::query(sql).bind(agent.as_str()).bind(case.as_str())).await?;
        let file = |row| {
            let columns = Columns::of(row, "uploads");
            let content = STANDARD
                .decode(columns.text("content")?)
                .map_err(|_| StoreError::Corrupt { what: "uploads.content".to_owned() })?;
            Ok(StoredAttachment {
                id: columns.id("id")?,
                case: columns.id("case_id")?,
                message: MessageId::parse("-")
                    .map_err(|_| StoreError::Corrupt { what: "uploads.id".to_owned() })?,
                name: columns.text("name")?,
                content_type: columns.maybe_text("content_type")?,
                content: Arc::from(content),
                at: columns.at("at")?,
            })
        };
        rows.iter().map(file).collect()
    }

    /// Lets go of a chosen file, or of all of a case.
    pub async fn drop_uploads(
        &self,
        agent: &AgentId,
        case: &CaseId,
        id: Option<&AttachmentId>,
    ) -> Result<(), StoreError> {
        let sql = "delete from uploads where agent_id = $1 and case_id = $2
            and (cast($3 as text) is null or id = $3)";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(case.as_str());
        self.write(query.bind(id.map(AttachmentId::as_str))).await.map(drop)
    }

    /// Lets go of what nobody came back for: page views whose time is over, files chosen before a moment.
    pub async fn tidy_desks(&self, now: Timestamp, files_before: Timestamp) -> Result<(), StoreError> {
        self.write(sqlx::query("delete from watchers where until <= $1").bind(now.0)).await?;
        self.write(sqlx::query("delete from uploads where at < $1").bind(files_before.0)).await.map(drop)
    }
}
