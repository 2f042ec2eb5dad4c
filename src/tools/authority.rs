//! Whether a proposed call may happen. Code decides, from the record; no text can widen it.

use std::sync::Arc;

use serde_json::Value;

use super::{ToolSpec, Toolbox, arguments, ledger};
use crate::domain::assurance::Assurance;
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::handoff::Approval;
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::money::Money;
use crate::domain::procedure::{Action, Limits, Procedure, Verb};
use crate::domain::receipt::Effect;
use crate::domain::time::Timestamp;

/// What the calls of one tool for one customer came to today, in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Calls claimed, done or unknown.
    pub calls: i64,
    /// Their sum, minor units.
    pub amount_minor: i64,
    /// Calls that the other side refused in the last hour: this customer's, or for a value of the arguments by which
    /// they are counted; whichever are more.
    pub failures: i64,
}

/// Who asks for a call, in which state of the case.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its customer.
    pub customer: &'a Customer,
    /// The procedure under way. Without one nothing is written.
    pub procedure: Option<&'a Procedure>,
    /// What this tool came to today for this customer.
    pub spent: Spent,
    /// The newest messages of the case, any author.
    pub messages: &'a [Arc<Message>],
    /// Whether a text is a plain yes and nothing else, in a language we know or in that of the conversation.
    pub says_yes: fn(&str, &str) -> bool,
    /// The present.
    pub now: Timestamp,
}

/// The ruling on a proposed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// It may run, once.
    Allowed {
        /// Writes: the key of the ledger and of `Idempotency-Key`.
        key: Option<String>,
        /// Writes that move money: how much.
        amount_minor: Option<i64>,
    },
    /// List the details and ask for a yes to exactly this.
    NeedsYes,
    /// A person must approve exactly this.
    NeedsApproval {
        /// Which limit it passes.
        because: String,
    },
    /// It may not run.
    Denied {
        /// One word for the log.
        reason: &'static str,
        /// What to tell whoever proposed it.
        tell: String,
    },
}

fn denied(reason: &'static str, tell: impl Into<String>) -> Permit {
    Permit::Denied { reason, tell: tell.into() }
}

/// Rules on calling `name` with `arguments`. Every check fails closed.
pub fn permit(toolbox: &Toolbox, name: &str, arguments: &Value, asking: &Asking<'_>) -> Permit {
    let tool = match admitted(toolbox, name, arguments, asking.case, asking.customer) {
        Ok(tool) => tool,
        Err(refusal) => return refusal,
    };
    if let Err(refusal) = procedure_allows(&tool, asking) {
        return refusal;
    }
    let amount_minor = match amount(toolbox, &tool, arguments) {
        Ok(amount) => amount,
        Err(refusal) => return refusal,
    };
    if let Some(because) = limit_passed(&tool, asking, amount_minor) {
        return match tool.effect {
            Effect::Write => Permit::NeedsApproval { because },
            Effect::Read => denied("limit", because),
        };
    }
    // No procedure says what is usual here: the customer sees the details, and money needs a limit of the tool's own.
    let unguided = asking.procedure.is_none();
    if unguided && amount_minor.is_some() && tool.limits.max_amount_minor.is_none() {
        return Permit::NeedsApproval { because: "no limit is declared for this tool".to_owned() };
    }
    let confirm = tool.confirm || unguided;
    if tool.effect == Effect::Read {
        return Permit::Allowed { key: None, amount_minor: None };
    }
    let allowed_by = if confirm { fresh_yes(name, arguments, asking) } else { newest_word(asking) };
    match allowed_by {
        Some(message) => {
            Permit::Allowed { key: Some(ledger::key(&message.id, name, arguments)), amount_minor }
        }
        None if confirm => Permit::NeedsYes,
        None => denied("nobody_asked", "the customer has not written anything"),
    }
}

/// Rules on the write that a person approved: exactly what they were shown, in time, and permitted by all that holds
/// for every call. What only its amount or its number forbade, their word allows.
pub fn approved(
    toolbox: &Toolbox,
    approval: &Approval,
    arguments: &Value,
    case: &Case,
    customer: &Customer,
    now: Timestamp,
) -> Permit {
    if !ledger::covers(approval, &approval.tool, arguments, now) {
        return denied("approval_changed", "this is not what was to be approved, or its time is over");
    }
    let tool = match admitted(toolbox, &approval.tool, arguments, case, customer) {
        Ok(tool) if tool.effect == Effect::Write => tool,
        Ok(_) => return denied("not_a_write", "only a write can be approved"),
        Err(refusal) => return refusal,
    };
    match amount(toolbox, &tool, arguments) {
        Ok(amount_minor) => Permit::Allowed { key: Some(ledger::approved_key(approval)), amount_minor },
        Err(refusal) => refusal,
    }
}

/// What holds for every call, whoever asks; `dispatch` looks at it again.
pub(super) fn admitted(
    toolbox: &Toolbox,
    name: &str,
    arguments: &Value,
    case: &Case,
    customer: &Customer,
) -> Result<Arc<ToolSpec>, Permit> {
    let tool = toolbox
        .tool(name)
        .ok_or_else(|| denied("unknown_tool", "there is no tool of this name; use only those listed"))?;
    if !tool.is_listed() {
        return Err(denied("unavailable", "this tool cannot be reached at the moment"));
    }
    well_formed(toolbox, &tool, arguments).map_err(|tell| denied("arguments", tell))?;
    if case.customer != customer.id {
        return Err(denied("wrong_customer", "this case belongs to somebody else"));
    }
    if case.assurance < tool.assurance {
        let needed = tool.assurance.as_str();
        return Err(denied(
            "assurance",
            format!("the customer must be `{needed}` for this; ask them to sign in"),
        ));
    }
    if tool.needs_external_id && customer.external_id.as_deref().is_none_or(str::is_empty) {
        return Err(denied("no_record", "we have no record of this customer; ask them to sign in"));
    }
    Ok(tool)
}

fn well_formed(toolbox: &Toolbox, tool: &ToolSpec, given: &Value) -> Result<(), String> {
    let bounds = toolbox.bounds();
    if !given.is_object() {
        return Err("the arguments must be a JSON object".to_owned());
    }
    if arguments::depth(given) > bounds.argument_depth_max {
        return Err(format!("the arguments nest deeper than {}", bounds.argument_depth_max));
    }
    if given.to_string().len() > bounds.argument_bytes_max {
        return Err(format!("the arguments are larger than {} bytes", bounds.argument_bytes_max));
    }
    if let Some(field) = arguments::undeclared(&tool.parameters, given) {
        let field: String = field.chars().take(40).collect();
        return Err(format!("`{field}` is not an argument of this tool"));
    }
    if arguments::has_disguised_integer(given) {
        return Err("write whole numbers without a fraction or an exponent".to_owned());
    }
    tool.validator.validate(given).map_err(|error| {
        let place = error.instance_path().to_string();
        let reason: String = error.masked().to_string().chars().take(200).collect();
        if place.is_empty() { reason } else { format!("{place}: {reason}") }
    })
}

fn procedure_allows(tool: &ToolSpec, asking: &Asking<'_>) -> Result<(), Permit> {
    let Some(procedure) = asking.procedure else { return Ok(()) };
    if asking.case.assurance < procedure.assurance && tool.assurance > Assurance::Anonymous {
        let needed = procedure.assurance.as_str();
        return Err(denied(
            "assurance",
            format!("the customer must be `{needed}` for this; ask them to sign in"),
        ));
    }
    if tool.effect == Effect::Write && !names_tool(procedure, &tool.name) {
        return Err(denied("not_in_procedure", "this procedure does not use this tool"));
    }
    Ok(())
}

fn names_tool(procedure: &Procedure, name: &str) -> bool {
    fn within(actions: &[Action], name: &str) -> bool {
        actions.iter().any(|action| {
            let here = match &action.verb {
                Verb::Call { tool, .. } => tool == name,
                Verb::Block(actions) => within(actions, name),
                Verb::Say(_) | Verb::Answer(_) | Verb::Ask(_) | Verb::HandOff { .. } => false,
            };
            here || within(&action.otherwise, name)
        })
    }
    procedure.tools.iter().any(|tool| tool == name) || within(&procedure.steps, name)
}

fn amount(toolbox: &Toolbox, tool: &ToolSpec, arguments: &Value) -> Result<Option<i64>, Permit> {
    let Some(expression) = &tool.amount else { return Ok(None) };
    let context = serde_json::json!({"arguments": arguments});
    let value = toolbox
        .templates
        .evaluate(expression, context)
        .map_err(|error| denied("amount", format!("the amount cannot be read: {error}")))?;
    match value.as_i64() {
        Some(amount) if amount > 0 => Ok(Some(amount)),
        _ => Err(denied("amount", "the amount must be a whole number of minor units above zero")),
    }
}

fn tighter(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Which limit of tool or procedure the call would pass, in words for a person.
fn limit_passed(tool: &ToolSpec, asking: &Asking<'_>, amount_minor: Option<i64>) -> Option<String> {
    let procedure = match tool.effect {
        Effect::Write => asking.procedure.map(|procedure| procedure.limits).unwrap_or_default(),
        Effect::Read => Limits::default(),
    };
    let amount = amount_minor.unwrap_or(0);
    let shown = |minor: i64| match &tool.currency {
        Some(currency) => Money { minor, currency: currency.clone() }.to_string(),
        None => format!("{minor} minor units"),
    };
    if let Some(max) = tighter(tool.limits.max_amount_minor, procedure.max_amount_minor)
        && amount > max
    {
        return Some(format!("{} is above the limit of {} for one call", shown(amount), shown(max)));
    }
    if let Some(max) = tool.failures_per_hour
        && asking.spent.failures >= max
    {
        return Some(format!(
            "{} refused calls within an hour reach the limit of {max}",
            asking.spent.failures
        ));
    }
    if let Some(max) = tighter(tool.limits.per_day_amount_minor, procedure.per_day_amount_minor)
        && asking.spent.amount_minor.saturating_add(amount) > max
    {
        let spent = shown(asking.spent.amount_minor);
        return Some(format!(
            "{} after {spent} today is above the limit of {} a day",
            shown(amount),
            shown(max)
        ));
    }
    if let Some(max) = tighter(tool.limits.per_day_calls, procedure.per_day_calls)
        && asking.spent.calls >= max
    {
        return Some(format!("{} calls today reach the limit of {max} a day", asking.spent.calls));
    }
    None
}

/// What a refused call of this tool is counted under: the customer, and each value by which it could be guessed. Hashed,
/// because they are kept for an hour and are nobody's to read.
pub fn counted(tool: &ToolSpec, arguments: &Value, customer: &Customer) -> Vec<String> {
    let values = tool.failures_per.iter().filter_map(|name| {
        let value = match arguments.get(name)? {
            Value::String(text) => text.trim().to_lowercase(),
            other => ledger::canonical_json(other),
        };
        Some(ledger::digest(&["try", &tool.name, name, &value]))
    });
    std::iter::once(ledger::digest(&["try", &tool.name, "customer of", customer.id.as_str()]))
        .chain(values)
        .collect()
}

fn by_customer<'a>(asking: &Asking<'a>) -> impl Iterator<Item = &'a Arc<Message>> {
    let case = &asking.case.id;
    asking.messages.iter().filter(move |message| {
        message.author == Author::Customer
            && message.visibility == Visibility::Public
            && message.case == *case
    })
}

/// The yes that allows exactly this write: the customer's first word after we asked, in time.
fn fresh_yes<'a>(name: &str, arguments: &Value, asking: &Asking<'a>) -> Option<&'a Message> {
    let pending = asking.case.pending.as_ref()?;
    if pending.tool != name || pending.arguments != ledger::canonical_json(arguments) {
        return None;
    }
    let answer = by_customer(asking).filter(|m| m.seq > pending.asked_seq).min_by_key(|m| m.seq)?;
    let in_time = answer.at <= pending.expires_at && asking.now <= pending.expires_at;
    (in_time && (asking.says_yes)(&answer.text, &asking.case.language)).then_some(&**answer)
}

/// The message that a write without a question rests on.
fn newest_word<'a>(asking: &Asking<'a>) -> Option<&'a Message> {
    by_customer(asking).max_by_key(|message| message.seq).map(|message| &**message)
}
