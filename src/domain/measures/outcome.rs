//! What one case adds to the sums at a moment, and when that changes next by time alone.

use super::facts::Facts;
use super::sums::{Count, Named, Sums};
use super::times::Time;
use super::{CONTAINED_MS, CONVERSATION_MS, DURABLE_MS};

/// What the same person's cases on the same matter say, the one before and the one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// When the one before was resolved.
    pub before_resolved_at: Option<i64>,
    /// When the one after began.
    pub after_opened_at: Option<i64>,
}

/// What a case adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its numbers.
    pub sums: Sums,
    /// When they change next, if nothing happens.
    pub due_at: Option<i64>,
    /// When they have changed for the last time, if nothing happens.
    pub settles_at: i64,
}

impl Facts {
    /// What the case adds at `now`, in Unix milliseconds.
    pub fn outcome(&self, neighbours: Neighbours, now: i64) -> Outcome {
        let since = self.resolved_at.unwrap_or(self.last_at);
        let returns = neighbours
            .before_resolved_at
            .is_some_and(|then| then <= self.opened_at && self.opened_at - then <= DURABLE_MS);
        let elsewhere_ms = match (self.resolved_at, neighbours.after_opened_at) {
            (Some(then), Some(again)) if again >= then => Some(again - then),
            _ => None,
        };
        let came_back = elsewhere_ms.is_some_and(|ms| ms <= DURABLE_MS);
        let asked_again = elsewhere_ms.is_some_and(|ms| ms <= CONTAINED_MS);
        // A request that went to people is known at once to be no resolution, but counted no sooner than others: else the
        // newest days would look worse than they are.
        let settles = if self.with_people { self.opened_at } else { since };
        let (day, week, quiet) = (settles + CONTAINED_MS, settles + DURABLE_MS, since + DURABLE_MS);
        let open_with_people = self.with_people && self.resolved_at.is_none();

        let mut sums = Sums::default();
        self.plain(&mut sums);
        let automated = self.request && self.resolved_at.is_some() && !self.with_people;
        let settled_day = self.request && now >= day;
        let settled_week = self.request && now >= week;
        let contained = settled_day && automated && !asked_again;
        sums.tick(Count::Automated, automated);
        sums.tick(Count::SettledDay, settled_day);
        sums.tick(Count::Contained, contained);
        sums.tick(Count::Confirmed, settled_day && automated && self.confirmed);
        sums.tick(Count::SettledWeek, settled_week);
        sums.tick(Count::Durable, settled_week && automated && !self.returned && !came_back);
        sums.tick(Count::Returned, self.resolved_ever && (self.returned || came_back));
        let first = self.request && !returns && !open_with_people && now >= quiet;
        sums.tick(Count::FirstContacts, first);
        let at_once = !self.further_contact && !self.returned && !came_back;
        sums.tick(Count::FirstContactResolved, first && self.resolved_at.is_some() && at_once);
        for article in &self.articles {
            sums.name(Named::Article, article, 1);
            sums.name(Named::ArticleContained, article, i64::from(contained));
            let failed = self.with_people || self.returned || came_back;
            sums.name(Named::ArticleFailed, article, i64::from(failed));
        }
        let steps = [(true, day), (true, week), (!open_with_people, quiet)];
        let waits = steps.into_iter().filter(|(counts, _)| *counts && self.request).map(|(_, at)| at);
        let due_at = waits.clone().filter(|at| *at > now).min();
        Outcome { sums, due_at, settles_at: waits.max().unwrap_or(self.opened_at) }
    }

    fn opinions(&self, sums: &mut Sums) {
        for (opinion, [asked, rated, score, satisfied]) in [
            (
                self.of_assistant,
                [
                    Count::AskedAssistant,
                    Count::RatedAssistant,
                    Count::ScoreAssistant,
                    Count::SatisfiedAssistant,
                ],
            ),
            (
                self.of_people,
                [Count::AskedPeople, Count::RatedPeople, Count::ScorePeople, Count::SatisfiedPeople],
            ),
        ] {
            sums.tick(asked, opinion.asked);
            if let Some(stars) = opinion.score {
                sums.add(rated, 1);
                sums.add(score, stars);
                sums.tick(satisfied, stars >= 4);
            }
        }
    }

    /// What does not depend on a moment.
    fn plain(&self, sums: &mut Sums) {
        let handed = self.handed.values();
        let (all, right, unneeded) = handed.fold((0, 0, 0), |(all, right, unneeded), one| {
            (all + one.all, right + one.right, unneeded + one.unneeded)
        });
        for (count, n) in [
            (Count::Cases, 1),
            (Count::Requests, i64::from(self.request)),
            (Count::MessagesIn, self.messages_in),
            (Count::MessagesAssistant, self.messages_assistant),
            (Count::MessagesPeople, self.messages_people),
            (Count::Resolved, i64::from(self.resolved_ever)),
            (Count::ResolvedPeople, i64::from(self.resolved_at.is_some() && self.by_people)),
            (Count::Reopened, i64::from(self.reopened && self.resolved_ever)),
            (Count::HandedCases, i64::from(self.with_people)),
            (Count::Handoffs, all),
            (Count::HandoffsRight, right),
            (Count::HandoffsUnneeded, unneeded),
            (Count::ModelCalls, self.model_calls),
            (Count::TokensIn, self.tokens_in),
            (Count::TokensOut, self.tokens_out),
            (Count::TokenMicros, self.token_micros),
            (Count::ToolCalls, self.tool_calls),
            (Count::ToolFailures, self.tool_failures),
            (Count::AssistantMs, self.assistant_ms),
            (Count::PeopleMs, self.people_ms),
            (Count::LevelDue, self.level_due),
            (Count::LevelMet, self.level_met),
            (Count::Gaps, i64::from(self.gap)),
        ] {
            sums.add(count, n);
        }
        self.opinions(sums);
        for (reason, handed) in &self.handed {
            sums.name(Named::Reason, reason, handed.all);
            sums.name(Named::ReasonRight, reason, handed.right);
            sums.name(Named::ReasonUnneeded, reason, handed.unneeded);
        }
        for (channel, n) in &self.segments {
            sums.name(Named::Segment, channel, *n);
        }
        let resolution_ms = self.resolved_at.map(|at| (at - self.opened_at).max(0));
        for (time, ms) in [
            (Time::FirstResponse, self.first_response_ms),
            (Time::Assistant, (self.answered_turns > 0).then_some(self.assistant_ms)),
            (Time::People, (self.people_ms > 0 || self.messages_people > 0).then_some(self.people_ms)),
            (Time::Wait, self.wait_ms),
            (Time::Resolution, resolution_ms),
        ] {
            if let Some(ms) = ms {
                sums.time(time, ms);
            }
        }
    }
}

const _: () = assert!(CONVERSATION_MS < CONTAINED_MS && CONTAINED_MS < DURABLE_MS);
