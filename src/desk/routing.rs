//! The router: offers waiting cases to the people who fit, moves offers on, and takes cases back from whoever
//! disappeared.
//!
//! Any number of processes may do rounds at once. An offer is part of the case's row and is committed against its
//! version and that of the person's presence, so no case is offered to two and nobody is given too much; whichever
//! process comes second is refused and looks again in its next round.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Desk;
use super::act::{ActError, Actor, At, Failed, change};
use super::presence::{Steady, Watch, silent, standing};
use crate::config::Routing;
use crate::domain::case::{Case, CaseState, IllegalMove, Move};
use crate::domain::event::EventKind;
use crate::domain::ids::{AgentId, CaseId, ProcedureId, TeamId};
use crate::domain::role::{Right, may};
use crate::domain::routing::{self, Ask, Choice, Offer, OfferEnd, Person, Presence};
use crate::domain::time::{Clock, Timestamp};
use crate::knowledge::Knowledge;
use crate::store::{
    Change, CommitError, Draftbook, Held, Member, OpenOffer, QueueOrder, Refusal, Store, StoreError,
    WaitingCase,
};

/// What a round works with.
#[derive(Clone, Copy)]
pub struct Router<'a> {
    /// The record.
    pub store: &'a Store,
    /// Time and ids.
    pub clock: &'a dyn Clock,
    /// Teams.
    pub desk: &'a Desk,
    /// Procedures, which say what a case asks for.
    pub knowledge: &'a Knowledge,
    /// Times and weights.
    pub settings: &'a Routing,
}

/// Skills a case of a procedure asks for: required, preferred.
type Skills = BTreeMap<ProcedureId, (BTreeSet<String>, BTreeSet<String>)>;

impl Router<'_> {
    /// One round: offers that are over go on, what was left undone waits again, waiting cases are offered.
    pub async fn round(&self, watch: &Watch) -> Result<(), StoreError> {
        let now = self.clock.now();
        let steady = watch.look(now, self.settings.presence_ms / 2);
        let (members, open) = (self.store.roster().await?, self.store.open_offers(None).await?);
        if open.is_empty() && members.iter().all(|member| member.heard.is_none()) {
            return Ok(());
        }
        self.end_offers(&members, &open, (now, steady)).await?;
        let held = self.held(now).await?;
        if steady.watched_ms >= self.settings.abandon_ms {
            self.take_back(&members, &held, now).await?;
        }
        let mut people = self.people(&members, &held, (now, steady));
        let rules = self.settings.rules();
        if !people.iter().any(|person| person.takes_more(&rules)) {
            return Ok(());
        }
        let waiting =
            self.store.waiting(QueueOrder::at(now, self.settings), self.settings.waiting_max).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let skills = self.skills();
        let mut asks: Vec<Ask> = waiting.into_iter().map(|one| self.ask(one, &skills)).collect();
        let plan = routing::plan(&mut asks, &mut people, now, &rules);
        let mut versions: BTreeMap<&AgentId, i64> =
            members.iter().filter_map(|member| Some((&member.id, member.heard?.version))).collect();
        for (case, choice) in plan {
            let Choice::Offer { agent, because } = choice else { continue };
            let Some(version) = versions.get_mut(&agent) else { continue };
            if self.offer(&case, (&agent, *version), because, now).await? {
                *version += 1;
            }
        }
        Ok(())
    }

    /// Everybody who has an account, as the rules see them at this moment.
    async fn everybody(&self) -> Result<Vec<Person>, StoreError> {
        let now = self.clock.now();
        let (members, held) = (self.store.roster().await?, self.held(now).await?);
        Ok(self.people(&members, &held, (now, Steady::ALWAYS)))
    }

    /// What each case of the queue asks for, how high it stands, and why nobody has it yet where it is not offered.
    pub async fn outlook(&self, cases: &[(Case, Timestamp)]) -> Result<Vec<Outlook>, StoreError> {
        let (now, rules) = (self.clock.now(), self.settings.rules());
        let (people, skills) = (self.everybody().await?, self.skills());
        let looked = cases.iter().map(|(case, since)| {
            let ask = self.ask(waiting(case, *since), &skills);
            let nobody = match (&case.wait.offer, routing::choose(&ask, &people, now, &rules)) {
                (None, Choice::Nobody { because }) => Some(because),
                (Some(_), _) | (None, Choice::Offer { .. }) => None,
            };
            let level = routing::rank::level(&ask, now, &rules);
            Outlook { required: ask.required, preferred: ask.preferred, level, nobody }
        });
        Ok(looked.collect())
    }

    /// Everybody with what they have taken, and how they stand.
    pub async fn presences(&self) -> Result<Vec<(Member, Person)>, StoreError> {
        let now = self.clock.now();
        let (members, held) = (self.store.roster().await?, self.held(now).await?);
        let people = self.people(&members, &held, (now, Steady::ALWAYS));
        Ok(members.into_iter().zip(people).collect())
    }

    async fn held(&self, now: Timestamp) -> Result<Vec<Held>, StoreError> {
        self.store.held(now.plus_ms(-self.settings.idle_ms)).await
    }

    fn people(&self, members: &[Member], held: &[Held], (now, steady): (Timestamp, Steady)) -> Vec<Person> {
        let rules = self.settings.rules();
        let mut people: Vec<Person> = Vec::with_capacity(members.len());
        for member in members {
            let own = held.iter().filter(|held| held.agent == member.id);
            let capacity = &member.abilities.capacity;
            let engrossed = own.clone().any(|held| rules.fills(capacity, &held.channel) == 1);
            let load = own.map(|held| held.count.saturating_mul(rules.weight(capacity, &held.channel))).sum();
            let chosen = member.heard.map_or(Presence::Away, |heard| heard.chosen);
            // Right after a jump of the clock what they chose stands, until their page had time to be heard.
            let presence = if steady.since_jump_ms < self.settings.presence_ms {
                chosen
            } else {
                standing(member.heard.as_ref(), now, self.settings.presence_ms)
            };
            let acts = may(member.role, Right::Act);
            let of_use = |words: &[String]| words.iter().filter(|_| acts).cloned().collect();
            people.push(Person {
                id: member.id.clone(),
                teams: if acts { member.teams.clone() } else { Vec::new() },
                everywhere: acts && may(member.role, Right::SeeAllTeams),
                skills: of_use(&member.abilities.skills),
                languages: member.languages.iter().cloned().collect(),
                channels: member.abilities.channels.iter().cloned().collect(),
                capacity: capacity.clone(),
                // Who only looks on is offered nothing.
                presence: if acts { presence } else { Presence::Away },
                load,
                engrossed,
                last_given: member.heard.map_or(Timestamp(0), |heard| heard.given_at),
            });
        }
        people
    }

    fn skills(&self) -> Skills {
        let procedures = self.knowledge.procedures();
        let wanting = procedures.iter().filter(|one| !(one.skills.is_empty() && one.prefers.is_empty()));
        wanting.map(|one| (one.id.clone(), (one.skills.clone(), one.prefers.clone()))).collect()
    }

    fn ask(&self, waiting: WaitingCase, skills: &Skills) -> Ask {
        let wanted = waiting.intent.as_ref().and_then(|intent| skills.get(intent));
        let (mut required, preferred) = wanted.cloned().unwrap_or_default();
        // A team that nobody declares (any more) is no team.
        let team = waiting.team.filter(|team| self.desk.declares(team));
        let team_name = team.as_ref().map_or(String::new(), |team| self.desk.team_name(team));
        required.extend(team.as_ref().map(|team| self.desk.skills_of(team)).unwrap_or_default());
        Ask {
            case: waiting.case,
            team,
            team_name,
            preferred: preferred.difference(&required).cloned().collect(),
            required,
            language: waiting.language,
            channel: waiting.channel,
            urgency: waiting.urgency,
            since: waiting.since,
            due: waiting.due_at,
            passed: waiting.passed,
        }
    }

    /// Ends what is over: not taken in time, or made to somebody who is no longer there for it.
    async fn end_offers(
        &self,
        members: &[Member],
        open: &[OpenOffer],
        (now, steady): (Timestamp, Steady),
    ) -> Result<(), StoreError> {
        let people = self.people(members, &[], (now, steady));
        for offer in open {
            let person = people.iter().find(|person| person.id == offer.agent);
            let how = match person.map(|person| person.presence) {
                Some(Presence::Online)
                    if offer.expires_at > now || steady.since_jump_ms < self.settings.offer_ms =>
                {
                    continue;
                }
                Some(Presence::Online) => OfferEnd::Expired,
                Some(Presence::Busy | Presence::Away) | None => OfferEnd::Withdrawn,
            };
            let ended = self.amend(&offer.case, |book, _| {
                let theirs = book.case.wait.offer.as_ref().is_some_and(|open| open.agent == offer.agent);
                if theirs {
                    book.end_offer(how);
                }
                theirs
            });
            if ended.await? {
                metrics::counter!("firstline_offers_ended_total", "how" => how.as_str()).increment(1);
            }
        }
        Ok(())
    }

    /// Whoever has been silent for too long is away, and what their customers wait for waits in the queue again, at the
    /// place it had.
    async fn take_back(&self, members: &[Member], held: &[Held], now: Timestamp) -> Result<(), StoreError> {
        let limit = self.settings.abandon_ms;
        for member in members {
            let Some(heard) = member.heard.filter(|heard| silent(heard, now, limit)) else { continue };
            if heard.chosen != Presence::Away {
                let gone_at = heard.seen_at.plus_ms(self.settings.presence_ms);
                self.store.lost(&member.id, heard.seen_at, gone_at).await?;
            }
            if !held.iter().any(|held| held.agent == member.id) {
                continue;
            }
            for case in self.store.forsaken(&member.id, now.plus_ms(-limit)).await? {
                let taken = self.amend(&case, |book, now| {
                    let theirs = book.case.agent.as_ref() == Some(&member.id);
                    if !theirs || book.case.state != CaseState::Agent {
                        return false;
                    }
                    give_back(book, &member.id, now).is_ok()
                });
                if taken.await? {
                    metrics::counter!("firstline_cases_taken_back_total").increment(1);
                }
            }
        }
        Ok(())
    }

    /// Offers a case, unless it or the person has changed since they were looked at.
    async fn offer(
        &self,
        case: &CaseId,
        (agent, version): (&AgentId, i64),
        because: Vec<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let expires_at = now.plus_ms(self.settings.offer_ms);
        let offered = self.amend(case, |book, now| {
            if book.case.state != CaseState::Queued || book.case.wait.offer.is_some() {
                return false;
            }
            let body = json!({"agent": agent, "because": because, "expires_at": expires_at});
            let offer = Offer { agent: agent.clone(), because: because.clone(), at: now, expires_at };
            book.case.wait.offer = Some(offer);
            book.event(EventKind::Offered, &body);
            book.push(Change::GivenTo { agent: agent.clone(), version, at: now });
            true
        });
        let offered = offered.await?;
        if offered {
            metrics::counter!("firstline_offers_total").increment(1);
        }
        Ok(offered)
    }

    /// Changes a case as it is now; what another process changed at the same moment stays, and the next round sees it.
    async fn amend(
        &self,
        case: &CaseId,
        decide: impl FnOnce(&mut Draftbook, Timestamp) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(file) = self.store.case_fresh(case).await? else { return Ok(false) };
        let now = self.clock.now();
        let waited_since = file.case.updated_at;
        let mut book = Draftbook::new(file.case.clone(), now);
        if book.case.wait.since.is_none() {
            // It waits since before this was kept.
            book.case.wait.begin(waited_since, None);
        }
        if !decide(&mut book, now) {
            return Ok(false);
        }
        match self.store.commit(book.close(Vec::new())).await {
            Ok(()) => Ok(true),
            Err(CommitError::Refused(Refusal::Stale)) => Ok(false),
            Err(error) => {
                tracing::error!(error = %error, "a case could not be routed");
                Ok(false)
            }
        }
    }
}

/// How a case of the queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Skills it asks for.
    pub required: BTreeSet<String>,
    /// Skills that would help.
    pub preferred: BTreeSet<String>,
    /// 0 to 3: its urgency, raised with the delay.
    pub level: i64,
    /// Why nobody could be offered it now; none where it is offered, or will be at once.
    pub nobody: Option<String>,
}

fn waiting(case: &Case, since: Timestamp) -> WaitingCase {
    WaitingCase {
        case: case.id.clone(),
        team: case.team.clone(),
        intent: case.intent.clone(),
        language: case.language.clone(),
        channel: case.channel.clone(),
        urgency: case.urgency,
        since,
        due_at: case.wait.due_at,
        passed: case.wait.passed.clone(),
    }
}

/// Back to the queue of its team, because its agent is gone; its clock runs on.
fn give_back(book: &mut Draftbook, gone: &AgentId, now: Timestamp) -> Result<(), IllegalMove> {
    book.case.step(Move::Unassigned)?;
    book.case.agent = None;
    if book.case.wait.since.is_none() {
        book.case.wait.begin(now, None);
    }
    let team: Option<&TeamId> = book.case.team.as_ref();
    let body = json!({"by": "routing", "agent": null, "team": team, "from": gone, "reason": "agent_gone"});
    book.event(EventKind::Assigned, &body);
    Ok(())
}

/// Takes the case that is offered to whoever acts. A second time it is theirs already.
pub async fn accept(at: At<'_>) -> Result<Case, ActError> {
    let Actor::Agent(agent) = at.actor else { return Err(ActError::NoOffer) };
    let handoff = at.store.handoff(at.case).await?;
    let made = change(at, |book, now| {
        if book.case.state == CaseState::Agent && book.case.agent.as_ref() == Some(agent) {
            return Ok(book.case.clone());
        }
        theirs(&book.case, agent)?;
        book.case.step(Move::Assigned)?;
        book.case.agent = Some(agent.clone());
        book.case.pending = None;
        if let Some(handoff) = handoff.as_ref().filter(|handoff| handoff.taken_by.is_none()) {
            book.push(Change::HandoffTaken { handoff: handoff.id.clone(), agent: agent.clone(), at: now });
        }
        let team = book.case.team.clone();
        book.event(EventKind::Assigned, &json!({"by": at.actor.shown(), "agent": agent, "team": team}));
        Ok(book.case.clone())
    });
    said(made.await)
}

/// Lets the offered case pass; it goes on to whoever fits next.
pub async fn decline(at: At<'_>) -> Result<Case, ActError> {
    let Actor::Agent(agent) = at.actor else { return Err(ActError::NoOffer) };
    let made = change(at, |book, _| {
        theirs(&book.case, agent)?;
        book.end_offer(OfferEnd::Declined);
        Ok(book.case.clone())
    });
    said(made.await)
}

fn theirs(case: &Case, agent: &AgentId) -> Result<(), IllegalMove> {
    let theirs = case.wait.offer.as_ref().is_some_and(|offer| offer.agent == *agent);
    if theirs { Ok(()) } else { Err(IllegalMove { from: case.state, step: Move::Assigned }) }
}

fn said<T>(made: Result<T, Failed>) -> Result<T, ActError> {
    made.map_err(|failed| match failed {
        Failed::Act(ActError::Illegal(_)) => ActError::NoOffer,
        failed => failed.into(),
    })
}
