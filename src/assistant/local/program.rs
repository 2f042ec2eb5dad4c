//! A procedure's steps as a flat program, so that a place in it is one number that outlives a turn.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::Known;
use crate::domain::ids::TeamId;
use crate::domain::procedure::{Action, Procedure, Verb};
use crate::templates::Templates;

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Instruction {
    /// Go on at the target unless the condition holds.
    Unless(String, usize),
    /// Go on at the target.
    Jump(usize),
    /// Do it.
    Do(Verb),
    /// The procedure is finished.
    Done,
}

/// A compiled procedure.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The instructions.
    pub(super) code: Vec<Instruction>,
    /// The slots that each instruction refers to, in the order of the texts that do.
    pub(super) needs: Vec<Vec<String>>,
    /// Tells whether a stored place still means the same.
    pub(super) version: String,
}

impl Program {
    /// Compiles the steps of a procedure; one that has none answers from its articles.
    pub(super) fn compile(procedure: &Procedure) -> Self {
        let mut code = Vec::new();
        if procedure.steps.is_empty() {
            code.push(Instruction::Do(Verb::Answer(procedure.articles.clone())));
        }
        emit(&procedure.steps, &mut code);
        code.push(Instruction::Done);
        let mut hasher = Sha256::new();
        hasher.update(format!("{code:?}"));
        let version = hex::encode(hasher.finalize()).chars().take(16).collect();
        let needs = code.iter().map(|instruction| slots_of(instruction, procedure)).collect();
        Self { code, needs, version }
    }
}

fn emit(actions: &[Action], code: &mut Vec<Instruction>) {
    for action in actions {
        let guard = action.condition.as_ref().map(|condition| {
            code.push(Instruction::Unless(condition.clone(), 0));
            code.len() - 1
        });
        match &action.verb {
            Verb::Block(inner) => emit(inner, code),
            verb @ (Verb::Call { .. }
            | Verb::Say(_)
            | Verb::Answer(_)
            | Verb::Ask(_)
            | Verb::HandOff { .. }) => {
                code.push(Instruction::Do(verb.clone()));
            }
        }
        if action.done {
            code.push(Instruction::Done);
        }
        let Some(guard) = guard else { continue };
        let skip = (!action.otherwise.is_empty()).then(|| {
            code.push(Instruction::Jump(0));
            code.len() - 1
        });
        let otherwise = code.len();
        emit(&action.otherwise, code);
        let end = code.len();
        if let Some(Instruction::Unless(_, target)) = code.get_mut(guard) {
            *target = otherwise;
        }
        if let Some(Instruction::Jump(target)) = skip.and_then(|at| code.get_mut(at)) {
            *target = end;
        }
    }
}

impl Program {
    /// The names that results of a tool are bound to.
    pub(super) fn bound<'a>(&'a self, tool: &'a str) -> impl Iterator<Item = &'a String> {
        self.code.iter().filter_map(move |instruction| match instruction {
            Instruction::Do(Verb::Call { tool: called, bind, .. }) if called == tool => bind.as_ref(),
            _ => None,
        })
    }
}

/// The slots an instruction refers to: they must be known before it runs. Read off the text, because the engine's own
/// list of variables leaves out those inside a slice.
fn slots_of(instruction: &Instruction, procedure: &Procedure) -> Vec<String> {
    let mut needed: Vec<String> = Vec::new();
    for (_, source) in templates(instruction) {
        let slots = procedure.slots.iter().map(|slot| &slot.name);
        needed.extend(
            slots.filter(|name| reads(source, name) && !needed.contains(name)).cloned().collect::<Vec<_>>(),
        );
    }
    needed
}

/// Whether `slots.<name>` stands in a text as a whole.
fn reads(source: &str, name: &str) -> bool {
    let whole = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    source.split("slots.").skip(1).any(|rest| rest.strip_prefix(name).is_some_and(whole))
}

/// The templates an instruction evaluates.
fn templates(instruction: &Instruction) -> Vec<(bool, &str)> {
    match instruction {
        Instruction::Unless(condition, _) => vec![(true, condition.as_str())],
        Instruction::Do(Verb::Call { with, confirm, .. }) => with
            .iter()
            .map(|(_, template)| (false, template.as_str()))
            .chain(confirm.iter().map(|c| (false, c.as_str())))
            .collect(),
        Instruction::Do(Verb::Say(text) | Verb::HandOff { say: Some(text), .. }) => {
            vec![(false, text.as_str())]
        }
        Instruction::Do(
            Verb::HandOff { say: None, .. } | Verb::Answer(_) | Verb::Ask(_) | Verb::Block(_),
        )
        | Instruction::Jump(_)
        | Instruction::Done => Vec::new(),
    }
}

/// What a procedure refers to and is not there; what does not compile.
pub(super) fn check(procedure: &Procedure, engine: &Templates, known: &Known<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let program = Program::compile(procedure);
    let mut names: BTreeSet<String> =
        ["slots", "customer", "case", "today", "item"].into_iter().map(str::to_owned).collect();
    let verbs =
        program.code.iter().filter_map(|i| if let Instruction::Do(verb) = i { Some(verb) } else { None });
    let mut articles: Vec<&String> = procedure.articles.iter().collect();
    let mut teams: Vec<&str> = procedure.team.iter().map(TeamId::as_str).collect();
    let mut tools: Vec<&str> =
        procedure.slots.iter().filter_map(|s| s.from.as_ref()).map(|f| f.tool.as_str()).collect();
    tools.extend(procedure.tools.iter().map(String::as_str));
    for verb in verbs {
        match verb {
            Verb::Call { tool, bind, .. } => {
                tools.push(tool);
                names.extend(bind.clone());
            }
            Verb::Answer(ids) => articles.extend(ids),
            Verb::HandOff { team, .. } => teams.extend(team.iter().map(TeamId::as_str)),
            Verb::Say(_) | Verb::Ask(_) | Verb::Block(_) => {}
        }
    }
    problems
        .extend(tools.iter().filter(|t| !known.tools.contains(t)).map(|t| format!("there is no tool `{t}`")));
    problems
        .extend(teams.iter().filter(|t| !known.teams.contains(t)).map(|t| format!("there is no team `{t}`")));
    problems.extend(
        articles.iter().filter(|a| !(known.articles)(a)).map(|a| format!("there is no article `{a}`")),
    );
    let asks = procedure.slots.iter().map(|slot| (false, slot.ask.as_str()));
    for (expression, source) in program.code.iter().flat_map(templates).chain(asks) {
        let read =
            if expression { engine.references_of_expression(source) } else { engine.references(source) };
        match read {
            Err(error) => problems.push(format!("`{source}`: {error}")),
            Ok(found) => {
                for name in found {
                    let root = name.split('.').next().unwrap_or(&name);
                    if !names.contains(root) {
                        problems.push(format!("`{source}` reads `{root}`, which no step binds"));
                    }
                    if let Some(slot) =
                        name.strip_prefix("slots.").filter(|slot| procedure.slot(slot).is_none())
                    {
                        problems.push(format!("`{source}` reads the slot `{slot}`, which is not declared"));
                    }
                }
            }
        }
    }
    problems.sort();
    problems.dedup();
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str, condition: Option<&str>, otherwise: Vec<Action>, done: bool) -> Action {
        Action { condition: condition.map(str::to_owned), verb: Verb::Say(text.to_owned()), otherwise, done }
    }

    /// Runs a program whose conditions are `yes` or `no` and whose verbs only say something.
    fn run(actions: &[Action]) -> Vec<String> {
        let mut code = Vec::new();
        emit(actions, &mut code);
        code.push(Instruction::Done);
        let (mut at, mut said) = (0, Vec::new());
        loop {
            match &code[at] {
                Instruction::Unless(condition, target) => {
                    at = if condition == "yes" { at + 1 } else { *target }
                }
                Instruction::Jump(target) => at = *target,
                Instruction::Do(Verb::Say(text)) => {
                    said.push(text.clone());
                    at += 1;
                }
                Instruction::Do(other) => panic!("{other:?}"),
                Instruction::Done => return said,
            }
        }
    }

    #[test]
    fn conditions_blocks_else_and_done_run_in_their_order() {
        let block = Action {
            condition: Some("no".to_owned()),
            verb: Verb::Block(vec![say("inside", None, vec![], false)]),
            otherwise: vec![say("else", Some("yes"), vec![], false)],
            done: false,
        };
        assert_eq!(
            run(&[say("a", None, vec![], false), block, say("b", None, vec![], false)]),
            ["a", "else", "b"]
        );
        assert_eq!(
            run(&[
                say("a", Some("yes"), vec![say("x", None, vec![], false)], true),
                say("b", None, vec![], false)
            ]),
            ["a"]
        );
        assert_eq!(run(&[say("a", Some("no"), vec![], true), say("b", None, vec![], false)]), ["b"]);
    }
}
