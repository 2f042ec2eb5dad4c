//! Where cases go: routing by fit, service levels, teams and when they work.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::routing::estimate::Worth;
use crate::domain::routing::{CAPACITY_MAX, Capacity, Rules};
use crate::domain::triage::Urgency;

/// Where cases go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// Where a case goes that no procedure sends elsewhere.
    pub default_team: String,
    /// Pause between two rounds of offers.
    pub round_ms: u64,
    /// An offer that nobody accepts goes on to the next after this.
    pub offer_ms: i64,
    /// Whoever let a case pass is asked again after this, when nobody else fits.
    pub again_ms: i64,
    /// After this wait the language is no longer demanded.
    pub widen_language_ms: i64,
    /// After this wait preferred skills are no longer waited for.
    pub widen_preferred_ms: i64,
    /// After this wait team and required skills are no longer demanded.
    pub widen_required_ms: i64,
    /// Of these three waits an urgent case waits only so much, percent.
    pub widen_urgent_percent: i64,
    /// An urgent case may come to somebody who has all they can take, one at a time and not beside a call.
    pub urgent_on_top: bool,
    /// A case whose first answer is due rises by one urgency, and by another after each of these.
    pub raise_ms: i64,
    /// An open console page is heard of this often.
    pub heartbeat_ms: i64,
    /// Whoever has not been heard of for this long is away.
    pub presence_ms: i64,
    /// After this the cases of somebody who disappeared wait again.
    pub abandon_ms: i64,
    /// A case in which nothing happened for this long, and whose customer waits for nothing, takes no capacity.
    pub idle_ms: i64,
    /// Waiting cases looked at in one round.
    pub waiting_max: i64,
    /// Waits that an estimate is made of.
    pub estimate_samples_max: i64,
    /// No estimate is told from fewer.
    pub estimate_samples_min: usize,
    /// Older waits say nothing.
    pub estimate_age_ms: i64,
    /// No estimate is told when the 80th percentile is more than so many times the median.
    pub estimate_spread_max: f64,
    /// Longer waits are not told.
    pub estimate_minutes_max: i64,
    /// How many cases of a channel fill a person.
    pub capacity: BTreeMap<String, u32>,
    /// … of a channel that is not named.
    pub capacity_other: u32,
}

impl Routing {
    /// The times and weights as the rules take them.
    pub fn rules(&self) -> Rules {
        Rules {
            widen_language_ms: self.widen_language_ms,
            widen_preferred_ms: self.widen_preferred_ms,
            widen_required_ms: self.widen_required_ms,
            widen_urgent_percent: self.widen_urgent_percent,
            urgent_on_top: self.urgent_on_top,
            raise_ms: self.raise_ms,
            again_ms: self.again_ms,
            capacity: Capacity(self.capacity.clone()),
            capacity_other: self.capacity_other,
        }
    }

    /// When an estimate may be told.
    pub fn worth(&self) -> Worth {
        Worth {
            samples_min: self.estimate_samples_min,
            spread_max: self.estimate_spread_max,
            minutes_max: self.estimate_minutes_max,
        }
    }

    /// Settings that contradict each other or themselves.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let positive = [
            ("offer_ms", self.offer_ms),
            ("raise_ms", self.raise_ms),
            ("heartbeat_ms", self.heartbeat_ms),
            ("presence_ms", self.presence_ms),
            ("waiting_max", self.waiting_max),
            ("round_ms", i64::try_from(self.round_ms).unwrap_or(i64::MAX)),
        ];
        for (name, value) in positive {
            if value <= 0 {
                wrong.push(format!("[routing] {name} must be above 0"));
            }
        }
        if !(0..=100).contains(&self.widen_urgent_percent) {
            wrong.push("[routing] widen_urgent_percent must be between 0 and 100".to_owned());
        }
        if self.presence_ms < self.heartbeat_ms.saturating_mul(2) {
            wrong.push(
                "[routing] presence_ms must be at least twice heartbeat_ms, so that one lost beat throws nobody out"
                    .to_owned(),
            );
        }
        if self.abandon_ms < self.presence_ms {
            wrong.push("[routing] abandon_ms must not be below presence_ms".to_owned());
        }
        for (channel, count) in &self.capacity {
            if !(1..=CAPACITY_MAX).contains(count) {
                wrong.push(format!(
                    "[routing.capacity] {channel} must be between 1 and {CAPACITY_MAX}: so many cases fill a person"
                ));
            }
        }
        wrong
    }
}

/// Within how many minutes of a team's working time the first answer of a person is promised; 0: nothing is.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevels {
    /// For urgent cases.
    pub urgent_minutes: i64,
    /// For high ones.
    pub high_minutes: i64,
    /// For normal ones.
    pub normal_minutes: i64,
    /// For low ones.
    pub low_minutes: i64,
}

impl ServiceLevels {
    /// The promise for this urgency, milliseconds of working time.
    pub fn promised_ms(&self, urgency: Urgency) -> Option<i64> {
        let minutes = match urgency {
            Urgency::Urgent => self.urgent_minutes,
            Urgency::High => self.high_minutes,
            Urgency::Normal => self.normal_minutes,
            Urgency::Low => self.low_minutes,
        };
        (minutes > 0).then(|| minutes.saturating_mul(60_000))
    }
}

/// A group of agents, as declared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSettings {
    /// Its id, as procedures name it.
    pub id: String,
    /// How it is shown.
    pub name: String,
    /// When somebody is there; none: always.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// ISO 639-1 codes somebody there speaks.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Skills without which nobody gets a case of this team.
    #[serde(default)]
    pub skills: Vec<String>,
}

/// Opening hours, `08:00-18:00` a day, local time of `timezone`; a day left out is closed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// IANA name, for example `America/Chicago`.
    pub timezone: String,
    /// Monday.
    #[serde(default)]
    pub mon: Option<String>,
    /// Tuesday.
    #[serde(default)]
    pub tue: Option<String>,
    /// Wednesday.
    #[serde(default)]
    pub wed: Option<String>,
    /// Thursday.
    #[serde(default)]
    pub thu: Option<String>,
    /// Friday.
    #[serde(default)]
    pub fri: Option<String>,
    /// Saturday.
    #[serde(default)]
    pub sat: Option<String>,
    /// Sunday.
    #[serde(default)]
    pub sun: Option<String>,
    /// Days on which nobody is there, `2026-12-25`.
    #[serde(default)]
    pub holidays: Vec<String>,
}
