//! Sends what the outbox holds: once, in the order of each conversation, with retries while the channel says "later",
//! and a person when it refuses. News of what left moves it forward, whatever order it comes in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;

use super::{Parts, alert, proof};
use crate::channels::rules::Part;
use crate::channels::{ChannelAdapter, ChannelError, File, Outgoing, StatusUpdate};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::EventKind;
use crate::domain::ids::TurnId;
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::failpoints;
use crate::store::{CaseFile, Change, CommitError, Conversation, Draftbook, Refusal, StoreError, Unit};

mod attached;

/// When people have seen that something is unknown, nobody looks at it again.
const NEVER: Timestamp = Timestamp(i64::MAX);
/// Most deliveries taken up in one look.
const BATCH_MAX: usize = 128;

/// Messages whose files are held in memory at once while they are sent.
const WITH_FILES_MAX: usize = 4;

/// Delivers whatever is due until shutdown. What has files takes its time beside the others.
pub(super) async fn run(parts: Arc<Parts>, poll: Duration) {
    let room = Arc::new(Semaphore::new(WITH_FILES_MAX));
    loop {
        for ready in short_ones(&parts).await {
            let (parts, room) = (parts.clone(), room.clone());
            parts.clone().tasks.spawn(async move { attached::send(&parts, ready, &room).await });
        }
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = parts.store.outbox_filled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Delivers what is due now.
pub(super) async fn due(parts: &Parts) {
    let room = Semaphore::new(WITH_FILES_MAX);
    loop {
        let long = short_ones(parts).await;
        if long.is_empty() {
            return;
        }
        futures_util::future::join_all(long.into_iter().map(|ready| attached::send(parts, ready, &room)))
            .await;
    }
}

/// Delivers what is due now and has no files; the others, held until they are sent.
async fn short_ones(parts: &Parts) -> Vec<Ready> {
    let lease = parts.config.worker.delivery_lease_ms;
    let mut long = Vec::new();
    give_up_unknowns(parts).await;
    loop {
        let now = parts.clock.now();
        let batch = match parts.store.due_deliveries(&parts.holder, now, lease, BATCH_MAX).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error = %error, "the outbox could not be read");
                return long;
            }
        };
        // What follows in the same conversation is due when the one before it has left.
        if batch.is_empty() {
            return long;
        }
        let sends = batch.into_iter().map(|delivery| send(parts, delivery));
        long.extend(futures_util::future::join_all(sends).await.into_iter().flatten());
    }
}

/// A delivery with all that is to be known to send it.
struct Ready {
    delivery: Delivery,
    message: Arc<Message>,
    file: Arc<CaseFile>,
    thread: Option<Conversation>,
}

impl Ready {
    fn said(&self) -> Said<'_> {
        let case = &self.file.case;
        Said { message: &self.message, language: &case.language, subject: case.issue.as_deref() }
    }
}

/// Lets people see what nobody has known about for too long.
async fn give_up_unknowns(parts: &Parts) {
    let overdue = match parts.store.overdue_unknowns(parts.clock.now(), BATCH_MAX).await {
        Ok(overdue) => overdue,
        Err(error) => {
            tracing::error!(error = %error, "the outbox could not be read");
            return;
        }
    };
    for delivery in overdue {
        let tried = Tried { attempts: delivery.attempts, due_at: NEVER, ..Tried::default() };
        if let Err(error) = undelivered(parts, &delivery, DeliveryState::Unknown, tried).await {
            tracing::error!(error = %error, "a delivery could not be recorded");
        }
    }
}

/// Sends a delivery, unless it has files: then it is handed back, held.
async fn send(parts: &Parts, delivery: Delivery) -> Option<Ready> {
    let read = async {
        let message = parts.store.message(&delivery.message).await?;
        let thread = parts.store.conversation(&delivery.channel, &delivery.conversation).await?;
        Ok::<_, StoreError>(message.zip(parts.store.case(&delivery.case).await?).map(|known| (known, thread)))
    };
    let ((message, file), thread) = match read.await {
        Ok(Some(known)) => known,
        Ok(None) => return None,
        Err(error) => {
            tracing::error!(error = %error, "a message could not be read for delivery");
            return None;
        }
    };
    if message.author == Author::Customer {
        // Their own words never leave: it is the code that they asked for.
        send_code(parts, &delivery, &file.case.language, thread.as_ref()).await;
        return None;
    }
    if outrun(&delivery, &message, &file) {
        let tried = Tried { attempts: delivery.attempts, ..Tried::default() };
        if let Err(error) = record(parts, &delivery, DeliveryState::Dropped, tried).await {
            tracing::error!(error = %error, "a delivery could not be recorded");
        }
        return None;
    }
    let ready = Ready { delivery, message, file, thread };
    if attached::has_files(parts, &ready) {
        return attached::hold(parts, ready).await;
    }
    send_words(parts, &ready).await;
    None
}

async fn send_words(parts: &Parts, ready: &Ready) {
    let delivery = &ready.delivery;
    let channel = parts.channels.get(&delivery.channel);
    let harmless = channel.is_some_and(ChannelAdapter::takes_once);
    let in_doubt =
        delivery.state == DeliveryState::Unknown && !harmless && !failpoints::planted("resend_delivery");
    failpoints::reach("delivery_taken");
    let outcome = match channel {
        // Taken before and never recorded since: sent once more, the customer might read it twice.
        Some(_) if in_doubt => Err(ChannelError::Unknown("whoever sent it was stopped".to_owned())),
        Some(channel) => give(parts, channel, delivery, ready.said(), ready.thread.as_ref()).await,
        None => Err(ChannelError::Permanent(format!("there is no channel `{}`", delivery.channel))),
    };
    failpoints::reach("delivery_sent");
    tried(parts, delivery, channel, outcome).await;
}

/// Records a try and how it went.
async fn tried(
    parts: &Parts,
    delivery: &Delivery,
    channel: Option<&dyn ChannelAdapter>,
    outcome: Result<Option<String>, ChannelError>,
) {
    let tried = Tried { attempts: delivery.attempts + 1, ..Tried::default() };
    if let Err(error) = &outcome {
        tracing::warn!(channel = delivery.channel, attempts = tried.attempts, error = %error, "a message did not leave");
    }
    let recorded = settle(parts, delivery, channel, tried, outcome).await;
    if let Err(error) = recorded {
        tracing::error!(error = %error, "a delivery could not be recorded");
    }
    failpoints::reach("delivery_recorded");
}

/// Records how a try went: left, to be tried again, to be waited for, or for a person to see.
async fn settle(
    parts: &Parts,
    delivery: &Delivery,
    channel: Option<&dyn ChannelAdapter>,
    tried: Tried,
    outcome: Result<Option<String>, ChannelError>,
) -> Result<(), CommitError> {
    let worker = &parts.config.worker;
    let now = parts.clock.now();
    let harmless = channel.is_some_and(ChannelAdapter::takes_once);
    match outcome {
        Err(ChannelError::Unknown(why)) if harmless && tried.attempts < worker.delivery_attempts_max => {
            let due_at = now.plus_ms(pause(worker.delivery_retry_ms, tried.attempts));
            record(parts, delivery, DeliveryState::Pending, Tried { due_at, reason: Some(why), ..tried })
                .await
        }
        Ok(provider_id) => {
            let tried = Tried { due_at: now, provider_id, ..tried };
            let early = tried.provider_id.clone();
            let recorded = record(parts, delivery, DeliveryState::Sent, tried).await;
            if let (Ok(()), Some(id)) = (&recorded, early) {
                overtaken(parts, &delivery.channel, &id).await;
            }
            recorded
        }
        Err(ChannelError::Later { why, after_ms }) if tried.attempts < worker.delivery_attempts_max => {
            let pause = pause(worker.delivery_retry_ms, tried.attempts).max(after_ms.unwrap_or_default());
            let due_at = now.plus_ms(pause);
            record(parts, delivery, DeliveryState::Pending, Tried { due_at, reason: Some(why), ..tried })
                .await
        }
        Err(ChannelError::Unknown(why)) if channel.is_some_and(|channel| channel.rules().statuses) => {
            let due_at = now.plus_ms(worker.delivery_unknown_ms);
            record(parts, delivery, DeliveryState::Unknown, Tried { due_at, reason: Some(why), ..tried })
                .await
        }
        Err(ChannelError::Unknown(why)) => {
            let tried = Tried { due_at: NEVER, reason: Some(why), ..tried };
            undelivered(parts, delivery, DeliveryState::Unknown, tried).await
        }
        Err(error) => {
            let tried = Tried { reason: Some(error.to_string()), ..tried };
            undelivered(parts, delivery, DeliveryState::Failed, tried).await
        }
    }
}

/// The pause before the next try, in milliseconds; doubles with each.
fn pause(first_ms: i64, attempts: i64) -> i64 {
    first_ms.saturating_mul(1 << (attempts - 1).clamp(0, 16))
}

/// Whether the customer has been answered on another channel since the assistant said this, and it has not left: a slow
/// answer to what is settled would only confuse.
fn outrun(delivery: &Delivery, message: &Message, file: &CaseFile) -> bool {
    let newer = |other: &&Arc<Message>| {
        other.seq > message.seq
            && other.visibility == Visibility::Public
            && other.author != Author::Customer
            && other.channel != delivery.channel
    };
    // What was asked for as a copy elsewhere is no answer that another one can outrun.
    delivery.state == DeliveryState::Pending
        && message.author == Author::Assistant
        && message.channel == delivery.channel
        && file.messages.iter().any(|other| newer(&other))
}

/// Sends a one-time code, once, and forgets it. Nobody is told when that fails, or whoever asked would learn from it
/// whether we know the address: they may ask for another one.
async fn send_code(parts: &Parts, delivery: &Delivery, language: &str, thread: Option<&Conversation>) {
    let tried = Tried { attempts: delivery.attempts + 1, ..Tried::default() };
    let given = async {
        if delivery.state == DeliveryState::Unknown {
            return Err(ChannelError::Unknown("whoever sent it was stopped".to_owned()));
        }
        let words = proof::words(parts, delivery, language).await;
        let words = words.map_err(|error| ChannelError::later(error.to_string()))?;
        let (message, subject) =
            words.ok_or_else(|| ChannelError::Permanent("its time is over".to_owned()))?;
        let channel = parts.channels.named(&delivery.channel);
        let channel =
            channel.ok_or_else(|| ChannelError::Permanent("there is no such channel".to_owned()))?;
        give(parts, channel, delivery, Said { message: &message, language, subject: Some(&subject) }, thread)
            .await
    };
    let now = parts.clock.now();
    let (state, tried) = match given.await {
        Ok(provider_id) => (DeliveryState::Sent, Tried { due_at: now, provider_id, ..tried }),
        Err(ChannelError::Later { .. }) if tried.attempts < parts.config.worker.delivery_attempts_max => {
            let pause = pause(parts.config.worker.delivery_retry_ms, tried.attempts);
            (DeliveryState::Pending, Tried { due_at: now.plus_ms(pause), ..tried })
        }
        Err(ChannelError::Unknown(why)) => (DeliveryState::Unknown, Tried { reason: Some(why), ..tried }),
        Err(error) => (DeliveryState::Failed, Tried { reason: Some(error.to_string()), ..tried }),
    };
    let over = state != DeliveryState::Pending;
    let recorded = record(parts, delivery, state, tried).await;
    if let Err(error) = recorded {
        tracing::error!(error = %error, "a delivery could not be recorded");
    }
    if over && let Err(error) = parts.store.forget_codes(Some(delivery.id.as_str()), now).await {
        tracing::error!(error = %error, "a code that has been sent could not be forgotten");
    }
}

/// What is to be said, and in what case.
#[derive(Clone, Copy)]
struct Said<'a> {
    message: &'a Message,
    language: &'a str,
    subject: Option<&'a str>,
}

/// One part as the medium takes it.
struct Fitted<'a> {
    delivery: &'a Delivery,
    said: Said<'a>,
    part: Part,
    address: &'a str,
    threading: Option<&'a str>,
    window_open: bool,
    now: Timestamp,
}

impl<'a> Fitted<'a> {
    fn outgoing(&'a self, files: &'a [File], uploaded: Option<&'a str>) -> Outgoing<'a> {
        Outgoing {
            delivery: self.delivery,
            message: self.said.message,
            text: &self.part.text,
            choices: &self.part.choices,
            files,
            uploaded,
            address: self.address,
            threading: self.threading,
            window_open: self.window_open,
            language: self.said.language,
            subject: self.said.subject,
            now: self.now,
        }
    }
}

/// Hands one part to the medium, inside its rules and in time.
async fn give(
    parts: &Parts,
    channel: &dyn ChannelAdapter,
    delivery: &Delivery,
    said: Said<'_>,
    thread: Option<&Conversation>,
) -> Result<Option<String>, ChannelError> {
    let fitted = fit(parts, channel, delivery, said, thread).await?;
    let limit = parts.config.worker.delivery_timeout_ms;
    tokio::time::timeout(Duration::from_millis(limit), channel.send(fitted.outgoing(&[], None)))
        .await
        .unwrap_or_else(|_| Err(ChannelError::Unknown(format!("no answer within {limit} ms"))))
}

/// One part inside the rules of the medium; else why it may not leave.
async fn fit<'a>(
    parts: &Parts,
    channel: &dyn ChannelAdapter,
    delivery: &'a Delivery,
    said: Said<'a>,
    thread: Option<&'a Conversation>,
) -> Result<Fitted<'a>, ChannelError> {
    let rules = channel.rules();
    let address = thread.map_or(delivery.conversation.as_str(), |thread| thread.address.as_str());
    let opted_out = parts.store.opted_out(&delivery.channel, address).await;
    match opted_out {
        Ok(None) => {}
        Ok(Some(_)) => return Err(ChannelError::Permanent("opted_out".to_owned())),
        Err(error) => return Err(ChannelError::later(error.to_string())),
    }
    if said.message.author == Author::Assistant
        && let Some((most, within_ms)) = channel.automatic_replies()
    {
        let since = Timestamp(parts.clock.now().0.saturating_sub(within_ms));
        let place = (delivery.channel.as_str(), delivery.conversation.as_str());
        match parts.store.automatic_messages(place, &delivery.message, since).await {
            Ok(left) if left >= most => {
                return Err(ChannelError::Permanent("too many automatic answers in this thread".to_owned()));
            }
            Ok(_) => {}
            Err(error) => return Err(ChannelError::later(error.to_string())),
        }
    }
    let since = thread.map(|thread| parts.clock.now().ms_since(thread.last_inbound_at));
    let window_open = rules.window_open(since);
    if !window_open && !rules.templates {
        return Err(ChannelError::Permanent("the time in which free words may be sent is over".to_owned()));
    }
    let threading = thread.and_then(|thread| thread.threading.as_deref());
    let part = piece(channel, delivery, said.message);
    let part = part.ok_or_else(|| ChannelError::Permanent("the message has no such part".to_owned()))?;
    Ok(Fitted { delivery, said, part, address, threading, window_open, now: parts.clock.now() })
}

/// The part of a message that a delivery is about.
fn piece(channel: &dyn ChannelAdapter, delivery: &Delivery, message: &Message) -> Option<Part> {
    let at = usize::try_from(delivery.part).ok()?;
    channel.rules().parts(message).into_iter().nth(at)
}

/// How a try went, beside how far the delivery has come by it.
#[derive(Debug, Clone, Default)]
struct Tried {
    attempts: i64,
    due_at: Timestamp,
    provider_id: Option<String>,
    reason: Option<String>,
}

impl Tried {
    fn change(self, delivery: &Delivery, state: DeliveryState) -> Change {
        let Self { attempts, due_at, provider_id, reason } = self;
        Change::Delivered { delivery: delivery.id.clone(), state, attempts, due_at, provider_id, reason }
    }
}

async fn record(
    parts: &Parts,
    delivery: &Delivery,
    state: DeliveryState,
    tried: Tried,
) -> Result<(), CommitError> {
    let changes = vec![tried.change(delivery, state)];
    parts.store.commit(Unit { case: delivery.case.clone(), changes }).await
}

/// What did not reach the customer, or may not have, is visible in the case's log, and a person sees to it.
async fn undelivered(
    parts: &Parts,
    delivery: &Delivery,
    state: DeliveryState,
    tried: Tried,
) -> Result<(), CommitError> {
    metrics::counter!("firstline_deliveries_failed_total").increment(1);
    if parts.store.asks_for_rating(&delivery.message).await.unwrap_or(false) {
        // Nobody waits for it, and a person could not do more about it.
        return record(parts, delivery, state, tried).await;
    }
    let reason = if state == DeliveryState::Unknown { "delivery_unknown" } else { "delivery_failed" };
    loop {
        let Ok(Some(file)) = parts.store.case_fresh(&delivery.case).await else { return Ok(()) };
        let now = parts.clock.now();
        let mut book = Draftbook::new(file.case.clone(), now);
        let body = json!({"message": delivery.message, "state": state.as_str(), "reason": tried.reason});
        book.event(EventKind::Delivered, &body);
        let turn = TurnId::new(parts.clock.new_id());
        let mut changes = vec![tried.clone().change(delivery, state)];
        changes.extend(alert::to_people(turn, &mut book, reason, now));
        match parts.store.commit(book.close(changes)).await {
            Err(CommitError::Refused(Refusal::Stale)) => {}
            other => return other,
        }
    }
}

/// Takes a provider's news of something that left. News of a message that is not known yet is kept: it may have
/// overtaken the answer to its sending.
pub(super) async fn news(parts: &Parts, channel: &str, update: &StatusUpdate) -> Result<(), NewsError> {
    if moved(parts, channel, update).await? {
        return Ok(());
    }
    let told = (update.state, update.reason.as_deref());
    parts.store.keep_early_status(channel, &update.provider_id, told, parts.clock.now()).await?;
    // It may have become known in between.
    moved(parts, channel, update).await?;
    Ok(())
}

/// Why news of a delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NewsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Moves the delivery forward, if it is known.
async fn moved(parts: &Parts, channel: &str, update: &StatusUpdate) -> Result<bool, NewsError> {
    let known = parts.store.delivery(channel, &update.provider_id, update.delivery.as_deref()).await?;
    let Some(delivery) = known else { return Ok(false) };
    if !delivery.state.precedes(update.state) {
        return Ok(true);
    }
    let tried = Tried {
        attempts: delivery.attempts,
        due_at: delivery.due_at,
        provider_id: Some(update.provider_id.clone()),
        reason: update.reason.clone(),
    };
    let message = parts.store.message(&delivery.message).await?;
    let code = message.is_some_and(|message| message.author == Author::Customer);
    if update.state == DeliveryState::Failed && !code {
        undelivered(parts, &delivery, DeliveryState::Failed, tried).await?;
    } else {
        record(parts, &delivery, update.state, tried).await?;
    }
    Ok(true)
}

/// Takes up news that came before the provider's answer.
async fn overtaken(parts: &Parts, channel: &str, provider_id: &str) {
    let early = parts.store.early_statuses(channel, provider_id).await.unwrap_or_default();
    for (state, reason) in early {
        let update = StatusUpdate { provider_id: provider_id.to_owned(), delivery: None, state, reason };
        if let Err(error) = moved(parts, channel, &update).await {
            tracing::error!(error = %error, "early news of a delivery could not be recorded");
        }
    }
}
