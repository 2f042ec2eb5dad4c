//! Customers that were found to be one person: a forest of merges, of which every one can be undone.
//!
//! Nothing of a customer is rewritten by a merge. Each customer is absorbed by at most one other at a time, so those
//! who belong together form a tree, and the one at its top is whom all of them are known as.

use std::collections::BTreeSet;

use super::ids::CustomerId;
use super::time::Timestamp;

/// A merge that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Ours; ids rise with time.
    pub id: String,
    /// As whom they are known from now on.
    pub kept: CustomerId,
    /// Who was absorbed.
    pub absorbed: CustomerId,
    /// Who decided it: `agent:…`, `key:…`, `code`, `session`.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The customer and all above, the top last.
fn upward(merges: &[Merge], customer: &CustomerId) -> Vec<CustomerId> {
    let mut line = vec![customer.clone()];
    while let Some(merge) = merges.iter().find(|merge| line.last() == Some(&merge.absorbed)) {
        // A ring cannot come about: only a top is ever absorbed. A row edited by hand must not make us turn for ever.
        if line.contains(&merge.kept) {
            break;
        }
        line.push(merge.kept.clone());
    }
    line
}

/// As whom a customer is known.
pub fn top(merges: &[Merge], customer: &CustomerId) -> CustomerId {
    upward(merges, customer).pop().unwrap_or_else(|| customer.clone())
}

/// The customer and everybody who was absorbed by them, directly or not.
pub fn below(merges: &[Merge], customer: &CustomerId) -> BTreeSet<CustomerId> {
    let mut found = BTreeSet::from([customer.clone()]);
    let mut waiting = vec![customer.clone()];
    while let Some(next) = waiting.pop() {
        for merge in merges.iter().filter(|merge| merge.kept == next) {
            if found.insert(merge.absorbed.clone()) {
                waiting.push(merge.absorbed.clone());
            }
        }
    }
    found
}

/// The newest of the merges by which two customers are one; without it they are two again.
pub fn newest_between<'a>(merges: &'a [Merge], one: &CustomerId, other: &CustomerId) -> Option<&'a Merge> {
    let (mine, theirs) = (upward(merges, one), upward(merges, other));
    let meeting = mine.iter().find(|customer| theirs.contains(customer))?;
    let on_the_way: BTreeSet<&CustomerId> = mine
        .iter()
        .take_while(|customer| *customer != meeting)
        .chain(theirs.iter().take_while(|customer| *customer != meeting))
        .collect();
    merges
        .iter()
        .filter(|merge| on_the_way.contains(&merge.absorbed))
        .max_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> CustomerId {
        CustomerId::parse(name).unwrap()
    }

    fn merge(kept: &str, absorbed: &str, at: i64) -> Merge {
        Merge {
            id: format!("m-{at}"),
            kept: id(kept),
            absorbed: id(absorbed),
            by: "key:test".to_owned(),
            at: Timestamp(at),
        }
    }

    #[test]
    fn everybody_in_a_tree_is_known_by_its_top() {
        let merges = [merge("a", "b", 1), merge("b", "c", 2), merge("x", "a", 3)];
        for name in ["a", "b", "c", "x"] {
            assert_eq!(top(&merges, &id(name)), id("x"));
        }
        assert_eq!(top(&merges, &id("y")), id("y"));
        assert_eq!(below(&merges, &id("b")), BTreeSet::from([id("b"), id("c")]));
    }

    #[test]
    fn what_joins_two_is_the_newest_merge_on_the_way_between_them() {
        let merges = [merge("a", "b", 1), merge("a", "c", 2), merge("x", "a", 3)];
        let found = |one: &str, other: &str| newest_between(&merges, &id(one), &id(other)).map(|m| m.at.0);
        assert_eq!(found("a", "b"), Some(1));
        assert_eq!(found("c", "b"), Some(2), "their way goes over `a`, not over `x`");
        assert_eq!(found("x", "b"), Some(3));
        assert_eq!(found("a", "y"), None);
        assert_eq!(found("a", "a"), None);
    }

    #[test]
    fn a_ring_that_somebody_wrote_by_hand_ends() {
        let merges = [merge("a", "b", 1), merge("b", "a", 2)];
        assert_eq!(top(&merges, &id("a")), id("b"));
        assert_eq!(below(&merges, &id("a")).len(), 2);
    }
}
