//! The statements of a transaction, in the order in which it runs them.
//!
//! Every statement is a head, a list of rows and a tail, so that one statement stores the rows of a
//! whole batch. A guarded one returns the first value of each row that it accepted; a unit with a row
//! that is missing there is refused.

use std::fmt::Write as _;

use super::connection::Dialect;
use super::rows::Row;
use super::unit::Refusal;

/// A multi-row statement.
pub(super) struct Statement {
    pub(super) slot: Slot,
    pub(super) head: &'static str,
    pub(super) tail: &'static str,
    /// For a statement that may pass a row over.
    pub(super) guard: Option<Guard>,
}

/// How a statement says which rows it accepted, and what a row means that it did not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// The column that holds the first value of an accepted row.
    pub(super) returning: &'static str,
    pub(super) refusal: Refusal,
}

impl Statement {
    /// Writes the statement for these rows, which are not none.
    pub(super) fn write(&self, text: &mut String, dialect: Dialect, rows: &[Row]) {
        text.push_str(self.head);
        values(text, dialect, rows);
        text.push_str(self.tail);
    }
}

/// Writes a place for each value of these rows. Only the marks of the values differ between the databases: SQLite looks
/// up numbered ones one by one (quadratic in their number), PostgreSQL knows no others.
pub(super) fn values(text: &mut String, dialect: Dialect, rows: &[Row]) {
    let columns = rows.first().map_or(0, |row| row.values.len());
    for place in 0..rows.len() * columns {
        text.push_str(match (place % columns, place) {
            (0, 0) => "(",
            (0, _) => "), (",
            _ => ", ",
        });
        match dialect {
            Dialect::Sqlite => text.push('?'),
            // A `String` takes every write.
            Dialect::Postgres => _ = write!(text, "${}", place + 1),
        }
    }
    text.push(')');
}

/// Which statement a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    NewCustomer,
    Customer,
    EndIdentity,
    NewIdentity,
    SeenIdentity,
    Unmerge,
    Merge,
    Root,
    NewCase,
    Case,
    SeenCase,
    AskedToRate,
    Rated,
    GivenTo,
    Turn,
    Inbox,
    Claim,
    OpenTurn,
    Message,
    Attachment,
    Event,
    Receipt,
    ModelCall,
    Settle,
    Deliver,
    Delivered,
    Heard,
    Consent,
    Handoff,
    HandoffTaken,
    WriteBack,
    Typed,
    Challenge,
    Proven,
    Code,
}

/// Whatever may be refused comes first. The ledger is the last of those: a claim that loses against
/// another of the same batch loses against one that is going to be committed.
pub(super) static STATEMENTS: [Statement; 35] = [
    Statement {
        slot: Slot::NewCustomer,
        head: "insert into customers (id, external_id, name, email, phone, language, crm, created_at, version) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::Customer,
        head: "with v (id, external_id, name, email, phone, language, crm, created_at, version) as (values ",
        tail: ") update customers set external_id = v.external_id, name = v.name, email = v.email, phone = v.phone,
                   language = v.language, crm = v.crm, version = v.version, indexed = 0
                   from v where customers.id = v.id and customers.version = v.version - 1",
        guard: Some(Guard { returning: "customers.id", refusal: Refusal::Stale }),
    },
    // Before the new ones: an address that passes on is nobody's for a moment.
    Statement {
        slot: Slot::EndIdentity,
        head: "with v (id, ended_at, ended_because) as (values ",
        tail: ") update identities set ended_at = v.ended_at, ended_because = v.ended_because
                   from v where identities.id = v.id and identities.ended_at is null",
        guard: Some(Guard { returning: "identities.id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::NewIdentity,
        head: "insert into identities (id, customer_id, channel, address, assurance, proof, link, proven_case,
                   proven_conversation, proven_until, first_seen, last_seen) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::SeenIdentity,
        head: "with v (id, assurance, proof, link, proven_case, proven_conversation, proven_until, last_seen) as (values ",
        tail: ") update identities set assurance = v.assurance, proof = v.proof, link = v.link,
                   proven_case = v.proven_case, proven_conversation = v.proven_conversation,
                   proven_until = v.proven_until, last_seen = v.last_seen
                   from v where identities.id = v.id",
        guard: None,
    },
    Statement {
        slot: Slot::Unmerge,
        head: "with v (id, undone_by, undone_at) as (values ",
        tail: ") update merges set undone_by = v.undone_by, undone_at = v.undone_at
                   from v where merges.id = v.id and merges.undone_at is null",
        guard: Some(Guard { returning: "merges.id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::Merge,
        head: "insert into merges (id, kept, absorbed, by_whom, at) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::Root,
        head: "with v (id, root_id) as (values ",
        tail: ") update customers set root_id = v.root_id from v where customers.id = v.id",
        guard: None,
    },
    Statement {
        slot: Slot::NewCase,
        head: "insert into cases (id, customer_id, state, version, channel, conversation, assurance, intent, issue,
                   language, urgency, sentiment, team, agent_id, resolution, follows, pending, memory, message_seq,
                   inbound_seq, answered_seq, event_seq, event_hash, opened_at, updated_at, resolved_at, snoozed_until, doubt,
                   move_offer, waiting_since, due_at, first_answer_at, offered_to, offer_expires_at, wait) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Case,
        head: "with v (id, customer_id, state, version, channel, conversation, assurance, intent, issue,
                   language, urgency, sentiment, team, agent_id, resolution, follows, pending, memory, message_seq,
                   inbound_seq, answered_seq, event_seq, event_hash, opened_at, updated_at, resolved_at, snoozed_until, doubt,
                   move_offer, waiting_since, due_at, first_answer_at, offered_to, offer_expires_at, wait)
                   as (values ",
        tail: ") update cases set state = v.state, version = v.version, channel = v.channel,
                   conversation = v.conversation, assurance = v.assurance, intent = v.intent, issue = v.issue,
                   language = v.language, urgency = v.urgency, sentiment = v.sentiment, team = v.team,
                   agent_id = v.agent_id, resolution = v.resolution, follows = v.follows, pending = v.pending,
                   memory = v.memory, message_seq = v.message_seq, inbound_seq = v.inbound_seq,
                   answered_seq = v.answered_seq, event_seq = v.event_seq, event_hash = v.event_hash,
                   updated_at = v.updated_at, resolved_at = v.resolved_at, snoozed_until = v.snoozed_until, doubt = v.doubt,
                   move_offer = v.move_offer,
                   waiting_since = v.waiting_since, due_at = v.due_at, first_answer_at = v.first_answer_at,
                   offered_to = v.offered_to, offer_expires_at = v.offer_expires_at, wait = v.wait
                   from v where cases.id = v.id and cases.version = v.version - 1",
        guard: Some(Guard { returning: "cases.id", refusal: Refusal::Stale }),
    },
    // Changes nothing: the row is as it was read, and stays so until the transaction ends.
    Statement {
        slot: Slot::SeenCase,
        head: "with v (id, version) as (values ",
        tail: ") update cases set version = v.version
                   from v where cases.id = v.id and cases.version = v.version",
        guard: Some(Guard { returning: "cases.id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::AskedToRate,
        head: "insert into ratings (case_id, customer_id, channel, conversation, of_whom, message_id, asked_seq, asked_at,
                   skipped) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "case_id", refusal: Refusal::Stale }),
    },
    Statement {
        slot: Slot::Rated,
        head: "with v (case_id, score, scale, comment, answered_at) as (values ",
        tail: ") update ratings set score = v.score, scale = v.scale, comment = v.comment, answered_at = v.answered_at
                   from v where ratings.case_id = v.case_id and ratings.answered_at is null",
        guard: Some(Guard { returning: "ratings.case_id", refusal: Refusal::Stale }),
    },
    // One row per person and transaction changes: two processes that give at once do not both succeed.
    Statement {
        slot: Slot::GivenTo,
        head: "with v (agent_id, version, given_at) as (values ",
        tail: ") update presences set version = presences.version + 1, given_at = v.given_at
                   from v where presences.agent_id = v.agent_id and presences.version = v.version",
        guard: Some(Guard { returning: "presences.agent_id", refusal: Refusal::Stale }),
    },
    // An outcome closes the turn, a due time gives it back, neither only holds it (and locks its row).
    Statement {
        slot: Slot::Turn,
        head: "with v (id, epoch, outcome, closed_at, due_at) as (values ",
        tail: ") update turns set outcome = v.outcome, closed_at = v.closed_at,
                   due_at = coalesce(v.due_at, turns.due_at),
                   holder = case when v.due_at is null then turns.holder else '' end,
                   leased_until = case when v.due_at is null then turns.leased_until else 0 end
                   from v where turns.id = v.id and turns.epoch = v.epoch and turns.closed_at is null",
        guard: Some(Guard { returning: "turns.id", refusal: Refusal::LostLease }),
    },
    Statement {
        slot: Slot::Inbox,
        head: "insert into inbox (message_id, channel, external_id, digest, case_id, customer_id, at) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "message_id", refusal: Refusal::Duplicate }),
    },
    Statement {
        slot: Slot::Claim,
        head: "insert into ledger (key, case_id, customer_id, tool, arguments, amount_minor, status, claimed_at) values ",
        tail: " on conflict do nothing",
        guard: Some(Guard { returning: "key", refusal: Refusal::AlreadyClaimed }),
    },
    Statement {
        slot: Slot::OpenTurn,
        head: "insert into turns (id, case_id, epoch, holder, leased_until, attempts, due_at, opened_at) values ",
        tail: " on conflict do nothing",
        guard: None,
    },
    Statement {
        slot: Slot::Message,
        head: "insert into messages (id, case_id, seq, author, agent_id, channel, text, at, visibility, citations,
                   choices, attachments, turn_id) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Attachment,
        head: "insert into attachments (id, case_id, message_id, name, content_type, bytes_count, content, at) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Event,
        head: "insert into events (case_id, seq, at, kind, body, hash) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Receipt,
        head: "insert into receipts (id, case_id, turn_id, tool, effect, arguments, status, result, at, duration_ms) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::ModelCall,
        head: "insert into model_calls (case_id, customer_id, at, model, purpose, outcome, input_tokens, cached_tokens,
                   output_tokens, milliseconds, cost_micros) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Settle,
        head: "with v (key, status) as (values ",
        tail: ") update ledger set status = v.status from v where ledger.key = v.key and ledger.status is null",
        guard: None,
    },
    Statement {
        slot: Slot::Deliver,
        head: "insert into outbox (id, case_id, message_id, part, channel, conversation, state, attempts, due_at, holder,
                   interrupted) values ",
        tail: "",
        guard: None,
    },
    // Forward only, as `DeliveryState::precedes` says; the provider's name for it is kept whichever news comes first.
    Statement {
        slot: Slot::Delivered,
        head: "with v (id, state, attempts, due_at, provider_id, reason) as (values ",
        tail: ") update outbox set
                   state = case when outbox.state = 'pending'
                       or (outbox.state = 'unknown' and v.state in ('sent', 'delivered', 'read', 'failed'))
                       or (outbox.state = 'sent' and v.state in ('delivered', 'read', 'failed'))
                       or (outbox.state = 'delivered' and v.state = 'read') then v.state else outbox.state end,
                   attempts = case when outbox.state = 'pending' then v.attempts else outbox.attempts end,
                   due_at = case when outbox.state in ('pending', 'unknown') then v.due_at else outbox.due_at end,
                   provider_id = coalesce(v.provider_id, outbox.provider_id),
                   reason = coalesce(v.reason, outbox.reason), holder = '', interrupted = 0
                   from v where outbox.id = v.id",
        guard: None,
    },
    Statement {
        slot: Slot::Heard,
        head: "insert into conversations (channel, conversation, address, last_inbound_at, threading) values ",
        tail: " on conflict (channel, conversation) do update set address = excluded.address,
                   last_inbound_at = excluded.last_inbound_at,
                   threading = coalesce(excluded.threading, conversations.threading)",
        guard: None,
    },
    Statement {
        slot: Slot::Consent,
        head: "insert into consents (id, channel, address, opted_out, word, at) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Handoff,
        head: "insert into handoffs (id, case_id, team, urgency, reason, note, at, taken_by) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::HandoffTaken,
        head: "with v (id, taken_by, taken_at) as (values ",
        tail: ") update handoffs set taken_by = v.taken_by, taken_at = v.taken_at
                   from v where handoffs.id = v.id and handoffs.taken_by is null",
        guard: None,
    },
    Statement {
        slot: Slot::WriteBack,
        head: "insert into write_backs (id, case_id, event, at, state, attempts, due_at, holder, target, place, body,
                   message_id) values ",
        tail: " on conflict do nothing",
        guard: None,
    },
    Statement {
        slot: Slot::Typed,
        head: "insert into claims (customer_id, kind, value, at) values ",
        tail: " on conflict do nothing",
        guard: None,
    },
    Statement {
        slot: Slot::Challenge,
        head: "insert into challenges (id, case_id, customer_id, target_id, contact, salt, hash, request, tries,
                   created_at, expires_at) values ",
        tail: "",
        guard: None,
    },
    Statement {
        slot: Slot::Proven,
        head: "with v (id, proven_at) as (values ",
        tail: ") update challenges set proven_at = v.proven_at
                   from v where challenges.id = v.id and challenges.proven_at is null",
        guard: None,
    },
    Statement {
        slot: Slot::Code,
        head: "insert into code_texts (delivery_id, code, expires_at) values ",
        tail: "",
        guard: None,
    },
];
