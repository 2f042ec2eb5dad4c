//! Keys and hashes of effects: pure functions, so that the same intent always has the same key.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::handoff::Approval;
use crate::domain::ids::{ApprovalId, MessageId};
use crate::domain::time::Timestamp;

/// The one way to write a JSON value: keys sorted, no spaces, so that equal values have equal text.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, value) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(value, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

pub(super) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // Each part with its length before it: no two lists of parts run into the same bytes.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// The key of one effect: the message that allowed it, the tool, the arguments. Unique in the ledger
/// and sent as `Idempotency-Key`.
pub fn key(allowed_by: &MessageId, tool: &str, arguments: &Value) -> String {
    digest(&["effect", allowed_by.as_str(), tool, &canonical_json(arguments)])
}

/// The key of an effect that a person approved. An approval has one, so it runs at most once.
pub fn approved_key(approval: &Approval) -> String {
    digest(&["approved", approval.id.as_str(), &approval.tool, &approval.arguments])
}

/// What a person is asked to approve: exactly this, until `expires_at`.
pub fn approval(
    id: ApprovalId,
    tool: &str,
    arguments: &Value,
    because: &str,
    expires_at: Timestamp,
) -> Approval {
    let arguments = canonical_json(arguments);
    Approval {
        id,
        hash: digest(&["approval", tool, &arguments]),
        tool: tool.to_owned(),
        arguments,
        because: because.to_owned(),
        expires_at,
    }
}

/// Whether an approval covers exactly this call, now. The hash is computed anew from what would run.
pub fn covers(approval: &Approval, tool: &str, arguments: &Value, now: Timestamp) -> bool {
    now <= approval.expires_at && approval.hash == digest(&["approval", tool, &canonical_json(arguments)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tools::tests::any_json;

    proptest! {
        #[test]
        fn canonical_json_reads_back_and_is_the_same_again(value in any_json()) {
            let text = canonical_json(&value);
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(canonical_json(&back), text);
        }

        #[test]
        fn keys_are_equal_only_for_the_same_message_tool_and_arguments(a in any_json(), b in any_json()) {
            let (m, n) = (MessageId::parse("m").unwrap(), MessageId::parse("n").unwrap());
            prop_assert_eq!(key(&m, "t", &a) == key(&m, "t", &b), a == b);
            prop_assert_ne!(key(&m, "t", &a), key(&n, "t", &a));
            prop_assert_ne!(key(&m, "t", &a), key(&m, "u", &a));
        }
    }

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"z":null,"a":"é\n"}],"a":1}"#).unwrap();
        assert_eq!(canonical_json(&one), r#"{"a":1,"b":[1,{"a":"é\n","z":null}]}"#);
    }

    #[test]
    fn an_approval_covers_what_was_shown_and_nothing_else() {
        let arguments = json!({"order_id": "HP-10042", "amount_minor": 25000});
        let now = Timestamp(1_000_000);
        let id = ApprovalId::parse("a-1").unwrap();
        let approval = approval(id, "refund_order", &arguments, "above the limit", now.plus_ms(5000));
        assert!(covers(&approval, "refund_order", &arguments, now));
        assert!(covers(&approval, "refund_order", &arguments, now.plus_ms(5000)));
        assert!(!covers(&approval, "refund_order", &arguments, now.plus_ms(5001)), "expired");
        assert!(!covers(&approval, "cancel_order", &arguments, now), "another tool");
        let changed = json!({"order_id": "HP-10042", "amount_minor": 25001});
        assert!(!covers(&approval, "refund_order", &changed, now), "the order changed after the approval");
        let edited = Approval { arguments: canonical_json(&changed), ..approval };
        assert!(!covers(&edited, "refund_order", &changed, now), "an edited row does not widen it");
    }
}
