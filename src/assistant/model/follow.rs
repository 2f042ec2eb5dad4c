//! What has a procedure with steps: the local assistant follows it to the letter. The model hears what our own reading
//! missed in the customer's words, and says what comes of it in better ones.

use super::answer::{code, keeps};
use super::{Course, Thought};
use crate::assistant::local::Run;
use crate::assistant::local::heard::Question;
use crate::assistant::{AssistantError, Seen};
use crate::domain::decision::{Draft, Step};

impl Thought {
    /// The local assistant's next step. Before it asks anything, the model looks whether the customer has said it; once a
    /// turn, and only where the answer is not that to a list of details we have only just shown.
    pub(super) async fn follow(&mut self, seen: Seen) -> Result<Step, AssistantError> {
        self.course = Course::Local { plain: None };
        let may_listen = !self.listened && !self.talk.closed() && !self.small_talk();
        let before = may_listen.then(|| self.local.clone());
        let step = self.local.proceed(seen.clone())?;
        let question = self.local.question(&step).filter(|question| question.again || !question.for_yes);
        match (before, question) {
            (Some(before), Some(question)) => self.listen(before, seen, step, &question).await,
            _ => self.in_other_words(step).await,
        }
    }

    /// Asks the model what the customer says to the question that `step` is about to ask. What it heard is given to the
    /// turn as it was `before`; what it did not hear is asked, in its words.
    async fn listen(
        &mut self,
        before: Run,
        seen: Seen,
        step: Step,
        question: &Question,
    ) -> Result<Step, AssistantError> {
        self.listened = true;
        let draft = draft_of(&step).map_or("", |draft| &draft.text);
        let procedures = self.shared.parts.knowledge.procedures();
        let listened = match self.talk.listen(&self.situation, question, draft, &procedures).await {
            Ok(listened) => listened,
            Err(error) => {
                self.note(error.kind());
                return Ok(step);
            }
        };
        self.language = code(&listened.language).or(self.language.take());
        if let Some(heard) = listened.heard() {
            self.local = before.hearing(heard);
            let step = self.local.proceed(seen)?;
            return self.in_other_words(step).await;
        }
        Ok(if self.rewords(&step) { self.with_words(step, listened.text) } else { step })
    }

    /// Puts what a procedure says into the model's words, in the customer's language.
    async fn in_other_words(&mut self, step: Step) -> Result<Step, AssistantError> {
        let Some(draft) = draft_of(&step).filter(|_| self.rewords(&step) && !self.small_talk()) else {
            return Ok(step);
        };
        match self.talk.word(&self.situation, &draft.text).await {
            Ok(text) => Ok(self.with_words(step, text)),
            Err(error) => {
                self.note(error.kind());
                Ok(step)
            }
        }
    }

    /// Whether other words may be better. A yes is asked for in exactly the words of the procedure, and so is everything
    /// the customer can read, unless it is an answer.
    fn rewords(&self, step: &Step) -> bool {
        let foreign = self.situation.language != self.shared.language;
        match step {
            Step::Say(_) => !self.talk.closed(),
            Step::Ask { .. } => !self.talk.closed() && foreign,
            Step::Search(_) | Step::Call { .. } | Step::HandOff(_) => false,
        }
    }

    /// The step in these words, if they keep its facts; the plain ones are kept in case the guard stops them.
    fn with_words(&mut self, step: Step, text: String) -> Step {
        let Some(draft) = draft_of(&step) else { return step };
        if !keeps(&draft.text, &text) {
            self.note("changed_facts");
            return step;
        }
        let draft = Draft { text, ..draft.clone() };
        let worded = match &step {
            Step::Ask { write, .. } => Step::Ask { draft, write: write.clone() },
            _ => Step::Say(draft),
        };
        self.course = Course::Local { plain: Some(step) };
        worded
    }

    /// Nothing but a greeting, thanks or a goodbye, for which there are fixed words.
    fn small_talk(&self) -> bool {
        self.situation.readings.iter().all(|reading| reading.small_talk.is_some())
    }
}

fn draft_of(step: &Step) -> Option<&Draft> {
    match step {
        Step::Ask { draft, .. } | Step::Say(draft) => Some(draft),
        Step::Search(_) | Step::Call { .. } | Step::HandOff(_) => None,
    }
}
