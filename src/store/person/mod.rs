//! Everything that the record holds about one person: the one list by which it is handed out and erased.

mod erase;
mod export;

pub use erase::Erased;

/// Their cases.
macro_rules! of_their_cases {
    () => {
        "case_id in (select k.id from cases k where k.customer_id = $1)"
    };
}

/// A table with something about a person in it.
struct Held {
    table: &'static str,
    /// Which rows, by the customer's id as `$1`.
    whose: &'static str,
    erase: Erase,
}

/// What erasing does with these rows.
enum Erase {
    /// They go.
    Delete,
    /// They stay without their words; `$2` is the moment.
    Set(&'static str),
    /// They stay, and each is made harmless in its own way.
    EachApart,
    /// There are no words in them.
    Nothing,
}

/// In the order in which they are erased: what finds other rows goes after them. A table that is not here holds
/// nothing about people; `every_table_is_decided_about` asks about each new one.
const HELD: &[Held] = &[
    Held {
        table: "customers",
        whose: "id = $1",
        // The version keeps whoever read them before from writing them back.
        erase: Erase::Set(
            "external_id = null, name = null, email = null, phone = null, language = null, crm = null,
             version = version + 1, erased_at = $2",
        ),
    },
    Held {
        table: "early_statuses",
        whose: "exists (select 1 from outbox o join cases k on k.id = o.case_id where k.customer_id = $1
            and o.channel = early_statuses.channel and o.provider_id = early_statuses.provider_id)",
        erase: Erase::Delete,
    },
    Held {
        table: "consents",
        whose: "exists (select 1 from identities d where d.customer_id = $1
                and d.channel = consents.channel and d.address = consents.address)
            or exists (select 1 from conversations v join cases k
                on k.channel = v.channel and k.conversation = v.conversation where k.customer_id = $1
                and v.channel = consents.channel and v.address = consents.address)",
        erase: Erase::EachApart,
    },
    Held {
        table: "conversations",
        whose: "exists (select 1 from identities d where d.customer_id = $1
                and d.channel = conversations.channel and d.address = conversations.address)
            or exists (select 1 from cases k where k.customer_id = $1
                and k.channel = conversations.channel and k.conversation = conversations.conversation)
            or exists (select 1 from outbox o join cases k on k.id = o.case_id where k.customer_id = $1
                and o.channel = conversations.channel and o.conversation = conversations.conversation)",
        erase: Erase::Delete,
    },
    Held { table: "identities", whose: "customer_id = $1", erase: Erase::Delete },
    Held { table: "claims", whose: "customer_id = $1", erase: Erase::Delete },
    Held { table: "challenges", whose: "customer_id = $1 or target_id = $1", erase: Erase::Delete },
    Held { table: "merges", whose: "kept = $1 or absorbed = $1", erase: Erase::Nothing },
    Held { table: "inbox", whose: "customer_id = $1", erase: Erase::EachApart },
    Held {
        table: "messages",
        whose: of_their_cases!(),
        erase: Erase::Set("text = '', citations = '[]', choices = '[]', attachments = '[]'"),
    },
    Held { table: "attachments", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "uploads", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "drafts", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "mentions", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "case_words", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "events", whose: of_their_cases!(), erase: Erase::EachApart },
    Held {
        table: "turns",
        whose: of_their_cases!(),
        erase: Erase::Set(
            "outcome = coalesce(outcome, 'silent'), closed_at = coalesce(closed_at, $2), holder = ''",
        ),
    },
    Held { table: "receipts", whose: of_their_cases!(), erase: Erase::Set("arguments = '{}', result = '{}'") },
    Held { table: "ledger", whose: "customer_id = $1", erase: Erase::Set("arguments = '{}'") },
    Held {
        table: "outbox",
        whose: of_their_cases!(),
        erase: Erase::Set(
            "conversation = '', provider_id = null, reason = null,
             state = case when state = 'pending' then 'failed' else state end",
        ),
    },
    Held { table: "handoffs", whose: of_their_cases!(), erase: Erase::EachApart },
    Held { table: "model_calls", whose: "customer_id = $1", erase: Erase::Nothing },
    Held {
        table: "ratings",
        whose: "customer_id = $1",
        erase: Erase::Set("conversation = '', comment = null, message_id = null"),
    },
    Held { table: "case_measures", whose: of_their_cases!(), erase: Erase::Nothing },
    Held { table: "write_backs", whose: of_their_cases!(), erase: Erase::Delete },
    Held { table: "desk_cases", whose: of_their_cases!(), erase: Erase::Delete },
    Held {
        table: "cases",
        whose: "customer_id = $1",
        erase: Erase::Set(
            "conversation = '', issue = null, memory = '', pending = null, doubt = null, move_offer = null, snoozed_until = null,
             state = 'closed', version = version + 1",
        ),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::MIGRATIONS;
    use super::HELD;

    /// Tables that hold nothing about the people we serve. A code is a number that is gone within minutes, what a try
    /// counts is hashed and gone after an hour.
    const OTHERS: &[&str] = &[
        "account_log",
        "agents",
        "api_keys",
        "code_texts",
        "half_sign_ins",
        "oidc_requests",
        "presence_log",
        "presences",
        "recovery_codes",
        "secrets",
        "sessions",
        "tries",
        "rollups",
        "rollup_state",
        "report_mails",
        "views",
        "watchers",
    ];

    #[test]
    fn every_table_is_decided_about() {
        let mut tables = BTreeSet::new();
        for (_, _, sql) in MIGRATIONS {
            let names = sql.lines().filter_map(|line| line.strip_prefix("create table "));
            tables.extend(names.map(|rest| rest.split([' ', '(']).next().unwrap().to_owned()));
            // A table that was made anew under another name has its old name again.
            for (old, _) in
                sql.lines().filter_map(|line| line.strip_prefix("alter table ")?.split_once(" rename to "))
            {
                tables.remove(old);
            }
        }
        let decided: BTreeSet<String> =
            HELD.iter().map(|held| held.table).chain(OTHERS.iter().copied()).map(str::to_owned).collect();
        assert_eq!(tables, decided, "a table of people belongs into HELD, another one into OTHERS");
    }
}
