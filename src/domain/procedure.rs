//! Procedures: how one kind of request is handled. The set of procedures is the definition of Tier 1.
//!
//! These are checked values; `knowledge::procedure` reads them from front matter. Texts and conditions
//! stay as template source, compiled where they are used.

use std::collections::BTreeSet;

use super::assurance::Assurance;
use super::ids::{ProcedureId, TeamId};
use super::triage::Urgency;

/// Whether the service may try, or only recognises and hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The service tries.
    One,
    /// The service recognises it and hands it to a person.
    Two,
}

/// How much freedom a language model has; the local assistant always follows the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The model may choose its way.
    Free,
    /// The declared steps run exactly.
    Strict,
}

/// One kind of request and how it is handled.
#[derive(Debug, Clone, PartialEq)]
pub struct Procedure {
    /// Its name.
    pub id: ProcedureId,
    /// How people call it.
    pub title: String,
    /// Try, or hand over.
    pub tier: Tier,
    /// Where it goes when it does not resolve.
    pub team: Option<TeamId>,
    /// How soon, unless the message says sooner.
    pub urgency: Urgency,
    /// What customers write.
    pub examples: Vec<String>,
    /// What must be known, in order of declaration.
    pub slots: Vec<Slot>,
    /// What must be proven before the first tool call.
    pub assurance: Assurance,
    /// What to say before a write that has no text of its own.
    pub confirm: Option<String>,
    /// What its writes may move.
    pub limits: Limits,
    /// Tools it may call; those of its steps when none are named.
    pub tools: Vec<String>,
    /// For the model assistant; strict when it writes.
    pub mode: Option<Mode>,
    /// What happens, top to bottom. Empty: it answers from its articles.
    pub steps: Vec<Action>,
    /// What is done instead for somebody whom nothing proves as far as `assurance` asks: the same matter with slots and
    /// steps of its own.
    pub unproven: Option<Box<Procedure>>,
    /// Words of a question that goes on about what was answered last, as "when will it arrive".
    pub follow_ups: Vec<String>,
    /// Article ids it answers from.
    pub articles: Vec<String>,
    /// Skills without which nobody gets a case of this kind.
    pub skills: BTreeSet<String>,
    /// Skills that help with one.
    pub prefers: BTreeSet<String>,
    /// Prose for models and people.
    pub guidance: String,
    /// Where it was read, for messages about it.
    pub file: String,
}

impl Procedure {
    /// The fixed words of its texts: what stands outside `{{ … }}` and `{% … %}`.
    pub fn own_words(&self) -> Vec<String> {
        let mut texts: Vec<&str> = self.slots.iter().map(|slot| slot.ask.as_str()).collect();
        texts.extend(self.confirm.as_deref());
        collect(&self.steps, &mut texts);
        let own = texts.into_iter().map(without_tags);
        own.chain(self.unproven.iter().flat_map(|unproven| unproven.own_words())).collect()
    }

    /// The slot called `name`.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }
}

fn collect<'a>(actions: &'a [Action], texts: &mut Vec<&'a str>) {
    for action in actions {
        match &action.verb {
            Verb::Say(text) => texts.push(text),
            Verb::Call { confirm, .. } => texts.extend(confirm.as_deref()),
            Verb::HandOff { say, .. } => texts.extend(say.as_deref()),
            Verb::Block(inner) => collect(inner, texts),
            Verb::Answer(_) | Verb::Ask(_) => {}
        }
        collect(&action.otherwise, texts);
    }
}

/// A template without its tags; a line break stands for each, so that what stood apart stays apart.
fn without_tags(template: &str) -> String {
    let mut words = String::new();
    let mut rest = template;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|tag| rest.find(tag)).min() {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        words.push_str(head);
        words.push('\n');
        let close = match tail.as_bytes().get(1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => "#}",
        };
        rest = tail.split_once(close).map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    words
}

/// Bounds on the writes of a procedure or of a tool; `None` sets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Largest single amount, minor units.
    pub max_amount_minor: Option<i64>,
    /// Largest sum per customer and day, minor units.
    pub per_day_amount_minor: Option<i64>,
    /// Most calls per customer and day.
    pub per_day_calls: Option<i64>,
}

/// What kind of thing fills a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlotKind {
    /// Words as they stand.
    #[default]
    Text,
    /// An email address.
    Email,
    /// Money in minor units.
    Amount,
    /// A calendar day, `2026-11-24`.
    Date,
    /// A whole number.
    Number,
    /// Yes or no.
    YesNo,
    /// A postal address.
    Address,
}

/// One thing that must be known.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// How steps call it.
    pub name: String,
    /// What kind of thing.
    pub kind: SlotKind,
    /// The whole value as a regular expression, if it has a form.
    pub pattern: Option<String>,
    /// The question, when nothing else fills it.
    pub ask: String,
    /// Fixed answers to choose from.
    pub choices: Vec<String>,
    /// A tool whose result lists candidates.
    pub from: Option<SlotSource>,
    /// Never asked unless a step says `ask`.
    pub optional: bool,
}

/// Candidates for a slot out of the customer's own records.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotSource {
    /// The tool, called without arguments.
    pub tool: String,
    /// Dotted path to the list in its result; empty when the result is the list.
    pub items: String,
    /// Field of an item that fills the slot.
    pub value: String,
    /// Template over `item` that shows it to the customer.
    pub label: String,
    /// Condition over `item`, if only some qualify.
    pub when: Option<String>,
}

/// One entry of `steps`: an optional condition, what to do, and whether it ends there.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Do it only when this holds.
    pub condition: Option<String>,
    /// What to do.
    pub verb: Verb,
    /// What to do when the condition does not hold.
    pub otherwise: Vec<Action>,
    /// The procedure is finished after this.
    pub done: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Call a tool.
    Call {
        /// The tool.
        tool: String,
        /// Argument name to template.
        with: Vec<(String, String)>,
        /// The name its result has from here on.
        bind: Option<String>,
        /// For writes: lists the details and asks for a yes.
        confirm: Option<String>,
        /// A refusal is bound as `{error:{code,message}}` instead of handing the case over.
        tolerant: bool,
    },
    /// Say a template.
    Say(String),
    /// Answer from these articles.
    Answer(Vec<String>),
    /// Ask for this slot even if it is optional.
    Ask(String),
    /// Give the case to people.
    HandOff {
        /// One `snake_case` word.
        reason: String,
        /// Overrides the procedure's.
        urgency: Option<Urgency>,
        /// Overrides the procedure's.
        team: Option<TeamId>,
        /// A sentence for the customer first.
        say: Option<String>,
    },
    /// A block.
    Block(Vec<Action>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_words_are_what_stands_outside_tags() {
        assert_eq!(
            without_tags("Send {{ x }} within 45 days{% if y %} or {{ z }}{% endif %}."),
            "Send \n within 45 days\n or \n\n."
        );
        assert_eq!(without_tags("open {{ never closed"), "open \n");
    }
}
