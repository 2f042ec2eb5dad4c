//! Every id is a type of its own, so that a case id can never stand where a customer id belongs.

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: ids are 1 to 64 letters, digits, `-` or `_`")]
pub struct BadId(pub String);

fn well_formed(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Labels that people and data sets chose, such as `where_is_it?`: visible characters without spaces.
fn visible(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

macro_rules! ids {
    ($good:ident: $($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes the id of a new thing from a time-ordered UUID.
            pub fn new(id: uuid::Uuid) -> Self {
                Self(id.to_string())
            }

            /// Reads an id from outside: 1 to 64 letters, digits, `-` or `_`.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                if $good(text) { Ok(Self(text.to_owned())) } else { Err(BadId(text.chars().take(80).collect())) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                if $good(&text) { Ok(Self(text)) } else { Err(BadId(text)) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    )*};
}

ids! { well_formed:
    /// One person we serve.
    CustomerId;
    /// One address of a customer on one channel.
    IdentityId;
    /// One problem of one customer.
    CaseId;
    /// One entry in a case's thread.
    MessageId;
    /// One file that came with a message.
    AttachmentId;
    /// One run of the assistant on a case.
    TurnId;
    /// The stored proof of one tool call.
    ReceiptId;
    /// One message on its way out.
    DeliveryId;
    /// One write that waits for a person's word.
    ApprovalId;
    /// One passing of a case to people.
    HandoffId;
    /// A person who works here.
    AgentId;
    /// A group of agents; the id is its name in the configuration.
    TeamId;
}

ids! { visible:
    /// A procedure or an article is named by its file or its front matter.
    ProcedureId;
}

impl TurnId {
    /// Stands for the turn where no turn but an approval made a call.
    pub fn of_approval(approval: &ApprovalId) -> Self {
        Self(approval.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_takes_letters_digits_dash_and_underscore_and_nothing_else() {
        assert!(CaseId::parse("019a-b_C").is_ok());
        for bad in ["", "a b", "a'b", "../x", "é", &"x".repeat(65)] {
            assert!(CaseId::parse(bad).is_err(), "{bad}");
        }
    }
}
