//! What the operator's CRM says about a customer. It is the source of truth: what it said, nobody else changes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::time::Timestamp;

/// The proof of an identity that the CRM named and that has not written yet.
pub const PROOF: &str = "crm";
/// The channel under which the operator's own ids of people are identities.
pub const OPERATOR: &str = "operator";

/// A field that a CRM may fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// How they are called.
    Name,
    /// Their email address.
    Email,
    /// Their phone number.
    Phone,
    /// ISO 639-1.
    Language,
    /// Their standing.
    Tier,
    /// Who looks after them.
    Owner,
    /// Words about them.
    Tags,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Email, Self::Phone, Self::Language, Self::Tier, Self::Owner, Self::Tags];

    /// The name used in the record, in files and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Language => "language",
            Self::Tier => "tier",
            Self::Owner => "owner",
            Self::Tags => "tags",
        }
    }
}

/// What a customer's record holds of the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Crm {
    /// Their standing, in the operator's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Who looks after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The fields of the customer that are the CRM's word.
    pub fields: BTreeSet<Field>,
    /// When it last changed one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// When it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
}

impl Crm {
    /// Whether a field came from the CRM.
    pub fn owns(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }
}

/// Whether a value can stand in a record: not too long, and without control characters. The error says what is wrong.
pub fn plain(text: &str, chars_max: usize) -> Result<(), String> {
    if text.chars().count() > chars_max {
        return Err(format!("has more than {chars_max} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    Ok(())
}

/// What a CRM said about one person. What is absent was not said, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrmRecord {
    /// How they are called.
    pub name: Option<String>,
    /// Their email address.
    pub email: Option<String>,
    /// Their phone number.
    pub phone: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// Their standing.
    pub tier: Option<String>,
    /// Who looks after them.
    pub owner: Option<String>,
    /// Words about them.
    pub tags: Option<Vec<String>>,
}

/// How far the word of the CRM goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Fields that are empty or its own; what somebody else proved stays, and is reported.
    OwnFields,
    /// Every field that it names.
    EveryField,
}

/// A customer after the CRM has spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As they are now; the version is one higher when anything changed.
    pub customer: Customer,
    /// Fields that say something else and were left as they are.
    pub kept: Vec<Field>,
    /// Whether anything changed.
    pub changed: bool,
}

/// Brings what a CRM said into a customer's record. The same words again change nothing.
pub fn take(customer: &Customer, said: &CrmRecord, reach: Reach, now: Timestamp) -> Taken {
    let mut new = customer.clone();
    let mut kept = Vec::new();
    let mut settle = |field: Field, known: bool, same: bool| {
        let free = !known || same || reach == Reach::EveryField || customer.crm.owns(field);
        if free {
            new.crm.fields.insert(field);
        } else {
            kept.push(field);
        }
        free
    };
    for (field, said, place) in [
        (Field::Name, &said.name, &mut new.name),
        (Field::Email, &said.email, &mut new.email),
        (Field::Phone, &said.phone, &mut new.phone),
        (Field::Language, &said.language, &mut new.language),
        (Field::Tier, &said.tier, &mut new.crm.tier),
        (Field::Owner, &said.owner, &mut new.crm.owner),
    ] {
        if let Some(said) = said
            && settle(field, place.is_some(), place.as_ref() == Some(said))
        {
            *place = Some(said.clone());
        }
    }
    if let Some(tags) = &said.tags
        && settle(Field::Tags, !new.crm.tags.is_empty(), new.crm.tags == *tags)
    {
        new.crm.tags.clone_from(tags);
    }
    let changed = new != *customer;
    if changed {
        new.version += 1;
        new.crm.changed_at = Some(now);
    }
    Taken { customer: new, kept, changed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CustomerId;

    const NOW: Timestamp = Timestamp(1000);

    fn customer() -> Customer {
        Customer {
            id: CustomerId::parse("c").unwrap(),
            external_id: Some("u".to_owned()),
            name: None,
            email: Some("own@example.com".to_owned()),
            phone: None,
            language: None,
            crm: Crm::default(),
            created_at: Timestamp(0),
            version: 1,
        }
    }

    fn said(email: &str, name: &str) -> CrmRecord {
        let text = |text: &str| Some(text.to_owned());
        CrmRecord {
            email: text(email),
            name: text(name),
            tags: Some(vec!["vip".to_owned()]),
            ..CrmRecord::default()
        }
    }

    #[test]
    fn an_import_fills_what_is_empty_and_leaves_what_others_proved() {
        let taken = take(&customer(), &said("crm@example.com", "Ann"), Reach::OwnFields, NOW);
        assert_eq!(taken.kept, [Field::Email]);
        assert_eq!(taken.customer.email.as_deref(), Some("own@example.com"));
        assert_eq!(taken.customer.name.as_deref(), Some("Ann"));
        assert_eq!((taken.customer.version, taken.customer.crm.changed_at), (2, Some(NOW)));
        assert!(taken.customer.crm.owns(Field::Tags) && !taken.customer.crm.owns(Field::Email));
        let again = take(&taken.customer, &said("crm@example.com", "Ann"), Reach::OwnFields, Timestamp(2000));
        assert!(!again.changed && again.customer == taken.customer, "the same words change nothing");
        let renamed = take(&taken.customer, &said("crm@example.com", "Anna"), Reach::OwnFields, NOW);
        assert_eq!(renamed.customer.name.as_deref(), Some("Anna"), "its own field is its own");
    }

    #[test]
    fn whoever_is_asked_has_the_last_word_and_silence_changes_nothing() {
        let taken = take(&customer(), &said("crm@example.com", "Ann"), Reach::EveryField, NOW);
        assert_eq!((taken.customer.email.as_deref(), taken.kept.len()), (Some("crm@example.com"), 0));
        let silent = take(&taken.customer, &CrmRecord::default(), Reach::EveryField, NOW);
        assert!(!silent.changed);
    }
}
