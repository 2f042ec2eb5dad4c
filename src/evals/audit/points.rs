//! The points at which a customer changes the channel, as data.

use anyhow::Result;

use crate::app::App;
use crate::desk::act::{self, Actor, At, Reply};
use crate::domain::ids::CaseId;

/// What the second half must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An answer.
    Resolves,
    /// A handoff with a whole note.
    HandsOver,
    /// A person has the case: the assistant is silent and the person's answer arrives on the new channel.
    WithPeople,
}

/// What is said at a point, and what must come of it.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// On the first channel.
    pub first: &'static str,
    /// On the second.
    pub second: &'static str,
    /// What the second half must come to.
    pub moment: Moment,
    /// Words that the answer on the second channel holds.
    pub says: &'static [&'static str],
    /// Tools that must have been called in all, none of them twice with the same arguments.
    pub calls: &'static [&'static str],
    /// Tools that the note must say were called.
    pub tried: &'static [&'static str],
}

/// A point of the conversation at which the customer moves.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Its name in the matrix.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    proven: Script,
    unproven: Script,
}

impl Point {
    /// The script for channels that both prove who writes, or that do not.
    pub fn script(&self, proven: bool) -> Script {
        if proven { self.proven } else { self.unproven }
    }
}

const ASKED: Script = Script {
    first: "where is my order",
    second: "HP-10040",
    moment: Moment::Resolves,
    says: &["HP-10040"],
    calls: &["list_orders", "order_status"],
    tried: &[],
};
const OFFERED: Script = Script {
    first: "do you rent out submarines",
    second: "yes please",
    moment: Moment::HandsOver,
    says: &[],
    calls: &[],
    tried: &[],
};
const ANSWERED: Script = Script {
    first: "what are the opening hours of the store in Madison",
    second: "thanks, now I want to talk to a person please",
    moment: Moment::HandsOver,
    says: &[],
    calls: &["store_hours"],
    tried: &["store_hours"],
};
const READ: Script = Script {
    first: "where is HP-10040",
    second: "I want to talk to a person please",
    moment: Moment::HandsOver,
    says: &[],
    calls: &["order_status"],
    tried: &["order_status"],
};
const HANDED: Script = Script {
    first: "I want to talk to a person please",
    second: "it is about order HP-10040, it has not come",
    moment: Moment::WithPeople,
    says: &[],
    calls: &[],
    tried: &[],
};

/// Every point.
pub const ALL: [Point; 4] = [
    Point {
        name: "asked",
        what: "the assistant has asked, the answer comes elsewhere",
        proven: ASKED,
        unproven: OFFERED,
    },
    Point {
        name: "answered",
        what: "a question was answered, then a person is wanted",
        proven: ANSWERED,
        unproven: ANSWERED,
    },
    Point {
        name: "read",
        what: "a record was read, then a person is wanted",
        proven: READ,
        unproven: ANSWERED,
    },
    Point { name: "handed", what: "a person has the case", proven: HANDED, unproven: HANDED },
];

/// A person answers the case.
pub(super) async fn person_answers(app: &App, case: &CaseId) -> Result<()> {
    let actor = Actor::Program("audit".to_owned());
    let at = At {
        store: &app.store,
        channels: &app.pipeline.parts().channels,
        clock: app.clock.as_ref(),
        actor: &actor,
        case,
    };
    let text = "I have found your parcel and it comes tomorrow.".to_owned();
    act::reply(at, Reply { text, ..Reply::default() }).await?;
    Ok(())
}
