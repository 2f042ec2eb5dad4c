//! A world of its own for a trial: a shop on its opening day, a record in a folder that is cleared away afterwards.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shop::open_shop;
use super::workspace::Workspace;
use crate::app::{App, SystemClock, Tape, Understanding};
use crate::config::Config;
use crate::demo::Shop;
use crate::domain::time::{Clock, Timestamp};
use crate::telemetry;

/// When trials play that name no moment: a Tuesday morning in the shop's time zone, with everybody at their desk.
const MOMENT: &str = "2026-11-24T10:00:00-06:00";

/// A trial lasts for less than a second and lets nobody in.
const TRIAL_SECRET: &[u8] = b"the chat sessions of a trial are nobody's";

/// A clock that starts at a scenario's moment and runs on from there.
struct ShiftedClock {
    offset_ms: i64,
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.offset_ms)
    }

    fn new_id(&self) -> uuid::Uuid {
        SystemClock.new_id()
    }
}

/// A service that is built but does not run, over a shop that does.
pub(super) struct Trial {
    pub(super) app: App,
    pub(super) shop: Arc<Shop>,
    pub(super) clearing: Clearing,
}

/// What has to be cleared away after a trial.
pub(super) struct Clearing {
    folder: PathBuf,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

impl Trial {
    /// Starts the shop and builds the service as it was at the moment `at` (RFC 3339). Without a tape the local assistant
    /// answers.
    pub(super) async fn open(
        workspace: &Workspace,
        understanding: &Understanding,
        tape: Option<Tape>,
        at: Option<&str>,
    ) -> Result<Self> {
        let moment = at.unwrap_or(MOMENT);
        let at =
            Timestamp::parse(moment).with_context(|| format!("`at: {moment}` is not an RFC 3339 time"))?;
        let clock: Arc<dyn Clock> = Arc::new(ShiftedClock { offset_ms: at.ms_since(SystemClock.now()) });
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let (shop, address) = open_shop(None, clock.clone(), &tasks, shutdown.clone()).await?;
        let folder = std::env::temp_dir().join(format!("firstline-trial-{}", clock.new_id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let mut config: Config = workspace.config(Some(&address))?;
        config.database.url = format!("sqlite://{}", folder.join("trial.db").display());
        if tape.is_none() {
            config.model.name.clear();
        }
        let understanding = Understanding { tape: tape.unwrap_or_default(), ..understanding.clone() };
        let app = App::build(config, understanding, clock, TRIAL_SECRET, telemetry::metrics()).await?;
        app.start_servers().await;
        Ok(Self { app, shop, clearing: Clearing { folder, tasks, shutdown } })
    }
}

impl Clearing {
    /// Stops everything and removes what it wrote.
    pub(super) async fn end(self, app: &App) {
        app.stop().await;
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // What stays behind lies in the machine's own folder for what may go.
        _ = std::fs::remove_dir_all(self.folder);
    }
}
