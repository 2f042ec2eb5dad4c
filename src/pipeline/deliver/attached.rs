//! Sends what has files. They are brought to the provider first where it wants that, which can be done again without
//! harm; only the message that names them leaves once.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::Parts;
use super::{Fitted, Ready, fit, piece, tried};
use crate::channels::{ChannelAdapter, ChannelError, File};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::message::Author;
use crate::failpoints;

/// Who holds a delivery of which nothing can have left: nobody, so that it is simply taken up again when its time is over.
const NOBODY: &str = "";

/// Whether files leave with this delivery. One that may have left already is not looked at again.
pub(super) fn has_files(parts: &Parts, ready: &Ready) -> bool {
    let message = &ready.message;
    if message.author != Author::Agent || message.attachments.is_empty() {
        return false;
    }
    let channel = parts.channels.get(&ready.delivery.channel);
    let part = channel.and_then(|channel| piece(channel, &ready.delivery, message));
    ready.delivery.state == DeliveryState::Pending && part.is_some_and(|part| !part.files.is_empty())
}

/// Keeps it from others until there is room for it and its files are with the provider.
pub(super) async fn hold(parts: &Parts, mut ready: Ready) -> Option<Ready> {
    let ms = parts.config.worker.delivery_files_timeout_ms as i64;
    held(parts, &mut ready.delivery, NOBODY, 2 * ms).await.then_some(ready)
}

/// Whether it is ours for so long; whoever took it up in between has it.
async fn held(parts: &Parts, delivery: &mut Delivery, holder: &str, ms: i64) -> bool {
    let until = parts.clock.now().plus_ms(ms);
    match parts.store.hold_delivery(delivery, holder, until).await {
        Ok(held) => {
            delivery.due_at = until;
            held
        }
        Err(error) => {
            tracing::error!(error = %error, "a delivery could not be held");
            false
        }
    }
}

/// Sends one when there is room.
pub(super) async fn send(parts: &Parts, mut ready: Ready, room: &Semaphore) {
    let Ok(_room) = room.acquire().await else { return };
    let ms = parts.config.worker.delivery_files_timeout_ms as i64;
    if !held(parts, &mut ready.delivery, NOBODY, ms).await {
        return;
    }
    let Some(channel) = parts.channels.get(&ready.delivery.channel) else { return };
    let brought = bring(parts, channel, &ready).await;
    let outcome = match brought {
        Err(error) => Err(error),
        Ok((files, uploaded)) => {
            let mut delivery = ready.delivery.clone();
            let margin = parts.config.worker.delivery_lease_ms;
            if !held(parts, &mut delivery, &parts.holder, ms + margin).await {
                return;
            }
            failpoints::reach("delivery_taken");
            hand_over(parts, channel, &ready, &files, uploaded.as_deref()).await
        }
    };
    failpoints::reach("delivery_sent");
    tried(parts, &ready.delivery, Some(channel), outcome).await;
    failpoints::reach("delivery_recorded");
}

/// The files, and what the provider calls them where it wants them beforehand. Whatever goes wrong here, nothing has left.
async fn bring(
    parts: &Parts,
    channel: &dyn ChannelAdapter,
    ready: &Ready,
) -> Result<(Vec<File>, Option<String>), ChannelError> {
    let fitted = fit(parts, channel, &ready.delivery, ready.said(), ready.thread.as_ref()).await?;
    let files = files(parts, &fitted).await?;
    let limit = parts.config.worker.delivery_files_timeout_ms;
    let bringing = channel.upload(fitted.outgoing(&files, None));
    let brought = tokio::time::timeout(Duration::from_millis(limit), bringing).await;
    match brought {
        Ok(Ok(uploaded)) => Ok((files, uploaded)),
        Ok(Err(ChannelError::Unknown(why))) => Err(ChannelError::later(why)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ChannelError::later(format!("the files were not taken within {limit} ms"))),
    }
}

async fn files(parts: &Parts, fitted: &Fitted<'_>) -> Result<Vec<File>, ChannelError> {
    let mut files = Vec::new();
    for at in &fitted.part.files {
        let named = fitted.said.message.attachments.get(*at);
        let id = named.and_then(|file| file.id.as_ref());
        let stored = match id {
            Some(id) => parts.store.attachment(id).await,
            None => Ok(None),
        };
        let stored = stored.map_err(|error| ChannelError::later(error.to_string()))?;
        let stored =
            stored.ok_or_else(|| ChannelError::Permanent("a file is not there any more".to_owned()))?;
        files.push(File::new(&stored.name, stored.content_type.as_deref(), stored.content));
    }
    Ok(files)
}

async fn hand_over(
    parts: &Parts,
    channel: &dyn ChannelAdapter,
    ready: &Ready,
    files: &[File],
    uploaded: Option<&str>,
) -> Result<Option<String>, ChannelError> {
    // What was allowed may not be any more: bringing the files took its time.
    let fitted = fit(parts, channel, &ready.delivery, ready.said(), ready.thread.as_ref()).await?;
    let limit = parts.config.worker.delivery_files_timeout_ms;
    tokio::time::timeout(Duration::from_millis(limit), channel.send(fitted.outgoing(files, uploaded)))
        .await
        .unwrap_or_else(|_| Err(ChannelError::Unknown(format!("no answer within {limit} ms"))))
}
