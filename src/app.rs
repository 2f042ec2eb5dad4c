//! Builds every component once from the settings, and ends them in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assistant::Assistant;
use crate::assistant::local::LocalAssistant;
use crate::assistant::model::{self, ModelAssistant};
use crate::channels::customer_token::CustomerTokens;
use crate::channels::email::{self, Mailroom, Taken};
use crate::channels::web_chat::{SessionError, Sessions};
use crate::channels::{Bounds, Channels};
use crate::config::Config;
use crate::desk::Desk;
use crate::desk::macros::Macros;
use crate::desk::sinks::{self, Sinks};
use crate::domain::time::{Clock, Timestamp};
use crate::knowledge::{self, Knowledge, Origin, Problem};
use crate::llm::tape::Recorder;
use crate::llm::{self, ChatModel};
use crate::pipeline::triage::Reader;
use crate::pipeline::{Doors, Ends, IngestError, Parts, Pipeline};
use crate::store::{self, Store, StoreError};
use crate::templates::{Phrases, Prompts, Templates};
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

/// The texts that agents have ready.
fn macros(config: &Config) -> Result<Macros, BuildError> {
    Macros::load(Arc::new(Templates::new()), &config.workspace).map_err(BuildError::Problems)
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
    /// Whether models are asked, and whether that is kept.
    pub tape: Tape,
}

/// Where the answers of a model come from.
#[derive(Clone, Default)]
pub enum Tape {
    /// From the configured model, if there is one.
    #[default]
    Live,
    /// From the configured model, and into this folder.
    Record(PathBuf),
    /// From this one: recordings, or a scenario's script.
    Given(Arc<dyn ChatModel>),
}

impl Tape {
    /// The model to ask; none leaves the work to the local assistant.
    fn model(
        &self,
        config: &Config,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Arc<dyn ChatModel>>, BuildError> {
        let problem = |error: String| BuildError::Problems(vec![error]);
        if let Self::Given(model) = self {
            return Ok(Some(model.clone()));
        }
        let live = llm::connect(&config.model, &config.fallback_model, &config.model_calls, clock)
            .map_err(|error| problem(format!("[model]: {error}")))?;
        let Some(live) = live else { return Ok(None) };
        let live: Arc<dyn ChatModel> = Arc::new(live);
        let Self::Record(folder) = self else { return Ok(Some(live)) };
        let recorder = Recorder::new(live, folder)
            .map_err(|error| problem(format!("`{}` cannot be written: {error}", folder.display())))?;
        Ok(Some(Arc::new(recorder)))
    }
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
        let reader = Arc::new(reader);
        Ok((Self { knowledge, templates, phrases, reader, tape: Tape::Live }, problems))
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
    /// Texts that agents keep ready.
    pub macros: Macros,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Signs and reads chat sessions.
    pub sessions: Arc<Sessions>,
    /// Reads the tokens by which the operator's site says who is signed in.
    pub tokens: CustomerTokens,
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
        let Understanding { knowledge, templates, phrases, reader, tape } = understanding;
        let toolbox = Toolbox::new(&config, templates.clone()).map_err(BuildError::Problems)?;
        let toolbox = Arc::new(toolbox);
        let desk = Desk::new(&config).map_err(BuildError::Problems)?;
        let store = Store::open(&config.database_url(), &store_settings(&config)).await?;
        store.migrate().await?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let local = LocalAssistant::new(
            knowledge.clone(),
            templates.clone(),
            phrases.clone(),
            config.triage.clone(),
            config.limits.clone(),
            config.business.clone(),
        );
        let assistant: Arc<dyn Assistant> = match tape.model(&config, &clock)? {
            None => Arc::new(local),
            Some(model) => {
                let prompts =
                    Prompts::load(templates, Some(&config.workspace)).map_err(BuildError::Problems)?;
                let parts = model::Parts {
                    model,
                    local,
                    prompts,
                    phrases: phrases.clone(),
                    knowledge: knowledge.clone(),
                    toolbox: toolbox.clone(),
                    store: store.clone(),
                    clock: clock.clone(),
                };
                Arc::new(ModelAssistant::new(parts, &config).map_err(BuildError::Problems)?)
            }
        };
        let pipeline = Pipeline::new(Parts {
            config: config.clone(),
            store: store.clone(),
            knowledge: knowledge.clone(),
            reader,
            assistant,
            toolbox,
            phrases,
            desk,
            sinks: Sinks::new(&config).map_err(BuildError::Problems)?,
            channels: Channels::new(&config).map_err(BuildError::Problems)?,
            clock: clock.clone(),
            ends: Ends::new(config.database.cached_cases_max),
            doors: Doors::default(),
            holder: clock.new_id().to_string(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        });
        let sessions = Arc::new(Sessions::new(secret)?);
        let tokens = CustomerTokens::new(&config).map_err(BuildError::Problems)?;
        let macros = macros(&config)?;
        Ok(Self {
            config,
            store,
            knowledge,
            pipeline,
            macros,
            clock,
            sessions,
            tokens,
            tasks,
            shutdown,
            recorder,
        })
    }

    /// Sums up now and then what was measured: nobody may ever read it, and every measurement is kept until then.
    pub fn keep_metrics_tidy(&self) {
        let (recorder, shutdown) = (self.recorder.clone(), self.shutdown.clone());
        let mut pause =
            tokio::time::interval(Duration::from_millis(self.config.telemetry.metrics_tidy_ms.max(1)));
        self.tasks.spawn(async move {
            while shutdown.run_until_cancelled(pause.tick()).await.is_some() {
                recorder.run_upkeep();
            }
        });
    }

    /// Starts the MCP servers and waits for their first listings, so that the first message finds their tools. One that
    /// is not there does not keep the service from starting.
    pub async fn start_servers(&self) {
        let toolbox = &self.pipeline.parts().toolbox;
        toolbox.start(&self.tasks, &self.shutdown, &self.clock);
        toolbox.listed(Duration::from_millis(self.config.mcp.start_ms_max)).await;
    }

    /// Starts what takes mail without being called, and says where the mail listener listens, if there is one.
    pub async fn start_listeners(&self) -> Result<Option<SocketAddr>, BuildError> {
        let bounds = Bounds::of(&self.config);
        let mailroom = Mailroom::open(&self.config.channels.email, bounds).await;
        let mailroom = mailroom.map_err(|error| BuildError::Problems(vec![error]))?;
        let address = mailroom.address();
        let pipeline = self.pipeline.clone();
        let ingest: email::Ingest = Arc::new(move |incoming| {
            let pipeline = pipeline.clone();
            Box::pin(async move {
                match pipeline.take(email::NAME, incoming).await {
                    Ok(_) => Taken::Durably,
                    Err(IngestError::Unavailable(_)) => Taken::Later,
                    Err(error @ (IngestError::Conflict | IngestError::Invalid(_))) => {
                        tracing::warn!(error = %error, "a mail is refused");
                        Taken::Never
                    }
                }
            })
        });
        mailroom.run(&ingest, &self.tasks, &self.shutdown);
        Ok(address)
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
        listeners: sinks::listeners(config),
    }
}

/// The ways in and out that this service has; for `check`.
pub fn channel_names(config: &Config) -> Result<Vec<&'static str>, Vec<String>> {
    let channels = Channels::new(config)?;
    Sinks::new(config)?;
    CustomerTokens::new(config).map(|_| channels.names())
}
