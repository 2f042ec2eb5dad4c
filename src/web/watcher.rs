//! Whoever follows a case live may lose the right to while the stream runs: it is asked again with every look.

use super::console::sign_in;
use super::keys::Caller;
use super::{Edge, error::ApiError};
use crate::desk::reach;
use crate::domain::case::Case;
use crate::domain::role::{Right, may};

/// By what right a case is followed.
#[derive(Debug, Clone)]
pub(super) enum Watcher {
    /// By a key.
    Key(Box<Caller>),
    /// By a session of the console, known by the hash of its token.
    Session(String),
}

impl Watcher {
    /// Whether the case may still be followed. A record that cannot be read decides nothing.
    pub(super) async fn still_sees(&self, edge: &Edge, case: &Case) -> Result<bool, ApiError> {
        match self {
            Self::Key(caller) => match caller.again(edge).await? {
                Some(caller) => Ok(caller.reach().sees(case)),
                None => Ok(false),
            },
            Self::Session(token_hash) => {
                let known = edge.app.store.session(token_hash, sign_in::lasting(edge)).await?;
                Ok(known.is_some_and(|known| {
                    may(known.agent.role, Right::SeeCases)
                        && reach::of(&known.agent, &edge.app.config).sees(case)
                }))
            }
        }
    }
}
