//! The place that a call has reached. It stands in the query of the next address, which Twilio's signature covers.

use form_urlencoded::{Serializer, parse};

use crate::domain::ids::CaseId;

/// Where a call is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The case that is spoken of, once something was said.
    pub case: Option<CaseId>,
    /// Place in its thread of the last message that was spoken or heard.
    pub after: i64,
    /// Place in its thread of the message that is being answered.
    pub asked: i64,
    /// Which turn of the caller comes next, from 1.
    pub turn: u32,
    /// Times in a row that nothing was understood.
    pub missed: u32,
    /// Times the caller has held on for this answer.
    pub waited: u32,
}

impl Place {
    /// Reads a query; what is missing or no number is at its beginning.
    pub fn read(query: &str) -> Self {
        let mut place = Self::default();
        for (name, value) in parse(query.as_bytes()) {
            let number = || value.parse::<u32>().unwrap_or_default();
            match name.as_ref() {
                "case" => place.case = CaseId::parse(&value).ok(),
                "after" => place.after = number().into(),
                "asked" => place.asked = number().into(),
                "turn" => place.turn = number(),
                "missed" => place.missed = number(),
                "waited" => place.waited = number(),
                _ => {}
            }
        }
        place
    }

    /// The query that is read back.
    pub fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(case) = &self.case {
            query.append_pair("case", case.as_str());
        }
        let numbers = [
            ("after", self.after),
            ("asked", self.asked),
            ("turn", self.turn.into()),
            ("missed", self.missed.into()),
            ("waited", self.waited.into()),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            query.append_pair(name, &number.to_string());
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_is_read_back_from_its_query(after: u32, asked: u32, turn: u32, missed: u32, waited: u32, known: bool) {
            let case = known.then(|| CaseId::parse("case-1").unwrap());
            let place = Place { case, after: after.into(), asked: asked.into(), turn, missed, waited };
            prop_assert_eq!(Place::read(&place.query()), place);
        }

        #[test]
        fn no_query_is_too_strange(query in any::<String>()) {
            _ = Place::read(&query);
        }
    }
}
