//! Server-sent events of cases: messages, typing, state. Resumed by place, so nothing is lost or doubled.
//!
//! A stream keeps the place it has reached in each case. Announcements make it quick; the record is read
//! whenever an announcement does not fit the place, and now and then for what other processes did.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::future::{pending, select_all};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Edge;
use super::error::ApiError;
use super::shapes::MessageBody;
use super::throttle::{AtOnce, Place};
use super::watcher::Watcher;
use crate::channels::web_chat;
use crate::config::Config;
use crate::domain::case::{Case, CaseState};
use crate::domain::ids::CaseId;
use crate::domain::message::{Message, Visibility};
use crate::domain::time::Timestamp;
use crate::store::{Announcement, CaseFilter, Page, StoreError, Subscription};

/// Cases of one customer that a chat thread shows.
const THREAD_CASES_MAX: i64 = 20;
/// Messages of one case that a fresh stream begins with.
const HISTORY_MAX: i64 = 200;
/// Messages read at once.
const READ_MAX: i64 = 500;
/// When to try again for whom there is no room.
const RETRY_SECONDS: u64 = 5;

/// An endless answer.
pub(super) type Live = Sse<KeepAliveStream<ReceiverStream<Result<Event, Infallible>>>>;

/// What a stream follows.
pub(super) enum Source {
    /// One case, everything, while whoever follows it may.
    Case(CaseId, Watcher),
    /// What a chat session may see: the words of its own thread.
    Chat(Box<web_chat::Session>),
}

/// Room for open streams: so many in all, and so many of one session of the console or of one address. People who
/// work behind one gateway share its address and each have a session.
pub(super) struct Room {
    all: AtOnce<()>,
    addresses: AtOnce,
    sessions: AtOnce<String>,
}

/// What an open stream takes of the room, given back when it ends.
struct Taken {
    _all: Place<()>,
    _session: Option<Place<String>>,
    _address: Option<Place>,
}

impl Room {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            all: AtOnce::new(config.server.streams_max),
            addresses: AtOnce::new(config.server.streams_per_address_max),
            sessions: AtOnce::new(config.console.streams_per_session_max),
        }
    }

    fn take(&self, address: IpAddr, source: &Source) -> Result<Taken, ApiError> {
        let too_many = |whose: &str| {
            let message =
                format!("{whose} has as many streams open as it may; close one, or try again later");
            ApiError::too_many(message, RETRY_SECONDS)
        };
        let (session, address) = match source {
            Source::Case(_, Watcher::Session(session)) => {
                let place = self.sessions.take(session.clone());
                (Some(place.ok_or_else(|| too_many("this sign-in"))?), None)
            }
            Source::Case(_, Watcher::Key(_)) | Source::Chat(_) => {
                let place = self.addresses.take(address);
                (None, Some(place.ok_or_else(|| too_many("this address"))?))
            }
        };
        let all = self.all.take(()).ok_or_else(|| too_many("this service"))?;
        Ok(Taken { _all: all, _session: session, _address: address })
    }
}

/// Whether a message shows in the chat widget.
pub(super) fn in_chat(message: &Message) -> bool {
    message.visibility == Visibility::Public && message.channel == web_chat::NAME
}

/// Puts the messages of several cases, each case's in their order, into one line: by time, and never against the order of
/// a case, whatever the clock did. A place would else go back to what was told, and what was not would be passed over.
pub(super) fn in_order(messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
    let mut latest: BTreeMap<CaseId, Timestamp> = BTreeMap::new();
    let mut timed = Vec::with_capacity(messages.len());
    for message in messages {
        let newest = latest.entry(message.case.clone()).or_insert(message.at);
        *newest = message.at.max(*newest);
        timed.push((*newest, message));
    }
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, message)| message).collect()
}

/// The cases a chat session may see: all of a signed-in customer, the visitor's own thread otherwise.
pub(super) async fn chat_cases(edge: &Edge, session: &web_chat::Session) -> Result<Vec<Case>, StoreError> {
    let store = &edge.app.store;
    let customer = match &session.person {
        Some(person) => store.customer_by_external_id(&person.external_id).await?,
        None => store.arrival(web_chat::NAME, "", (web_chat::NAME, session.address())).await?.customer,
    };
    let Some(customer) = customer else { return Ok(Vec::new()) };
    let filter = CaseFilter { customer: Some(customer.id.clone()), ..CaseFilter::default() };
    let (mut cases, _) = store.list_cases(&filter, &Page { cursor: None, limit: THREAD_CASES_MAX }).await?;
    cases.retain(|case| {
        session.person.is_some()
            || (case.channel == web_chat::NAME && case.conversation == session.conversation)
    });
    Ok(cases)
}

/// The place reached in each case: `case.seq~case.seq`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<CaseId, i64>);

impl Places {
    /// Reads what an earlier stream gave as its newest id. What is not understood is not believed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let place = |part: &str| {
            let (case, seq) = part.rsplit_once('.')?;
            Some((CaseId::parse(case).ok()?, seq.parse::<i64>().ok().filter(|seq| *seq >= 0)?))
        };
        let parts: Vec<&str> = text.split('~').filter(|part| !part.is_empty()).collect();
        if parts.len() > 4 * THREAD_CASES_MAX as usize {
            return None;
        }
        parts.into_iter().map(place).collect::<Option<BTreeMap<_, _>>>().map(Self)
    }

    /// The place `seq` in one case.
    pub(super) fn of(case: &CaseId, seq: i64) -> Self {
        Self(BTreeMap::from([(case.clone(), seq)]))
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (case, seq)) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { "~" };
            write!(f, "{gap}{case}.{seq}")?;
        }
        Ok(())
    }
}

/// Opens a stream for an address, from the given places on.
pub(super) fn open(
    edge: &Arc<Edge>,
    address: IpAddr,
    source: Source,
    places: Option<Places>,
) -> Result<Live, ApiError> {
    let taken = edge.streams.take(address, &source)?;
    let server = &edge.app.config.server;
    let (sender, receiver) = mpsc::channel(server.stream_backlog_max);
    let follower = Follower {
        edge: edge.clone(),
        source,
        places: places.unwrap_or_default(),
        states: BTreeMap::new(),
        watched: BTreeMap::new(),
        sender,
        _taken: taken,
    };
    edge.app.tasks.spawn(follower.run());
    let alive = KeepAlive::new().interval(Duration::from_millis(server.stream_keepalive_ms));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(alive))
}

/// The reader is gone or too slow: the stream ends, and the reader resumes where it was.
struct Gone;

struct Follower {
    edge: Arc<Edge>,
    source: Source,
    places: Places,
    states: BTreeMap<CaseId, CaseState>,
    watched: BTreeMap<CaseId, Subscription>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
    _taken: Taken,
}

enum News {
    Told(CaseId, Option<Announcement>),
    LookAgain,
    Over,
}

impl Follower {
    async fn run(mut self) {
        let mut arrivals = self.edge.arrivals.subscribe();
        if self.catch_up().await.is_err() || self.push(event("ready", &json!({}))).await.is_err() {
            return;
        }
        loop {
            let done = match self.news(&mut arrivals).await {
                News::Over => return,
                News::LookAgain => self.catch_up().await,
                News::Told(case, None) => {
                    self.watched.remove(&case);
                    self.catch_up().await
                }
                News::Told(case, Some(told)) => self.hear(&case, told).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn news(&mut self, arrivals: &mut Receiver<Arrived>) -> News {
        let pause = Duration::from_millis(self.edge.app.config.server.stream_poll_ms);
        let chat = match &self.source {
            Source::Case(..) => None,
            Source::Chat(session) => Some(session.conversation.as_str()),
        };
        let told = async {
            if self.watched.is_empty() {
                return pending().await;
            }
            let each = self
                .watched
                .iter_mut()
                .map(|(case, news)| Box::pin(async { (case.clone(), news.next().await) }));
            let ((case, told), _, _) = select_all(each).await;
            News::Told(case, told)
        };
        let arrived = async {
            loop {
                match arrivals.recv().await {
                    Ok(arrived) if Some(&*arrived.conversation) != chat => {}
                    _ => return News::LookAgain,
                }
            }
        };
        tokio::select! {
            () = self.edge.app.shutdown.cancelled() => News::Over,
            () = self.sender.closed() => News::Over,
            news = told => news,
            news = arrived, if chat.is_some() => news,
            () = tokio::time::sleep(pause) => News::LookAgain,
        }
    }

    async fn hear(&mut self, case: &CaseId, told: Announcement) -> Result<(), Gone> {
        match told {
            Announcement::Typing(on) => self.push(event("typing", &json!({"case_id": case, "on": on}))).await,
            Announcement::State { state, .. } => self.state(case, state).await,
            Announcement::Message(message) => {
                let place = self.places.0.get(case).copied().unwrap_or(0);
                match message.seq {
                    seq if seq <= place => Ok(()),
                    seq if seq == place + 1 => self.message(&message).await,
                    _ => self.catch_up().await,
                }
            }
            Announcement::TurnClosed { .. } => Ok(()),
        }
    }

    /// Reads what is new in the record. A record that cannot be read is looked at again later.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        let cases = match self.cases().await {
            Ok(cases) => cases,
            Err(error) => {
                tracing::warn!(error = %error, "a stream could not read its cases");
                return Ok(());
            }
        };
        if let (Source::Case(_, watcher), Some(case)) = (&self.source, cases.first()) {
            match watcher.still_sees(&self.edge, case).await {
                Ok(true) => {}
                Ok(false) => return Err(Gone),
                Err(_) => return Ok(()),
            }
        }
        let mut fresh = Vec::new();
        for case in &cases {
            let store = &self.edge.app.store;
            self.watched.entry(case.id.clone()).or_insert_with(|| store.subscribe(&case.id));
            let start = (case.message_seq - HISTORY_MAX).max(0);
            let place = *self.places.0.entry(case.id.clone()).or_insert(start);
            match store.messages(&case.id, place, READ_MAX).await {
                Ok(messages) => fresh.extend(messages),
                Err(error) => tracing::warn!(error = %error, "a stream could not read messages"),
            }
        }
        for message in in_order(fresh) {
            self.message(&message).await?;
        }
        // The case last opened decides what the widget shows, so it is told last.
        for case in cases.iter().rev() {
            self.state(&case.id, case.state).await?;
        }
        Ok(())
    }

    async fn cases(&self) -> Result<Vec<Case>, StoreError> {
        match &self.source {
            Source::Case(id, _) => {
                let file = self.edge.app.store.case_fresh(id).await?;
                Ok(file.map(|file| file.case.clone()).into_iter().collect())
            }
            Source::Chat(session) => chat_cases(&self.edge, session).await,
        }
    }

    async fn message(&mut self, message: &Message) -> Result<(), Gone> {
        self.places.0.insert(message.case.clone(), message.seq);
        if matches!(self.source, Source::Chat(_)) && !in_chat(message) {
            return Ok(());
        }
        self.push(event("message", &MessageBody::from(message)).id(self.places.to_string())).await
    }

    async fn state(&mut self, case: &CaseId, state: CaseState) -> Result<(), Gone> {
        if self.states.insert(case.clone(), state) == Some(state) {
            return Ok(());
        }
        self.push(event("state", &json!({"case_id": case, "state": state}))).await
    }

    /// Waits for a slow reader as long as a request may take; then lets it go.
    async fn push(&self, event: Event) -> Result<(), Gone> {
        let patience = Duration::from_millis(self.edge.app.config.server.request_timeout_ms);
        match tokio::time::timeout(patience, self.sender.send(Ok(event))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// One event; the body is JSON of ours and always serialises.
pub(super) fn event(name: &str, body: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default())
}

/// A message arrived in a chat thread: its case may be new to the streams that follow the thread.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) conversation: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_and_what_is_no_place_is_refused() {
        let mut places = Places::of(&CaseId::parse("a-1").unwrap(), 5);
        places.0.insert(CaseId::parse("b").unwrap(), 0);
        assert_eq!(Places::parse(&places.to_string()), Some(places));
        assert_eq!(Places::parse(""), Some(Places::default()));
        for bad in ["a", "a.x", "a.-1", "a b.1", "a.99999999999999999999"] {
            assert_eq!(Places::parse(bad), None, "{bad}");
        }
    }
}
