//! The rows that the changes of a unit put into the statements of a transaction.

use serde::Serialize;
use sqlx::Arguments;
use sqlx::any::AnyArguments;

use crate::domain::case::Case;
use crate::domain::crm::Crm;
use crate::domain::customer::{Customer, Identity};
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::handoff::Handoff;
use crate::domain::ids::{AgentId, CaseId, CustomerId, ProcedureId, TeamId, TurnId};
use crate::domain::message::Message;
use crate::domain::receipt::{CallStatus, LedgerEntry, Receipt};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::domain::usage::CallRecord;

use super::attachments;
use super::people;
use super::ratings;
use super::routing;
use super::statements::{STATEMENTS, Slot, Statement};
use super::unit::{Change, Consent, Conversation, InboxEntry, Unit};
use super::write_backs::{self, Listener};

/// A value of a row. An absent one keeps its type, which PostgreSQL needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    NoText,
    Int(i64),
    NoInt,
}

impl Value {
    pub(super) fn bind(self, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
        match self {
            Self::Text(text) => arguments.add(text),
            Self::NoText => arguments.add(None::<String>),
            Self::Int(number) => arguments.add(number),
            Self::NoInt => arguments.add(None::<i64>),
        }
        .map_err(sqlx::Error::Encode)
    }
}

/// Text as both databases can store it: PostgreSQL has no NUL, so none goes in anywhere.
pub(super) fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

/// The name of an enum's variant, or the JSON of anything else.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// The name of a variant, as it stands in JSON without its quotes.
fn word<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(storable(text))
}

pub(super) fn maybe(value: Option<&str>) -> Value {
    value.map_or(Value::NoText, text)
}

pub(super) fn moment(value: Option<Timestamp>) -> Value {
    value.map_or(Value::NoInt, |at| Value::Int(at.0))
}

/// A row and the unit it belongs to, counted from 0 within the batch.
pub(super) struct Row {
    pub(super) unit: usize,
    pub(super) values: Vec<Value>,
}

impl Row {
    /// What a guarded statement returns for this row.
    pub(super) fn key(&self) -> &str {
        match self.values.first() {
            Some(Value::Text(key)) => key,
            _ => "",
        }
    }
}

/// Rows per statement, most first; few sizes, so that the statements stay prepared.
const CHUNKS: [usize; 8] = [64, 32, 16, 8, 4, 3, 2, 1];

/// The rows of a batch, per statement.
pub(super) struct Rows([Vec<Row>; STATEMENTS.len()]);

impl Rows {
    /// The rows of these units.
    pub(super) fn of<'u>(
        units: impl Iterator<Item = &'u Unit>,
        listeners: &[Listener],
    ) -> Result<Self, sqlx::Error> {
        let mut rows = Self(std::array::from_fn(|_| Vec::new()));
        for (place, unit) in units.enumerate() {
            for change in &unit.changes {
                rows.add(place, change)?;
            }
            for values in write_backs::rows(unit, listeners) {
                rows.push(place, Slot::WriteBack, values);
            }
            rows.settle_turns(place);
        }
        Ok(rows)
    }

    /// The rows of each statement in its order, a few sizes at a time.
    pub(super) fn chunks(self) -> impl Iterator<Item = (&'static Statement, Vec<Row>)> {
        let mut all = self.0;
        STATEMENTS.iter().flat_map(move |statement| {
            let mut rows = all.get_mut(statement.slot as usize).map(std::mem::take).unwrap_or_default();
            std::iter::from_fn(move || {
                let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
                let rest = rows.split_off(size);
                Some((statement, std::mem::replace(&mut rows, rest)))
            })
        })
    }

    fn push(&mut self, unit: usize, slot: Slot, values: Vec<Value>) {
        if let Some(rows) = self.0.get_mut(slot as usize) {
            rows.push(Row { unit, values });
        }
    }

    fn add(&mut self, unit: usize, change: &Change) -> Result<(), sqlx::Error> {
        let (slot, values) = match change {
            Change::Inbox(entry) => (Slot::Inbox, inbox(entry)),
            Change::NewCustomer(new) => (Slot::NewCustomer, customer(new)?),
            Change::Customer(changed) => (Slot::Customer, customer(changed)?),
            Change::NewIdentity(new) => (Slot::NewIdentity, identity(new)),
            Change::SeenIdentity(seen) => (Slot::SeenIdentity, seen_identity(seen)),
            Change::Person(change) => people::row(change),
            Change::NewCase(new) => (Slot::NewCase, case(new, &new.customer)?),
            Change::NewCaseOf { case: new, owner } => (Slot::NewCase, case(new, owner)?),
            Change::Case(changed) => (Slot::Case, case(changed, &changed.customer)?),
            Change::SeenCase { case, version } => {
                (Slot::SeenCase, vec![text(case.as_str()), Value::Int(*version)])
            }
            Change::Message(new) => (Slot::Message, message(new)?),
            Change::Attachment(new) => (Slot::Attachment, attachments::row(new)),
            Change::Event(new) => (Slot::Event, event(new)),
            Change::OpenTurn(new) => (Slot::OpenTurn, turn(new)),
            Change::CloseTurn { turn, epoch, outcome, at } => {
                (Slot::Turn, held(turn, *epoch, text(outcome.as_str()), [Value::Int(at.0), Value::NoInt]))
            }
            Change::RetryTurn { turn, epoch, due_at } => {
                (Slot::Turn, held(turn, *epoch, Value::NoText, [Value::NoInt, Value::Int(due_at.0)]))
            }
            Change::HoldTurn { turn, epoch } => {
                (Slot::Turn, held(turn, *epoch, Value::NoText, [Value::NoInt, Value::NoInt]))
            }
            Change::Receipt(new) => (Slot::Receipt, receipt(new)?),
            Change::ModelCall { case, customer, at, call } => {
                (Slot::ModelCall, model_call(case, customer, *at, call))
            }
            Change::Claim(claim) => (Slot::Claim, ledger(claim)),
            Change::Settle { key, status } => (Slot::Settle, vec![text(key), text(status.as_str())]),
            Change::Deliver(new) => (Slot::Deliver, delivery(new)),
            Change::Delivered { delivery, state, attempts, due_at, provider_id, reason } => (
                Slot::Delivered,
                vec![
                    text(delivery.as_str()),
                    text(state.as_str()),
                    Value::Int(*attempts),
                    Value::Int(due_at.0),
                    maybe(provider_id.as_deref()),
                    maybe(reason.as_deref()),
                ],
            ),
            Change::Heard(conversation) => (Slot::Heard, heard(conversation)),
            Change::Consent(given) => (Slot::Consent, consent(given)),
            Change::AskedToRate(new) => (Slot::AskedToRate, ratings::row(new)),
            Change::Rated { case, score, at } => (Slot::Rated, ratings::answer(case, score, *at)),
            Change::GivenTo { agent, version, at } => {
                (Slot::GivenTo, vec![text(agent.as_str()), Value::Int(*version), Value::Int(at.0)])
            }
            Change::Handoff(new) => (Slot::Handoff, handoff(new)?),
            Change::HandoffTaken { handoff, agent, at } => {
                (Slot::HandoffTaken, vec![text(handoff.as_str()), text(agent.as_str()), Value::Int(at.0)])
            }
        };
        self.push(unit, slot, values);
        Ok(())
    }

    /// Closing a turn or giving it back proves that it is held; two rows for one turn would leave open which counts.
    fn settle_turns(&mut self, unit: usize) {
        let Some(rows) = self.0.get_mut(Slot::Turn as usize) else { return };
        let first = rows.iter().position(|row| row.unit == unit).unwrap_or(rows.len());
        let mut own = rows.split_off(first);
        own.sort_by_key(|row| {
            row.values.iter().filter(|v| matches!(v, Value::NoText | Value::NoInt)).count()
        });
        for row in own {
            if !rows.iter().any(|kept| kept.unit == unit && kept.key() == row.key()) {
                rows.push(row);
            }
        }
    }
}

/// What becomes of a turn that is still held: its outcome, when it was closed, when it is due again.
fn held(turn: &TurnId, epoch: i64, outcome: Value, [closed_at, due_at]: [Value; 2]) -> Vec<Value> {
    vec![text(turn.as_str()), Value::Int(epoch), outcome, closed_at, due_at]
}

fn model_call(case: &CaseId, customer: &CustomerId, at: Timestamp, call: &CallRecord) -> Vec<Value> {
    let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    vec![
        text(case.as_str()),
        text(customer.as_str()),
        Value::Int(at.0),
        text(&call.model),
        text(&call.purpose),
        text(&call.outcome),
        count(call.usage.input),
        count(call.usage.cached),
        count(call.usage.output),
        Value::Int(call.milliseconds),
        Value::Int(call.cost_micros),
    ]
}

fn customer(customer: &Customer) -> Result<Vec<Value>, sqlx::Error> {
    let crm = if customer.crm == Crm::default() { Value::NoText } else { text(&json(&customer.crm)?) };
    Ok(vec![
        text(customer.id.as_str()),
        maybe(customer.external_id.as_deref()),
        maybe(customer.name.as_deref()),
        maybe(customer.email.as_deref()),
        maybe(customer.phone.as_deref()),
        maybe(customer.language.as_deref()),
        crm,
        Value::Int(customer.created_at.0),
        Value::Int(customer.version),
    ])
}

fn identity(identity: &Identity) -> Vec<Value> {
    vec![
        text(identity.id.as_str()),
        text(identity.customer.as_str()),
        text(&identity.channel),
        text(&identity.address),
        text(identity.assurance.as_str()),
        text(&identity.proof),
        text(identity.link.as_str()),
        maybe(identity.proven.as_ref().map(|proven| proven.case.as_str())),
        maybe(identity.proven.as_ref().map(|proven| proven.conversation.as_str())),
        moment(identity.proven.as_ref().map(|proven| proven.until)),
        Value::Int(identity.first_seen.0),
        Value::Int(identity.last_seen.0),
    ]
}

fn seen_identity(seen: &Identity) -> Vec<Value> {
    vec![
        text(seen.id.as_str()),
        text(seen.assurance.as_str()),
        text(&seen.proof),
        text(seen.link.as_str()),
        maybe(seen.proven.as_ref().map(|proven| proven.case.as_str())),
        maybe(seen.proven.as_ref().map(|proven| proven.conversation.as_str())),
        moment(seen.proven.as_ref().map(|proven| proven.until)),
        Value::Int(seen.last_seen.0),
    ]
}

fn case(case: &Case, owner: &CustomerId) -> Result<Vec<Value>, sqlx::Error> {
    let mut values = vec![
        text(case.id.as_str()),
        text(owner.as_str()),
        text(case.state.as_str()),
        Value::Int(case.version),
        text(&case.channel),
        text(&case.conversation),
        text(case.assurance.as_str()),
        maybe(case.intent.as_ref().map(ProcedureId::as_str)),
        maybe(case.issue.as_deref()),
        text(&case.language),
        text(case.urgency.as_str()),
        Value::Text(word(&case.sentiment)?),
        maybe(case.team.as_ref().map(TeamId::as_str)),
        maybe(case.agent.as_ref().map(AgentId::as_str)),
        case.resolution.as_ref().map(word).transpose()?.map_or(Value::NoText, Value::Text),
        maybe(case.follows.as_ref().map(CaseId::as_str)),
        case.pending.as_ref().map(json).transpose()?.map_or(Value::NoText, Value::Text),
        text(&case.memory),
        Value::Int(case.message_seq),
        Value::Int(case.inbound_seq),
        Value::Int(case.answered_seq),
        Value::Int(case.event_seq),
        text(&case.event_hash),
        Value::Int(case.opened_at.0),
        Value::Int(case.updated_at.0),
        moment(case.resolved_at),
        moment(case.snoozed_until),
        case.doubt.as_ref().map(json).transpose()?.map_or(Value::NoText, |doubt| text(&doubt)),
        case.move_offer.as_ref().map(json).transpose()?.map_or(Value::NoText, |offer| text(&offer)),
    ];
    values.extend(routing::wait_values(&case.wait)?);
    Ok(values)
}

fn inbox(entry: &InboxEntry) -> Vec<Value> {
    vec![
        text(entry.message.as_str()),
        text(&entry.channel),
        text(&entry.external_id),
        text(&entry.digest),
        text(entry.case.as_str()),
        text(entry.customer.as_str()),
        Value::Int(entry.at.0),
    ]
}

fn message(message: &Message) -> Result<Vec<Value>, sqlx::Error> {
    Ok(vec![
        text(message.id.as_str()),
        text(message.case.as_str()),
        Value::Int(message.seq),
        text(message.author.as_str()),
        maybe(message.agent.as_ref().map(AgentId::as_str)),
        text(&message.channel),
        text(&message.text),
        Value::Int(message.at.0),
        Value::Text(word(&message.visibility)?),
        Value::Text(json(&message.citations)?),
        Value::Text(json(&message.choices)?),
        Value::Text(json(&message.attachments)?),
        maybe(message.turn.as_ref().map(TurnId::as_str)),
    ])
}

fn event(event: &Event) -> Vec<Value> {
    vec![
        text(event.case.as_str()),
        Value::Int(event.seq),
        Value::Int(event.at.0),
        text(&event.kind),
        text(&event.body),
        text(&event.hash),
    ]
}

fn turn(turn: &Turn) -> Vec<Value> {
    vec![
        text(turn.id.as_str()),
        text(turn.case.as_str()),
        Value::Int(turn.epoch),
        text(&turn.holder),
        Value::Int(turn.leased_until.0),
        Value::Int(turn.attempts),
        Value::Int(turn.due_at.0),
        Value::Int(turn.opened_at.0),
    ]
}

fn receipt(receipt: &Receipt) -> Result<Vec<Value>, sqlx::Error> {
    Ok(vec![
        text(receipt.id.as_str()),
        text(receipt.case.as_str()),
        text(receipt.turn.as_str()),
        text(&receipt.tool),
        Value::Text(word(&receipt.effect)?),
        Value::Text(json(&receipt.arguments)?),
        text(receipt.status.as_str()),
        Value::Text(json(&receipt.result)?),
        Value::Int(receipt.at.0),
        Value::Int(receipt.duration_ms),
    ])
}

fn ledger(entry: &LedgerEntry) -> Vec<Value> {
    vec![
        text(&entry.key),
        text(entry.case.as_str()),
        text(entry.customer.as_str()),
        text(&entry.tool),
        text(&entry.arguments),
        entry.amount_minor.map_or(Value::NoInt, Value::Int),
        maybe(entry.status.map(CallStatus::as_str)),
        Value::Int(entry.claimed_at.0),
    ]
}

fn delivery(delivery: &Delivery) -> Vec<Value> {
    vec![
        text(delivery.id.as_str()),
        text(delivery.case.as_str()),
        text(delivery.message.as_str()),
        Value::Int(delivery.part),
        text(&delivery.channel),
        text(&delivery.conversation),
        text(delivery.state.as_str()),
        Value::Int(delivery.attempts),
        Value::Int(delivery.due_at.0),
        Value::Text(String::new()),
        Value::Int(0),
    ]
}

fn heard(conversation: &Conversation) -> Vec<Value> {
    vec![
        text(&conversation.channel),
        text(&conversation.conversation),
        text(&conversation.address),
        Value::Int(conversation.last_inbound_at.0),
        maybe(conversation.threading.as_deref()),
    ]
}

fn consent(consent: &Consent) -> Vec<Value> {
    vec![
        text(&consent.id),
        text(&consent.channel),
        text(&consent.address),
        Value::Int(i64::from(consent.opted_out)),
        text(&consent.word),
        Value::Int(consent.at.0),
    ]
}

fn handoff(handoff: &Handoff) -> Result<Vec<Value>, sqlx::Error> {
    Ok(vec![
        text(handoff.id.as_str()),
        text(handoff.case.as_str()),
        text(handoff.team.as_str()),
        text(handoff.urgency.as_str()),
        text(&handoff.reason),
        Value::Text(json(&handoff.note)?),
        Value::Int(handoff.at.0),
        maybe(handoff.taken_by.as_ref().map(AgentId::as_str)),
    ])
}
