//! A pipeline over a record, with an assistant, a clock and procedures of the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use firstline::app::{SystemClock, store_settings};
use firstline::assistant::Assistant;
use firstline::channels::Channels;
use firstline::config::Config;
use firstline::desk::Desk;
use firstline::desk::sinks::Sinks;
use firstline::domain::assurance::Assurance;
use firstline::domain::message::{InboundMessage, Sender};
use firstline::domain::time::{Clock, Timestamp};
use firstline::knowledge::{Knowledge, Limits, Origin, Source};
use firstline::pipeline::triage::Reader;
use firstline::pipeline::{Doors, Ends, Parts, Pipeline};
use firstline::store::Store;
use firstline::templates::{Phrases, Templates};
use firstline::tools::Toolbox;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A clock that stands still until it is moved. Ids are fresh all the same.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn new_id(&self) -> uuid::Uuid {
        SystemClock.new_id()
    }
}

/// A clock that shows the present moment.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock(AtomicI64::new(SystemClock.now().0)))
}

/// One process: its own connections, caches and turns over the record that `config` names. `procedures` are files with
/// their ids.
pub(crate) async fn process(
    config: Config,
    clock: Arc<dyn Clock>,
    procedures: &[(&str, &str)],
    assistant: Arc<dyn Assistant>,
) -> Arc<Pipeline> {
    Pipeline::new(parts(config, clock, procedures, assistant).await)
}

/// What a process is made of, for tests that change some of it.
pub(crate) async fn parts(
    config: Config,
    clock: Arc<dyn Clock>,
    procedures: &[(&str, &str)],
    assistant: Arc<dyn Assistant>,
) -> Parts {
    let store = Store::open(&config.database.url, &store_settings(&config)).await.unwrap();
    let templates = Arc::new(Templates::new());
    let file = |(id, text): &(&str, &str)| Source {
        path: format!("procedures/{id}.md"),
        text: (*text).to_owned().into(),
    };
    let files = procedures.iter().map(file).collect();
    let (knowledge, problems) =
        Knowledge::open(Origin::Embedded(files), None, Limits::from(&config.knowledge));
    assert!(problems.is_empty(), "{problems:?}");
    Parts {
        reader: Arc::new(Reader::new(
            knowledge.clone(),
            config.triage.clone(),
            config.business.clone(),
            None,
        )),
        knowledge,
        toolbox: Arc::new(Toolbox::new(&config, templates.clone()).unwrap()),
        phrases: Arc::new(Phrases::load(templates, None).unwrap()),
        desk: Desk::new(&config).unwrap(),
        sinks: Sinks::new(&config).unwrap(),
        channels: Channels::new(&config).unwrap(),
        ends: Ends::new(100),
        doors: Doors::default(),
        assistant,
        holder: clock.new_id().to_string(),
        clock,
        tasks: TaskTracker::new(),
        shutdown: CancellationToken::new(),
        store,
        config: Arc::new(config),
    }
}

/// A message of Ann, for whom the operator vouches.
pub(crate) fn message(id: &str, text: &str) -> InboundMessage {
    InboundMessage {
        channel: "in_app".to_owned(),
        external_id: id.to_owned(),
        conversation: "c".to_owned(),
        sender: Sender {
            address: "ann".to_owned(),
            name: None,
            email: None,
            phone: None,
            assurance: Assurance::Verified,
            proof: "api_key",
            external_id: Some("ann".to_owned()),
        },
        text: text.to_owned(),
        attachments: Vec::new(),
        sent_at: None,
        threading: None,
    }
}
