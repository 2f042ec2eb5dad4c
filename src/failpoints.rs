//! Places where a test may stop the process and kill it, and bugs planted on purpose.
//!
//! Without the `failpoints` feature every function here is empty and vanishes. With it, a process
//! whose environment names a place (`FIRSTLINE_STOP_AT=turn_commit:2`, the second time it is reached)
//! says so on standard error and stands still there until somebody kills it.

/// A step boundary; the name is listed in `tests/kills/main.rs`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn reach(_place: &str) {}

/// Whether a planted bug is switched on.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn planted(_bug: &str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
mod switched_on {
    use std::collections::HashMap;
    use std::io::Write;
    use std::sync::{LazyLock, Mutex};

    static SEEN: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);

    fn setting(name: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "a test's switch, compiled in for tests only")]
        std::env::var(name).ok()
    }

    /// A step boundary: stands still when the environment names it.
    pub fn reach(place: &str) {
        let Some(stop) = setting("FIRSTLINE_STOP_AT") else { return };
        let (name, at) = stop.split_once(':').unwrap_or((&stop, "1"));
        if name != place {
            return;
        }
        let count = SEEN.lock().map_or(0, |mut seen| {
            let count = seen.entry(place.to_owned()).or_default();
            *count += 1;
            *count
        });
        if at.parse() == Ok(count) {
            let _ = writeln!(std::io::stderr(), "stopped at {place}");
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether a planted bug is switched on: `FIRSTLINE_PLANT=resend_on_unknown,pushed`.
    pub fn planted(bug: &str) -> bool {
        setting("FIRSTLINE_PLANT").is_some_and(|planted| planted.split(',').any(|one| one == bug))
    }
}

#[cfg(feature = "failpoints")]
pub use switched_on::{planted, reach};
