//! What the model works out itself: it reads passages, asks for calls, and answers or hands over.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{self, Reply};
use super::kit::{HAND_OFF, SEARCH};
use super::talk::parsed;
use super::{Course, Thought, procedure_of, view};
use crate::assistant::local::quote::best;
use crate::assistant::{AssistantError, Proposer, Seen};
use crate::desk::note::Declared;
use crate::domain::case::Resolution;
use crate::domain::decision::{Draft, HandOff, ProposedWrite, Step};
use crate::domain::ids::{ProcedureId, ReceiptId};
use crate::domain::message::{Author, Citation};
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::knowledge::{Hit, Search};
use crate::llm::{Message, ModelError, ToolCall, ToolSpec};

/// Parts of what the model is shown, in tenths of the whole.
const PASSAGE_TENTHS: u64 = 4;
const RECORD_TENTHS: u64 = 2;
const THREAD_TENTHS: u64 = 4;

/// The model at work on a turn.
pub(super) struct Work {
    /// The kind of request, if there is one.
    pub(super) procedure: Option<ProcedureId>,
    /// Something outside was changed in this turn.
    pub(super) wrote: bool,
    messages: Vec<Message>,
    tools: Arc<[ToolSpec]>,
    /// Calls that the model asked for and nobody has dealt with.
    queue: VecDeque<ToolCall>,
    waiting: Waiting,
    /// What it was shown, by number.
    passages: Vec<Citation>,
    records: Vec<ReceiptId>,
    repairs: usize,
    /// Its last words, which may have to be said again.
    said: String,
    /// What the customer wants, in its words.
    pub(super) issue: Option<String>,
}

/// What the last step was for.
enum Waiting {
    Nothing,
    /// The search before the first call.
    First,
    /// A call of the model.
    Call {
        id: Arc<str>,
        tool: String,
        arguments: Value,
    },
    /// A write that the customer agreed to.
    Agreed {
        tool: String,
        arguments: Value,
    },
}

impl Thought {
    /// Searches for what was asked, so that most questions need one call.
    pub(super) fn begin_free(&mut self) -> Step {
        let requests: Vec<&str> = self
            .situation
            .readings
            .iter()
            .flat_map(|r| &r.requests)
            .map(|request| request.text.as_str())
            .collect();
        let query = requests.join("\n");
        let work = self.new_work(Waiting::First);
        self.local.note_matter(work.procedure.clone(), &query);
        self.course = Course::Free(Box::new(work));
        Step::Search(query)
    }

    /// Carries out what the customer has just agreed to; the model then says what came of it.
    pub(super) fn begin_agreed(&mut self, tool: String, arguments: Value) -> Step {
        let waiting = Waiting::Agreed { tool: tool.clone(), arguments: arguments.clone() };
        self.course = Course::Free(Box::new(self.new_work(waiting)));
        Step::Call { tool, arguments }
    }

    fn new_work(&self, waiting: Waiting) -> Work {
        let (case, customer) = (&self.situation.case, &self.situation.customer);
        let mut requests = self.situation.readings.iter().flat_map(|reading| &reading.requests);
        let procedures = self.shared.parts.knowledge.procedures();
        let procedure = requests.find_map(|request| procedure_of(&procedures, request));
        let tools = self.shared.kit.tools(&self.shared.parts.toolbox, case, customer, procedure);
        Work {
            procedure: procedure.map(|procedure| procedure.id.clone()),
            wrote: false,
            messages: Vec::new(),
            tools,
            queue: VecDeque::new(),
            waiting,
            passages: Vec::new(),
            records: self.situation.receipts.iter().map(|receipt| receipt.id.clone()).collect(),
            repairs: 0,
            said: String::new(),
            issue: None,
        }
    }

    /// Goes on with what came of the last step.
    pub(super) async fn work(&mut self, seen: Seen) -> Result<Step, AssistantError> {
        match self.go_on(seen).await {
            Ok(step) => Ok(step),
            Err(error) => self.without_model(&error).await,
        }
    }

    async fn go_on(&mut self, seen: Seen) -> Result<Step, ModelError> {
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        match (std::mem::replace(&mut work.waiting, Waiting::Nothing), seen) {
            (Waiting::First, Seen::Found(search)) => {
                self.open(Some(&search))?;
                self.think().await
            }
            (Waiting::Call { id, .. }, Seen::Found(search)) => {
                let hits: Vec<&Hit> = search.hits.iter().collect();
                let text =
                    view::passages(&hits, None, work.passages.len() + 1, self.shared.part(PASSAGE_TENTHS));
                work.passages.extend(cited(&hits));
                work.answer(id, text);
                self.next_call().await
            }
            (Waiting::Call { id, .. }, Seen::Called(receipt)) => {
                if let Some(step) = self.effect(&receipt) {
                    return Ok(step);
                }
                self.told(id, &receipt);
                self.next_call().await
            }
            (Waiting::Agreed { tool, arguments }, Seen::Called(receipt)) => {
                if let Some(step) = self.effect(&receipt) {
                    return Ok(step);
                }
                self.open(None)?;
                let id: Arc<str> = "call_agreed".into();
                if let Course::Free(work) = &mut self.course {
                    let call = ToolCall {
                        id: id.clone(),
                        name: tool.as_str().into(),
                        arguments: arguments.to_string().into(),
                    };
                    work.messages.push(Message::Assistant { text: "".into(), tool_calls: vec![call] });
                }
                self.told(id, &receipt);
                self.think().await
            }
            (Waiting::Call { tool, arguments, .. } | Waiting::Agreed { tool, arguments }, Seen::NeedsYes) => {
                Ok(self.ask_for_yes(tool, arguments))
            }
            (Waiting::Call { .. } | Waiting::Agreed { .. }, Seen::NeedsApproval { because }) => {
                let next = format!("Approve or refuse what the customer asked for: {because}.");
                Ok(Step::HandOff(HandOff { next_step: Some(next), ..HandOff::because("over_limit") }))
            }
            (Waiting::Call { id, .. }, Seen::Denied { tell, .. }) => {
                if let Some(step) = self.repair(id, &tell) {
                    return Ok(step);
                }
                self.next_call().await
            }
            (_, Seen::Denied { reason, .. }) => Ok(Step::HandOff(HandOff::because(reason))),
            (_, Seen::Rejected { reasons }) => self.revise(&reasons).await,
            (_, _) => Err(given_up()),
        }
    }

    /// Begins the conversation with the model: our words, then the blocks.
    fn open(&mut self, search: Option<&Search>) -> Result<(), ModelError> {
        let mut prompts = vec!["resolve", "language", "issue_line"];
        if view::instructed(&self.situation) {
            prompts.push("colleague");
        }
        let told = self.talk.told(&prompts)?;
        let (guidance, named) = self.procedure_says();
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        let mut blocks = vec![view::case(&self.situation, &self.local.gathered())];
        blocks.extend(guidance);
        if !self.situation.receipts.is_empty() {
            blocks.push(view::records(&self.situation.receipts, self.shared.part(RECORD_TENTHS)));
        }
        if let Some(search) = search {
            let likely = best(search, &named, self.shared.answer_min);
            let mut hits: Vec<&Hit> = search.hits.iter().collect();
            hits.sort_by_key(|hit| !likely.is_some_and(|likely| std::ptr::eq(likely, *hit)));
            blocks.push(view::passages(&hits, likely, 1, self.shared.part(PASSAGE_TENTHS)));
            work.passages.extend(cited(&hits));
        }
        blocks.push(view::thread(&self.situation, self.shared.part(THREAD_TENTHS)));
        work.messages = vec![Message::System(told), Message::User(blocks.join("\n\n").into())];
        Ok(())
    }

    /// The guidance of the procedure at hand, as a block, and the articles it names.
    fn procedure_says(&self) -> (Option<String>, Vec<String>) {
        let Course::Free(work) = &self.course else { return (None, Vec::new()) };
        let procedures = self.shared.parts.knowledge.procedures();
        let Some(procedure) =
            procedures.iter().find(|procedure| Some(&procedure.id) == work.procedure.as_ref())
        else {
            return (None, Vec::new());
        };
        (view::guidance(procedure), procedure.articles.clone())
    }

    /// Asks the model what to do next.
    async fn think(&mut self) -> Result<Step, ModelError> {
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        let messages: Arc<[Message]> = work.messages.as_slice().into();
        let schema = self.shared.kit.reply.clone();
        let reply = self.talk.ask("resolve", messages, work.tools.clone(), schema).await?;
        if !reply.tool_calls.is_empty() {
            work.queue.extend(reply.tool_calls.iter().cloned());
            work.messages.push(Message::Assistant { text: reply.text.into(), tool_calls: reply.tool_calls });
            return self.next_call().await;
        }
        let answer: Reply = parsed(&reply.text)?;
        work.said = reply.text;
        self.conclude(answer).await
    }

    /// Deals with the next call the model asked for; when all are dealt with it is asked again.
    async fn next_call(&mut self) -> Result<Step, ModelError> {
        loop {
            let Course::Free(work) = &mut self.course else { return Err(given_up()) };
            let Some(call) = work.queue.pop_front() else { return Box::pin(self.think()).await };
            let arguments: Option<Value> =
                serde_json::from_str(&call.arguments).ok().filter(|value: &Value| value.is_object());
            let Some(arguments) = arguments else {
                if let Some(step) = self.repair(call.id, "the arguments are not a JSON object") {
                    return Ok(step);
                }
                continue;
            };
            if &*call.name == HAND_OFF {
                return Ok(Step::HandOff(HandOff::because(reason(&arguments))));
            }
            let tool = call.name.to_string();
            let waiting =
                Waiting::Call { id: call.id.clone(), tool: tool.clone(), arguments: arguments.clone() };
            if tool == SEARCH {
                let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default().to_owned();
                work.waiting = waiting;
                return Ok(Step::Search(query));
            }
            if work.tools.iter().any(|offered| offered.name() == tool) {
                work.waiting = waiting;
                return Ok(Step::Call { tool, arguments });
            }
            if let Some(step) = self.repair(call.id, "there is no tool of this name; use only those listed") {
                return Ok(step);
            }
        }
    }

    /// Tells the model why its call was not made; too often, and a person takes over.
    fn repair(&mut self, id: Arc<str>, tell: &str) -> Option<Step> {
        let Course::Free(work) = &mut self.course else { return None };
        work.repairs += 1;
        if work.repairs > self.shared.limits.model_repairs_max {
            return Some(Step::HandOff(HandOff::because("model_not_permitted")));
        }
        work.answer(id, json!({"error": tell}).to_string());
        None
    }

    /// Shows the model what a call gave back.
    fn told(&mut self, id: Arc<str>, receipt: &Receipt) {
        let Course::Free(work) = &mut self.course else { return };
        work.records.push(receipt.id.clone());
        let record = view::record(work.records.len(), receipt);
        work.answer(id, view::block("record", &record));
    }

    /// Notes what a write came to; a write that is not known to have happened goes to a person.
    fn effect(&mut self, receipt: &Receipt) -> Option<Step> {
        if receipt.effect == Effect::Read {
            return None;
        }
        let reason = match receipt.status {
            CallStatus::Done => {
                if let Course::Free(work) = &mut self.course {
                    work.wrote = true;
                }
                return None;
            }
            CallStatus::Refused => return None,
            CallStatus::Failed => "tool_failed",
            CallStatus::Unknown => "result_unknown",
        };
        let say = self.shared.parts.phrases.say(&self.situation.language, "tool_trouble", json!({}));
        Some(Step::HandOff(HandOff { say: Some(say), ..HandOff::because(reason) }))
    }

    /// Lists a write as code reads it, and asks for a yes to exactly that.
    fn ask_for_yes(&self, tool: String, arguments: Value) -> Step {
        let toolbox = &self.shared.parts.toolbox;
        let declared = Declared { titles: toolbox.titles(), currency: toolbox.currency(Some(&tool)) };
        let details: Vec<String> = declared
            .arguments(&arguments)
            .into_iter()
            .map(|(label, value)| format!("{label}: {value}"))
            .collect();
        let context = json!({"title": declared.words(&tool), "details": details});
        let say = |key: &str, context: &Value| {
            self.shared.parts.phrases.say(&self.situation.language, key, context)
        };
        let text = say("confirm_write", &context);
        let choices = vec![say("choice_yes", &Value::Null), say("choice_no", &Value::Null)];
        let draft = Draft { text, choices, ..Draft::default() };
        Step::Ask { draft, write: Some(ProposedWrite { tool, arguments }) }
    }

    /// The guard stopped the words: once more, without what it found.
    async fn revise(&mut self, reasons: &[String]) -> Result<Step, ModelError> {
        let prompt = self.shared.parts.prompts.render("revise", json!({ "reasons": reasons }));
        let prompt = prompt.map_err(|error| ModelError::NotConfigured(format!("a prompt: {error}")))?;
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        let said: Arc<str> = work.said.as_str().into();
        work.messages.push(Message::Assistant { text: said, tool_calls: Vec::new() });
        work.messages.push(Message::User(prompt.into()));
        self.think().await
    }

    /// Turns the model's answer into a step.
    async fn conclude(&mut self, reply: Reply) -> Result<Step, ModelError> {
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        let (mut citations, mut grounds): (Vec<Citation>, Vec<ReceiptId>) = (Vec::new(), Vec::new());
        for id in &reply.used {
            let (kind, number) =
                (id.get(..1).unwrap_or_default(), id.get(1..).and_then(|n| n.parse::<usize>().ok()));
            match (kind, number.and_then(|n| n.checked_sub(1))) {
                ("p", Some(at)) if at < work.passages.len() => {
                    let cited = work.passages.get(at).filter(|cited| !citations.contains(cited));
                    citations.extend(cited.cloned());
                }
                ("r", Some(at)) if at < work.records.len() => grounds.extend(work.records.get(at).cloned()),
                _ => {
                    work.repairs += 1;
                    if work.repairs > self.shared.limits.model_repairs_max {
                        return Ok(Step::HandOff(HandOff::because("model_not_grounded")));
                    }
                    let shown: String = id.chars().take(20).collect();
                    return Box::pin(self.revise(&[format!("used: there is no `{shown}`")])).await;
                }
            }
        }
        let issue = self.issue(&reply.issue);
        let Course::Free(work) = &mut self.course else { return Err(given_up()) };
        self.language = answer::code(&reply.language).or(self.language.take());
        work.issue = issue;
        if reply.used.is_empty() && !reply.resolves && !reply.asks && !work.wrote {
            return self.unanswered(&reply.text);
        }
        self.local.answered_elsewhere(work.procedure.as_ref());
        let resolves =
            (reply.resolves && !reply.asks && !reply.used.is_empty()).then_some(Resolution::Answered);
        let grounds = (!reply.used.is_empty()).then_some(grounds);
        let draft = Draft { text: reply.text, citations, resolves, grounds, ..Draft::default() };
        Ok(if reply.asks { Step::Ask { draft, write: None } } else { Step::Say(draft) })
    }

    /// The model knows nothing: that counts as it does for the local assistant, which offers a person, and the
    /// second time in a row calls one.
    fn unanswered(&mut self, text: &str) -> Result<Step, ModelError> {
        self.local = self.shared.parts.local.understood_turn(self.situation.clone()).unanswered();
        let step = self.local.proceed(Seen::Begin).map_err(|_| given_up())?;
        Ok(match step {
            Step::Say(draft) if !text.trim().is_empty() => {
                Step::Say(Draft { text: text.to_owned(), ..draft })
            }
            step => step,
        })
    }

    /// The model's line, if every figure in it is the customer's own.
    fn issue(&self, line: &str) -> Option<String> {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let customers = self.situation.thread.iter().filter(|message| message.author == Author::Customer);
        let words: Vec<&str> = customers.map(|message| message.text.as_str()).collect();
        let fits = !line.is_empty() && line.chars().count() <= ISSUE_CHARS_MAX;
        (fits && answer::keeps(&line, &words.join("\n"))).then_some(line)
    }
}

/// Longest issue line.
const ISSUE_CHARS_MAX: usize = 160;

impl super::Shared {
    /// So many tenths of what the model may be shown, tokens.
    fn part(&self, tenths: u64) -> u64 {
        self.limits.model_context_tokens_max / 10 * tenths
    }
}

impl Work {
    /// The model's name of the call that was proposed last.
    pub(super) fn call_name(&self) -> Option<Arc<str>> {
        match &self.waiting {
            Waiting::Call { id, .. } => Some(id.clone()),
            Waiting::Nothing | Waiting::First | Waiting::Agreed { .. } => None,
        }
    }

    fn answer(&mut self, call: Arc<str>, text: String) {
        self.messages.push(Message::Tool { call, text: text.into() });
    }
}

fn cited(hits: &[&Hit]) -> impl Iterator<Item = Citation> {
    hits.iter().map(|hit| Citation { article: hit.article.clone(), title: hit.title.clone() })
}

/// Why the model hands over, in a word of ours.
fn reason(arguments: &Value) -> &'static str {
    match arguments.get("reason").and_then(Value::as_str) {
        Some("person_asked") => "person_asked",
        Some("not_permitted") => "not_permitted",
        Some("sensitive") => "sensitive",
        _ => "not_understood",
    }
}

fn given_up() -> ModelError {
    ModelError::Malformed("the turn cannot go on with it")
}
