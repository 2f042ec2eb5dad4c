//! Agents and API keys.

use std::sync::Arc;

use firstline::domain::ids::{AgentId, TeamId};
use firstline::domain::role::Role;
use firstline::domain::team::Agent;
use firstline::domain::time::Timestamp;
use firstline::store::ApiKey;

use super::things::NOW;
use super::{Record, on_both};

on_both! {
    an_account_is_added_found_and_removed
    a_key_works_until_it_is_revoked_or_expires
    the_use_of_a_key_is_noted_once_a_minute
}

pub(crate) fn agent(login: &str) -> Agent {
    Agent {
        id: AgentId::parse(&format!("agent-{login}")).unwrap(),
        login: login.to_owned(),
        name: "Eva".to_owned(),
        password_hash: "$argon2id$first".to_owned(),
        role: Role::Agent,
        teams: vec![TeamId::parse("care").unwrap()],
        languages: vec!["de".to_owned()],
        created_at: NOW,
        password_chosen_at: None,
    }
}

async fn an_account_is_added_found_and_removed(record: Arc<Record>) {
    let store = &record.store;
    assert!(store.add_agent(&agent("max")).await.unwrap());
    assert!(store.add_agent(&agent("eva")).await.unwrap());
    let again = Agent { id: AgentId::parse("another").unwrap(), ..agent("eva") };
    assert!(!store.add_agent(&again).await.unwrap(), "the login is taken");
    assert_eq!(store.list_agents().await.unwrap(), [agent("eva"), agent("max")]);
    assert_eq!(store.agent_by_login("eva").await.unwrap(), Some(agent("eva")));
    assert_eq!(store.agent(&agent("max").id).await.unwrap(), Some(agent("max")));
    assert!(store.set_password(&agent("eva").id, "$argon2id$second", Some(NOW)).await.unwrap());
    let changed = store.agent_by_login("eva").await.unwrap().unwrap();
    assert_eq!((changed.password_hash.as_str(), changed.password_chosen_at), ("$argon2id$second", Some(NOW)));
    assert!(store.remove_agent("eva").await.unwrap());
    assert!(!store.remove_agent("eva").await.unwrap());
    assert!(!store.set_password(&agent("eva").id, "x", None).await.unwrap());
    assert_eq!(store.agent_by_login("eva").await.unwrap(), None);
}

fn key(id: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        name: "shop".to_owned(),
        prefix: "flk_abc".to_owned(),
        hash: format!("hash-{id}"),
        scopes: vec!["messages".to_owned(), "read".to_owned()],
        agent: None,
        created_at: NOW,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

async fn a_key_works_until_it_is_revoked_or_expires(record: Arc<Record>) {
    let store = &record.store;
    let short = ApiKey { expires_at: Some(NOW.plus_ms(10)), ..key("short") };
    for key in [&key("long"), &short] {
        store.add_key(key).await.unwrap();
    }
    assert_eq!(store.list_keys().await.unwrap(), [key("long"), short.clone()]);
    let found = async |hash, now: Timestamp| {
        let key: Option<ApiKey> = store.key_by_hash(hash, now).await.unwrap();
        key.filter(|key| key.in_force(now)).map(|key| key.id)
    };
    assert_eq!(found("hash-short", NOW.plus_ms(9)).await.as_deref(), Some("short"));
    assert_eq!(found("hash-short", NOW.plus_ms(10)).await, None);
    assert_eq!(found("hash", NOW).await, None);
    assert!(store.revoke_key("long", NOW).await.unwrap());
    assert!(!store.revoke_key("long", NOW).await.unwrap());
    assert!(!store.revoke_key("unknown", NOW).await.unwrap());
    assert_eq!(found("hash-long", NOW).await, None);
    assert_eq!(store.list_keys().await.unwrap()[0].revoked_at, Some(NOW));
}

async fn the_use_of_a_key_is_noted_once_a_minute(record: Arc<Record>) {
    let store = &record.store;
    store.add_key(&key("k")).await.unwrap();
    for (after_ms, noted_ms) in [(0, 0), (59_999, 0), (60_000, 60_000), (61_000, 60_000)] {
        let found = store.key_by_hash("hash-k", NOW.plus_ms(after_ms)).await.unwrap().unwrap();
        assert_eq!(found.last_used_at, Some(NOW.plus_ms(noted_ms)), "after {after_ms} ms");
        assert_eq!(store.list_keys().await.unwrap(), [found]);
    }
}
