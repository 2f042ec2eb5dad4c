//! The life of a message: stored, read, resolved, checked, said or handed over.
//!
//! This is the only file that knows the order. Ingest stores a message and opens a turn in one
//! transaction; a worker holds the turn by a lease, runs the stages and commits their outcome in one
//! transaction that looks again whether the case is unchanged. Work is announced inside the process
//! and found by polling between processes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assistant::Assistant;
use crate::channels::{Channels, Incoming, StatusUpdate};
use crate::config::Config;
use crate::desk::Desk;
use crate::desk::approvals::Pending;
use crate::desk::presence::Watch;
use crate::desk::routing::Router;
use crate::desk::sinks::Sinks;
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::InboundMessage;
use crate::domain::rating::Score;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::turn::Turn;
use crate::knowledge::Knowledge;
use crate::store::{Store, StoreError};
use crate::templates::Phrases;
use crate::tools::Toolbox;

/// Passages asked for in one search.
const HITS_MAX: usize = 5;
mod acquaint;
mod alert;
mod approve;
mod await_end;
mod consent;
mod counting;
mod deliver;
mod doors;
mod doubt;
mod effect;
mod elsewhere;
pub mod guard;
mod handoff;
mod housekeeping;
pub mod identity;
mod ingest;
mod moving;
mod proof;
mod rating;
mod resolve;
mod settle;
mod suggest;
pub mod triage;
mod turn;
mod weekly;
mod which_case;
mod write;
mod write_back;

pub use approve::{DecideError, Word};
pub use await_end::Ended;
pub use doors::Doors;
pub use elsewhere::DeskError;
pub use ingest::{Accepted, IngestError};
pub use rating::RateError;
pub use suggest::{SuggestError, Suggestion};

/// What the stages work with.
pub struct Parts {
    /// Settings.
    pub config: Arc<Config>,
    /// The record.
    pub store: Store,
    /// Articles and procedures.
    pub knowledge: Knowledge,
    /// Reads messages.
    pub reader: Arc<triage::Reader>,
    /// Proposes steps.
    pub assistant: Arc<dyn Assistant>,
    /// What may be called.
    pub toolbox: Arc<Toolbox>,
    /// Fixed words.
    pub phrases: Arc<Phrases>,
    /// Teams and hours.
    pub desk: Desk,
    /// Whom things leave for.
    pub sinks: Sinks,
    /// The ways out.
    pub channels: Channels,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The newest end of each case's turn, so that whoever waits for it need not read the log.
    pub ends: Ends,
    /// Where the messages of one writer wait for each other.
    pub doors: Doors,
    /// The name under which this process holds turns.
    pub holder: String,
    /// Tasks that shutdown waits for.
    pub tasks: TaskTracker,
    /// Says when to stop taking up work.
    pub shutdown: CancellationToken,
}

impl Parts {
    /// What offers waiting cases.
    pub fn router(&self) -> Router<'_> {
        Router {
            store: &self.store,
            clock: self.clock.as_ref(),
            desk: &self.desk,
            knowledge: &self.knowledge,
            settings: &self.config.routing,
        }
    }
}

/// The newest ends of turns, by case.
#[derive(Clone)]
pub struct Ends(moka::sync::Cache<CaseId, await_end::End>);

impl Ends {
    /// Keeps the ends of at most `cases_max` cases.
    pub fn new(cases_max: u64) -> Self {
        Self(moka::sync::Cache::new(cases_max))
    }

    fn get(&self, case: &CaseId) -> Option<await_end::End> {
        self.0.get(case)
    }

    fn note(&self, case: CaseId, end: await_end::End) {
        self.0.insert(case, end);
    }

    /// What was noted did not come about: the log tells what did.
    fn forget(&self, case: &CaseId) {
        self.0.invalidate(case);
    }
}

/// The worker and the way in.
pub struct Pipeline {
    parts: Arc<Parts>,
    running: Mutex<Running>,
    permits: Arc<Semaphore>,
    wake: Notify,
    backlog: AtomicBool,
    /// When the loop that finds turns last came round; 0 before it began.
    ticked: AtomicI64,
    /// How steadily the clock goes, as seen by the rounds of offers.
    watch: Watch,
}

/// Turns under way in this process.
#[derive(Default)]
struct Running {
    cases: HashMap<CaseId, Held>,
}

struct Held {
    turn: TurnId,
    epoch: i64,
    /// Held too, to be begun when this one ends; often they are the same turn, and then the fence stops the second.
    next: Vec<Turn>,
}

impl Pipeline {
    /// A pipeline over these parts; nothing runs until [`Pipeline::start`].
    pub fn new(parts: Parts) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(parts.config.worker.turns_max));
        Arc::new(Self {
            parts: Arc::new(parts),
            running: Mutex::default(),
            permits,
            wake: Notify::new(),
            backlog: AtomicBool::new(false),
            ticked: AtomicI64::new(0),
            watch: Watch::default(),
        })
    }

    /// What the stages work with.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Stores a message; it is durable when this returns `Ok`, and its turn is on its way.
    pub async fn ingest(self: &Arc<Self>, message: InboundMessage) -> Result<Accepted, IngestError> {
        let stored = ingest::ingest(&self.parts, message, |case| self.birth(case)).await?;
        match stored.turn {
            Some(turn) => self.begin(turn),
            None if stored.waits => self.wake.notify_one(),
            None => {}
        }
        Ok(stored.accepted)
    }

    /// Takes one thing that came in by a channel; it is durable when this returns `Ok`. Where a message was stored, if
    /// it was one.
    pub async fn take(
        self: &Arc<Self>,
        channel: &'static str,
        incoming: Incoming,
    ) -> Result<Option<Accepted>, IngestError> {
        let (kind, accepted) = match incoming {
            Incoming::Message(message) => match self.parts.sinks.read_mail(&message) {
                Some((desk, news)) => ("desk", self.take_mail(desk, news, *message).await?),
                None => ("message", Some(self.ingest(*message).await?)),
            },
            Incoming::Status(update) => {
                self.news(channel, &update).await?;
                ("status", None)
            }
            Incoming::Nothing(reason) => {
                tracing::debug!(channel, reason, "nothing to store");
                ("nothing", None)
            }
        };
        metrics::counter!("firstline_webhooks_total", "channel" => channel, "kind" => kind).increment(1);
        Ok(accepted)
    }

    /// Takes a provider's news of something that left.
    pub async fn news(&self, channel: &str, update: &StatusUpdate) -> Result<(), IngestError> {
        deliver::news(&self.parts, channel, update).await.map_err(|error| {
            tracing::error!(error = %error, "news of a delivery could not be recorded");
            IngestError::Unavailable(None)
        })
    }

    /// Stores a message and leaves its turn to whoever looks next, [`Pipeline::drain`] for one.
    pub async fn enqueue(&self, message: InboundMessage) -> Result<Accepted, IngestError> {
        Ok(ingest::ingest(&self.parts, message, |_| ingest::Birth::Free).await?.accepted)
    }

    /// Waits until the turn of an accepted message ends, at most `wait_ms`.
    pub async fn wait(&self, accepted: &Accepted, wait_ms: u64) -> Result<Ended, IngestError> {
        self.wait_at(&accepted.case, accepted.seq, wait_ms).await
    }

    /// The same for the message at place `seq` of a case.
    pub async fn wait_at(&self, case: &CaseId, seq: i64, wait_ms: u64) -> Result<Ended, IngestError> {
        await_end::wait(&self.parts, (case, seq), wait_ms).await
    }

    /// Stores what only a person can see to, and gives its case to people without asking the assistant; durable when this
    /// returns `Ok`.
    pub async fn ingest_for_people(
        &self,
        message: InboundMessage,
        reason: &'static str,
    ) -> Result<Accepted, IngestError> {
        let stored = ingest::ingest(&self.parts, message, |_| ingest::Birth::Held).await?;
        let given = turn::to_people(&self.parts, &stored.accepted.case, stored.turn, reason).await;
        given.map(|()| stored.accepted).map_err(|error| {
            tracing::error!(error = %error, "a case could not be given to people");
            IngestError::Unavailable(None)
        })
    }

    /// Asks the caller whose case is settled what they think of it, where they may be asked; the place of the question
    /// in the thread.
    pub async fn ask_caller_to_rate(&self, case: &CaseId) -> Result<Option<i64>, StoreError> {
        rating::ask_caller(&self.parts, case).await
    }

    /// Takes a rating that came on another way than the thread, `channel` naming it.
    pub async fn rate(&self, case: &CaseId, channel: &str, score: &Score) -> Result<(), RateError> {
        rating::rate(&self.parts, case, channel, score).await
    }

    /// The case that a signed link lets its holder rate; none where the link is not ours.
    pub async fn case_of_rating_link(&self, token: &str) -> Result<Option<CaseId>, StoreError> {
        rating::case_of_link(&self.parts, token).await
    }

    /// Takes a person's decision about a write that waits for it. Giving up the wait does not undo it.
    pub async fn decide(&self, word: Word) -> Result<Pending, DecideError> {
        let parts = self.parts.clone();
        let deciding = self.parts.tasks.spawn(async move { approve::decide(&parts, &word).await });
        deciding.await.unwrap_or_else(|error| Err(DecideError::Unavailable(Some(Box::new(error)))))
    }

    /// Starts the loops that find, hold, deliver and tidy up. They end when shutdown is asked for.
    pub fn start(self: &Arc<Self>) {
        let poll = Duration::from_millis(self.parts.config.worker.poll_ms);
        let third = Duration::from_millis((self.parts.config.worker.lease_ms / 3).max(1) as u64);
        self.seek(poll);
        self.every(third, |pipeline| Box::pin(async move { pipeline.renew().await }));
        let tidy = Duration::from_millis(self.parts.config.worker.tidy_ms);
        self.every(tidy, |pipeline| Box::pin(async move { pipeline.tidy_up().await }));
        let round = Duration::from_millis(self.parts.config.routing.round_ms);
        self.every(round, |pipeline| Box::pin(async move { pipeline.route().await }));
        self.every(Duration::from_secs(1), |pipeline| Box::pin(async move { pipeline.relearn().await }));
        self.every(poll, |pipeline| Box::pin(async move { housekeeping::make_ready(&pipeline.parts).await }));
        self.parts.tasks.spawn(deliver::run(self.parts.clone(), poll));
        self.parts.tasks.spawn(write_back::run(self.parts.clone(), poll));
        self.parts.tasks.spawn(counting::run(self.parts.clone()));
        self.parts.tasks.spawn(weekly::run(self.parts.clone()));
    }

    /// Runs all open turns and deliveries that are due to their end; for programs that do not [`start`](Self::start).
    pub async fn drain(self: &Arc<Self>) {
        loop {
            self.find().await;
            let idle = loop {
                if self.running.lock().is_ok_and(|running| running.cases.is_empty()) {
                    break !self.backlog.swap(false, Ordering::SeqCst);
                }
                tokio::task::yield_now().await;
            };
            if idle {
                break;
            }
        }
        deliver::due(&self.parts).await;
        write_back::due(&self.parts).await;
    }

    /// Brings about what time does: snoozes end, cases close, customers are asked what they think.
    pub async fn tidy_up(&self) {
        housekeeping::tidy_up(&self.parts).await;
    }

    /// Counts what is new for the measures; for programs that do not [`start`](Self::start).
    pub async fn count(&self) {
        counting::due(&self.parts).await;
    }

    /// Tells of the week that is over, if nobody has; for programs that do not [`start`](Self::start).
    pub async fn tell_of_the_week(&self) {
        weekly::due(&self.parts).await;
    }

    /// Finds turns when woken and every now and then.
    fn seek(self: &Arc<Self>, poll: Duration) {
        let pipeline = self.clone();
        self.parts.tasks.spawn(async move {
            loop {
                pipeline.find().await;
                pipeline.ticked.store(pipeline.parts.clock.now().0, Ordering::Relaxed);
                tokio::select! {
                    () = pipeline.parts.shutdown.cancelled() => return,
                    () = pipeline.wake.notified() => {}
                    () = tokio::time::sleep(poll) => {}
                }
            }
        });
    }

    fn every(
        self: &Arc<Self>,
        pause: Duration,
        act: impl Fn(Arc<Self>) -> futures_util::future::BoxFuture<'static, ()> + Send + 'static,
    ) {
        let pipeline = self.clone();
        self.parts.tasks.spawn(async move {
            loop {
                act(pipeline.clone()).await;
                tokio::select! {
                    () = pipeline.parts.shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// When the loop that finds turns last came round; none before it began.
    pub fn last_tick(&self) -> Option<Timestamp> {
        Some(Timestamp(self.ticked.load(Ordering::Relaxed))).filter(|at| at.0 != 0)
    }

    /// A turn of a case that nobody works on here is held from its birth, if there is room.
    fn birth(&self, case: &CaseId) -> ingest::Birth {
        let idle = self.running.lock().is_ok_and(|running| !running.cases.contains_key(case));
        if idle && self.permits.available_permits() > 0 && !self.parts.shutdown.is_cancelled() {
            ingest::Birth::Held
        } else {
            self.backlog.store(true, Ordering::SeqCst);
            ingest::Birth::Free
        }
    }

    /// Runs a held turn in a task of its own.
    fn begin(self: &Arc<Self>, turn: Turn) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            // Held but no room after all: the lease runs out and it is found again.
            self.backlog.store(true, Ordering::SeqCst);
            return;
        };
        if let Ok(mut running) = self.running.lock() {
            if let Some(held) = running.cases.get_mut(&turn.case) {
                held.next.push(turn);
                return;
            }
            let held = Held { turn: turn.id.clone(), epoch: turn.epoch, next: Vec::new() };
            running.cases.insert(turn.case.clone(), held);
        }
        let pipeline = self.clone();
        self.parts.tasks.spawn(async move {
            let mut turn = Some(turn);
            while let Some(under_way) = turn.take() {
                let case = under_way.case.clone();
                let opened = turn::run(&pipeline.parts, under_way).await;
                turn = pipeline.successor(&case, opened);
            }
            drop(permit);
            if pipeline.backlog.swap(false, Ordering::SeqCst) {
                pipeline.wake.notify_one();
            }
        });
    }

    /// The turn of the case to begin next, if one is held; until there is none the case stays under way.
    fn successor(&self, case: &CaseId, opened: Option<Turn>) -> Option<Turn> {
        let mut running = self.running.lock().ok()?;
        let held = running.cases.get_mut(case)?;
        held.next.extend(opened);
        if held.next.is_empty() {
            running.cases.remove(case);
            return None;
        }
        let next = held.next.remove(0);
        (held.turn, held.epoch) = (next.id.clone(), next.epoch);
        Some(next)
    }

    /// Claims turns that are free: of other processes, of dead ones, and those that waited for room.
    async fn find(self: &Arc<Self>) {
        let room = self.permits.available_permits();
        if room == 0 || self.parts.shutdown.is_cancelled() {
            return;
        }
        let lease = self.parts.config.worker.lease_ms;
        let now = self.parts.clock.now();
        match self.parts.store.claim_turns(&self.parts.holder, now, lease, room).await {
            Ok(turns) => {
                for turn in turns {
                    self.begin(turn);
                }
            }
            Err(error) => tracing::error!(error = %error, "turns could not be claimed"),
        }
    }

    /// One round of offers: waiting cases to the people who fit.
    pub async fn route(&self) {
        if let Err(error) = self.parts.router().round(&self.watch).await {
            tracing::error!(error = %error, "waiting cases could not be offered");
        }
    }

    /// Learns procedures that have changed, beside the work; until then the old reading serves.
    async fn relearn(&self) {
        let reader = self.parts.reader.clone();
        if reader.stale() {
            let learnt = tokio::task::spawn_blocking(move || reader.learn()).await;
            if let Err(error) = learnt {
                tracing::error!(error = %error, "the changed procedures could not be learnt");
            }
        }
    }

    /// Keeps the leases of the turns under way.
    async fn renew(&self) {
        let held: Vec<(TurnId, i64)> = self.running.lock().map_or_else(
            |_| Vec::new(),
            |running| {
                let now = running.cases.values().map(|held| (held.turn.clone(), held.epoch));
                let next = running.cases.values().flat_map(|held| &held.next);
                now.chain(next.map(|turn| (turn.id.clone(), turn.epoch))).collect()
            },
        );
        if held.is_empty() {
            return;
        }
        let until = self.parts.clock.now().plus_ms(self.parts.config.worker.lease_ms);
        if let Err(error) = self.parts.store.renew_turns(&self.parts.holder, &held, until).await {
            tracing::warn!(error = %error, "leases could not be renewed");
        }
    }
}
