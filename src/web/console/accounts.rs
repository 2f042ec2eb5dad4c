//! Accounts of agents: Argon2id passwords, and the first account of a fresh installation.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::domain::ids::{AgentId, TeamId};
use crate::domain::role::Role;
use crate::domain::team::Agent;
use crate::domain::time::Clock;
use crate::store::{AccountEntry, AgentChange, Store, StoreError};

/// Shorter passwords are refused.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The login of the first account.
pub const FIRST_LOGIN: &str = "admin";
/// Compared with when the login is unknown, so that an answer takes as long as for a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$wQ2LLOGTvOQ6Cw/vDqhPy0zmaMFCNhkVt0Kkbh3pQzk";

/// Stands for the hash of an account without a password.
const NO_PASSWORD: &str = "none";
const FIRST_PASSWORD_CHARS: usize = 20;

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The login is taken.
    #[error("the login `{0}` is taken; choose another")]
    Taken(String),
    /// There is no such account.
    #[error("there is no account `{0}`; see `firstline user list`")]
    Unknown(String),
    /// Nobody could manage accounts any more.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdmin,
    /// The subject has another account.
    #[error("this subject of the identity provider has another account; unlink that one first")]
    SubjectTaken,
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

/// Where accounts are managed: the record, time, and who does it. What is done is logged.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// The record.
    pub store: &'a Store,
    /// Time and ids.
    pub clock: &'a dyn Clock,
    /// Who acts: `agent:<id>`, or [`COMMAND_LINE`].
    pub by: &'a str,
}

/// Whoever has the command line of the machine.
pub const COMMAND_LINE: &str = "command line";

impl Office<'_> {
    /// Writes into the log of accounts.
    pub(super) async fn log(self, agent: &Agent, what: &str, detail: &str) -> Result<(), StoreError> {
        let entry = AccountEntry {
            id: self.clock.new_id().to_string(),
            at: self.clock.now(),
            by: self.by.to_owned(),
            agent: agent.id.clone(),
            login: agent.login.clone(),
            what: what.to_owned(),
            detail: detail.to_owned(),
        };
        self.store.log_account(&entry).await
    }

    async fn known(self, login: &str) -> Result<Agent, AccountError> {
        let found = self.store.agent_by_login(login).await?;
        found.ok_or_else(|| AccountError::Unknown(login.to_owned()))
    }

    /// Refuses what would leave nobody to manage accounts.
    async fn not_the_last(self, agent: &Agent) -> Result<(), AccountError> {
        let all = self.store.list_agents().await?;
        let others = all.iter().any(|other| other.role == Role::Admin && other.id != agent.id);
        if agent.role == Role::Admin && !others { Err(AccountError::LastAdmin) } else { Ok(()) }
    }
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
    match invite(Office { store, clock, by: COMMAND_LINE }, admin).await {
        Ok(password) => Ok(Some(password)),
        // Another process was first.
        Err(AccountError::Taken(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an account with a random password; returns the password once.
pub async fn invite(office: Office<'_>, new: NewAgent) -> Result<String, AccountError> {
    let password = first_password();
    add(office, new, hash(&password)?).await?;
    Ok(password)
}

/// Makes an account without a password: an identity provider opens it, or whoever gives it a first one
/// ([`reset_password`]).
pub async fn provision(office: Office<'_>, new: NewAgent) -> Result<Agent, AccountError> {
    add(office, new, NO_PASSWORD.to_owned()).await
}

async fn add(office: Office<'_>, new: NewAgent, password_hash: String) -> Result<Agent, AccountError> {
    let NewAgent { login, name, role, teams, languages } = new;
    let agent = Agent {
        id: AgentId::new(office.clock.new_id()),
        login,
        name,
        password_hash,
        role,
        teams,
        languages,
        created_at: office.clock.now(),
        password_chosen_at: None,
    };
    if !office.store.add_agent(&agent).await? {
        return Err(AccountError::Taken(agent.login));
    }
    office.log(&agent, "added", role.as_str()).await?;
    Ok(agent)
}

fn first_password() -> String {
    super::super::keys::random_text().chars().take(FIRST_PASSWORD_CHARS).collect()
}

/// Gives an account a new first password, which is returned once, and ends its sessions.
pub async fn reset_password(office: Office<'_>, login: &str) -> Result<String, AccountError> {
    let agent = office.known(login).await?;
    let password = first_password();
    office.store.set_password(&agent.id, &hash(&password)?, None).await?;
    office.store.end_sessions_of(&agent.id).await?;
    office.log(&agent, "password_reset", "").await?;
    Ok(password)
}

/// Takes a lost second factor away and ends the sessions of the account.
pub async fn reset_second_factor(office: Office<'_>, login: &str) -> Result<(), AccountError> {
    let agent = office.known(login).await?;
    office.store.drop_second_factor(&agent.id).await?;
    office.store.end_sessions_of(&agent.id).await?;
    Ok(office.log(&agent, "second_factor_reset", "").await?)
}

/// Changes what an account is given. Whoever may now do or see something else signs in anew.
pub async fn change(office: Office<'_>, login: &str, to: &AgentChange) -> Result<(), AccountError> {
    let known = office.known(login).await?;
    if to.role != Role::Admin {
        office.not_the_last(&known).await?;
    }
    office.store.change_agent(&known.id, to).await?;
    if (known.role, &known.teams) == (to.role, &to.teams) {
        return Ok(());
    }
    office.store.end_sessions_of(&known.id).await?;
    let teams: Vec<&str> = to.teams.iter().map(TeamId::as_str).collect();
    let detail = format!("{} → {}, teams: {}", known.role.as_str(), to.role.as_str(), teams.join(", "));
    Ok(office.log(&known, "changed", &detail).await?)
}

/// Removes an account; its sessions end, and its keys work no more.
pub async fn remove(office: Office<'_>, login: &str) -> Result<(), AccountError> {
    let known = office.known(login).await?;
    office.not_the_last(&known).await?;
    office.store.remove_agent(login).await?;
    Ok(office.log(&known, "removed", known.role.as_str()).await?)
}

/// Says who an account is to the identity provider; nobody when `subject` is empty.
pub async fn link(office: Office<'_>, login: &str, issuer: &str, subject: &str) -> Result<(), AccountError> {
    let known = office.known(login).await?;
    let of = (!subject.is_empty()).then_some((issuer, subject));
    if !office.store.set_subject(&known.id, of).await? {
        return Err(AccountError::SubjectTaken);
    }
    office.store.end_sessions_of(&known.id).await?;
    Ok(office.log(&known, if of.is_some() { "linked" } else { "unlinked" }, "").await?)
}

/// Replaces a password by one that the agent chose, and ends every session of the account.
pub(super) async fn change_password(
    office: Office<'_>,
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
    if prove(office.store, &agent.login, old).await?.is_none() {
        return Err(AccountError::Wrong);
    }
    // Hashing takes as long as it should; nobody else waits for it.
    let hashed = tokio::task::spawn_blocking(move || hash(&new)).await;
    let hashed = hashed.unwrap_or_else(|error| Err(AccountError::Hash(error.to_string())))?;
    office.store.set_password(&agent.id, &hashed, Some(office.clock.now())).await?;
    office.store.end_sessions_of(&agent.id).await?;
    Ok(office.log(agent, "password_changed", "").await?)
}

/// Whether there is a password at all; an account that only an identity provider opens has none.
pub(super) fn has_password(agent: &Agent) -> bool {
    agent.password_hash != NO_PASSWORD
}

/// The Argon2id hash of a password with a fresh salt, in PHC form.
fn hash(password: &str) -> Result<String, AccountError> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| AccountError::Hash(error.to_string()))
}

/// The agent whose login and password these are; takes equally long whatever is wrong.
pub(super) async fn prove(store: &Store, login: &str, password: String) -> Result<Option<Agent>, StoreError> {
    let agent = store.agent_by_login(login).await?;
    let own = agent.as_ref().filter(|agent| has_password(agent));
    let stored = own.map_or_else(|| NOBODY.to_owned(), |agent| agent.password_hash.clone());
    let matches = tokio::task::spawn_blocking(move || matches(&password, &stored)).await.unwrap_or(false);
    Ok(agent.filter(|agent| matches && has_password(agent)))
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
