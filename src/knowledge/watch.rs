//! Reloading when files change, without a restart and without a pause in serving.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};

use super::Knowledge;
use super::source::Origin;

/// How long files must be quiet before they are read, so that a save in several steps is read once.
const QUIET: Duration = Duration::from_millis(300);

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("the knowledge folder cannot be watched: {0}")]
pub struct WatchError(#[from] notify::Error);

/// Watching goes on until this is dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: notify::RecommendedWatcher,
}

/// Starts watching; embedded files never change, so there is nothing to watch for them.
pub(super) fn start(knowledge: &Knowledge) -> Result<Option<Watch>, WatchError> {
    let Origin::Folder(folder) = knowledge.origin() else { return Ok(None) };
    let (sender, receiver) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too, and reloading reads.
        let changed = event.is_ok_and(|event| !event.kind.is_access());
        if changed {
            let _ = sender.send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    let knowledge = knowledge.clone();
    // The watcher owns the sender: dropping it ends the thread.
    std::thread::spawn(move || {
        while receiver.recv().is_ok() {
            loop {
                match receiver.recv_timeout(QUIET) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            for problem in knowledge.reload() {
                tracing::warn!(file = %problem.file, line = problem.line, error = %problem.message, "knowledge.problem");
            }
            tracing::info!(knowledge.version = %knowledge.version(), "knowledge.reloaded");
        }
    });
    Ok(Some(Watch { _watcher: watcher }))
}
