//! Faults on demand: the shop can be told to be slow, to fail, and to lose an answer after acting.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultMode {
    /// Nothing is done; the answer is 503.
    Fail,
    /// It is done after `ms`, and answered.
    Slow,
    /// It is done, then the connection is dropped after `ms` without an answer.
    LoseResponse,
    /// It is done whatever the `Idempotency-Key`: a backend that does not know repeats.
    ForgetKey,
}

/// One order to misbehave, as `POST /faults` takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The tool's name as in the configuration, or `*` for every tool.
    pub tool: String,
    /// What goes wrong.
    pub mode: FaultMode,
    /// How long `slow` and `lose_response` wait, in milliseconds; at most one minute.
    #[serde(default)]
    pub ms: u64,
    /// How many calls it befalls; 1 when left out.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// The longest wait a fault may ask for, in milliseconds.
const WAIT_MAX_MS: u64 = 60_000;

/// The faults that are still to come, per tool, oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<HashMap<String, Vec<Fault>>>,
}

impl Faults {
    /// Adds a fault behind those already waiting for its tool.
    pub fn add(&self, mut fault: Fault) {
        fault.ms = fault.ms.min(WAIT_MAX_MS);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(fault.tool.clone()).or_default().push(fault);
    }

    /// Forgets every fault.
    pub fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes the next fault for a call of `tool`; those for `*` come after the tool's own.
    pub(super) fn take(&self, tool: &str) -> Option<Fault> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return None;
        }
        [tool, "*"].into_iter().find_map(|name| {
            let queue = waiting.get_mut(name)?;
            queue.retain(|fault| fault.times > 0);
            let next = queue.first_mut()?;
            next.times -= 1;
            Some(next.clone())
        })
    }
}
