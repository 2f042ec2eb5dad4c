//! `firstline customer import`: every line becomes a customer or changes what is the CRM's of one. Nobody is merged by a
//! guess: whoever shares an address with somebody else is kept apart and reported.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::super::{Failure, Globals, operations, output};
use super::report::{Finding, Kind, Report};
use super::table::{Row, Table};
use crate::app::SystemClock;
use crate::domain::assurance::Assurance;
use crate::domain::crm::{self, Crm, Reach};
use crate::domain::customer::{Customer, Identity};
use crate::domain::ids::{CaseId, CustomerId, IdentityId};
use crate::domain::time::{Clock, Timestamp};
use crate::store::{ASKED_MAX, Change, CommitError, Contact, KnownPerson, Refusal, Store, Unit};

/// How often one line may lose against other changes of its customer.
const TRIES_MAX: usize = 20;

/// What came of the lines.
#[derive(Debug, Default, Serialize)]
struct Counts {
    created: u64,
    updated: u64,
    unchanged: u64,
    bad_lines: u64,
    conflicts: u64,
}

/// An import under way.
struct Importing<'a> {
    store: &'a Store,
    writes: bool,
    counts: Counts,
    report: Option<Report>,
    /// The line of each id and address that was read, to compare later lines with.
    lines: HashMap<(&'static str, String), u64>,
}

pub(super) async fn run(globals: &Globals, options: &super::Import) -> Result<(), Failure> {
    let shown = options.file.display();
    let unreadable = |error: std::io::Error| Failure::Usage(format!("`{shown}` cannot be read: {error}"));
    let file = File::open(&options.file).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let table =
        Table::open(BufReader::new(file)).map_err(|error| Failure::Usage(format!("`{shown}`: {error}")))?;
    let report = options.report.as_ref().map(|path| {
        Report::create(path)
            .map_err(|error| Failure::Usage(format!("`{}` cannot be written: {error}", path.display())))
    });
    let report = report.transpose()?;
    let (store, _) = operations::store(globals).await?;
    let mut importing = Importing {
        store: &store,
        writes: !options.dry_run,
        counts: Counts::default(),
        report,
        lines: HashMap::new(),
    };
    let done = importing.all(table, length).await;
    let Importing { counts, report, .. } = importing;
    store.close().await;
    done?;
    if let Some(report) = report {
        report.finish().context("the report could not be written")?;
    }
    if options.json {
        output::json(&counts)?;
    } else {
        let Counts { created, updated, unchanged, .. } = &counts;
        let would = if options.dry_run { "would be " } else { "" };
        output::line(&format!(
            "{created} {would}created, {updated} {would}updated, {unchanged} as they were"
        ));
    }
    if counts.bad_lines + counts.conflicts > 0 {
        let Counts { bad_lines, conflicts, .. } = counts;
        let hint = if options.report.is_none() { "; --report FILE lists them" } else { "" };
        return Err(Failure::Found(format!(
            "{bad_lines} line(s) were not taken and {conflicts} conflict(s) want a look{hint}"
        )));
    }
    Ok(())
}

impl Importing<'_> {
    async fn all(&mut self, mut table: Table<BufReader<File>>, length: u64) -> Result<(), Failure> {
        let progress = indicatif::ProgressBar::new(length);
        let mut rows = Vec::new();
        while let Some(next) = table.next() {
            match next {
                Ok(row) => {
                    if self.first_of_its_id(&row)? {
                        rows.push(row);
                    }
                }
                Err(finding) => self.found(&finding)?,
            }
            if rows.len() == ASKED_MAX {
                self.take(&rows).await?;
                rows.clear();
                progress.set_position(table.position());
            }
        }
        self.take(&rows).await?;
        progress.finish_and_clear();
        Ok(())
    }

    fn found(&mut self, finding: &Finding) -> Result<(), Failure> {
        match finding.kind {
            Kind::BadLine => self.counts.bad_lines += 1,
            Kind::Malformed | Kind::SameExternalId | Kind::SameEmail | Kind::SamePhone | Kind::OtherData => {
                self.counts.conflicts += 1;
            }
        }
        if let Some(report) = &mut self.report {
            report.add(finding).context("the report could not be written")?;
        }
        Ok(())
    }

    /// Whether no line before had this id.
    fn first_of_its_id(&mut self, row: &Row) -> Result<bool, Failure> {
        let key = ("external_id", row.external_id.clone());
        let Some(line) = self.lines.get(&key) else {
            self.lines.insert(key, row.line);
            return Ok(true);
        };
        let finding = Finding {
            line: row.line,
            external_id: Some(row.external_id.clone()),
            kind: Kind::SameExternalId,
            field: Some("external_id"),
            other: Some(format!("line {line}")),
            message: "this id was on an earlier line, which counts; this line was not taken".to_owned(),
        };
        self.found(&finding)?;
        Ok(false)
    }

    /// Takes lines that are about different people.
    async fn take(&mut self, rows: &[Row]) -> Result<(), Failure> {
        for finding in self.shared(rows).await? {
            self.found(&finding)?;
        }
        let mut alone = Vec::new();
        if self.attempt(rows).await? == Attempt::Lost {
            // One of them changed under our hands; who that was shows one by one.
            alone.extend(rows);
        }
        for row in alone {
            let mut tries = 1;
            while self.attempt(std::slice::from_ref(row)).await? == Attempt::Lost {
                tries += 1;
                if tries > TRIES_MAX {
                    let message = "the customer kept changing meanwhile; import the file again".to_owned();
                    self.found(&Finding::bad_line(row.line, message))?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads what is known of the people, and writes what is new in one transaction.
    async fn attempt(&mut self, rows: &[Row]) -> Result<Attempt, Failure> {
        let ids: Vec<&str> = rows.iter().map(|row| row.external_id.as_str()).collect();
        let known = self.store.known_people(&ids).await.context("the record failed")?;
        let known: HashMap<&str, &KnownPerson> = known
            .iter()
            .filter_map(|person| Some((person.customer.external_id.as_deref()?, person)))
            .collect();
        let now = SystemClock.now();
        let mut counts = Counts::default();
        let (mut changes, mut findings) = (Vec::new(), Vec::new());
        for row in rows {
            findings.extend(row.malformed.iter().cloned());
            let person = known.get(row.external_id.as_str());
            let (customer, anchored) = person.map_or_else(
                || (newcomer(row, now), false),
                |person| (person.customer.clone(), person.anchored),
            );
            let taken = crm::take(&customer, &row.said, Reach::OwnFields, now);
            findings.extend(taken.kept.iter().map(|field| Finding {
                line: row.line,
                external_id: Some(row.external_id.clone()),
                kind: Kind::OtherData,
                field: Some(field.as_str()),
                other: Some(format!("customer {}", customer.id)),
                message:
                    "the record has another value that did not come from the CRM; it was left".to_owned(),
            }));
            if !anchored {
                changes.push(Change::NewIdentity(anchor(row, &customer, now)));
            }
            match person {
                None => {
                    counts.created += 1;
                    changes.push(Change::NewCustomer(Arc::new(Customer { version: 1, ..taken.customer })));
                }
                Some(_) if taken.changed => {
                    counts.updated += 1;
                    changes.push(Change::Customer(Arc::new(taken.customer)));
                }
                Some(_) => counts.unchanged += 1,
            }
        }
        if self.writes && !changes.is_empty() {
            let unit = Unit { case: CaseId::new(SystemClock.new_id()), changes };
            match self.store.commit(unit).await {
                Ok(()) => {}
                Err(CommitError::Refused(Refusal::Stale)) => return Ok(Attempt::Lost),
                Err(error) => return Err(anyhow::Error::from(error).context("the record failed").into()),
            }
        }
        self.counts.created += counts.created;
        self.counts.updated += counts.updated;
        self.counts.unchanged += counts.unchanged;
        for finding in findings {
            self.found(&finding)?;
        }
        Ok(Attempt::Done)
    }

    /// Addresses that an earlier line or a customer with another id has too.
    async fn shared(&mut self, rows: &[Row]) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for (contact, field, kind) in
            [(Contact::Email, "email", Kind::SameEmail), (Contact::Phone, "phone", Kind::SamePhone)]
        {
            let value = |row: &Row| match contact {
                Contact::Email => row.said.email.clone(),
                Contact::Phone => row.said.phone.clone(),
            };
            let said: Vec<(&Row, String)> = rows.iter().filter_map(|row| Some((row, value(row)?))).collect();
            let asked: Vec<&str> = said.iter().map(|(_, value)| value.as_str()).collect();
            let holders = self.store.holders(contact, &asked).await.context("the record failed")?;
            for (row, value) in &said {
                // Capital letters make no other mailbox.
                let key = (field, value.to_lowercase());
                let earlier = self.lines.get(&key).map(|line| format!("line {line}"));
                let holder = holders.iter().find(|holder| {
                    holder.value == *value && holder.external_id.as_ref() != Some(&row.external_id)
                });
                let other = earlier.or_else(|| holder.map(|holder| format!("customer {}", holder.customer)));
                if let Some(other) = other {
                    findings.push(Finding {
                        line: row.line,
                        external_id: Some(row.external_id.clone()),
                        kind,
                        field: Some(field),
                        other: Some(other),
                        message: format!("somebody else has this {field} too; they are kept apart"),
                    });
                }
                self.lines.entry(key).or_insert(row.line);
            }
        }
        Ok(findings)
    }
}

/// How a try to write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Done,
    Lost,
}

fn newcomer(row: &Row, now: Timestamp) -> Arc<Customer> {
    Arc::new(Customer {
        id: CustomerId::new(SystemClock.new_id()),
        external_id: Some(row.external_id.clone()),
        name: None,
        email: None,
        phone: None,
        language: None,
        crm: Crm::default(),
        created_at: now,
        version: 1,
    })
}

/// What a message finds them by that the operator vouches for with this id.
fn anchor(row: &Row, customer: &Customer, now: Timestamp) -> Identity {
    Identity {
        id: IdentityId::new(SystemClock.new_id()),
        customer: customer.id.clone(),
        channel: crm::OPERATOR.to_owned(),
        address: row.external_id.clone(),
        assurance: Assurance::Verified,
        proof: crm::PROOF.to_owned(),
        first_seen: now,
        last_seen: now,
    }
}
