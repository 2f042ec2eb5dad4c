//! A day of arrivals against a roster, by the rules of the service or by the plain "first who is free".
//!
//! What one pays for: a case that comes to somebody who cannot deal with it costs their time, goes on to somebody who
//! can, and waits for them. First-free is given its best chance: after one wrong person the case is known for what it
//! is, keeps its place, and goes to nobody wrong again. An urgent case on top of what fills a person is not for nothing
//! either: their other cases wait for as much of their attention as it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::choose::{Crowd, Lack, suits};
use super::estimate::percentile;
use super::{Ask, Choice, Person, Presence, Rules, WHOLE, plan};
use crate::domain::ids::{CaseId, TeamId};
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

/// One look at the floor after the other, milliseconds.
const STEP_MS: i64 = 5_000;
/// A day is over after this, whoever still waits.
const DAY_MS: i64 = 24 * 3_600_000;

/// A case that will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds after the day began.
    pub at_ms: i64,
    /// The team it goes to.
    pub team: TeamId,
    /// Skills without which nobody can deal with it.
    pub required: BTreeSet<String>,
    /// Skills that make it shorter.
    pub preferred: BTreeSet<String>,
    /// ISO 639-1.
    pub language: String,
    /// The channel.
    pub channel: String,
    /// How soon.
    pub urgency: Urgency,
    /// How long somebody who fits is busy with it.
    pub handle_ms: i64,
}

/// A person and when they work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// What they can do.
    pub person: Person,
    /// Spans of the day, milliseconds.
    pub shifts: Vec<(i64, i64)>,
}

/// How cases find people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The rules of this service.
    Fit,
    /// Whoever has been free for longest gets the oldest case of a channel they serve.
    FirstFree,
}

/// What things cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// Until somebody wrong has understood that and passed the case on.
    pub transfer_ms: i64,
    /// How long a case takes somebody to whom it came because it had waited for long, percent.
    pub unfit_percent: i64,
    /// How long a case takes somebody without a preferred skill, percent.
    pub unpreferred_percent: i64,
    /// Longest until an offer is accepted.
    pub accept_ms_max: i64,
    /// The promise for each urgency, milliseconds.
    pub promised_ms: BTreeMap<Urgency, i64>,
}

/// What a day came to, in all or of one urgency.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Figures {
    /// Cases that came.
    pub cases: usize,
    /// Of them with a promise that was kept or broken; what is left at the end of the day and not due yet is neither.
    pub promised: usize,
    /// … that was kept.
    pub met: usize,
    /// Median wait for somebody who can deal with it, seconds.
    pub wait_p50_s: i64,
    /// 90 of 100 waited no longer.
    pub wait_p90_s: i64,
    /// 99 of 100 waited no longer.
    pub wait_p99_s: i64,
    /// Median wait for anybody at all, seconds.
    pub touch_p50_s: i64,
    /// 90 of 100 waited no longer for anybody.
    pub touch_p90_s: i64,
    /// Times a case came to somebody wrong and went on.
    pub transfers: usize,
    /// Cases dealt with by somebody who lacked something, because they had waited for long.
    pub widened: usize,
    /// Cases nobody had dealt with at the end of the day; their waits count until then.
    pub left: usize,
}

/// What one or more days came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// Everything.
    pub all: Figures,
    /// By urgency, the most urgent first.
    pub by_urgency: Vec<(Urgency, Figures)>,
    /// Share of the people's time that went to cases they could deal with, percent.
    pub useful_percent: f64,
    /// Share of the people's time in which they could have taken more, percent.
    pub idle_percent: f64,
    /// Time spent by people who could not help, minutes.
    pub lost_minutes: i64,
}

/// A small generator of numbers (`SplitMix64`): the same seed, the same day.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without 1.
    pub fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A case of the day under way.
struct Under {
    ask: Ask,
    handle_ms: i64,
    touched: Option<i64>,
    served: Option<i64>,
    transfers: usize,
    widened: bool,
    /// Known for what it is: it goes to nobody wrong any more.
    understood: bool,
    waits: bool,
    /// When the day was over.
    ended: i64,
}

/// Somebody busy with a case until a moment.
struct Busy {
    person: usize,
    case: usize,
    until: i64,
    weight: i64,
    /// They can deal with it.
    helps: bool,
}

/// Plays days one after the other, each with what comes and its seed. The same arguments give the same report.
pub fn simulate(
    days: &[(Vec<Arrival>, u64)],
    roster: &[Worker],
    method: Method,
    (rules, costs): (&Rules, &Costs),
) -> Report {
    let played = days.iter().map(|(arrivals, seed)| play(arrivals, roster, method, (rules, costs), *seed));
    let mut all = Played::default();
    for day in played {
        all.cases.extend(day.cases);
        all.on_shift += day.on_shift;
        all.idle += day.idle;
        all.lost += day.lost;
        all.lost_ms += day.lost_ms;
    }
    all.report()
}

fn play(
    arrivals: &[Arrival],
    roster: &[Worker],
    method: Method,
    (rules, costs): (&Rules, &Costs),
    seed: u64,
) -> Played {
    // First-free knows no urgency, so nothing is widened sooner for it.
    let plain = Rules { widen_urgent_percent: 100, ..rules.clone() };
    let rules = match method {
        Method::Fit => rules,
        Method::FirstFree => &plain,
    };
    let mut floor = Floor::new(arrivals, roster, (rules, costs), seed);
    while floor.now < DAY_MS && !floor.over(arrivals) {
        floor.finish();
        floor.arrive(arrivals);
        floor.shift(roster);
        match method {
            Method::Fit => floor.offer(),
            Method::FirstFree => floor.first_free(),
        }
        floor.count_idle();
        floor.now += STEP_MS;
    }
    for case in &mut floor.played.cases {
        case.ended = floor.now;
    }
    floor.played
}

/// What came of a day, or of several.
#[derive(Default)]
struct Played {
    cases: Vec<Under>,
    /// Attention of those on shift, of those of them with nothing to do, and of those who could not help; in parts of
    /// [`WHOLE`] at each look.
    on_shift: i64,
    idle: i64,
    lost: i64,
    lost_ms: i64,
}

struct Floor<'a> {
    rules: &'a Rules,
    costs: &'a Costs,
    dice: Dice,
    now: i64,
    came: usize,
    played: Played,
    people: Vec<Person>,
    crowd: Crowd,
    busy: Vec<Busy>,
    last_end: i64,
}

impl<'a> Floor<'a> {
    fn new(
        arrivals: &[Arrival],
        roster: &[Worker],
        (rules, costs): (&'a Rules, &'a Costs),
        seed: u64,
    ) -> Self {
        let first = arrivals.iter().map(|arrival| arrival.at_ms).min().unwrap_or(0);
        let begin = roster.iter().flat_map(|worker| &worker.shifts).map(|shift| shift.0).min().unwrap_or(0);
        let people: Vec<Person> = roster.iter().map(|worker| worker.person.clone()).collect();
        let crowd = Crowd::of(&people);
        Self {
            rules,
            costs,
            crowd,
            dice: Dice::new(seed),
            now: first.min(begin) / STEP_MS * STEP_MS,
            came: 0,
            played: Played::default(),
            people,
            busy: Vec::new(),
            last_end: roster.iter().flat_map(|worker| &worker.shifts).map(|shift| shift.1).max().unwrap_or(0),
        }
    }

    /// Nobody comes, nobody waits who could still be served.
    fn over(&self, arrivals: &[Arrival]) -> bool {
        self.came == arrivals.len() && self.busy.is_empty() && self.now >= self.last_end
    }

    fn moment(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn finish(&mut self) {
        let (done, under_way): (Vec<Busy>, Vec<Busy>) =
            std::mem::take(&mut self.busy).into_iter().partition(|busy| busy.until <= self.now);
        self.busy = under_way;
        for done in done {
            if let Some(person) = self.people.get_mut(done.person) {
                person.load -= done.weight;
                person.engrossed &= done.weight < WHOLE;
                person.last_given = Timestamp(done.until);
            }
            if let Some(case) = self.played.cases.get_mut(done.case).filter(|_| !done.helps) {
                case.transfers += 1;
                case.understood = true;
                case.waits = true;
            }
        }
    }

    fn arrive(&mut self, arrivals: &[Arrival]) {
        while let Some(arrival) = arrivals.get(self.came).filter(|arrival| arrival.at_ms <= self.now) {
            let since = Timestamp(arrival.at_ms);
            let due = self.costs.promised_ms.get(&arrival.urgency).map(|ms| since.plus_ms(*ms));
            // Made of a number, so it is an id.
            let Ok(case) = CaseId::parse(&format!("{:06}", self.came)) else { return };
            let ask = Ask {
                case,
                team: Some(arrival.team.clone()),
                team_name: arrival.team.to_string(),
                required: arrival.required.clone(),
                preferred: arrival.preferred.clone(),
                language: arrival.language.clone(),
                channel: arrival.channel.clone(),
                urgency: arrival.urgency,
                since,
                due,
                passed: Vec::new(),
            };
            self.played.cases.push(Under {
                ask,
                handle_ms: arrival.handle_ms,
                touched: None,
                served: None,
                transfers: 0,
                widened: false,
                understood: false,
                waits: true,
                ended: 0,
            });
            self.came += 1;
        }
    }

    fn shift(&mut self, roster: &[Worker]) {
        for (person, worker) in self.people.iter_mut().zip(roster) {
            let works = worker.shifts.iter().any(|(from, to)| (*from..*to).contains(&self.now));
            person.presence = if works { Presence::Online } else { Presence::Away };
        }
    }

    fn waiting(&self) -> Vec<usize> {
        self.played.cases.iter().enumerate().filter(|(_, case)| case.waits).map(|(at, _)| at).collect()
    }

    /// The rules of the service.
    fn offer(&mut self) {
        let waiting = self.waiting();
        if waiting.is_empty() || !self.people.iter().any(|one| one.presence == Presence::Online) {
            return;
        }
        let mut asks: Vec<Ask> =
            waiting.iter().filter_map(|at| Some(self.played.cases.get(*at)?.ask.clone())).collect();
        // The plan weighs on copies: what is given is given below.
        let plan = plan(&mut asks, &mut self.people.clone(), self.moment(), self.rules);
        for (case, choice) in plan {
            let Choice::Offer { agent, .. } = choice else { continue };
            let is = |at: &&usize| self.played.cases.get(**at).is_some_and(|one| one.ask.case == case);
            let case = waiting.iter().find(is);
            let person = self.people.iter().position(|person| person.id == agent);
            if let (Some(case), Some(person)) = (case, person) {
                self.give(*case, person);
            }
        }
    }

    /// The oldest case to whoever has been free for longest.
    fn first_free(&mut self) {
        for at in self.waiting() {
            let Some(case) = self.played.cases.get(at) else { continue };
            let mut free: Vec<usize> = (0..self.people.len()).filter(|one| self.can_take(at, *one)).collect();
            if case.understood {
                free.retain(|one| self.suits(at, *one).is_some());
            }
            let longest = free
                .into_iter()
                .min_by_key(|one| self.people.get(*one).map(|person| (person.last_given, person.id.clone())));
            if let Some(person) = longest {
                self.give(at, person);
            }
        }
    }

    fn can_take(&self, case: usize, person: usize) -> bool {
        let (Some(case), Some(person)) = (self.played.cases.get(case), self.people.get(person)) else {
            return false;
        };
        let serves = person.channels.is_empty() || person.channels.contains(&case.ask.channel);
        let weight = self.rules.weight(&person.capacity, &case.ask.channel);
        person.presence == Presence::Online && serves && person.load + weight <= WHOLE
    }

    /// Whether the person may have the case by the rules at this moment, and what they lack.
    fn suits(&self, case: usize, person: usize) -> Option<Lack> {
        let (case, person) = (self.played.cases.get(case)?, self.people.get(person)?);
        suits(&case.ask, person, &self.crowd, (self.moment(), self.rules))
    }

    fn give(&mut self, at: usize, to: usize) {
        let lack = self.suits(at, to);
        let accepted = self.now + (self.dice.share() * self.costs.accept_ms_max as f64) as i64;
        let (Some(case), Some(person)) = (self.played.cases.get_mut(at), self.people.get_mut(to)) else {
            return;
        };
        let percent = match lack {
            Some(Lack::Nothing) => Some(100),
            Some(Lack::Preferred) => Some(self.costs.unpreferred_percent),
            Some(Lack::Needed) => Some(self.costs.unfit_percent),
            None => None,
        };
        case.touched.get_or_insert(accepted);
        case.widened = lack == Some(Lack::Needed);
        case.waits = false;
        let until = if let Some(percent) = percent {
            case.served = Some(accepted);
            accepted + case.handle_ms.saturating_mul(percent) / 100
        } else {
            self.played.lost_ms += self.costs.transfer_ms;
            accepted + self.costs.transfer_ms
        };
        let weight = self.rules.weight(&person.capacity, &case.ask.channel);
        if person.load + weight > WHOLE {
            // What it takes of their attention, the others wait for.
            let delay = (until - accepted) * weight / WHOLE;
            self.busy.iter_mut().filter(|busy| busy.person == to).for_each(|busy| busy.until += delay);
        }
        person.load += weight;
        person.engrossed |= weight == WHOLE;
        person.last_given = Timestamp(accepted);
        self.busy.push(Busy { person: to, case: at, until, weight, helps: percent.is_some() });
    }

    fn count_idle(&mut self) {
        let online = |at: usize| self.people.get(at).is_some_and(|one| one.presence == Presence::Online);
        for person in self.people.iter().filter(|person| person.presence == Presence::Online) {
            self.played.on_shift += WHOLE;
            self.played.idle += (WHOLE - person.load).max(0);
        }
        let lost = self.busy.iter().filter(|busy| !busy.helps && online(busy.person));
        self.played.lost += lost.map(|busy| busy.weight).sum::<i64>();
    }
}

impl Played {
    fn report(&self) -> Report {
        let of = |urgency: Option<Urgency>| {
            let cases = self.cases.iter().filter(|case| urgency.is_none_or(|one| case.ask.urgency == one));
            figures(&cases.collect::<Vec<_>>())
        };
        let urgencies = [Urgency::Urgent, Urgency::High, Urgency::Normal, Urgency::Low];
        let by_urgency = urgencies.into_iter().map(|one| (one, of(Some(one)))).filter(|(_, of)| of.cases > 0);
        let percent = |part: i64| 100.0 * part as f64 / self.on_shift.max(1) as f64;
        Report {
            all: of(None),
            by_urgency: by_urgency.collect(),
            useful_percent: percent(self.on_shift - self.idle - self.lost),
            idle_percent: percent(self.idle),
            lost_minutes: self.lost_ms / 60_000,
        }
    }
}

fn figures(cases: &[&Under]) -> Figures {
    let waits = |moment: fn(&Under) -> Option<i64>| {
        let mut waits: Vec<i64> =
            cases.iter().map(|case| moment(case).unwrap_or(case.ended) - case.ask.since.0).collect();
        waits.sort_unstable();
        waits
    };
    let (served, touched) = (waits(|case| case.served), waits(|case| case.touched));
    let seconds = |sorted: &[i64], percent| percentile(sorted, percent).unwrap_or(0) / 1000;
    let decided =
        |case: &&&Under| case.ask.due.is_some_and(|due| case.served.is_some() || due.0 <= case.ended);
    let promised = cases.iter().filter(decided);
    let met = |case: &&&Under| case.served.zip(case.ask.due).is_some_and(|(at, due)| at <= due.0);
    Figures {
        cases: cases.len(),
        promised: promised.clone().count(),
        met: promised.filter(met).count(),
        wait_p50_s: seconds(&served, 50),
        wait_p90_s: seconds(&served, 90),
        wait_p99_s: seconds(&served, 99),
        touch_p50_s: seconds(&touched, 50),
        touch_p90_s: seconds(&touched, 90),
        transfers: cases.iter().map(|case| case.transfers).sum(),
        widened: cases.iter().filter(|case| case.widened).count(),
        left: cases.iter().filter(|case| case.served.is_none()).count(),
    }
}

#[cfg(test)]
mod tests;
