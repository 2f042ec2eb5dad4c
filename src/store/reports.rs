//! Reading what was counted: sums over a period, and the cases behind them.

use std::collections::BTreeMap;

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::domain::case::CaseState;
use crate::domain::ids::CaseId;
use crate::domain::measures::{Place, Sums, date, days, month_of};
use crate::domain::role::Reach;
use crate::domain::time::Timestamp;

use super::cases::{Page, cursor, next_cursor, within};
use super::columns::Columns;
use super::rollups::{Part, place};
use super::rows::storable;
use super::{Store, StoreError};

/// By what sums are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Not at all.
    Nothing,
    /// By the day on which the cases began.
    Day,
    /// By the month in which the cases began.
    Month,
    /// By the channel on which they began.
    Channel,
    /// By what they came to be about.
    Intent,
    /// By the team they came to.
    Team,
    /// By language.
    Language,
}

/// Of which cases. What is absent does not matter; an empty word stands for cases that have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cut {
    /// The first day on which they began, in days since 1970.
    pub from: i64,
    /// The first day after.
    pub to: i64,
    /// The channel on which they began.
    pub channel: Option<String>,
    /// What they came to be about.
    pub intent: Option<String>,
    /// The team they came to.
    pub team: Option<String>,
    /// Their language.
    pub language: Option<String>,
    /// Whose they may be: those that came to a team out of reach are neither counted nor listed.
    pub reach: Reach,
}

/// A case behind a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedCase {
    /// Which.
    pub id: CaseId,
    /// Where it is counted.
    pub place: Place,
    /// When it began.
    pub opened_at: Timestamp,
    /// How it stands now.
    pub state: CaseState,
    /// What it is about, in one line.
    pub issue: Option<String>,
}

/// An answer that is due within this is due soon.
const SOON_MS: i64 = 3_600_000;

/// Cases that wait for people or are with them, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Who has them.
    pub state: CaseState,
    /// The team; empty for none.
    pub team: String,
    /// How many.
    pub cases: i64,
    /// Of them those whose first answer by a person is overdue.
    pub late: i64,
    /// … and those in which it is due within the next hour.
    pub soon: i64,
    /// Since when nothing has happened in the one that waits longest.
    pub oldest_at: Timestamp,
}

/// Reads the roll-ups of a cut; see [`Cut::bound`].
macro_rules! rolled_up {
    ($what:literal, $more:literal) => {
        concat!(
            "select ",
            $what,
            " from rollups where grain = $1 and day >= $2 and day < $3
            and (cast($4 as text) is null or channel = $4) and (cast($5 as text) is null or intent = $5)
            and (cast($6 as text) is null or team = $6) and (cast($7 as text) is null or language = $7)
            and replace($8, ',' || team || ',', '') = $8",
            $more
        )
    };
}

fn word(word: Option<&String>) -> Option<String> {
    word.map(|word| storable(word))
}

impl Cut {
    /// A question of [`rolled_up`] over some days of one grain.
    fn bound(
        &self,
        sql: &'static str,
        (grain, from, to): (&str, i64, i64),
    ) -> Query<'static, Any, AnyArguments> {
        let query = sqlx::query(sql).bind(grain.to_owned()).bind(from).bind(to);
        let query = query.bind(word(self.channel.as_ref())).bind(word(self.intent.as_ref()));
        query.bind(word(self.team.as_ref())).bind(word(self.language.as_ref())).bind(within(&self.reach).1)
    }

    /// The kind of roll-up that tells these apart with the fewest rows.
    fn part(&self, by: By) -> Part {
        let mut needed = Vec::new();
        for (part, filtered, grouped) in [
            (Part::Channel, self.channel.is_some(), by == By::Channel),
            (Part::Intent, self.intent.is_some(), by == By::Intent),
            (Part::Team, self.team.is_some() || self.reach != Reach::All, by == By::Team),
            (Part::Language, self.language.is_some(), by == By::Language),
        ] {
            if filtered || grouped {
                needed.push(part);
            }
        }
        match needed.as_slice() {
            [] => Part::Total,
            [one] => *one,
            _ => Part::Full,
        }
    }

    /// The whole months of the period by month, the rest by day.
    fn pieces(&self, by: By) -> Vec<(&'static str, i64, i64)> {
        let first = month_of(self.from);
        let first = if first == self.from { first } else { next_month(first) };
        let last = month_of(self.to);
        if by == By::Day || first >= last {
            return vec![("d", self.from, self.to)];
        }
        let pieces = [("d", self.from, first), ("m", first, last), ("d", last, self.to)];
        pieces.into_iter().filter(|(_, from, to)| from < to).collect()
    }
}

fn next_month(day: i64) -> i64 {
    date(day).last_of_month().tomorrow().map_or(i64::MAX, days)
}

impl Store {
    /// The sums over a cut, told apart by one thing: by its word, or by the day as a number.
    pub async fn sums(&self, cut: &Cut, by: By) -> Result<BTreeMap<String, Sums>, StoreError> {
        let mut all: BTreeMap<String, Sums> = BTreeMap::new();
        let part = cut.part(by);
        for (grain, from, to) in cut.pieces(by) {
            let sql = rolled_up!("day, channel, intent, team, language, sums", "");
            let query = cut.bound(sql, (&format!("{grain}{}", part.mark()), from, to));
            for row in self.rows(query).await? {
                let columns = Columns::of(&row, "rollups");
                let place = place(&columns)?;
                let key = match by {
                    By::Nothing => String::new(),
                    By::Day => place.day.to_string(),
                    By::Month => month_of(place.day).to_string(),
                    By::Channel => place.channel,
                    By::Intent => place.intent,
                    By::Team => place.team,
                    By::Language => place.language,
                };
                all.entry(key).or_default().add_encoded(&columns.text("sums")?);
            }
        }
        Ok(all)
    }

    /// The cases behind a number, the last opened first: those whose record has this mark.
    pub async fn counted_cases(
        &self,
        cut: &Cut,
        mark: &str,
        page: &Page,
    ) -> Result<(Vec<CountedCase>, Option<String>), StoreError> {
        let (before_at, before_id) = cursor(page)?;
        let days = self.days_with(cut, mark, before_id.as_deref()).await?;
        let mut cases: Vec<CountedCase> = Vec::new();
        for day in days {
            let left = page.limit - cases.len() as i64;
            if left <= 0 {
                break;
            }
            let sql =
                "select m.case_id, m.day, m.channel, m.intent, m.team, m.language, m.opened_at, k.state, k.issue
                from case_measures m join cases k on k.id = m.case_id
                where m.day = $1
                and (cast($2 as text) is null or m.channel = $2) and (cast($3 as text) is null or m.intent = $3)
                and (cast($4 as text) is null or m.team = $4) and (cast($5 as text) is null or m.language = $5)
                and m.sums like $6 escape '!'
                and (cast($7 as bigint) is null or (m.opened_at, m.case_id) < ($7, $8))
                and (cast($10 as text) is null or k.team is null or k.agent_id = $10
                    or replace($11, ',' || k.team || ',', '') = $11)
                and replace($11, ',' || m.team || ',', '') = $11
                order by m.opened_at desc, m.case_id desc limit $9";
            let (person, hidden) = within(&cut.reach);
            let query =
                sqlx::query(sql).bind(day).bind(word(cut.channel.as_ref())).bind(word(cut.intent.as_ref()));
            let query =
                query.bind(word(cut.team.as_ref())).bind(word(cut.language.as_ref())).bind(containing(mark));
            let query = query.bind(before_at).bind(before_id.as_deref()).bind(left).bind(person).bind(hidden);
            for row in self.rows(query).await? {
                let columns = Columns::of(&row, "case_measures");
                cases.push(CountedCase {
                    id: columns.id("case_id")?,
                    place: place(&columns)?,
                    opened_at: columns.at("opened_at")?,
                    state: columns.named("state", CaseState::parse)?,
                    issue: columns.maybe_text("issue")?,
                });
            }
        }
        let next = next_cursor(page, cases.len(), cases.last().map(|one| (one.opened_at, one.id.as_str())));
        Ok((cases, next))
    }

    /// The days whose roll-ups have a mark, the newest first and none after that of a case: a number that few cases add to
    /// is not looked for among all of them.
    async fn days_with(&self, cut: &Cut, mark: &str, until: Option<&str>) -> Result<Vec<i64>, StoreError> {
        let sql = rolled_up!("distinct day", " and sums like $9 escape '!'
            and day <= coalesce((select max(day) from case_measures where case_id = $10), day) order by day desc");
        let grain = format!("d{}", cut.part(By::Nothing).mark());
        let query = cut.bound(sql, (&grain, cut.from, cut.to)).bind(containing(mark)).bind(until);
        self.rows(query).await?.iter().map(|row| Columns::of(row, "rollups").int("day")).collect()
    }

    /// Cases that wait for people or are with them at a moment, by state and team, as far as somebody reaches.
    pub async fn backlog(&self, reach: &Reach, now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        let sql = "select state, coalesce(team, '') as team, count(*) as n, min(updated_at) as oldest,
            count(case when first_answer_at is null and due_at < $2 then 1 end) as late,
            count(case when first_answer_at is null and due_at >= $2 and due_at < $3 then 1 end) as soon from cases
            where state in ('queued', 'agent', 'snoozed') and replace($1, ',' || coalesce(team, '') || ',', '') = $1
            group by state, coalesce(team, '') order by 1, 2";
        let read = |row| {
            let columns = Columns::of(row, "cases");
            Ok(Backlog {
                state: columns.named("state", CaseState::parse)?,
                team: columns.text("team")?,
                cases: columns.int("n")?,
                late: columns.int("late")?,
                soon: columns.int("soon")?,
                oldest_at: columns.at("oldest")?,
            })
        };
        let query = sqlx::query(sql).bind(within(reach).1).bind(now.0).bind(now.plus_ms(SOON_MS).0);
        self.rows(query).await?.iter().map(read).collect()
    }
}

/// A pattern for texts in which `mark` stands.
fn containing(mark: &str) -> String {
    let plain = storable(mark).replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{plain}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i64 {
        days(text.parse().unwrap())
    }

    #[test]
    fn a_period_is_read_by_whole_months_where_it_has_any() {
        let cut = |from, to| Cut { from: day(from), to: day(to), ..Cut::default() };
        let year = cut("2025-11-20", "2026-11-20");
        assert_eq!(
            year.pieces(By::Nothing),
            [
                ("d", day("2025-11-20"), day("2025-12-01")),
                ("m", day("2025-12-01"), day("2026-11-01")),
                ("d", day("2026-11-01"), day("2026-11-20")),
            ]
        );
        assert_eq!(year.pieces(By::Day).len(), 1);
        assert_eq!(
            cut("2026-01-01", "2026-03-01").pieces(By::Team),
            [("m", day("2026-01-01"), day("2026-03-01"))]
        );
        let short = cut("2026-01-02", "2026-02-27");
        assert_eq!(short.pieces(By::Nothing), [("d", short.from, short.to)]);
    }

    #[test]
    fn the_smallest_roll_up_that_tells_enough_is_read() {
        let of = |word: &str| Some(word.to_owned());
        let all = Cut::default();
        assert_eq!([all.part(By::Day), all.part(By::Team)], [Part::Total, Part::Team]);
        let sms = Cut { channel: of("sms"), ..Cut::default() };
        assert_eq!([sms.part(By::Nothing), sms.part(By::Channel)], [Part::Channel; 2]);
        assert_eq!(sms.part(By::Intent), Part::Full);
    }

    #[test]
    fn a_mark_is_looked_for_as_it_stands() {
        assert_eq!(containing(" r/over_limit:"), "% r/over!_limit:%");
    }
}
