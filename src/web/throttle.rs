//! How often or how much at once an address, or an account, may do something.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::time::Timestamp;

const MINUTE_MS: i64 = 60_000;
/// Addresses or accounts remembered; when there are more, those whose minute is over are forgotten.
const KNOWN_MAX: usize = 10_000;

/// At most so many a minute from one address, or of one account.
#[derive(Debug)]
pub(super) struct PerMinute<K = IpAddr> {
    most: usize,
    seen: Mutex<HashMap<K, (Timestamp, usize)>>,
}

impl<K: Eq + Hash> PerMinute<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, seen: Mutex::default() }
    }

    /// Counts one; the seconds to wait when it is one too many.
    pub(super) fn count(&self, key: K, now: Timestamp) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KNOWN_MAX {
            seen.retain(|_, (since, _)| now.ms_since(*since) < MINUTE_MS);
        }
        let entry = seen.entry(key).or_insert((now, 0));
        // A clock that was set back must not lock anybody out.
        if !(0..MINUTE_MS).contains(&now.ms_since(entry.0)) {
            *entry = (now, 0);
        }
        if entry.1 >= self.most {
            return Err((MINUTE_MS - now.ms_since(entry.0)).max(0) as u64 / 1000 + 1);
        }
        entry.1 += 1;
        Ok(())
    }
}

/// How many each holder has now.
type Open<K> = Arc<Mutex<HashMap<K, usize>>>;

/// At most so many at once for one holder, by default an address.
#[derive(Debug, Clone)]
pub(super) struct AtOnce<K: Eq + Hash = IpAddr> {
    most: usize,
    open: Open<K>,
}

impl<K: Eq + Hash + Clone> AtOnce<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// A place, given back when it is dropped; none when all are taken.
    pub(super) fn take(&self, holder: K) -> Option<Place<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(&holder).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        open.insert(holder.clone(), count + 1);
        Some(Place { holder, open: self.open.clone() })
    }
}

/// One of the places of a holder.
#[derive(Debug)]
pub(super) struct Place<K: Eq + Hash = IpAddr> {
    holder: K,
    open: Open<K>,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn one_too_many_a_minute_waits_for_the_next_minute() {
        let throttle = PerMinute::new(2);
        assert_eq!(throttle.count(HERE, Timestamp(0)), Ok(()));
        assert_eq!(throttle.count(HERE, Timestamp(1)), Ok(()));
        assert_eq!(throttle.count(HERE, Timestamp(30_000)), Err(31));
        assert_eq!(throttle.count(HERE, Timestamp(60_000)), Ok(()));
        assert_eq!(throttle.count(HERE, Timestamp(-5_000_000)), Ok(()), "the clock was set back");
    }

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let throttle = AtOnce::new(1);
        let place = throttle.take(HERE);
        assert!(place.is_some() && throttle.take(HERE).is_none());
        drop(place);
        assert!(throttle.take(HERE).is_some());
        assert_eq!(throttle.open.lock().unwrap().len(), 0);
        assert!(AtOnce::new(0).take(HERE).is_none());
    }
}
