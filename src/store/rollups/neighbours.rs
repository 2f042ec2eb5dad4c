//! Cases of one person on one matter look at each other: whether one is a return to the one before it.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Table;
use super::{Kept, RollupKey, keys};
use crate::domain::measures::{Neighbours, Sums};
use crate::store::StoreError;

/// What a round has changed.
pub(super) struct Changed {
    /// The cases, as they are kept from now on.
    pub(super) cases: Vec<Kept>,
    /// What is added to each roll-up.
    pub(super) sums: BTreeMap<RollupKey, Sums>,
}

/// The cases beside one, of the same person and on the same matter.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) before: Option<(String, Option<i64>)>,
    pub(super) after: Option<(String, i64)>,
}

impl Beside {
    fn names(&self) -> impl Iterator<Item = &String> {
        let before = self.before.iter().map(|(case, _)| case);
        before.chain(self.after.iter().map(|(case, _)| case))
    }

    fn seen(&self) -> Neighbours {
        Neighbours {
            before_resolved_at: self.before.as_ref().and_then(|(_, at)| *at),
            after_opened_at: self.after.as_ref().map(|(_, at)| *at),
        }
    }
}

/// What the cases of a round add now, with those of their neighbours that see something else in them.
pub(super) async fn counted(
    table: &mut Table<'_>,
    before: BTreeMap<String, Kept>,
    after: BTreeMap<String, Kept>,
    now: i64,
) -> Result<Changed, StoreError> {
    let mut beside: BTreeMap<String, Beside> = BTreeMap::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    for (case, kept) in &after {
        let found = table.beside(kept).await?;
        let old = before.get(case);
        if old.is_none_or(|old| old.looks_other_than(kept)) {
            others.extend(found.names().cloned());
            // Those whom it has left stand beside each other now.
            if let Some(old) = old.filter(|old| (&old.person, &old.matter) != (&kept.person, &kept.matter)) {
                others.extend(table.beside(old).await?.names().cloned());
            }
        }
        beside.insert(case.clone(), found);
    }
    others.retain(|case| !after.contains_key(case));
    let others = table.cases(&others).await?;
    for (case, kept) in &others {
        beside.insert(case.clone(), table.beside(kept).await?);
    }
    let mut changed = Changed { cases: Vec::new(), sums: BTreeMap::new() };
    for (case, mut kept) in after.into_iter().chain(others.clone()) {
        let seen = beside.get(&case).map(Beside::seen).unwrap_or_default();
        let outcome = kept.facts.outcome(seen, now);
        if let Some(old) = before.get(&case).or_else(|| others.get(&case)) {
            add(&mut changed.sums, old, -1);
        }
        kept.sums = outcome.sums;
        kept.due_at = outcome.due_at;
        kept.settles_at = outcome.settles_at;
        add(&mut changed.sums, &kept, 1);
        changed.cases.push(kept);
    }
    changed.sums.retain(|_, sums| !sums.is_zero());
    Ok(changed)
}

fn add(all: &mut BTreeMap<RollupKey, Sums>, kept: &Kept, times: i64) {
    if kept.sums.is_zero() {
        return;
    }
    for key in keys(&kept.place) {
        all.entry(key).or_default().merge(&kept.sums, times);
    }
}
