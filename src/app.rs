//! Builds every component once from the settings, and ends them in order.

use std::path::PathBuf;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assistant::local::LocalAssistant;
use crate::channels::web_chat::{SessionError, Sessions};
use crate::channels::{self, Channels};
use crate::config::Config;
use crate::desk::Desk;
use crate::domain::time::{Clock, Timestamp};
use crate::knowledge::{self, Knowledge, Origin, Problem};
use crate::pipeline::triage::Reader;
use crate::pipeline::{Doors, Ends, Parts, Pipeline};
use crate::store::{self, Store, StoreError};
use crate::templates::{Phrases, Templates};
use crate::tools::Toolbox;

/// The machine's clock, and ids that nobody can guess.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn new_id(&self) -> uuid::Uuid {
        #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
        uuid::Uuid::now_v7()
    }
}

/// Why the service could not be built; every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Settings, phrases or tools are wrong.
    #[error("{} problem(s):\n{}", .0.len(), .0.join("\n"))]
    Problems(Vec<String>),
    /// The record cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key that signs chat sessions is unusable.
    #[error(transparent)]
    Sessions(#[from] SessionError),
}

/// What understanding needs: shared by all worlds of an evaluation, and by the one world of a service.
#[derive(Clone)]
pub struct Understanding {
    /// Articles and procedures.
    pub knowledge: Knowledge,
    /// Renders templates.
    pub templates: Arc<Templates>,
    /// Fixed words.
    pub phrases: Arc<Phrases>,
    /// Reads messages.
    pub reader: Arc<Reader>,
}

impl Understanding {
    /// Reads the knowledge and learns from it; `cache` is a folder for what need not be worked out again.
    pub fn build(
        config: &Config,
        origin: Origin,
        cache: Option<PathBuf>,
    ) -> Result<(Self, Vec<Problem>), BuildError> {
        let limits = knowledge::Limits::from(&config.knowledge);
        let index = cache.as_ref().map(|folder| folder.join("index"));
        let (knowledge, problems) = Knowledge::open(origin, index.as_deref(), limits);
        let templates = Arc::new(Templates::new());
        let phrases =
            Phrases::load(templates.clone(), Some(&config.workspace)).map_err(BuildError::Problems)?;
        let reader = Reader::new(knowledge.clone(), config.triage.clone(), config.business.clone(), cache);
        let phrases = Arc::new(phrases);
        Ok((Self { knowledge, templates, phrases, reader: Arc::new(reader) }, problems))
    }
}

/// Everything, built once.
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// The record.
    pub store: Store,
    /// Articles and procedures.
    pub knowledge: Knowledge,
    /// The worker and the way in.
    pub pipeline: Arc<Pipeline>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Signs and reads chat sessions.
    pub sessions: Arc<Sessions>,
    /// Tasks that shutdown waits for.
    pub tasks: TaskTracker,
    /// Says when to stop.
    pub shutdown: CancellationToken,
    /// Where the metrics of this process are read.
    pub recorder: PrometheusHandle,
}

impl App {
    /// Opens the record, brings its schema up to date and puts the parts together. Nothing runs yet.
    pub async fn build(
        config: Config,
        understanding: Understanding,
        clock: Arc<dyn Clock>,
        secret: &[u8],
        recorder: PrometheusHandle,
    ) -> Result<Self, BuildError> {
        let config = Arc::new(config);
        let Understanding { knowledge, templates, phrases, reader } = understanding;
        let toolbox = Toolbox::new(&config, templates.clone()).map_err(BuildError::Problems)?;
        let desk = Desk::new(&config).map_err(BuildError::Problems)?;
        let store = Store::open(&config.database_url(), &store_settings(&config)).await?;
        store.migrate().await?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let assistant = LocalAssistant::new(
            knowledge.clone(),
            templates,
            phrases.clone(),
            config.triage.clone(),
            config.limits.clone(),
            config.business.clone(),
        );
        let pipeline = Pipeline::new(Parts {
            config: config.clone(),
            store: store.clone(),
            knowledge: knowledge.clone(),
            reader,
            assistant: Arc::new(assistant),
            toolbox,
            phrases,
            desk,
            channels: Channels::new(&config),
            clock: clock.clone(),
            ends: Ends::new(config.database.cached_cases_max),
            doors: Doors::default(),
            holder: clock.new_id().to_string(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        });
        let sessions = Arc::new(Sessions::new(secret)?);
        Ok(Self { config, store, knowledge, pipeline, clock, sessions, tasks, shutdown, recorder })
    }

    /// Stops taking up work, waits for what is under way, and closes the record.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.clone().close().await;
    }
}

/// The limits of the record.
pub fn store_settings(config: &Config) -> store::Settings {
    let database = &config.database;
    store::Settings {
        poll_ms: config.worker.poll_ms,
        batch_units_max: database.batch_units_max,
        queue_units_max: database.queue_units_max,
        readers_max: database.readers_max,
        cached_cases_max: database.cached_cases_max,
        recent_messages_max: database.recent_messages_max,
        recent_receipts_max: database.recent_receipts_max,
    }
}

/// The ways in and out that this service has; for `check`.
pub fn channel_names(config: &Config) -> Vec<&'static str> {
    channels::all(config).iter().map(|channel| channel.name()).collect()
}
