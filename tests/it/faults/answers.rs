//! Agents answer while the customer writes: in whatever order it comes about, every text is there once, and the assistant
//! is silent from the first human word on.

use std::sync::Arc;

use firstline::config::{Config, Sources};
use firstline::desk::act::{self, Actor, At, Reply};
use firstline::domain::case::CaseState;
use firstline::domain::ids::{AgentId, CaseId};
use firstline::domain::message::Author;
use firstline::domain::role::Role;
use firstline::pipeline::Pipeline;
use firstline::store::Store;
use futures_util::future::{BoxFuture, join_all};

use super::{everything_adds_up, said, words_of};
use crate::deliver::{REPLY, Says};
use crate::store::{Record, on_both};
use crate::support::console::Console;
use crate::support::service::Service;
use crate::support::world::{clock, process};

on_both! {
    two_answer_at_once_with_double_clicks_and_every_text_is_said_once
    what_cannot_be_said_is_kept_for_its_writer
    whenever_a_person_speaks_the_assistant_is_silent_from_then_on
    a_customer_writes_on_and_on_and_a_person_still_gets_a_word_in
}

const ROUNDS: usize = 16;

/// One who answers in a round.
struct Writer {
    login: &'static str,
    agent: AgentId,
}

impl Writer {
    fn text(&self, round: usize) -> String {
        format!("{} in {round}", self.login)
    }
}

/// Sends a reply as the page does that was shown with the message at place `seen`; where one is led.
async fn clicks(console: &Console, login: &str, (case, seen): (&CaseId, i64), text: &str) -> String {
    let seen = seen.to_string();
    let fields = [("text", text), ("id", text), ("seen", seen.as_str()), ("kind", "reply")];
    let told = console.post(login, &format!("/console/cases/{case}/reply"), &fields).await;
    assert_eq!(told.status, 303, "{}", told.body);
    told.to.split('?').nth(1).unwrap().to_owned()
}

async fn newest(store: &Store, case: &CaseId) -> i64 {
    store.case_fresh(case).await.unwrap().unwrap().case.message_seq
}

async fn two_answer_at_once_with_double_clicks_and_every_text_is_said_once(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| {}).await;
    let (console, store) = (Console::of(&service), &service.app.store);
    let writer = async |login| Writer { login, agent: console.person(&service, login, Role::Agent).await };
    let (anna, bob) = (writer("anna").await, writer("bob").await);
    for round in 0..ROUNDS {
        let name = format!("c{round}");
        let first = words_of(&name, &format!("{name}-0"), "I want to talk to a person");
        let case = service.app.pipeline.ingest_for_people(first, "person_asked").await.unwrap().case;
        let seen = newest(store, &case).await;
        let click = |writer: &'static str| -> BoxFuture<'_, Option<(&'static str, String)>> {
            let (console, case) = (&console, &case);
            Box::pin(async move {
                Some((writer, clicks(console, writer, (case, seen), &format!("{writer} in {round}")).await))
            })
        };
        let write = |id: &'static str| -> BoxFuture<'_, Option<(&'static str, String)>> {
            let (service, name) = (&service, &name);
            Box::pin(async move {
                let words = words_of(name, &format!("{name}-{id}"), id);
                service.app.pipeline.enqueue(words).await.unwrap();
                None
            })
        };
        let mut all = vec![click("anna"), click("anna"), click("bob"), click("bob")];
        let quiet = round % 4 == 3;
        if !quiet {
            all.extend([write("one"), write("two")]);
        }
        let places = all.len();
        all.rotate_left(round % places);
        if round % 2 == 1 {
            all.reverse();
        }
        let came_of: Vec<(&str, String)> = join_all(all).await.into_iter().flatten().collect();
        // Both had seen the same, so at most one of them has said it; and a double click is told the same twice.
        let sent = |who: &str| -> Vec<bool> {
            came_of.iter().filter(|(writer, _)| *writer == who).map(|(_, to)| to == "said=sent").collect()
        };
        assert!(sent("anna")[0] == sent("anna")[1] && sent("bob")[0] == sent("bob")[1], "{came_of:?}");
        assert!(!(sent("anna")[0] && sent("bob")[0]), "{came_of:?}");
        if quiet {
            assert!(
                sent("anna")[0] || sent("bob")[0],
                "nothing but the other one is in the way: {came_of:?}"
            );
            join_all([write("one"), write("two")]).await;
        }
        for writer in [&anna, &bob] {
            let text = writer.text(round);
            if sent(writer.login)[0] {
                assert_eq!(store.draft(&writer.agent, &case).await.unwrap(), None);
                continue;
            }
            // Whoever was stopped has their words, reads what is new, and sends them then.
            let kept = store.draft(&writer.agent, &case).await.unwrap().unwrap();
            assert_eq!(kept.text, text);
            let now = newest(store, &case).await;
            assert_eq!(clicks(&console, writer.login, (&case, now), &text).await, "said=sent");
        }
        for text in ["one", "two", "anna", "bob"] {
            let text =
                if text.len() == 3 && text != "bob" { text.to_owned() } else { format!("{text} in {round}") };
            assert_eq!(said(store, &case, &text).await, 1, "{text}");
        }
        let events = store.events(&case, 0, 1000).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == "agent_replied").count(), 2);
    }
    everything_adds_up(store, &service.app.pipeline).await;
    service.stop().await;
}

async fn what_cannot_be_said_is_kept_for_its_writer(record: Arc<Record>) {
    let clock = clock();
    let service = Service::at(&record.database.url(), clock.clone(), |_| {}).await;
    let (console, store) = (Console::of(&service), &service.app.store);
    let anna = console.person(&service, "anna", Role::Agent).await;
    let first = words_of("ann", "1", "I want to talk to a person");
    let case = service.app.pipeline.ingest_for_people(first, "person_asked").await.unwrap().case;
    let path = format!("/console/cases/{case}");
    let kept = async || store.draft(&anna, &case).await.unwrap().map(|draft| (draft.kind, draft.text));
    // The id was used for other words; there is no such way to them; a note in a case that cannot take it.
    let say = async |fields: &[(&str, &str)]| console.post("anna", &format!("{path}/reply"), fields).await;
    assert!(say(&[("text", "first"), ("id", "r1"), ("kind", "reply")]).await.to.contains("said=sent"));
    assert_eq!(kept().await, None);
    let refused = say(&[("text", "second"), ("id", "r1"), ("kind", "reply")]).await;
    assert_eq!((refused.status, kept().await), (409, Some(("reply".to_owned(), "second".to_owned()))));
    let refused = say(&[("text", "third"), ("id", "r2"), ("kind", "reply"), ("way", "sms +1")]).await;
    assert_eq!((refused.status, kept().await), (400, Some(("reply".to_owned(), "third".to_owned()))));
    assert!(console.get("anna", &path).await.body.contains(">third</textarea>"));
    // What was begun before the clock was set back does not keep out what is written now.
    clock.advance(-86_400_000);
    let here = [("text", "fourth"), ("kind", "note"), ("seen", "2")];
    assert_eq!(console.post("anna", &format!("{path}/here"), &here).await.status, 200);
    assert_eq!(kept().await, Some(("note".to_owned(), "fourth".to_owned())));
    assert_eq!(said(store, &case, "second").await + said(store, &case, "third").await, 0);
    service.stop().await;
}

/// One process with an assistant that answers everything.
async fn answering(record: &Record) -> Arc<Pipeline> {
    let mut config = Config::load(Sources::default()).unwrap();
    config.database.url = record.database.url();
    process(config, clock(), &[], Arc::new(Says(None, REPLY))).await
}

fn at<'a>(pipeline: &'a Pipeline, actor: &'a Actor, case: &'a CaseId) -> At<'a> {
    let parts = pipeline.parts();
    At { store: &parts.store, clock: parts.clock.as_ref(), channels: &parts.channels, actor, case }
}

/// Until no turn is under way.
async fn idle(pipeline: &Arc<Pipeline>) {
    pipeline.parts().tasks.close();
    pipeline.parts().tasks.wait().await;
    pipeline.parts().tasks.reopen();
    pipeline.drain().await;
}

async fn whenever_a_person_speaks_the_assistant_is_silent_from_then_on(record: Arc<Record>) {
    let pipeline = Box::pin(answering(&record)).await;
    let store = &pipeline.parts().store;
    let actor = Actor::Program("desk".to_owned());
    for round in 0..ROUNDS * 2 {
        let name = format!("c{round}");
        let first = words_of(&name, &format!("{name}-1"), "hello there");
        let reply = Reply { id: Some("r".to_owned()), text: "I am here".to_owned(), ..Reply::default() };
        let more = words_of(&name, &format!("{name}-2"), "are you a machine");
        // Now and then the person is there before the turn has begun; else it is running by then.
        let early = round % 4 == 0;
        let (accepted, spoken, written) = if early {
            let accepted = pipeline.enqueue(first).await.unwrap();
            let spoken = act::reply(at(&pipeline, &actor, &accepted.case), reply).await;
            (accepted, spoken, pipeline.ingest(more).await)
        } else {
            let accepted = pipeline.ingest(first).await.unwrap();
            for _ in 0..round * 3 {
                tokio::task::yield_now().await;
            }
            let spoken = act::reply(at(&pipeline, &actor, &accepted.case), reply);
            let (spoken, written) = tokio::join!(spoken, pipeline.ingest(more));
            (accepted, spoken, written)
        };
        let (spoken, written) = (spoken.unwrap(), written.unwrap());
        assert_eq!(written.case, accepted.case);
        idle(&pipeline).await;
        pipeline.ingest(words_of(&name, &format!("{name}-3"), "thank you")).await.unwrap();
        idle(&pipeline).await;
        let thread = store.messages(&accepted.case, 0, 100).await.unwrap();
        let machine: Vec<i64> =
            thread.iter().filter(|one| one.author == Author::Assistant).map(|one| one.seq).collect();
        assert!(machine.iter().all(|seq| *seq < spoken.seq), "{machine:?} and a person at {}", spoken.seq);
        assert!(machine.len() <= 2, "{machine:?}");
        assert!(!early || machine.is_empty(), "{machine:?}");
        for text in ["hello there", "are you a machine", "thank you", "I am here"] {
            assert_eq!(said(store, &accepted.case, text).await, 1, "{text}");
        }
        let case = store.case_fresh(&accepted.case).await.unwrap().unwrap().case.clone();
        assert_eq!(case.state, CaseState::Agent);
        assert_eq!(store.open_turn(&accepted.case).await.unwrap(), None);
    }
    everything_adds_up(store, &pipeline).await;
    pipeline.parts().store.clone().close().await;
}

async fn a_customer_writes_on_and_on_and_a_person_still_gets_a_word_in(record: Arc<Record>) {
    let pipeline = Box::pin(answering(&record)).await;
    let store = &pipeline.parts().store;
    let first = words_of("ann", "0", "I want to talk to a person");
    let case = pipeline.ingest_for_people(first, "person_asked").await.unwrap().case;
    let actor = Actor::Program("desk".to_owned());
    let writes = (1..=100).map(async |at: usize| {
        pipeline.ingest(words_of("ann", &at.to_string(), &format!("word {at}"))).await.unwrap();
    });
    let answers = (1..=5).map(async |number: usize| {
        let reply =
            Reply { id: Some(number.to_string()), text: format!("answer {number}"), ..Reply::default() };
        act::reply(at(&pipeline, &actor, &case), reply).await.unwrap();
    });
    tokio::join!(join_all(writes), join_all(answers));
    idle(&pipeline).await;
    for at in 1..=100 {
        assert_eq!(said(store, &case, &format!("word {at}")).await, 1);
    }
    for at in 1..=5 {
        assert_eq!(said(store, &case, &format!("answer {at}")).await, 1);
    }
    everything_adds_up(store, &pipeline).await;
    pipeline.parts().store.clone().close().await;
}
