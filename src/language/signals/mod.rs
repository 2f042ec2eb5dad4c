//! What a message signals beside its request: a yes, a greeting, the wish for a person, danger.

mod alarms;
mod answers;
mod options;
mod people;

pub use alarms::{Alarm, alarm};
pub use answers::{Answer, SmallTalk, affirmation, small_talk, takes_back};
pub use options::{choice, described, other_one, place};
pub use people::wants_person;
