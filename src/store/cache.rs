//! The case files under work, kept in memory so that a turn reads nothing that this process has just written.
//!
//! A file is only ever replaced by a newer one: every commit leaves a mark with a rising number, and what
//! was read from the database before that mark is not put in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::ids::{CaseId, CustomerId};
use crate::domain::message::Message;
use crate::domain::receipt::Receipt;

use super::unit::{Change, Unit};

/// A case with what a turn needs to know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// Whose it is.
    pub customer: Arc<Customer>,
    /// The newest entries of the thread, oldest first, internal ones too.
    pub messages: Vec<Arc<Message>>,
    /// The newest receipts, oldest first.
    pub receipts: Vec<Arc<Receipt>>,
}

/// How much of a case a file holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) messages_max: usize,
    pub(super) receipts_max: usize,
}

#[derive(Clone)]
struct Entry {
    /// The commit after which the file is right; none is kept when it could not be known.
    mark: u64,
    file: Option<Arc<CaseFile>>,
}

/// The files, and the customers as last written by this process.
pub(super) struct CaseFiles {
    files: Cache<CaseId, Entry>,
    customers: Cache<CustomerId, Arc<Customer>>,
    commits: AtomicU64,
    extent: Extent,
}

impl CaseFiles {
    pub(super) fn new(cases_max: u64, extent: Extent) -> Self {
        // Least recently used: the default policy may refuse a new entry, and with it the mark of a commit.
        Self {
            files: Cache::builder().max_capacity(cases_max).eviction_policy(EvictionPolicy::lru()).build(),
            customers: Cache::builder()
                .max_capacity(cases_max)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            commits: AtomicU64::new(0),
            extent,
        }
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    /// The file, if it is known.
    pub(super) fn get(&self, id: &CaseId) -> Option<Arc<CaseFile>> {
        let file = self.files.get(id)?.file?;
        // Another case of this customer may have changed them.
        match self.customers.get(&file.customer.id) {
            Some(customer) if customer.version > file.customer.version => {
                Some(Arc::new(CaseFile { customer, ..CaseFile::clone(&file) }))
            }
            _ => Some(file),
        }
    }

    /// To be taken before the database is read, and given back with what was read.
    pub(super) fn mark(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Keeps what was read after `mark`, unless something newer is known. Returns whether it was the newest.
    pub(super) fn read(&self, mark: u64, file: &Arc<CaseFile>) -> bool {
        let mut newest = true;
        self.files.entry(file.case.id.clone()).and_compute_with(|known| {
            newest = known.is_none_or(|known| {
                let known = known.into_value();
                known.mark <= mark && known.file.is_none_or(|known| known.case.version <= file.case.version)
            });
            if newest { Op::Put(Entry { mark, file: Some(Arc::clone(file)) }) } else { Op::Nop }
        });
        newest
    }

    /// Follows a unit that was committed.
    pub(super) fn committed(&self, unit: &Unit) {
        let mark = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        for change in &unit.changes {
            if let Change::NewCustomer(customer) | Change::Customer(customer) = change {
                self.keep_customer(customer);
            }
        }
        for change in &unit.changes {
            // Of another case only the database knows what else is in its file.
            if let Change::Case(case) = change
                && case.id != unit.case
            {
                self.files.insert(case.id.clone(), Entry { mark, file: None });
            }
        }
        if !unit.changes.iter().any(in_a_file) {
            return;
        }
        self.files.entry(unit.case.clone()).and_compute_with(|known| {
            let known = known.and_then(|known| known.into_value().file);
            let file = self.grown(known.as_deref(), unit).map(Arc::new);
            Op::Put(Entry { mark, file })
        });
    }

    /// Lets go of everything at hand about a customer; only the database knows what is left of them.
    pub(super) fn forget(&self, id: &CustomerId) {
        let mark = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.customers.invalidate(id);
        for (case, entry) in &self.files {
            if entry.file.is_some_and(|file| file.customer.id == *id) {
                self.files.insert(CaseId::clone(&case), Entry { mark, file: None });
            }
        }
    }

    fn keep_customer(&self, customer: &Arc<Customer>) {
        self.customers.entry(customer.id.clone()).and_compute_with(|known| match known {
            Some(known) if known.value().version > customer.version => Op::Nop,
            _ => Op::Put(Arc::clone(customer)),
        });
    }

    /// The file after the unit, if it can be known without the database.
    fn grown(&self, known: Option<&CaseFile>, unit: &Unit) -> Option<CaseFile> {
        let mut file = known.cloned();
        for change in &unit.changes {
            match change {
                // Text with a NUL is stored without it, so only the database knows what became of it.
                Change::NewCase(_) | Change::Case(_) | Change::Message(_) if has_nul(change) => return None,
                Change::NewCase(case) if case.id == unit.case => {
                    let customer = self.customers.get(&case.customer)?;
                    file = Some(CaseFile {
                        case: case.clone(),
                        customer,
                        messages: Vec::new(),
                        receipts: Vec::new(),
                    });
                }
                Change::Case(case) if case.id == unit.case => {
                    let file = file.as_mut()?;
                    if file.case.version == case.version - 1 {
                        file.case = case.clone();
                    } else if file.case.version < case.version {
                        return None;
                    }
                }
                _ => {}
            }
        }
        let mut file = file?;
        for change in &unit.changes {
            match change {
                // What was read after the commit and before this has them already.
                Change::Message(new) if file.messages.last().is_none_or(|last| last.seq < new.seq) => {
                    file.messages.push(Arc::clone(new));
                }
                Change::Receipt(new) if file.receipts.iter().all(|known| known.id != new.id) => {
                    file.receipts.push(Arc::clone(new));
                }
                _ => {}
            }
        }
        keep_newest(&mut file.messages, self.extent.messages_max);
        keep_newest(&mut file.receipts, self.extent.receipts_max);
        Some(file)
    }
}

fn keep_newest<T>(list: &mut Vec<T>, max: usize) {
    list.drain(..list.len().saturating_sub(max));
}

fn in_a_file(change: &Change) -> bool {
    matches!(change, Change::NewCase(_) | Change::Case(_) | Change::Message(_) | Change::Receipt(_))
}

fn has_nul(change: &Change) -> bool {
    let nul = |text: &str| text.contains('\0');
    match change {
        Change::Message(message) => nul(&message.text) || nul(&message.channel),
        Change::NewCase(case) | Change::Case(case) => {
            nul(&case.conversation)
                || nul(&case.channel)
                || nul(&case.memory)
                || case.issue.as_deref().is_some_and(nul)
        }
        _ => false,
    }
}
