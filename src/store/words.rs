//! The words by which cases are found: a table of tokens, filled behind the work, asked the same way on both databases.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyArguments;

use crate::domain::ids::{AgentId, CaseId, CustomerId, MessageId};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;

use super::cases::within;
use super::columns::Columns;
use super::rows::{Row, Value, storable, text};
use super::statements::values;
use super::{Store, StoreError};

/// Messages, customers or addresses made ready in one pass.
const BATCH_MAX: i64 = 200;
/// Cases of one customer whose words follow a change of their name.
const CASES_MAX: i64 = 500;
/// Words stored by one statement.
const ROWS_MAX: usize = 100;
/// Rows of one word that a search looks at, the newest first.
const LOOKED_AT_MAX: i64 = 2000;
/// Words of one search.
pub const SEARCH_WORDS_MAX: usize = 6;

/// A word that is looked for: everything between two texts, which are equal where it is meant as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// As it is stored.
    pub first: String,
    /// The last that it may be the beginning of.
    pub last: String,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundCases {
    /// The cases, what changed last first.
    pub ids: Vec<CaseId>,
    /// There may be more: every word is a frequent one.
    pub more: bool,
}

/// A new entry of a thread that is to be made ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// The entry.
    pub message: MessageId,
    /// Its case.
    pub case: CaseId,
    /// Whose case it is.
    pub customer: CustomerId,
    /// It began the case.
    pub first: bool,
    /// It is a note of this agent.
    pub note_by: Option<AgentId>,
    /// What it says.
    pub text: String,
    /// When it was stored.
    pub at: Timestamp,
}

/// Whether the case `d` has a word between two texts.
macro_rules! has {
    ($first:literal, $last:literal) => {
        concat!(
            "exists (select 1 from case_words o where o.case_id = d.case_id and o.word >= ",
            $first,
            " and o.word <= ",
            $last,
            ")"
        )
    };
}

impl Store {
    /// Entries that are not ready yet, the oldest first.
    pub async fn unready_messages(&self) -> Result<Vec<Unready>, StoreError> {
        let sql = "select m.id, m.case_id, k.customer_id, m.seq, m.visibility, m.agent_id, m.text, m.at
            from messages m join cases k on k.id = m.case_id where m.indexed = 0 order by m.id limit $1";
        let rows = self.rows(sqlx::query(sql).bind(BATCH_MAX)).await?;
        let unready = |row| {
            let columns = Columns::of(row, "messages");
            let internal = columns.text("visibility")? == "internal";
            Ok(Unready {
                message: columns.id("id")?,
                case: columns.id("case_id")?,
                customer: columns.id("customer_id")?,
                first: columns.int("seq")? == 1,
                note_by: columns.maybe_id("agent_id")?.filter(|_| internal),
                text: columns.text("text")?,
                at: columns.at("at")?,
            })
        };
        rows.iter().map(unready).collect()
    }

    /// These entries are ready.
    pub async fn ready_messages(&self, ids: &[MessageId]) -> Result<(), StoreError> {
        let rows: Vec<Row> = ids.iter().map(|id| Row { unit: 0, values: vec![text(id.as_str())] }).collect();
        let tail = ") update messages set indexed = 1 from v where messages.id = v.id";
        self.write_rows("with v (id) as (values ", rows, tail).await
    }

    /// Customers whose name or address has changed, or is new, and their cases.
    pub async fn unready_customers(&self) -> Result<Vec<(CustomerId, Vec<CaseId>)>, StoreError> {
        let sql = "select id from customers where indexed = 0
            union select customer_id from identities where indexed = 0 limit $1";
        let rows = self.rows(sqlx::query(sql).bind(BATCH_MAX)).await?;
        let mut unready = Vec::new();
        for row in &rows {
            let customer: CustomerId = Columns::of(row, "customers").id("id")?;
            let sql = "select id from cases where customer_id = $1 order by updated_at desc limit $2";
            let cases = self.rows(sqlx::query(sql).bind(customer.as_str()).bind(CASES_MAX)).await?;
            let cases = cases.iter().map(|row| Columns::of(row, "cases").id("id"));
            unready.push((customer, cases.collect::<Result<Vec<_>, _>>()?));
        }
        Ok(unready)
    }

    /// These customers are ready, with their addresses.
    pub async fn ready_customers(&self, ids: &[CustomerId]) -> Result<(), StoreError> {
        let rows = || ids.iter().map(|id| Row { unit: 0, values: vec![text(id.as_str())] }).collect();
        let head = "with v (id) as (values ";
        let tail = ") update customers set indexed = 1 from v where customers.id = v.id and indexed = 0";
        self.write_rows(head, rows(), tail).await?;
        let tail =
            ") update identities set indexed = 1 from v where identities.customer_id = v.id and indexed = 0";
        self.write_rows(head, rows(), tail).await
    }

    /// What a customer is called and reached by.
    pub async fn names_of(&self, id: &CustomerId) -> Result<Vec<String>, StoreError> {
        let sql = "select name as said from customers where id = $1 and name is not null
            union select email from customers where id = $1 and email is not null
            union select phone from customers where id = $1 and phone is not null
            union select external_id from customers where id = $1 and external_id is not null
            union select address from identities where customer_id = $1 and ended_at is null
                and channel in ('email', 'sms', 'voice', 'whatsapp', 'in_app')";
        let rows = self.rows(sqlx::query(sql).bind(id.as_str())).await?;
        rows.iter().map(|row| Columns::of(row, "customers").text("said")).collect()
    }

    /// Adds words by which cases are found, each with the moment it was said; never to one whose customer was erased
    /// meanwhile.
    pub async fn add_words(
        &self,
        words: &BTreeSet<(CaseId, String)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = |(case, word): &(CaseId, String)| Row {
            unit: 0,
            values: vec![text(case.as_str()), text(word), Value::Int(at.0)],
        };
        let tail = ") insert into case_words (case_id, word, at) select v.case_id, v.word, v.at
            from v join cases k on k.id = v.case_id join customers c on c.id = k.customer_id
            where c.erased_at is null on conflict do nothing";
        self.write_rows("with v (case_id, word, at) as (values ", words.iter().map(row).collect(), tail).await
    }

    /// Runs a statement over many rows, some at a time.
    async fn write_rows(&self, head: &str, mut rows: Vec<Row>, tail: &str) -> Result<(), StoreError> {
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS_MAX));
            let mut sql = head.to_owned();
            values(&mut sql, self.0.link.dialect, &rows);
            sql.push_str(tail);
            let mut arguments = AnyArguments::default();
            for value in rows.into_iter().flat_map(|row| row.values) {
                value.bind(&mut arguments)?;
            }
            self.write(sqlx::query_with(AssertSqlSafe(sql), arguments)).await?;
            rows = rest;
        }
        Ok(())
    }

    /// Somebody was named in a note.
    pub async fn add_mention(&self, agent: &AgentId, note: &Unready) -> Result<(), StoreError> {
        let sql = "insert into mentions (agent_id, case_id, message_id, at) values ($1, $2, $3, $4)
            on conflict do nothing";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(note.case.as_str());
        self.write(query.bind(note.message.as_str()).bind(note.at.0)).await.map(drop)
    }

    /// How many rows a word has, at most [`LOOKED_AT_MAX`] and one.
    async fn frequency(&self, word: &Sought) -> Result<i64, StoreError> {
        let sql = "select count(*) as n from
            (select 1 as one from case_words where word >= $1 and word <= $2 limit $3) as counted";
        let query = sqlx::query(sql).bind(storable(&word.first)).bind(storable(&word.last));
        let row = self.row(query.bind(LOOKED_AT_MAX + 1)).await?;
        row.map_or(Ok(0), |row| Columns::of(&row, "case_words").int("n"))
    }

    /// The cases that have every one of these words, of those that may be seen: what changed last first. Of a word that
    /// thousands of cases have, the newest are looked at.
    pub async fn search_cases(
        &self,
        words: &[Sought],
        reach: &Reach,
        limit: i64,
    ) -> Result<FoundCases, StoreError> {
        let mut by_rarity = Vec::new();
        for word in words.iter().take(SEARCH_WORDS_MAX) {
            by_rarity.push((self.frequency(word).await?, word));
        }
        by_rarity.sort_by_key(|(frequency, _)| *frequency);
        let Some(((frequency, rarest), others)) = by_rarity.split_first() else {
            return Ok(FoundCases::default());
        };
        let more = *frequency > LOOKED_AT_MAX;
        let sql = concat!(
            "select k.id from (select distinct case_id from (select case_id from case_words
                where word >= $1 and word <= $2 order by at desc limit $3) as newest) as d
            join cases k on k.id = d.case_id
            where (cast($4 as text) is null or k.team is null or k.agent_id = $4
                or replace($16, ',' || k.team || ',', '') = $16)
              and (cast($5 as text) is null or ",
            has!("$5", "$6"),
            ") and (cast($7 as text) is null or ",
            has!("$7", "$8"),
            ") and (cast($9 as text) is null or ",
            has!("$9", "$10"),
            ") and (cast($11 as text) is null or ",
            has!("$11", "$12"),
            ") and (cast($13 as text) is null or ",
            has!("$13", "$14"),
            ") order by k.updated_at desc, k.id desc limit $15"
        );
        let (person, hidden) = within(reach);
        // A frequent beginning is a range to be sorted; the word itself stands in the order of the index.
        let last = if more { &rarest.first } else { &rarest.last };
        let mut query = sqlx::query(sql)
            .bind(storable(&rarest.first))
            .bind(storable(last))
            .bind(LOOKED_AT_MAX)
            .bind(person);
        for place in 0..SEARCH_WORDS_MAX - 1 {
            let word = others.get(place).map(|(_, word)| *word);
            query = query.bind(word.map(|word| storable(&word.first)));
            query = query.bind(word.map(|word| storable(&word.last)));
        }
        let rows = self.rows(query.bind(limit).bind(hidden)).await?;
        let ids = rows.iter().map(|row| Columns::of(row, "cases").id("id")).collect::<Result<Vec<_>, _>>()?;
        Ok(FoundCases { more: more || ids.len() as i64 >= limit, ids })
    }

    /// The cases whose id begins so, at most `limit`.
    pub async fn cases_by_id(
        &self,
        beginning: &str,
        reach: &Reach,
        limit: i64,
    ) -> Result<Vec<CaseId>, StoreError> {
        let sql = "select id from cases where id >= $1 and id <= $2
            and (cast($3 as text) is null or team is null or agent_id = $3
                or replace($5, ',' || team || ',', '') = $5) order by id limit $4";
        let (person, hidden) = within(reach);
        let query = sqlx::query(sql).bind(storable(beginning)).bind(storable(&format!("{beginning}zzzz")));
        let rows = self.rows(query.bind(person).bind(limit).bind(hidden)).await?;
        rows.iter().map(|row| Columns::of(row, "cases").id("id")).collect()
    }
}
