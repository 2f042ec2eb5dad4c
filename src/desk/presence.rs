//! Whether agents are there: what they chose, and whether their page was heard of lately.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::routing::Presence;
use crate::domain::time::Timestamp;
use crate::store::Heard;

/// How somebody stands who was last heard of like this: away when not heard of for `presence_ms`, whatever they chose.
pub fn standing(heard: Option<&Heard>, now: Timestamp, presence_ms: i64) -> Presence {
    match heard {
        Some(heard) if !silent(heard, now, presence_ms) => heard.chosen,
        Some(_) | None => Presence::Away,
    }
}

/// Whether somebody has not been heard of for `limit_ms`. A moment far ahead is from before a clock went back.
pub fn silent(heard: &Heard, now: Timestamp, limit_ms: i64) -> bool {
    now.ms_since(heard.seen_at).saturating_abs() > limit_ms
}

/// Watches the clock of this process for jumps. After one nobody can be told from somebody who is gone: their pages
/// first get the time to be heard again.
#[derive(Debug, Default)]
pub struct Watch {
    last: AtomicI64,
    steady_from: AtomicI64,
    jumped_at: AtomicI64,
}

/// How long the clock has gone on steadily.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady {
    /// Since the last jump, or since this process began to watch.
    pub watched_ms: i64,
    /// Since the last jump; far more than anything where there was none.
    pub since_jump_ms: i64,
}

impl Steady {
    /// For whoever only looks once.
    pub const ALWAYS: Self = Self { watched_ms: i64::MAX, since_jump_ms: i64::MAX };
}

impl Watch {
    /// Looks at the clock. `jump_ms` in one step, ahead or back, is a jump.
    pub fn look(&self, now: Timestamp, jump_ms: i64) -> Steady {
        let last = self.last.swap(now.0, Ordering::Relaxed);
        let jumped = last != 0 && now.0.saturating_sub(last).saturating_abs() > jump_ms;
        if jumped {
            self.jumped_at.store(now.0, Ordering::Relaxed);
        }
        if jumped || last == 0 {
            self.steady_from.store(now.0, Ordering::Relaxed);
        }
        let since = |moment: i64| now.0.saturating_sub(moment).max(0);
        let jumped_at = self.jumped_at.load(Ordering::Relaxed);
        Steady {
            watched_ms: since(self.steady_from.load(Ordering::Relaxed)),
            since_jump_ms: if jumped_at == 0 { i64::MAX } else { since(jumped_at) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(chosen: Presence, seen_at: i64) -> Heard {
        Heard { chosen, seen_at: Timestamp(seen_at), given_at: Timestamp(0), version: 1 }
    }

    #[test]
    fn whoever_is_not_heard_of_is_away_whatever_they_chose() {
        for (chosen, seen, stands) in [
            (Presence::Online, 900, Presence::Online),
            (Presence::Busy, 900, Presence::Busy),
            (Presence::Online, 899, Presence::Away),
            (Presence::Away, 1000, Presence::Away),
            (Presence::Online, 1101, Presence::Away),
        ] {
            assert_eq!(standing(Some(&heard(chosen, seen)), Timestamp(1000), 100), stands, "{seen}");
        }
        assert_eq!(standing(None, Timestamp(1000), 100), Presence::Away);
    }

    #[test]
    fn a_jump_of_the_clock_begins_the_watch_anew() {
        let watch = Watch::default();
        let looks = [(1000, 0), (1010, 10), (1060, 60), (9000, 0), (9040, 40), (500, 0), (530, 30)];
        for (now, watched_ms) in looks {
            let since_jump_ms = if (1000..=1060).contains(&now) { i64::MAX } else { watched_ms };
            assert_eq!(watch.look(Timestamp(now), 50), Steady { watched_ms, since_jump_ms }, "{now}");
        }
    }
}
