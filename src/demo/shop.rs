//! The running shop: one state in memory, one journal on the disk, and the rule that a key acts once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Digest as _;

use super::answers::{self, Days};
use super::calendar;
use super::crm::Told;
use super::decide::{self, Present, Refusal, Write};
use super::faults::Faults;
use super::journal::{Journal, JournalError, Record};
use super::seed::{self, Seed};
use super::state::{Call, Change, State};
use crate::domain::time::Clock;

/// The journal's format; a journal of another format is refused.
const FORMAT: u32 = 1;
/// The longest `Idempotency-Key`, in bytes.
pub(super) const KEY_MAX_BYTES: usize = 255;

/// Why the shop cannot open.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal is of another version of the shop.
    #[error(
        "the demo shop's journal has format {0}, this version reads {FORMAT}; remove the file to start the shop anew"
    )]
    Format(u32),
    /// The embedded files are faulty: a fault of this build.
    #[error("the demo shop's embedded files: {0}")]
    Seed(String),
}

/// One order as `/demo/customers.json` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct DemoOrder {
    /// The order number.
    pub id: String,
    /// `placed`, `packed`, `shipped`, `delivered`, `cancelled` or `returned`.
    pub status: &'static str,
}

/// One customer as `/demo/customers.json` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct DemoCustomer {
    /// The shop's own id, which the tools call `customer.external_id`.
    pub id: String,
    /// Full name.
    pub name: String,
    /// The address on the record.
    pub email: String,
    /// The number on the record.
    pub phone: String,
    /// Every order, oldest first.
    pub orders: Vec<DemoOrder>,
}

/// An answer to one call: an HTTP status and a JSON body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Arc<Value>,
}

impl Answer {
    /// 200 with a body.
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body: Arc::new(body) }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let body = json!({ "error": { "code": refusal.code, "message": refusal.message } });
        Self { status: refusal.status, body: Arc::new(body) }
    }
}

/// A write as it arrives.
#[derive(Debug, Clone)]
pub(super) struct WriteCall {
    pub(super) tool: &'static str,
    pub(super) customer: String,
    pub(super) order: Option<String>,
    pub(super) key: Option<String>,
    pub(super) arguments: Value,
    /// Whether the shop knows a repeat when it sees one; only a fault makes it forget.
    pub(super) repeats: Repeats,
}

/// What happens to a key that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    Answered,
    Forgotten,
}

/// The demo shop, Harbor & Pine.
pub struct Shop {
    seed: &'static Seed,
    opening: Date,
    clock: Arc<dyn Clock>,
    pub(super) token: String,
    state: RwLock<State>,
    /// Also the turnstile of all writes: whoever holds it decides, journals and applies.
    journal: Mutex<Option<Journal>>,
    /// What the CRM was told.
    pub(super) told: Mutex<Told>,
    /// Whether a write waits for a disk.
    pub(super) writes_to_disk: bool,
    /// What the shop was told to do wrong.
    pub faults: Faults,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop")
            .field("opening", &self.opening)
            .field("writes_to_disk", &self.writes_to_disk)
            .finish_non_exhaustive()
    }
}

impl Shop {
    /// Opens the shop, from its journal where one is named, else anew in memory.
    ///
    /// Calls need `Authorization: Bearer <token>`. Dates count from the day the journal began, else from today.
    /// The journal's folder is created; the file stays locked while the shop is open.
    pub fn open(journal: Option<PathBuf>, clock: Arc<dyn Clock>, token: String) -> Result<Self, ShopError> {
        let seed = seed::seed().map_err(ShopError::Seed)?;
        let mut state = seed.opening.clone();
        let mut opening = calendar::local(clock.now()).date();
        let mut file = None;
        let mut told = Told::new();
        if let Some(path) = journal {
            let (mut journal, records) = Journal::open(&path)?;
            if records.is_empty() {
                let opened = Record::Opened { format: FORMAT, opening_day: opening };
                journal.append(&opened).map_err(|source| JournalError::Io { path, source })?;
            }
            for record in records {
                match record {
                    Record::Opened { format: FORMAT, opening_day } => opening = opening_day,
                    Record::Opened { format, .. } => return Err(ShopError::Format(format)),
                    Record::Call(call) => state.apply(*call),
                    Record::Repeat { key } => state.count_repeat(&key),
                    Record::Told { key, body } => _ = told.insert(key, body),
                }
            }
            file = Some(journal);
        }
        let writes_to_disk = file.is_some();
        let (state, journal) = (RwLock::new(state), Mutex::new(file));
        let (told, faults) = (Mutex::new(told), Faults::default());
        Ok(Self { seed, opening, clock, token, state, journal, told, writes_to_disk, faults })
    }

    /// Every customer with the present status of every order, in the order of their ids.
    pub fn customers(&self) -> Vec<DemoCustomer> {
        let state = self.read();
        let orders = |id: &str| {
            let own = state.by_customer.get(id).into_iter().flatten().filter_map(|id| state.orders.get(id));
            own.map(|order| DemoOrder { id: order.id.clone(), status: order.state.as_str() }).collect()
        };
        let demo = |customer: &super::model::Customer| DemoCustomer {
            id: customer.id.clone(),
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            orders: orders(&customer.id),
        };
        self.seed.customers.iter().map(demo).collect()
    }

    /// Everything that can change, as `GET /state` shows it.
    ///
    /// `orders` is an object by order number; `refunds`, `returns`, `requests` and `effects` are lists.
    pub fn state(&self) -> Value {
        answers::state(&self.read(), self.days())
    }

    pub(super) fn days(&self) -> Days {
        Days { opening: self.opening, today: calendar::day(self.opening, self.local_now().date()) }
    }

    pub(super) fn local_now(&self) -> jiff::civil::DateTime {
        calendar::local(self.clock.now())
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seed(&self) -> &'static Seed {
        self.seed
    }

    fn turnstile(&self) -> MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides a write, puts it on the disk, applies it, answers. Blocks while the disk does.
    pub(super) fn write(&self, call: WriteCall) -> Answer {
        let fingerprint = fingerprint(&call);
        let mut journal = self.turnstile();
        if let Some(key) = call.key.as_ref().filter(|_| call.repeats == Repeats::Answered)
            && let Some(answer) = self.repeat(key, &fingerprint, journal.as_mut())
        {
            return answer;
        }
        let write: Write = match serde_json::from_value(json!({ call.tool: call.arguments })) {
            Ok(write) => write,
            Err(error) => return Refusal::invalid(error.to_string()).into(),
        };
        let days = self.days();
        let decided = {
            let state = self.read();
            decide::decide(
                Present { seed: self.seed, state: &state, days },
                &call.customer,
                call.order.as_deref(),
                write,
            )
        };
        let (change, answer) = match decided {
            Ok((change, body)) => (change, Answer::ok(body)),
            // Only the shop's own no is remembered: wrong arguments may be corrected under the same key.
            Err(refusal) if refusal.status == 409 && call.key.is_some() => {
                (Change::Unchanged, refusal.into())
            }
            Err(refusal) => return refusal.into(),
        };
        let entry = Call {
            at: self.clock.now().to_string(),
            tool: call.tool.to_owned(),
            customer: call.customer,
            order: call.order,
            key: call.key,
            fingerprint,
            change,
            status: answer.status,
            answer: answer.body.as_ref().clone(),
        };
        let record = Record::Call(Box::new(entry));
        if let Err(answer) = append(journal.as_mut(), &record) {
            return answer;
        }
        if let Record::Call(entry) = record {
            self.state.write().unwrap_or_else(PoisonError::into_inner).apply(*entry);
        }
        answer
    }

    /// Puts on the disk what the CRM was told, once for each key. Blocks while the disk does.
    pub(super) fn keep_told(&self, key: String, body: Value) -> Answer {
        let mut journal = self.turnstile();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.contains_key(&key) {
            return Answer::ok(json!({"known": true}));
        }
        if let Err(answer) = append(journal.as_mut(), &Record::Told { key: key.clone(), body: body.clone() })
        {
            return answer;
        }
        told.insert(key, body);
        Answer::ok(json!({"known": false}))
    }

    /// The stored answer of a key that was seen before.
    fn repeat(&self, key: &str, fingerprint: &str, journal: Option<&mut Journal>) -> Option<Answer> {
        let answered = self.read().answered(key).cloned()?;
        if answered.fingerprint != fingerprint {
            let message = "this Idempotency-Key was used for another request".to_owned();
            return Some(Refusal { status: 422, code: "key_reused", message }.into());
        }
        if let Err(answer) = append(journal, &Record::Repeat { key: key.to_owned() }) {
            return Some(answer);
        }
        self.state.write().unwrap_or_else(PoisonError::into_inner).count_repeat(key);
        Some(Answer { status: answered.status, body: answered.answer })
    }
}

/// Writes to the journal, if there is one; a disk that fails is a 503, and nothing happened.
fn append(journal: Option<&mut Journal>, record: &Record) -> Result<(), Answer> {
    let Some(journal) = journal else { return Ok(()) };
    journal.append(record).map_err(|error| {
        tracing::error!(error = %error, "the demo shop cannot write its journal");
        Refusal {
            status: 503,
            code: "unavailable",
            message: "The shop cannot store changes at the moment.".to_owned(),
        }
        .into()
    })
}

/// The same for the same tool, place and arguments, whatever the spacing and order of the JSON.
fn fingerprint(call: &WriteCall) -> String {
    let place = json!([call.tool, call.customer, call.order, call.arguments]);
    hex::encode(sha2::Sha256::digest(place.to_string().as_bytes()))
}
