//! What must be known before a procedure can act.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::domain::procedure::{Slot, SlotKind, SlotSource};

use super::{Ordered, Review};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    r#type: Option<Spanned<String>>,
    pattern: Option<Spanned<String>>,
    ask: Option<String>,
    choices: Vec<String>,
    from: Option<Source>,
    optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    tool: String,
    #[serde(default)]
    items: String,
    value: String,
    label: Option<String>,
    when: Option<String>,
}

/// Checks the slots, in order of declaration.
pub(super) fn read(keys: Ordered<Keys>, review: &mut Review<'_>) -> Vec<Slot> {
    keys.0.into_iter().map(|(name, keys)| slot(name, keys, review)).collect()
}

fn slot(name: String, keys: Spanned<Keys>, review: &mut Review<'_>) -> Slot {
    let Spanned { value: keys, referenced, .. } = keys;
    if !is_name(&name) {
        review.add(
            referenced,
            format!("`{name}` is no name for a slot"),
            "write lower-case letters, digits and `_`",
        );
    }
    let kinds = "write text, email, amount, date, number, yes_no or address";
    let kind = review.word(keys.r#type.as_ref(), kind, kinds).unwrap_or_default();
    if let Some(pattern) = &keys.pattern
        && let Err(error) = regex::Regex::new(&pattern.value)
    {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default();
        review.add(pattern.referenced, format!("the pattern is no regular expression: {why}"), "correct it");
    }
    if keys.ask.as_ref().is_none_or(|ask| ask.trim().is_empty()) && !keys.optional {
        let message = format!("nothing says how to ask for `{name}`");
        review.add(referenced, message, "add `ask:` with the question, or `optional: true`");
    }
    let from = keys.from.map(|from| SlotSource {
        label: from.label.unwrap_or_else(|| format!("{{{{ item.{} }}}}", from.value)),
        tool: from.tool,
        items: from.items,
        value: from.value,
        when: from.when,
    });
    Slot {
        name,
        kind,
        pattern: keys.pattern.map(|pattern| pattern.value),
        ask: keys.ask.unwrap_or_default(),
        choices: keys.choices,
        from,
        optional: keys.optional,
    }
}

fn kind(text: &str) -> Option<SlotKind> {
    match text {
        "text" => Some(SlotKind::Text),
        "email" => Some(SlotKind::Email),
        "amount" => Some(SlotKind::Amount),
        "date" => Some(SlotKind::Date),
        "number" => Some(SlotKind::Number),
        "yes_no" => Some(SlotKind::YesNo),
        "address" => Some(SlotKind::Address),
        _ => None,
    }
}

/// What can stand in a template as a name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
