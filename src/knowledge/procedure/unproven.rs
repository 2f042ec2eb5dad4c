//! What a procedure does for somebody whom nothing proves: `unproven`, with slots and steps of its own.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::domain::assurance::Assurance;
use crate::domain::procedure::{Action, Procedure, Slot};

use super::{Ordered, Review, slots, steps, tools_of};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    slots: Ordered<slots::Keys>,
    steps: Vec<Spanned<steps::Keys>>,
}

/// The checked slots and steps.
pub(super) struct Unproven {
    slots: Vec<Slot>,
    steps: Vec<Action>,
}

/// Checks them; `assurance` is what the procedure itself asks for.
pub(super) fn read(
    given: Option<Spanned<Keys>>,
    assurance: Assurance,
    review: &mut Review<'_>,
) -> Option<Unproven> {
    let Spanned { value: keys, referenced, .. } = given?;
    if assurance == Assurance::Anonymous {
        let advice = "set `assurance`, or leave `unproven` out";
        review.add(referenced, "`unproven` is for less than `assurance`, and there is nothing less", advice);
    }
    if keys.steps.is_empty() {
        review.add(referenced, "`unproven` does nothing", "write its `steps`");
    }
    let slots = slots::read(keys.slots, review);
    for slot in slots.iter().filter(|slot| slot.from.is_some()) {
        let message =
            format!("`{}` takes its candidates from the records of somebody nobody knows", slot.name);
        review.add(referenced, message, "leave `from` out: it is asked for");
    }
    let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    let steps = steps::read(keys.steps, &names, review);
    Some(Unproven { slots, steps })
}

impl Unproven {
    /// The same matter as `procedure`, done with these.
    pub(super) fn of(self, procedure: &Procedure) -> Procedure {
        let tools = tools_of(&self.slots, &self.steps);
        let Self { slots, steps } = self;
        Procedure {
            assurance: Assurance::Anonymous,
            slots,
            steps,
            tools,
            unproven: None,
            ..procedure.clone()
        }
    }
}
