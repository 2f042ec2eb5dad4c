//! The ways by which an agent may answer a customer: the thread of the case, and other threads that are proven to be theirs.

use crate::channels::rules::{Length, Rules};
use crate::channels::{ChannelAdapter, Channels, Files};
use crate::domain::assurance::Assurance;
use crate::domain::case::Case;
use crate::domain::customer::{Identity, Link};
use crate::domain::time::Timestamp;
use crate::store::{Conversation, Store, StoreError};

/// Addresses of one customer that are looked at.
const ADDRESSES_MAX: usize = 20;

/// One way to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The channel.
    pub channel: String,
    /// The thread on it.
    pub conversation: String,
    /// The address there, where the channel shows one.
    pub address: Option<String>,
    /// It is the case's own.
    pub own: bool,
    /// Why nothing can be sent there now.
    pub closed: Option<Closed>,
    /// How long free words may still be sent, where that ends.
    pub window_left_ms: Option<i64>,
    /// What one message may be.
    pub limit: Limit,
}

/// How long one message may be, and what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most.
    pub most: usize,
    /// Bytes of UTF-8 are counted, not characters.
    pub bytes: bool,
    /// Every message costs by its segments.
    pub segments: bool,
    /// What goes along.
    pub files: Files,
}

/// Why nothing can be sent by a way now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nobody has proven that the address is this customer's.
    NotProven,
    /// They want no messages there.
    OptedOut,
    /// The time for free words is over, and there is no approved text.
    WindowOver,
    /// The channel is switched off.
    SwitchedOff,
}

impl Closed {
    /// The reason as an agent reads it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotProven => "nobody has proven that it is theirs",
            Self::OptedOut => "they want no messages there",
            Self::WindowOver => "the time for free words is over",
            Self::SwitchedOff => "the channel is switched off",
        }
    }
}

impl Way {
    /// How a form names it.
    pub fn key(&self) -> String {
        format!("{} {}", self.channel, self.conversation)
    }
}

/// Every way to the customer of a case, the case's own first.
pub async fn of_case(
    store: &Store,
    channels: &Channels,
    case: &Case,
    now: Timestamp,
) -> Result<Vec<Way>, StoreError> {
    let own = store.conversation(&case.channel, &case.conversation).await?;
    let mut ways = vec![way(store, channels, (&case.channel, &case.conversation), own.as_ref(), now).await?];
    if let Some(own) = ways.first_mut() {
        own.own = true;
    }
    let identities = store.identities(&case.customer).await?;
    for identity in identities.iter().filter(|one| one.ended_at.is_none()).take(ADDRESSES_MAX) {
        let Some(thread) = store.newest_conversation(&identity.channel, &identity.address).await? else {
            continue;
        };
        if ways.iter().any(|way| way.channel == thread.channel && way.conversation == thread.conversation) {
            continue;
        }
        let place = (thread.channel.as_str(), thread.conversation.as_str());
        let mut other = way(store, channels, place, Some(&thread), now).await?;
        if !proven(identity) {
            other.closed = Some(Closed::NotProven);
        }
        ways.push(other);
    }
    Ok(ways)
}

/// Whether an address is this customer's beyond what anybody can write into a form.
fn proven(identity: &Identity) -> bool {
    identity.assurance >= Assurance::Channel || identity.link != Link::FirstContact
}

async fn way(
    store: &Store,
    channels: &Channels,
    (channel, conversation): (&str, &str),
    thread: Option<&Conversation>,
    now: Timestamp,
) -> Result<Way, StoreError> {
    let adapter = channels.get(channel);
    let rules: &Rules =
        adapter.map_or_else(|| crate::channels::rules::of(channel), |adapter| adapter.rules());
    let since = thread.map(|thread| now.ms_since(thread.last_inbound_at));
    let address = thread.map(|thread| thread.address.as_str());
    let opted_out = store.opted_out(channel, address.unwrap_or(conversation)).await?.is_some();
    let closed = if adapter.is_none() {
        Some(Closed::SwitchedOff)
    } else if opted_out {
        Some(Closed::OptedOut)
    } else if !rules.window_open(since) && !rules.templates {
        Some(Closed::WindowOver)
    } else {
        None
    };
    let left = |window: i64| since.map_or(0, |since| (window - since).max(0));
    let (most, bytes) = match rules.length {
        Length::Chars(most) => (most, false),
        Length::Bytes(most) => (most, true),
    };
    Ok(Way {
        channel: channel.to_owned(),
        conversation: conversation.to_owned(),
        address: address.map(str::to_owned),
        own: false,
        closed,
        window_left_ms: rules.window_ms.map(left),
        limit: Limit {
            most,
            bytes,
            segments: channel == crate::channels::sms::NAME,
            files: adapter.map_or(rules.files, ChannelAdapter::files),
        },
    })
}
