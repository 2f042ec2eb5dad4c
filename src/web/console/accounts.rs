//! Accounts of agents: Argon2id passwords, and the first account of a fresh installation.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::domain::ids::{AgentId, TeamId};
use crate::domain::role::Role;
use crate::domain::team::Agent;
use crate::domain::time::Clock;
use crate::store::{AgentChange, Store, StoreError};

/// Shorter passwords are refused.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The login of the first account.
pub const FIRST_LOGIN: &str = "admin";
/// Compared with when the login is unknown, so that an answer takes as long as for a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$wQ2LLOGTvOQ6Cw/vDqhPy0zmaMFCNhkVt0Kkbh3pQzk";

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The login is taken.
    #[error("the login `{0}` is taken; choose another")]
    Taken(String),
    /// There is no such account.
    #[error("there is no account `{0}`")]
    Unknown(String),
    /// Nobody could manage accounts any more.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdmin,
    /// The password is too short.
    #[error("the new password has fewer than {PASSWORD_CHARS_MIN} characters; choose a longer one")]
    Short,
    /// The password that was asked for is not the account's.
    #[error("the password you have now is not the one you wrote; try again")]
    Wrong,
    /// The new password is the old one.
    #[error("the new password is the one you have now; choose another")]
    Same,
    /// The password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The record failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who gets an account.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// How they sign in.
    pub login: String,
    /// How they are shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The teams they are in.
    pub teams: Vec<TeamId>,
    /// ISO 639-1 codes they speak.
    pub languages: Vec<String>,
}

/// Makes the account `admin` with a random password when there is no account yet; returns the password once.
pub async fn first(store: &Store, clock: &dyn Clock) -> Result<Option<String>, AccountError> {
    if !store.list_agents().await?.is_empty() {
        return Ok(None);
    }
    let admin = NewAgent {
        login: FIRST_LOGIN.to_owned(),
        name: "Administrator".to_owned(),
        role: Role::Admin,
        teams: Vec::new(),
        // Nothing is known of what they speak: a desk of one copes with all of it.
        languages: Vec::new(),
    };
    match invite(store, clock, admin).await {
        Ok(password) => Ok(Some(password)),
        // Another process was first.
        Err(AccountError::Taken(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an account with a random password; returns the password once.
pub async fn invite(store: &Store, clock: &dyn Clock, agent: NewAgent) -> Result<String, AccountError> {
    let password: String = super::super::keys::random_text().chars().take(20).collect();
    let NewAgent { login, name, role, teams, languages } = agent;
    let agent = Agent {
        id: AgentId::new(clock.new_id()),
        login: login.clone(),
        name,
        password_hash: hash(&password)?,
        role,
        teams,
        languages,
        created_at: clock.now(),
        password_chosen_at: None,
    };
    if store.add_agent(&agent).await? { Ok(password) } else { Err(AccountError::Taken(login)) }
}

/// Changes what an account is given. Whoever may now do or see something else signs in anew.
pub async fn change(store: &Store, login: &str, to: &AgentChange) -> Result<(), AccountError> {
    let known = store.agent_by_login(login).await?.ok_or_else(|| AccountError::Unknown(login.to_owned()))?;
    let last = known.role == Role::Admin
        && to.role != Role::Admin
        && !store.list_agents().await?.iter().any(|other| other.role == Role::Admin && other.id != known.id);
    if last {
        return Err(AccountError::LastAdmin);
    }
    store.change_agent(&known.id, to).await?;
    if (known.role, &known.teams) != (to.role, &to.teams) {
        store.end_sessions_of(&known.id).await?;
    }
    Ok(())
}

/// Replaces a password by one that the agent chose, and ends every session of the account.
pub(super) async fn change_password(
    store: &Store,
    clock: &dyn Clock,
    agent: &Agent,
    old: String,
    new: String,
) -> Result<(), AccountError> {
    if new.chars().count() < PASSWORD_CHARS_MIN {
        return Err(AccountError::Short);
    }
    if new == old {
        return Err(AccountError::Same);
    }
    if prove(store, &agent.login, old).await?.is_none() {
        return Err(AccountError::Wrong);
    }
    // Hashing takes as long as it should; nobody else waits for it.
    let hashed = tokio::task::spawn_blocking(move || hash(&new)).await;
    let hashed = hashed.unwrap_or_else(|error| Err(AccountError::Hash(error.to_string())))?;
    store.set_password(&agent.id, &hashed, clock.now()).await?;
    Ok(store.end_sessions_of(&agent.id).await?)
}

/// The Argon2id hash of a password with a fresh salt, in PHC form.
fn hash(password: &str) -> Result<String, AccountError> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| AccountError::Hash(error.to_string()))
}

/// The agent whose login and password these are; takes equally long whatever is wrong.
pub(super) async fn prove(store: &Store, login: &str, password: String) -> Result<Option<Agent>, StoreError> {
    let agent = store.agent_by_login(login).await?;
    let stored = agent.as_ref().map_or_else(|| NOBODY.to_owned(), |agent| agent.password_hash.clone());
    let matches = tokio::task::spawn_blocking(move || matches(&password, &stored)).await.unwrap_or(false);
    Ok(agent.filter(|_| matches))
}

fn matches(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only_and_no_two_hashes_are_alike() {
        let (one, two) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$"));
        assert!(matches("correct horse", &one) && !matches("correct house", &one));
        assert!(!matches("anything", "not a hash"));
    }

    #[test]
    fn the_hash_for_unknown_logins_costs_as_much_as_a_real_one() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        let cost = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(NOBODY), cost(&hash("correct horse").unwrap()));
    }
}
