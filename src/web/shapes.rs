//! The JSON bodies of the API, apart from the domain so that either may change without the other.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::desk::approvals::{Pending, Standing};
use crate::domain::case::Case;
use crate::domain::customer::{Customer, Identity};
use crate::domain::event::Event;
use crate::domain::handoff::Handoff;
use crate::domain::ids::CaseId;
use crate::domain::merge::Merge;
use crate::domain::message::{Message, Visibility};
use crate::domain::receipt::CallStatus;
use crate::domain::routing::Offer;
use crate::store::{DeskCase, Erased, Match, ModelTotals};

/// A part of a list; `next` is the `cursor` of the part after it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// One article that an answer relies on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CitationBody {
    article: String,
    title: String,
}

/// Something that came with a message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttachmentBody {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The file itself is at `/v1/attachments/{id}`; without it the file stays with its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// One entry of a thread.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageBody {
    id: String,
    case_id: String,
    /// Place in the case's thread, from 1.
    seq: i64,
    /// `customer`, `assistant` or `agent`.
    author: &'static str,
    /// The agent who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    channel: String,
    text: String,
    /// RFC 3339, UTC.
    at: String,
    /// Only agents may read it.
    internal: bool,
    citations: Vec<CitationBody>,
    /// Quick replies.
    choices: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentBody>,
}

impl From<&Message> for MessageBody {
    fn from(message: &Message) -> Self {
        let citations = message.citations.iter();
        let attachments = message.attachments.iter().cloned();
        Self {
            id: message.id.to_string(),
            case_id: message.case.to_string(),
            seq: message.seq,
            author: message.author.as_str(),
            agent_id: message.agent.as_ref().map(ToString::to_string),
            channel: message.channel.clone(),
            text: message.text.clone(),
            at: message.at.to_string(),
            internal: message.visibility == Visibility::Internal,
            citations: citations
                .map(|one| CitationBody { article: one.article.clone(), title: one.title.clone() })
                .collect(),
            choices: message.choices.clone(),
            attachments: attachments
                .map(|one| AttachmentBody {
                    name: one.name,
                    content_type: one.content_type,
                    url: one.url,
                    id: one.id.map(String::from),
                })
                .collect(),
        }
    }
}

/// One problem of one customer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaseBody {
    pub(super) id: String,
    pub(super) customer_id: String,
    /// `assistant`, `queued`, `agent`, `snoozed`, `resolved` or `closed`.
    pub(super) state: &'static str,
    channel: String,
    conversation: String,
    /// How well the writer of the newest message is proven.
    assurance: &'static str,
    intent: Option<String>,
    pub(super) issue: Option<String>,
    language: String,
    pub(super) urgency: &'static str,
    pub(super) team: Option<String>,
    agent_id: Option<String>,
    /// The older case that this one follows.
    follows: Option<String>,
    messages: i64,
    opened_at: String,
    pub(super) updated_at: String,
    resolved_at: Option<String>,
    snoozed_until: Option<String>,
    /// Since when the customer waits, or waited, for a person.
    waiting_since: Option<String>,
    /// When the first answer of a person is due, or was.
    due_at: Option<String>,
    /// When it came.
    first_answer_at: Option<String>,
    /// The person to whom it is offered now.
    offer: Option<OfferBody>,
    /// What language models took for it; only where one case is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<ModelBody>,
}

/// To whom a waiting case is offered, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfferBody {
    agent_id: String,
    /// One short reason after the other.
    because: Vec<String>,
    at: String,
    /// After this it goes on to the next.
    expires_at: String,
}

impl From<&Offer> for OfferBody {
    fn from(offer: &Offer) -> Self {
        Self {
            agent_id: offer.agent.to_string(),
            because: offer.because.clone(),
            at: offer.at.to_string(),
            expires_at: offer.expires_at.to_string(),
        }
    }
}

/// What language models took for a case.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelBody {
    /// Calls, failed ones included.
    calls: i64,
    input_tokens: i64,
    output_tokens: i64,
    milliseconds: i64,
    /// Millionths of the currency of the configured prices.
    cost_micros: i64,
}

impl From<ModelTotals> for ModelBody {
    fn from(totals: ModelTotals) -> Self {
        let ModelTotals { calls, input_tokens, output_tokens, milliseconds, cost_micros } = totals;
        Self { calls, input_tokens, output_tokens, milliseconds, cost_micros }
    }
}

impl From<&Case> for CaseBody {
    fn from(case: &Case) -> Self {
        let text = |id: Option<&dyn std::fmt::Display>| id.map(ToString::to_string);
        Self {
            id: case.id.to_string(),
            customer_id: case.customer.to_string(),
            state: case.state.as_str(),
            channel: case.channel.clone(),
            conversation: case.conversation.clone(),
            assurance: case.assurance.as_str(),
            intent: text(case.intent.as_ref().map(|id| id as _)),
            issue: case.issue.clone(),
            language: case.language.clone(),
            urgency: case.urgency.as_str(),
            team: text(case.team.as_ref().map(|id| id as _)),
            agent_id: text(case.agent.as_ref().map(|id| id as _)),
            follows: text(case.follows.as_ref().map(|id| id as _)),
            messages: case.message_seq,
            opened_at: case.opened_at.to_string(),
            updated_at: case.updated_at.to_string(),
            resolved_at: text(case.resolved_at.as_ref().map(|at| at as _)),
            snoozed_until: text(case.snoozed_until.as_ref().map(|at| at as _)),
            waiting_since: text(case.wait.since.as_ref().map(|at| at as _)),
            due_at: text(case.wait.due_at.as_ref().map(|at| at as _)),
            first_answer_at: text(case.wait.answered_at.as_ref().map(|at| at as _)),
            offer: case.wait.offer.as_ref().map(OfferBody::from),
            model: None,
        }
    }
}

/// One line of a case's log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventBody {
    seq: i64,
    at: String,
    kind: String,
    /// The particulars.
    body: Value,
    /// SHA-256 over the event before it and this one.
    hash: String,
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        Self {
            seq: event.seq,
            at: event.at.to_string(),
            kind: event.kind.clone(),
            body: serde_json::from_str(&event.body).unwrap_or_else(|_| Value::String(event.body.clone())),
            hash: event.hash.clone(),
        }
    }
}

/// A case's log, with the word on whether it is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    pub(super) items: Vec<EventBody>,
    pub(super) next: Option<String>,
    /// No row was changed, removed or added by hand, from the first one to the newest.
    pub(super) intact: bool,
    /// The first row where that is not so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broken_at: Option<i64>,
}

/// A case that went to people, and what they read first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HandoffBody {
    id: String,
    case_id: String,
    team: String,
    urgency: &'static str,
    /// Why, in one word.
    reason: String,
    at: String,
    /// The agent who took it.
    taken_by: Option<String>,
    /// Every field is filled, or says `unknown_because`.
    note: Value,
    /// Where the case is, when it was given to another desk.
    pub(super) desk: Option<DeskBody>,
}

impl From<&Handoff> for HandoffBody {
    fn from(handoff: &Handoff) -> Self {
        Self {
            id: handoff.id.to_string(),
            case_id: handoff.case.to_string(),
            team: handoff.team.to_string(),
            urgency: handoff.urgency.as_str(),
            reason: handoff.reason.clone(),
            at: handoff.at.to_string(),
            taken_by: handoff.taken_by.as_ref().map(ToString::to_string),
            note: serde_json::to_value(&handoff.note).unwrap_or_default(),
            desk: None,
        }
    }
}

/// A handoff to another desk.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeskBody {
    /// Its name in the settings.
    name: String,
    /// `opening`, `theirs`, `over` or `returned` (it could not be reached).
    state: &'static str,
    /// What the desk calls the case.
    foreign_id: Option<String>,
    /// Why it came back.
    reason: Option<String>,
    at: String,
}

impl From<DeskCase> for DeskBody {
    fn from(there: DeskCase) -> Self {
        Self {
            name: there.desk,
            state: there.state.as_str(),
            foreign_id: there.foreign_id,
            reason: there.reason,
            at: there.at.to_string(),
        }
    }
}

/// A write that waits, or waited, for a person's word.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApprovalBody {
    id: String,
    case_id: String,
    tool: String,
    /// What exactly it is called with.
    arguments: Value,
    /// Over tool and arguments.
    hash: String,
    /// Which limit it passed.
    because: String,
    expires_at: String,
    /// `waiting`, `expired`, `over` (the case was settled or given back first), `approved` or `refused`.
    pub(super) state: &'static str,
    decided_by: Option<String>,
    decided_at: Option<String>,
    /// Of an approved one: `done`, `refused` by the tool, `failed`, `unknown` (sent, no answer came; it is never sent
    /// again), or nothing while it is under way.
    outcome: Option<&'static str>,
}

impl ApprovalBody {
    pub(super) fn of(case: &CaseId, pending: &Pending) -> Self {
        let approval = &pending.approval;
        let (state, decided) = match &pending.standing {
            Standing::Waiting => ("waiting", None),
            Standing::Expired => ("expired", None),
            Standing::Over => ("over", None),
            Standing::Decided { decision, by, at, outcome } => (decision.as_str(), Some((by, at, outcome))),
        };
        Self {
            id: approval.id.to_string(),
            case_id: case.to_string(),
            tool: approval.tool.clone(),
            arguments: serde_json::from_str(&approval.arguments).unwrap_or_default(),
            hash: approval.hash.clone(),
            because: approval.because.clone(),
            expires_at: approval.expires_at.to_string(),
            state,
            decided_by: decided.map(|(by, ..)| by.clone()),
            decided_at: decided.map(|(_, at, _)| at.to_string()),
            outcome: decided.and_then(|(.., outcome)| outcome.map(CallStatus::as_str)),
        }
    }
}

/// One address of a customer, and why it is theirs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IdentityBody {
    channel: String,
    address: String,
    assurance: &'static str,
    proof: String,
    /// How it came to be theirs: `first_contact`, `api_key`, `operator`, `code` or `session_token`.
    link: &'static str,
    first_seen: String,
    last_seen: String,
    /// Since when it is theirs no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

/// A merge that stands: who was found to be whom, by whom and when.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MergeBody {
    kept: String,
    absorbed: String,
    /// `agent:…`, `key:…`, `code` or `session`.
    by: String,
    at: String,
}

/// A customer who may be this one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MatchBody {
    customer_id: String,
    external_id: Option<String>,
    name: Option<String>,
    /// What both have in common. None of it is proof.
    evidence: Vec<EvidenceBody>,
}

/// One thing that two customers have in common.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceBody {
    /// `email`, `phone` or `name`.
    kind: String,
    value: String,
    /// Where this customer's stands: `record`, `address` (they write from it) or `typed`.
    here: String,
    /// Where the other's stands: as `here`, or `proven` (they proved that they write from it).
    there: String,
}

impl From<Match> for MatchBody {
    fn from(found: Match) -> Self {
        let evidence = found.evidence.into_iter();
        Self {
            customer_id: found.customer.id.to_string(),
            external_id: found.customer.external_id,
            name: found.customer.name,
            evidence: evidence
                .map(|one| EvidenceBody {
                    kind: one.kind,
                    value: one.value,
                    here: one.here,
                    there: one.there,
                })
                .collect(),
        }
    }
}

/// A person we serve.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CustomerBody {
    id: String,
    external_id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    language: Option<String>,
    /// What the operator's CRM calls their standing.
    tier: Option<String>,
    /// Who looks after them, as the CRM says.
    owner: Option<String>,
    tags: Vec<String>,
    /// The fields that came from the CRM: nothing that is written on a channel changes them.
    crm_fields: Vec<&'static str>,
    /// When the CRM last changed one of them.
    crm_changed_at: Option<String>,
    created_at: String,
    identities: Vec<IdentityBody>,
    /// Customers of ours that were found to be this person.
    merges: Vec<MergeBody>,
}

impl CustomerBody {
    pub(super) fn of(customer: &Customer, identities: Vec<Identity>, merges: Vec<Merge>) -> Self {
        let identity = |one: Identity| IdentityBody {
            channel: one.channel,
            address: one.address,
            assurance: one.assurance.as_str(),
            proof: one.proof,
            link: one.link.as_str(),
            first_seen: one.first_seen.to_string(),
            last_seen: one.last_seen.to_string(),
            ended_at: one.ended_at.map(|at| at.to_string()),
        };
        let merge = |one: Merge| MergeBody {
            kept: one.kept.to_string(),
            absorbed: one.absorbed.to_string(),
            by: one.by,
            at: one.at.to_string(),
        };
        Self {
            id: customer.id.to_string(),
            external_id: customer.external_id.clone(),
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            language: customer.language.clone(),
            tier: customer.crm.tier.clone(),
            owner: customer.crm.owner.clone(),
            tags: customer.crm.tags.clone(),
            crm_fields: customer.crm.fields.iter().map(|field| field.as_str()).collect(),
            crm_changed_at: customer.crm.changed_at.map(|at| at.to_string()),
            created_at: customer.created_at.to_string(),
            identities: identities.into_iter().map(identity).collect(),
            merges: merges.into_iter().map(merge).collect(),
        }
    }
}

/// What an erasure came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErasedBody {
    /// Cases that were made empty.
    cases: usize,
    /// Rows that went or lost their words.
    rows: usize,
    /// Former rows are gone from the database's files too; when not, erase again later.
    forgotten: bool,
}

impl From<Erased> for ErasedBody {
    fn from(erased: Erased) -> Self {
        let Erased { cases, rows, forgotten } = erased;
        Self { cases, rows, forgotten }
    }
}
