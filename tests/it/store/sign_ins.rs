//! Sessions, second factors, sign-ins by a provider, and the log of accounts.

use std::sync::Arc;

use firstline::domain::ids::AgentId;
use firstline::domain::time::Timestamp;
use firstline::store::{AccountEntry, Lasting, Proof, ProviderRequest, Session};

use super::accounts::agent;
use super::things::NOW;
use super::{Record, on_both};

on_both! {
    a_session_lasts_until_it_is_over_unused_or_ended
    the_use_of_a_session_is_noted_once_a_minute
    a_half_sign_in_is_tried_so_often_and_finished_once
    a_second_factor_counts_once_it_was_proven_and_each_step_once
    a_recovery_code_works_once
    a_provider_request_is_taken_once_and_in_time
    a_subject_has_one_account
    the_log_of_accounts_is_read_newest_first
}

fn session(token: &str, agent: &AgentId) -> Session {
    Session {
        token_hash: token.to_owned(),
        agent: agent.clone(),
        begun_at: NOW,
        seen_at: NOW,
        expires_at: NOW.plus_ms(1000),
        browser: "Firefox on Linux".to_owned(),
        proof: Proof::Provider,
    }
}

fn lasting(now: Timestamp, idle_ms: i64) -> Lasting {
    Lasting { now, used_since: now.plus_ms(-idle_ms) }
}

async fn a_session_lasts_until_it_is_over_unused_or_ended(record: Arc<Record>) {
    let store = &record.store;
    let (eva, max) = (agent("eva"), agent("max"));
    for (agent, tokens) in [(&eva, ["e1", "e2", "e3"]), (&max, ["m1", "m2", "m3"])] {
        store.add_agent(agent).await.unwrap();
        for token in tokens {
            store.new_session(&session(token, &agent.id)).await.unwrap();
        }
    }
    let at = async |token, ms, idle_ms| {
        store.session(token, lasting(NOW.plus_ms(ms), idle_ms)).await.unwrap().map(|known| known.agent.login)
    };
    let known = store.session("e1", lasting(NOW, 500)).await.unwrap().unwrap();
    assert_eq!((known.agent, known.session), (eva.clone(), session("e1", &eva.id)));
    assert!(!known.second_factor);
    for (ms, idle_ms, lasts) in [(999, 1000, true), (1000, 5000, false), (499, 500, true), (500, 500, false)]
    {
        assert_eq!(at("e1", ms, idle_ms).await.is_some(), lasts, "after {ms} ms of {idle_ms}");
    }
    assert_eq!(at("unknown", 0, 500).await, None);
    let of_eva = async || {
        let found = store.sessions_of(&eva.id, lasting(NOW, 500)).await.unwrap();
        found.into_iter().map(|one| one.token_hash).collect::<Vec<_>>()
    };
    assert_eq!(of_eva().await, ["e1", "e2", "e3"]);
    assert!(!store.end_session_of(&eva.id, "m1").await.unwrap(), "it is somebody else's");
    assert!(store.end_session_of(&eva.id, "e3").await.unwrap());
    store.end_other_sessions(&eva.id, "e2").await.unwrap();
    assert_eq!((of_eva().await, at("m1", 0, 500).await), (vec!["e2".to_owned()], Some("max".to_owned())));
    store.end_session("m1").await.unwrap();
    assert_eq!((at("m1", 0, 500).await, at("m2", 0, 500).await.is_some()), (None, true));
    store.new_half_sign_in("half", &eva.id, NOW, NOW.plus_ms(1000)).await.unwrap();
    store.end_sessions_of(&eva.id).await.unwrap();
    assert_eq!(at("e2", 0, 500).await, None);
    assert!(!store.half_sign_in("half", NOW).await.unwrap(), "what was begun has ended too");
    // Without an account there is nobody to be signed in; what is over is forgotten with the next sign-in.
    store.new_session(&Session { begun_at: NOW.plus_ms(1000), ..session("late", &eva.id) }).await.unwrap();
    let kept = record.database.read("select count(*) from sessions").await;
    assert_eq!(kept, ["1"]);
    store.remove_agent("eva").await.unwrap();
    assert_eq!(record.database.read("select count(*) from sessions").await, ["0"]);
    // A session of before, of which nothing is noted, lasts as long as it was given.
    let old = format!(
        "insert into sessions (token_hash, agent_id, expires_at) values ('old', '{}', {})",
        max.id,
        NOW.0 + 1000
    );
    record.database.run(&old).await;
    assert_eq!(at("old", 0, 1).await.as_deref(), Some("max"));
}

async fn the_use_of_a_session_is_noted_once_a_minute(record: Arc<Record>) {
    let (store, eva) = (&record.store, agent("eva"));
    store.add_agent(&eva).await.unwrap();
    let until = NOW.plus_ms(10_000_000);
    store.new_session(&Session { expires_at: until, ..session("e", &eva.id) }).await.unwrap();
    for (after_ms, noted_ms) in [(59_999, 0), (60_000, 60_000), (61_000, 60_000), (120_000, 120_000)] {
        let known = store.session("e", lasting(NOW, 1)).await.unwrap().unwrap().session;
        store.touch_session(&known, NOW.plus_ms(after_ms)).await.unwrap();
        let known = store.session("e", lasting(NOW, 1)).await.unwrap().unwrap().session;
        assert_eq!(known.seen_at, NOW.plus_ms(noted_ms), "after {after_ms} ms");
    }
}

async fn a_half_sign_in_is_tried_so_often_and_finished_once(record: Arc<Record>) {
    let (store, eva) = (&record.store, agent("eva"));
    store.add_agent(&eva).await.unwrap();
    store.new_half_sign_in("h", &eva.id, NOW, NOW.plus_ms(100)).await.unwrap();
    assert!(store.half_sign_in("h", NOW.plus_ms(99)).await.unwrap());
    assert!(!store.half_sign_in("h", NOW.plus_ms(100)).await.unwrap());
    let tried = async |ms| store.try_half_sign_in("h", 2, NOW.plus_ms(ms)).await.unwrap().is_some();
    assert!(!tried(100).await, "its time is over");
    assert_eq!([tried(1).await, tried(1).await, tried(1).await], [true, true, false]);
    assert!(store.session("h", lasting(NOW, 500)).await.unwrap().is_none(), "it is no session");
    assert!(store.end_half_sign_in("h").await.unwrap());
    assert!(!store.end_half_sign_in("h").await.unwrap());
}

async fn a_second_factor_counts_once_it_was_proven_and_each_step_once(record: Arc<Record>) {
    let (store, eva) = (&record.store, agent("eva"));
    store.add_agent(&eva).await.unwrap();
    store.new_session(&session("e", &eva.id)).await.unwrap();
    assert_eq!(store.second_factor(&eva.id).await.unwrap(), None);
    assert!(store.propose_second_factor(&eva.id, "aa").await.unwrap());
    assert!(store.propose_second_factor(&eva.id, "bb").await.unwrap());
    assert!(!store.confirm_second_factor(&eva.id, "aa", 7, NOW).await.unwrap(), "another was proposed since");
    assert_eq!(store.with_second_factor().await.unwrap(), []);
    assert!(store.confirm_second_factor(&eva.id, "bb", 7, NOW).await.unwrap());
    assert!(!store.propose_second_factor(&eva.id, "cc").await.unwrap(), "what counts is not replaced");
    let known = store.second_factor(&eva.id).await.unwrap().unwrap();
    assert_eq!((known.secret.as_str(), known.since, known.last_step), ("bb", Some(NOW), 7));
    assert!(!format!("{known:?}").contains("bb"), "it is not for logs");
    assert_eq!(store.with_second_factor().await.unwrap(), std::slice::from_ref(&eva.id));
    assert!(store.session("e", lasting(NOW, 500)).await.unwrap().unwrap().second_factor);
    for (step, unused) in [(6, false), (7, false), (8, true), (8, false), (9, true)] {
        assert_eq!(store.use_step(&eva.id, step).await.unwrap(), unused, "step {step}");
    }
    store.drop_second_factor(&eva.id).await.unwrap();
    assert_eq!(store.second_factor(&eva.id).await.unwrap(), None);
}

async fn a_recovery_code_works_once(record: Arc<Record>) {
    let (store, eva) = (&record.store, agent("eva"));
    store.add_agent(&eva).await.unwrap();
    store.set_recovery_codes(&eva.id, &["old".to_owned()]).await.unwrap();
    store.set_recovery_codes(&eva.id, &["one".to_owned(), "two".to_owned()]).await.unwrap();
    let used = async |code| store.use_recovery_code(&eva.id, code, NOW).await.unwrap();
    assert_eq!([used("old").await, used("one").await, used("one").await], [false, true, false]);
    assert_eq!(store.recovery_codes_left(&eva.id).await.unwrap(), 1);
    store.drop_second_factor(&eva.id).await.unwrap();
    assert_eq!((store.recovery_codes_left(&eva.id).await.unwrap(), used("two").await), (0, false));
}

async fn a_provider_request_is_taken_once_and_in_time(record: Arc<Record>) {
    let store = &record.store;
    let request = |state: &str, ms| ProviderRequest {
        state_hash: state.to_owned(),
        browser_hash: "b".to_owned(),
        nonce: "n".to_owned(),
        verifier: "v".to_owned(),
        expires_at: NOW.plus_ms(ms),
    };
    for (state, ms) in [("one", 10), ("late", 1)] {
        store.new_provider_request(&request(state, ms), NOW).await.unwrap();
    }
    let taken = async |state| store.take_provider_request(state, NOW.plus_ms(1)).await.unwrap();
    assert_eq!(taken("one").await, Some(request("one", 10)));
    assert_eq!((taken("one").await, taken("late").await, taken("none").await), (None, None, None));
}

async fn a_subject_has_one_account(record: Arc<Record>) {
    let (store, eva, max) = (&record.store, agent("eva"), agent("max"));
    store.add_agent(&eva).await.unwrap();
    store.add_agent(&max).await.unwrap();
    let subject = Some(("https://id.example", "s-1"));
    assert!(store.set_subject(&eva.id, subject).await.unwrap());
    assert!(store.set_subject(&eva.id, subject).await.unwrap(), "again is the same");
    assert!(!store.set_subject(&max.id, subject).await.unwrap(), "it is eva's");
    assert!(store.set_subject(&max.id, Some(("https://other.example", "s-1"))).await.unwrap());
    let of = async |issuer, subject| {
        store.agent_by_subject(issuer, subject).await.unwrap().map(|agent| agent.login)
    };
    assert_eq!(of("https://id.example", "s-1").await.as_deref(), Some("eva"));
    assert_eq!(of("https://other.example", "s-1").await.as_deref(), Some("max"));
    assert_eq!(of("https://id.example", "s-2").await, None);
    assert!(store.set_subject(&max.id, None).await.unwrap());
    assert_eq!(store.subjects().await.unwrap(), [(eva.id.clone(), "s-1".to_owned())]);
}

async fn the_log_of_accounts_is_read_newest_first(record: Arc<Record>) {
    let entry = |id: &str, ms| AccountEntry {
        id: id.to_owned(),
        at: NOW.plus_ms(ms),
        by: "command line".to_owned(),
        agent: agent("eva").id,
        login: "eva".to_owned(),
        what: "changed".to_owned(),
        detail: "agent → admin".to_owned(),
    };
    for (id, ms) in [("1", 0), ("2", 5), ("3", 5)] {
        record.store.log_account(&entry(id, ms)).await.unwrap();
    }
    assert_eq!(record.store.account_log(2).await.unwrap(), [entry("3", 5), entry("2", 5)]);
}
