//! Promise 1 and 2 against SIGKILL: the real binary dies at every step boundary and is started again.
//!
//! `cargo test --features failpoints --test kills`. A test sends messages as a channel would (again,
//! under the same id, when no acknowledgement came), kills the process where a fail point makes it
//! stand still, starts it again and then judges the record and the shop's journal: every acknowledged
//! message is stored once and has exactly one end, every turn spoke at most once, no effect happened
//! or was asked for twice, and nothing was pushed twice. Four planted bugs show that the judge would notice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]

mod bursts;
mod judge;
mod service;

use std::io::Write;
use std::time::{Duration, Instant};

use firstline::domain::case::CaseState;

use crate::judge::{Sent, Shop, Whole};
use crate::service::{Ack, Outgoing, Service, fresh_folder, journal, pushes, record};

/// A turn whose process died is taken up again within this time of the restart.
const TAKEN_UP_MAX: Duration = Duration::from_secs(10);
/// Whatever is not quiet by then never will be.
const QUIET_MAX: Duration = Duration::from_secs(25);
/// How often the record is looked at; the service is another process, so nothing wakes us.
const LOOK: Duration = Duration::from_millis(50);

/// One test's customer, folder and what was sent.
struct World {
    folder: tempfile::TempDir,
    key: String,
    plant: Option<&'static str>,
    /// On which the customer writes.
    channel: &'static str,
    sent: Vec<Sent>,
    /// From the restart to the end of every turn.
    taken_up: Duration,
}

/// Where the process is killed: the `nth` time `place` is reached, which is while the message at `during` is handled.
#[derive(Clone, Copy)]
struct Boundary {
    place: &'static str,
    nth: usize,
    during: usize,
}

impl World {
    fn new(plant: Option<&'static str>) -> Self {
        let (folder, key) = fresh_folder();
        Self { folder, key, plant, channel: "in_app", sent: Vec::new(), taken_up: Duration::ZERO }
    }

    fn start(&self, stop_at: Option<&str>) -> Service {
        let mut environment: Vec<(&str, &str)> =
            stop_at.map(|at| ("FIRSTLINE_STOP_AT", at)).into_iter().collect();
        // Every channel carries what it says here, so that a process can die between saying and knowing.
        let planted = format!("pushed,{}", self.plant.unwrap_or_default());
        environment.push(("FIRSTLINE_PLANT", &planted));
        Service::start(self.folder.path(), &environment)
    }

    /// Plays the messages of one customer, killing the service once on the way.
    async fn play(&mut self, customer: &'static str, texts: &[&str], kill: Boundary) {
        let mut service = self.start(Some(&format!("{}:{}", kill.place, kill.nth)));
        for (at, text) in texts.iter().enumerate() {
            let message =
                Outgoing { id: format!("m{at}"), customer, channel: self.channel, text: (*text).to_owned() };
            let mut ack = None;
            if at == kill.during {
                ack = self.killed(service, &message, kill.place).await;
                service = self.start(None);
            }
            let ack = match ack {
                Some(ack) => ack,
                None => service.post(&self.key, &message).await.unwrap(),
            };
            self.sent.push(Sent { message, ack });
            self.quiet().await;
            if at == kill.during {
                self.taken_up = service.started.elapsed();
            }
        }
        service.kill();
    }

    /// Sends a message to a service that will stand still because of it, and kills it there.
    async fn killed(&self, service: Service, message: &Outgoing, place: &str) -> Option<Ack> {
        #[expect(clippy::disallowed_methods, reason = "the channel sends while the test watches the service")]
        let post = tokio::spawn(service.post(&self.key, message));
        tokio::task::block_in_place(|| service.await_stop(place));
        // Long enough for an acknowledgement that was on its way.
        let early = tokio::time::timeout(Duration::from_millis(300), post).await;
        service.kill();
        early.ok().and_then(Result::unwrap)
    }

    /// Waits until every case is quiet, or nothing more can be hoped for; the judge says what is missing.
    async fn quiet(&self) -> Vec<Whole> {
        let store = judge::open(&record(self.folder.path())).await;
        let until = Instant::now() + QUIET_MAX;
        let cases = loop {
            let cases = judge::read(&store).await;
            let settled = !cases.is_empty() && cases.iter().all(Whole::quiet);
            let hopeless = self.plant.is_some() && cases.is_empty();
            if settled || hopeless || Instant::now() > until {
                break cases;
            }
            tokio::time::sleep(LOOK).await;
        };
        store.close().await;
        cases
    }

    /// What breaks a promise, and the state of the case.
    async fn judge(&self, effects: usize) -> (Vec<String>, Option<CaseState>) {
        let cases = self.quiet().await;
        let shop = Shop::read(&journal(self.folder.path()));
        (judge::findings(&cases, &self.sent, &shop, effects), cases.first().map(|whole| whole.case.state))
    }
}

fn report(name: &str, taken_up: Duration) {
    let line = format!("killed at {name}: answered {} ms after the restart\n", taken_up.as_millis());
    // Written to the handle itself: the test runner would keep what `eprintln!` says to itself.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// What a kill must lead to.
struct Expected {
    effects: usize,
    state: CaseState,
}

async fn kill_while(name: &str, customer: &'static str, texts: &[&str], kill: Boundary, expected: Expected) {
    let mut world = World::new(None);
    world.play(customer, texts, kill).await;
    let (findings, state) = world.judge(expected.effects).await;
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(state, Some(expected.state));
    assert!(world.taken_up < TAKEN_UP_MAX, "it took {:?}", world.taken_up);
    report(name, world.taken_up);
}

/// One test per boundary and message.
macro_rules! kills {
    ($customer:literal, $texts:expr, $($name:ident: $place:literal $nth:literal during $during:literal => $effects:literal, $state:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let kill = Boundary { place: $place, nth: $nth, during: $during };
            let expected = Expected { effects: $effects, state: CaseState::$state };
            super::kill_while(stringify!($name), $customer, &$texts, kill, expected).await;
        })*
    };
}

/// A customer asks for a cancellation, reads the details and says yes. When nobody knows whether the shop was reached,
/// a person gets the case; the shop is never asked again.
mod a_cancellation {
    use super::{Boundary, CaseState, Expected};

    kills! { "cust-0002", ["cancel my order pls", "yes"],
        the_request_before_it_is_stored: "ingest_commit" 1 during 0 => 1, Resolved;
        the_request_once_it_is_stored: "ingest_committed" 1 during 0 => 1, Resolved;
        the_request_at_the_begin_of_its_turn: "turn_begun" 1 during 0 => 1, Resolved;
        the_request_before_its_details_are_stored: "turn_commit" 1 during 0 => 1, Resolved;
        the_request_once_its_details_are_stored: "turn_committed" 1 during 0 => 1, Resolved;
        the_request_before_its_details_are_sent: "delivery_taken" 1 during 0 => 1, Resolved;
        the_request_once_its_details_are_sent: "delivery_sent" 1 during 0 => 1, Resolved;
        the_request_once_its_delivery_is_recorded: "delivery_recorded" 1 during 0 => 1, Resolved;
        the_yes_before_it_is_stored: "ingest_commit" 2 during 1 => 1, Resolved;
        the_yes_once_it_is_stored: "ingest_committed" 2 during 1 => 1, Resolved;
        the_yes_at_the_begin_of_its_turn: "turn_begun" 2 during 1 => 1, Resolved;
        the_yes_once_the_effect_is_claimed: "write_claimed" 1 during 1 => 0, Queued;
        the_yes_once_the_shop_has_acted: "write_dispatched" 1 during 1 => 1, Queued;
        the_yes_once_the_receipt_is_stored: "write_settled" 1 during 1 => 1, Resolved;
        the_yes_before_its_answer_is_stored: "turn_commit" 2 during 1 => 1, Resolved;
        the_yes_once_its_answer_is_stored: "turn_committed" 2 during 1 => 1, Resolved;
        the_yes_before_its_answer_is_sent: "delivery_taken" 2 during 1 => 1, Resolved;
        the_yes_once_its_answer_is_sent: "delivery_sent" 2 during 1 => 1, Resolved;
        the_yes_once_its_delivery_is_recorded: "delivery_recorded" 2 during 1 => 1, Resolved;
    }
}

/// A refund above the limit goes to a person, who has it once.
mod a_handoff {
    use super::{Boundary, CaseState, Expected};

    kills! { "cust-0007", ["refund 900 now"],
        at_the_begin_of_its_turn: "turn_begun" 1 during 0 => 0, Queued;
        once_the_note_is_composed: "handoff_composed" 1 during 0 => 0, Queued;
        before_it_is_stored: "turn_commit" 1 during 0 => 0, Queued;
        once_it_is_stored: "turn_committed" 1 during 0 => 0, Queued;
        before_the_customer_is_told: "delivery_taken" 1 during 0 => 0, Queued;
        once_the_customer_is_told: "delivery_sent" 1 during 0 => 0, Queued;
        once_it_is_recorded_that_the_customer_was_told: "delivery_recorded" 1 during 0 => 0, Queued;
    }
}

/// A reply on a channel that pushes, where a second copy would be read twice. One that may have left is never sent
/// again: a person finds out.
mod a_push {
    use super::{Boundary, CaseState, TAKEN_UP_MAX, World, judge, pushes, report};

    pub(super) async fn killed_at(place: &'static str, plant: Option<&'static str>) -> (World, Vec<usize>) {
        let mut world = World { channel: "pushed", ..World::new(plant) };
        let kill = Boundary { place, nth: 1, during: 0 };
        world.play("cust-0003", &["do you ship to canada"], kill).await;
        let given = judge::pushed(&pushes(world.folder.path())).into_values().collect();
        (world, given)
    }

    /// `pushed` are the copies of every message that left, the sentence about a person among them.
    async fn ends_as(place: &'static str, pushed: &[usize], state: CaseState) {
        let (world, given) = killed_at(place, None).await;
        let (findings, after) = world.judge(0).await;
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!((given.as_slice(), after), (pushed, Some(state)));
        assert!(world.taken_up < TAKEN_UP_MAX, "it took {:?}", world.taken_up);
        report(&format!("a push at {place}"), world.taken_up);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn before_it_is_sent() {
        ends_as("delivery_taken", &[1], CaseState::Queued).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn once_it_is_sent() {
        ends_as("delivery_sent", &[1, 1], CaseState::Queued).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn once_it_is_recorded() {
        ends_as("delivery_recorded", &[1], CaseState::Resolved).await;
    }
}

/// The judge against binaries with a bug: what is planted must be found.
mod planted {
    use super::{Boundary, World};

    async fn found(bug: &'static str, place: &'static str, during: usize, effects: usize) -> Vec<String> {
        let mut world = World::new(Some(bug));
        world.play("cust-0002", &["cancel my order pls", "yes"], Boundary { place, nth: 1, during }).await;
        world.judge(effects).await.0
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_that_was_acknowledged_before_it_was_stored_is_missed() {
        let found = found("acknowledge_before_commit", "ingest_commit", 0, 0).await;
        assert!(found.contains(&"m0: acknowledged and lost".to_owned()), "{found:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_that_was_stored_twice_is_noticed() {
        let found = found("no_unique_index", "ingest_committed", 0, 1).await;
        assert!(found.contains(&"2 messages were stored 3 times".to_owned()), "{found:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reply_that_was_pushed_again_is_noticed() {
        let (_, given) = super::a_push::killed_at("delivery_sent", Some("resend_delivery")).await;
        assert_eq!(given, [2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_effect_that_was_asked_for_again_is_noticed() {
        let found = found("resend_on_unknown", "write_dispatched", 1, 1).await;
        assert!(
            found.contains(&"the shop was asked again 1 times for what it may have done".to_owned()),
            "{found:?}"
        );
    }
}
