//! What a message signals beside its request: a yes, a greeting, the wish for a person, danger.

mod alarms;
mod answers;
mod follow_up;
mod opt_out;
mod options;
mod people;
mod places;
mod plain_words;

pub use alarms::{Alarm, alarm};
pub use answers::{Answer, SmallTalk, affirmation, affirmation_in, small_talk, takes_back};
pub use follow_up::refers_back;
pub use opt_out::{OptOut, OptOutWord, opt_out_word};
pub use options::{choice, described, excluded, rules_out};
pub use people::wants_person;
pub use places::{other_one, place};
