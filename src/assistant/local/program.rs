//! A procedure's steps as a flat program, so that a place in it is one number that outlives a turn.

use sha2::{Digest, Sha256};

use crate::domain::procedure::{Action, Procedure, Verb};

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
        Self { code, version }
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
            verb @ (Verb::Call { .. } | Verb::Say(_) | Verb::Answer(_) | Verb::Ask(_) | Verb::HandOff { .. }) => {
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

/// The templates an instruction evaluates; what they refer to must be known before it runs.
pub(super) fn templates(instruction: &Instruction) -> Vec<(bool, &str)> {
    match instruction {
        Instruction::Unless(condition, _) => vec![(true, condition.as_str())],
        Instruction::Do(Verb::Call { with, confirm, .. }) => with
            .iter()
            .map(|(_, template)| (false, template.as_str()))
            .chain(confirm.iter().map(|c| (false, c.as_str())))
            .collect(),
        Instruction::Do(Verb::Say(text)) => vec![(false, text.as_str())],
        Instruction::Do(Verb::HandOff { say: Some(text), .. }) => vec![(false, text.as_str())],
        Instruction::Do(Verb::HandOff { say: None, .. } | Verb::Answer(_) | Verb::Ask(_) | Verb::Block(_))
        | Instruction::Jump(_)
        | Instruction::Done => Vec::new(),
    }
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
                Instruction::Unless(condition, target) => at = if condition == "yes" { at + 1 } else { *target },
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
        assert_eq!(run(&[say("a", None, vec![], false), block, say("b", None, vec![], false)]), ["a", "else", "b"]);
        assert_eq!(run(&[say("a", Some("yes"), vec![say("x", None, vec![], false)], true), say("b", None, vec![], false)]), ["a"]);
        assert_eq!(run(&[say("a", Some("no"), vec![], true), say("b", None, vec![], false)]), ["b"]);
    }
}
