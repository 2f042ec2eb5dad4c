//! The assistant that needs no model: it follows the procedures to the letter and quotes the articles.
//!
//! A turn is a small agenda: requests read from the unread messages become tasks, a task runs a
//! procedure's program or searches the articles, and what they say is gathered into one reply. The
//! run stops whenever it needs something from outside (a search, a tool, the customer) and goes on
//! when [`Proposer::next`] brings it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, RwLock};

use futures_util::future::BoxFuture;

use self::heard::Heard;
use self::memory::{Later, Memory};
use self::program::Program;
pub(crate) use self::unproven::asks_unproven;
use super::{Assistant, AssistantError, Proposer, Reading, Seen, Situation, Understood};
use crate::config::{Business, Limits, TriageSettings};
use crate::domain::case::Case;
use crate::domain::decision::Step;
use crate::domain::ids::ProcedureId;
use crate::domain::procedure::Procedure;
use crate::knowledge::Knowledge;
use crate::templates::{Phrases, Templates};

mod answers;
mod follow_up;
pub(super) mod heard;
mod interpret;
mod memory;
mod plan;
mod program;
pub(super) mod quote;
mod reply;
mod slots;
mod unproven;

/// What the local assistant works with; shared by all its turns.
pub struct LocalAssistant {
    shared: Arc<Shared>,
}

struct Shared {
    knowledge: Knowledge,
    templates: Arc<Templates>,
    phrases: Arc<Phrases>,
    triage: TriageSettings,
    limits: Limits,
    business: Business,
    book: RwLock<Arc<Book>>,
}

/// The procedures of one knowledge version, compiled; what one does for somebody unproven stands beside it.
#[derive(Default)]
struct Book {
    version: String,
    entries: HashMap<String, Arc<Entry>>,
}

struct Entry {
    procedure: Procedure,
    program: Program,
}

impl LocalAssistant {
    /// An assistant over this knowledge, with these words and thresholds.
    pub fn new(
        knowledge: Knowledge,
        templates: Arc<Templates>,
        phrases: Arc<Phrases>,
        triage: TriageSettings,
        limits: Limits,
        business: Business,
    ) -> Self {
        let book = RwLock::default();
        Self { shared: Arc::new(Shared { knowledge, templates, phrases, triage, limits, business, book }) }
    }
}

impl Shared {
    /// The compiled procedures, compiled anew when the knowledge has changed.
    fn book(&self) -> Arc<Book> {
        let version = self.knowledge.version();
        if let Ok(book) = self.book.read()
            && book.version == version
        {
            return book.clone();
        }
        let mut entries = HashMap::new();
        for procedure in self.knowledge.procedures().iter() {
            let entry = |procedure: &Procedure| {
                Arc::new(Entry { procedure: procedure.clone(), program: Program::compile(procedure) })
            };
            let id = procedure.id.as_str();
            entries.extend(procedure.unproven.as_deref().map(|steps| (unproven::key(id), entry(steps))));
            entries.insert(id.to_owned(), entry(procedure));
        }
        let book = Arc::new(Book { version, entries });
        if let Ok(mut kept) = self.book.write() {
            *kept = book.clone();
        }
        book
    }
}

impl Assistant for LocalAssistant {
    fn begin(&self, situation: Situation) -> Box<dyn Proposer> {
        Box::new(self.turn(Arc::new(situation)))
    }

    fn in_context(&self, case: &Case, mut readings: Vec<Reading>) -> Vec<Reading> {
        let memory = Memory::read(&case.memory);
        let book = self.shared.book();
        let last = memory.answered.as_ref().filter(|_| memory.frame.is_none() && memory.offer.is_none());
        if let Some(entry) = last.and_then(|id| book.entries.get(id)) {
            let standing = follow_up::Standing {
                sure_from: self.shared.triage.switch_min,
                proven: memory.matched.is_none(),
            };
            for request in readings.iter_mut().flat_map(|reading| &mut reading.requests) {
                follow_up::place(request, entry, &book, standing);
            }
        }
        readings
    }
}

impl LocalAssistant {
    /// A turn as the local assistant alone goes about it.
    pub(super) fn turn(&self, situation: Arc<Situation>) -> Run {
        let foreign = situation.language != self.shared.business.language;
        self.run(situation, foreign)
    }

    /// A turn whose requests somebody has understood, in whatever language they are.
    pub(super) fn understood_turn(&self, situation: Arc<Situation>) -> Run {
        self.run(situation, false)
    }

    fn run(&self, situation: Arc<Situation>, foreign: bool) -> Run {
        let memory = Memory::read(&situation.case.memory);
        Run {
            foreign,
            unanswered: None,
            heard: None,
            book: self.shared.book(),
            shared: self.shared.clone(),
            memory,
            agenda: VecDeque::new(),
            parts: Vec::new(),
            waiting: Waiting::Nothing,
            intent: situation.case.intent.clone(),
            handed: None,
            situation,
        }
    }
}

/// More requests than this do not wait for an answer; customers ask again.
const LATER_MAX: usize = 3;

/// One turn of the local assistant.
#[derive(Clone)]
pub(super) struct Run {
    shared: Arc<Shared>,
    book: Arc<Book>,
    situation: Arc<Situation>,
    /// In a language that the procedures do not speak.
    foreign: bool,
    /// What somebody else looked into and found nothing about.
    unanswered: Option<String>,
    /// What a model understood of the unread words.
    heard: Option<Heard>,
    memory: Memory,
    agenda: VecDeque<Task>,
    parts: Vec<reply::Part>,
    waiting: Waiting,
    intent: Option<ProcedureId>,
    /// What people are given the case for, in the customer's words.
    handed: Option<String>,
}

/// Something this turn has to deal with.
#[derive(Debug, Clone, PartialEq)]
enum Task {
    /// Go on with the procedure under way.
    Continue,
    /// Begin a procedure for these words.
    Start { procedure: String, request: String },
    /// Answer these words from the articles.
    Look { request: String },
    /// Take up the procedure that was interrupted last.
    Resume,
}

/// What the step proposed last was for.
#[derive(Debug, Clone, PartialEq)]
enum Waiting {
    Nothing,
    /// A search for these words; only these articles count, any when empty.
    Passage {
        request: String,
        articles: Vec<String>,
    },
    /// A search for what was asked of a procedure that the customer's assurance does not reach.
    Instead {
        request: String,
    },
    /// The candidates of this slot.
    Candidates {
        slot: String,
    },
    /// The result of the call at the frame's place.
    Result,
}

impl Proposer for Run {
    fn next(&mut self, seen: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let step = self.proceed(seen);
        Box::pin(async move { step })
    }

    fn memory(&self) -> String {
        self.memory.write()
    }

    fn gathered(&self) -> BTreeMap<String, String> {
        let frame = self.memory.frame.iter().flat_map(|frame| frame.slots.iter());
        self.memory
            .known
            .iter()
            .chain(frame)
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), reply::plain(value)))
            .collect()
    }

    fn intent(&self) -> Option<ProcedureId> {
        self.intent.clone()
    }

    fn understood(&self) -> Understood {
        Understood { issue: self.handed.clone(), language: None }
    }
}

impl Run {
    /// The same turn when nobody knows what to answer.
    pub(super) fn unanswered(self) -> Self {
        Self { unanswered: Some(self.unread()), ..self }
    }

    /// Whether a procedure is under way, or one that was interrupted waits.
    pub(super) fn under_way(&self) -> bool {
        self.memory.frame.is_some() || !self.memory.paused.is_empty()
    }

    /// Somebody else has answered: what we asked or could not say before is settled.
    pub(super) fn answered_elsewhere(&mut self, procedure: Option<&ProcedureId>) {
        self.memory.answered = procedure.map(ToString::to_string).or(self.memory.answered.take());
        self.memory.offer = None;
        self.memory.failures = 0;
    }

    /// The next step, given what came of the last.
    pub(super) fn proceed(&mut self, seen: Seen) -> Result<Step, AssistantError> {
        let step = self.go_on(seen)?;
        if matches!(step, Step::Ask { .. }) {
            self.keep_for_later();
        }
        Ok(step)
    }

    fn go_on(&mut self, seen: Seen) -> Result<Step, AssistantError> {
        let begun = match (std::mem::replace(&mut self.waiting, Waiting::Nothing), seen) {
            (_, Seen::Begin) => self.plan(),
            (waiting, seen) => self.receive(waiting, seen)?,
        };
        if let Some(step) = begun {
            return Ok(step);
        }
        loop {
            while let Some(task) = self.agenda.pop_front() {
                if let Some(step) = self.work(task)? {
                    return Ok(step);
                }
            }
            if self.memory.later.is_empty() || self.memory.frame.is_some() {
                return Ok(self.conclude());
            }
            self.take_up_later();
        }
    }

    /// The turn ends with a question; what it had not come to waits for the answer.
    fn keep_for_later(&mut self) {
        for task in std::mem::take(&mut self.agenda) {
            let later = match task {
                Task::Start { procedure, request } => Later { procedure: Some(procedure), request },
                Task::Look { request } => Later { procedure: None, request },
                Task::Continue | Task::Resume => continue,
            };
            if self.memory.later.len() < LATER_MAX && !self.memory.later.contains(&later) {
                self.memory.later.push(later);
            }
        }
    }

    fn take_up_later(&mut self) {
        for Later { procedure, request } in std::mem::take(&mut self.memory.later) {
            self.agenda.push_back(match procedure {
                Some(procedure) => Task::Start { procedure, request },
                None => Task::Look { request },
            });
        }
    }

    fn work(&mut self, task: Task) -> Result<Option<Step>, AssistantError> {
        match task {
            Task::Continue => self.advance(),
            Task::Start { procedure, request } => {
                let procedure = self.within_reach(procedure);
                self.start(&procedure, &request);
                // Nothing is asked for a procedure that would then be refused.
                if self.out_of_reach(&procedure) { Ok(self.ask_to_sign_in()) } else { self.advance() }
            }
            Task::Look { request } => {
                self.note_matter(None, &request);
                self.waiting = Waiting::Passage { request: request.clone(), articles: Vec::new() };
                Ok(Some(Step::Search(request)))
            }
            Task::Resume => {
                let Some(frame) = self.memory.paused.pop() else { return Ok(None) };
                let title = self.book.entries.get(&frame.procedure).map(|e| e.procedure.title.clone());
                self.memory.frame = Some(frame);
                if let Some(title) = title {
                    self.say_phrase("back_to", &serde_json::json!({ "title": title }));
                }
                Ok(self.ask_again())
            }
        }
    }
}

/// What a procedure may refer to; for `firstline check`.
pub struct Known<'a> {
    /// Names of declared tools.
    pub tools: &'a [&'a str],
    /// Ids of declared teams.
    pub teams: &'a [&'a str],
    /// Whether there is such an article.
    pub articles: &'a dyn Fn(&str) -> bool,
}

/// Everything a procedure refers to that is not there, and every template that does not compile.
pub fn check(procedure: &Procedure, engine: &Templates, known: &Known<'_>) -> Vec<String> {
    let unproven = procedure.unproven.iter().flat_map(|steps| program::check(steps, engine, known));
    let mut problems = program::check(procedure, engine, known);
    problems.extend(unproven);
    problems.sort();
    problems.dedup();
    problems.into_iter().map(|problem| format!("{}: {problem}", procedure.file)).collect()
}
