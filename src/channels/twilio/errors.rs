//! What Twilio's error codes mean for a message of ours.

/// A number that has said STOP to Twilio itself.
const OPTED_OUT: &str = "opted_out";

/// Code and meaning, for refusals and for failures that are told later. From memory; check
/// <https://www.twilio.com/docs/api/errors>.
#[rustfmt::skip]
const CODES: [(i64, &str); 26] = [
    (20003, "the account or its token is not accepted"),
    (21211, "the number is not valid"),
    (21212, "our own number is not valid"),
    (21214, "the number cannot be reached"),
    (21217, "the number is not valid"),
    (21219, "a trial account may not write to this number"),
    (21265, "the number is a short code"),
    (21408, "messages to this country are switched off in the account"),
    (21601, "our own number cannot send messages"),
    (21602, "the message is empty"),
    (21606, "our own number cannot send to this one"),
    (21608, "a trial account may not write to this number"),
    (21610, OPTED_OUT),
    (21611, "too many messages wait at our own number"),
    (21612, "there is no way to this number"),
    (21614, "the number is no mobile phone"),
    (21617, "the message is too long"),
    (30002, "the account is suspended"),
    (30003, "the phone is switched off or cannot be reached"),
    (30004, "the phone or its carrier blocks our messages"),
    (30005, "the number is not in use"),
    (30006, "the number is a landline or cannot be reached"),
    (30007, "the carrier took it for unwanted"),
    (30008, "the carrier gave no reason"),
    (30022, "too many messages left our own number"),
    (30034, "our own number is not registered with the carriers"),
];

/// Refusals of now that may be taken later.
pub(crate) const BUSY: [i64; 3] = [20429, 21611, 30022];

/// Why Twilio refused, for the record: the code and what it means.
pub(crate) fn meaning(code: i64) -> String {
    match CODES.iter().find(|(known, _)| *known == code) {
        Some((_, OPTED_OUT)) => OPTED_OUT.to_owned(),
        Some((_, meaning)) => format!("{code} {meaning}"),
        None => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_with_its_meaning_and_an_unknown_one_by_itself() {
        assert_eq!(meaning(21610), "opted_out");
        assert_eq!(meaning(30003), "30003 the phone is switched off or cannot be reached");
        assert_eq!(meaning(63999), "63999");
        let ordered = CODES.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
        assert!(ordered, "each code stands once");
        assert!(
            BUSY.iter()
                .all(|code| meaning(*code) == code.to_string() || CODES.iter().any(|(c, _)| c == code))
        );
    }
}
