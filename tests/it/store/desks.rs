//! The lists people work from, what they leave on their desks, and the words by which cases are found.

use std::sync::Arc;

use firstline::desk::search;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::ids::{AgentId, AttachmentId, CaseId, MessageId, TeamId};
use firstline::domain::message::{Author, Message, Visibility};
use firstline::domain::role::{Reach, Role};
use firstline::domain::team::Agent;
use firstline::domain::time::Timestamp;
use firstline::domain::triage::Urgency;
use firstline::store::{
    AgentDraft, Change, Conversation, Lane, QueueOrder, SavedView, StoredAttachment, Watcher, WorkCounts,
    Worklist,
};

use super::things::{NOW, case, case_id, customer_id, first, message, unit};
use super::{Record, on_both};

on_both! {
    lists_hold_what_is_asked_for_the_most_urgent_first
    a_list_shows_nothing_of_a_team_that_may_not_be_seen
    a_draft_is_kept_until_it_is_let_go_of_and_an_older_one_never_replaces_a_newer
    who_has_a_case_open_is_known_until_their_time_is_over
    lists_are_kept_up_to_a_limit_and_only_for_whoever_kept_them
    chosen_files_wait_for_their_reply
    a_case_is_found_by_its_words_its_customer_and_its_id
    a_note_tells_whom_it_names
    nothing_of_a_person_is_found_after_they_were_erased
    the_newest_thread_of_an_address_is_found
}

const ORDER: QueueOrder = QueueOrder { now: NOW, raise_ms: 7_200_000 };

fn agent(login: &str) -> Agent {
    Agent {
        id: AgentId::parse(&format!("agent-{login}")).unwrap(),
        login: login.to_owned(),
        name: format!("{login} Doe"),
        password_hash: "$argon2id$x".to_owned(),
        role: Role::Agent,
        teams: Vec::new(),
        languages: Vec::new(),
        created_at: NOW,
        password_chosen_at: None,
    }
}

fn team(name: &str) -> TeamId {
    TeamId::parse(name).unwrap()
}

fn wanted(standing: Lane) -> Worklist {
    Worklist {
        standing,
        agent: None,
        teams: None,
        reach: Reach::All,
        channel: None,
        urgency: None,
        language: None,
    }
}

/// Cases of their own customers, each with one message.
async fn stored(record: &Record, cases: &[Case]) {
    for one in cases {
        let name = one.id.as_str().strip_prefix("case-").unwrap();
        let mut unit = first(name);
        for change in &mut unit.changes {
            if let Change::NewCase(new) = change {
                *new = one.clone();
            }
        }
        unit.changes.retain(|change| !matches!(change, Change::OpenTurn(_)));
        record.store.commit(unit).await.unwrap();
    }
}

async fn names(record: &Record, wanted: &Worklist) -> Vec<String> {
    let lines = record.store.worklist(wanted, ORDER, 50, 0).await.unwrap();
    lines.into_iter().map(|line| line.id.as_str().trim_start_matches("case-").to_owned()).collect()
}

fn queued(name: &str, urgency: Urgency, minutes: i64) -> Case {
    let updated_at = NOW.plus_ms(minutes * 60_000);
    Case { state: CaseState::Queued, team: Some(team("care")), urgency, updated_at, ..case(name) }
}

async fn lists_hold_what_is_asked_for_the_most_urgent_first(record: Arc<Record>) {
    let (store, eva) = (&record.store, agent("eva"));
    store.add_agent(&eva).await.unwrap();
    let mine =
        Case { state: CaseState::Agent, agent: Some(eva.id.clone()), ..queued("mine", Urgency::Low, 1) };
    let aside = Case { state: CaseState::Snoozed, snoozed_until: Some(NOW), ..mine.clone() };
    let settled = Case { state: CaseState::Resolved, resolved_at: Some(NOW.plus_ms(5)), ..mine.clone() };
    let cases = [
        queued("old", Urgency::Normal, 1),
        queued("new", Urgency::Normal, 2),
        queued("urgent", Urgency::Urgent, 3),
        Case { channel: "email".to_owned(), language: "de".to_owned(), ..queued("mail", Urgency::High, 4) },
        Case { team: Some(team("night_a")), ..queued("other", Urgency::Low, 5) },
        Case { answered_seq: 1, ..mine.clone() },
        Case { id: case_id("aside"), customer: customer_id("aside"), ..aside },
        Case { id: case_id("settled"), customer: customer_id("settled"), ..settled },
    ];
    stored(&record, &cases).await;
    let waiting = wanted(Lane::Waiting);
    assert_eq!(names(&record, &waiting).await, ["urgent", "mail", "old", "new", "other"]);
    assert_eq!(names(&record, &wanted(Lane::Open)).await.len(), 7);
    let of = |change: fn(&mut Worklist)| {
        let mut list = wanted(Lane::Waiting);
        change(&mut list);
        list
    };
    for (list, expected) in [
        (of(|list| list.teams = Some(vec![team("care")])), vec!["urgent", "mail", "old", "new"]),
        (of(|list| list.teams = Some(vec![team("night_a")])), vec!["other"]),
        // A name is compared as it is: an underscore stands for itself.
        (of(|list| list.teams = Some(vec![team("nightxa")])), vec![]),
        (of(|list| list.channel = Some("email".to_owned())), vec!["mail"]),
        (of(|list| list.urgency = Some(Urgency::Normal)), vec!["old", "new"]),
        (of(|list| list.language = Some("de".to_owned())), vec!["mail"]),
        (of(|list| list.standing = Lane::Snoozed), vec!["aside"]),
        (of(|list| list.standing = Lane::Resolved), vec!["settled"]),
        (of(|list| list.standing = Lane::Closed), vec![]),
        (of(|list| list.standing = Lane::Assistant), vec![]),
    ] {
        assert_eq!(names(&record, &list).await, expected, "{list:?}");
    }
    let own = Worklist { agent: Some(eva.id.clone()), ..wanted(Lane::Taken) };
    let line = store.worklist(&own, ORDER, 50, 0).await.unwrap().remove(0);
    assert_eq!((line.name.as_deref(), line.unanswered), (Some("mine O'Neil"), false));
    assert_eq!(store.worklist(&waiting, ORDER, 2, 2).await.unwrap()[0].id, case_id("old"), "the second page");
    let counts = store.work_counts(&eva.id, &[team("care")], &Reach::All).await.unwrap();
    assert_eq!(counts, WorkCounts { mine: 1, snoozed: 1, teams: 4, waiting: 5 });
    let settled = store.settled_by(&eva.id, NOW, 10).await.unwrap();
    assert_eq!(settled.iter().map(|line| &line.id).collect::<Vec<_>>(), [&case_id("settled")]);
    assert!(store.settled_by(&eva.id, NOW.plus_ms(6), 10).await.unwrap().is_empty());
    let lines = store.lines_of(&[case_id("new"), case_id("gone"), case_id("old")]).await.unwrap();
    assert_eq!(lines.iter().map(|line| &line.id).collect::<Vec<_>>(), [&case_id("new"), &case_id("old")]);
}

async fn a_list_shows_nothing_of_a_team_that_may_not_be_seen(record: Arc<Record>) {
    let cases = [
        queued("ours", Urgency::Normal, 1),
        Case { team: Some(team("money")), ..queued("theirs", Urgency::Urgent, 2) },
        Case { team: None, ..queued("nobodys", Urgency::Normal, 3) },
    ];
    stored(&record, &cases).await;
    let eva = AgentId::parse("agent-eva").unwrap();
    let reach = Reach::Within { agent: eva.clone(), hidden: [team("money")].into() };
    let list = Worklist { reach: reach.clone(), ..wanted(Lane::Waiting) };
    assert_eq!(names(&record, &list).await, ["ours", "nobodys"]);
    let counts = record.store.work_counts(&eva, &[], &reach).await.unwrap();
    assert_eq!((counts.waiting, counts.teams), (2, 0));
    search::make_ready(&record.store).await.unwrap();
    let found = search::search(&record.store, "parcel", &reach, 10).await.unwrap();
    assert_eq!(found.ids.len(), 2);
    let found = search::search(&record.store, "case-theirs1", &reach, 10).await.unwrap();
    assert!(found.ids.is_empty());
}

async fn a_draft_is_kept_until_it_is_let_go_of_and_an_older_one_never_replaces_a_newer(record: Arc<Record>) {
    let (store, eva) = (&record.store, AgentId::parse("agent-eva").unwrap());
    let draft = |text: &str, at: Timestamp| AgentDraft {
        agent: eva.clone(),
        case: case_id("ann"),
        kind: "note".to_owned(),
        way: Some("email thread-1".to_owned()),
        text: text.to_owned(),
        seen_seq: 3,
        at,
    };
    let newer = draft("Dear Ann,\nI have", NOW.plus_ms(5));
    store.keep_draft(&newer).await.unwrap();
    store.keep_draft(&draft("Dear Ann", NOW)).await.unwrap();
    assert_eq!(store.draft(&eva, &case_id("ann")).await.unwrap(), Some(newer));
    let other = AgentId::parse("agent-max").unwrap();
    assert_eq!(store.draft(&other, &case_id("ann")).await.unwrap(), None, "it is nobody else's");
    store.keep_draft(&draft("  ", NOW.plus_ms(9))).await.unwrap();
    assert_eq!(store.draft(&eva, &case_id("ann")).await.unwrap(), None, "an empty one is let go of");
}

async fn who_has_a_case_open_is_known_until_their_time_is_over(record: Arc<Record>) {
    let store = &record.store;
    let (eva, max) = (agent("eva"), agent("max"));
    for one in [&eva, &max] {
        store.add_agent(one).await.unwrap();
    }
    let at = case_id("ann");
    store.watch(&at, &eva.id, false, NOW.plus_ms(100)).await.unwrap();
    store.watch(&at, &max.id, true, NOW.plus_ms(50)).await.unwrap();
    let told =
        |one: &Agent, writing| vec![Watcher { agent: one.id.clone(), name: one.name.clone(), writing }];
    assert_eq!(store.watchers(&at, &eva.id, NOW).await.unwrap(), told(&max, true));
    assert_eq!(store.watchers(&at, &max.id, NOW).await.unwrap(), told(&eva, false));
    assert_eq!(store.watchers(&at, &eva.id, NOW.plus_ms(50)).await.unwrap(), [], "that time is over");
    store.watch(&at, &max.id, false, NOW.plus_ms(200)).await.unwrap();
    assert_eq!(store.watchers(&at, &eva.id, NOW.plus_ms(60)).await.unwrap(), told(&max, false));
    store.unwatch(&at, &max.id).await.unwrap();
    store.tidy_desks(NOW.plus_ms(100), NOW).await.unwrap();
    assert_eq!(store.watchers(&at, &max.id, NOW).await.unwrap(), [], "tidied away");
}

async fn lists_are_kept_up_to_a_limit_and_only_for_whoever_kept_them(record: Arc<Record>) {
    let (store, eva) = (&record.store, AgentId::parse("agent-eva").unwrap());
    let view = |id: &str| SavedView {
        id: id.to_owned(),
        name: format!("List {id}"),
        query: "list=all&state=resolved".to_owned(),
    };
    for (id, kept) in [("1", true), ("2", true), ("3", false)] {
        assert_eq!(store.keep_view(&eva, &view(id), (NOW, 2)).await.unwrap(), kept, "{id}");
    }
    assert_eq!(store.views(&eva).await.unwrap(), [view("1"), view("2")]);
    let max = AgentId::parse("agent-max").unwrap();
    assert!(!store.drop_view(&max, "1").await.unwrap() && store.drop_view(&eva, "1").await.unwrap());
    assert_eq!(store.views(&eva).await.unwrap(), [view("2")]);
}

async fn chosen_files_wait_for_their_reply(record: Arc<Record>) {
    let (store, eva) = (&record.store, AgentId::parse("agent-eva").unwrap());
    let file = |id: &str| StoredAttachment {
        id: AttachmentId::parse(id).unwrap(),
        case: case_id("ann"),
        message: MessageId::parse("-").unwrap(),
        name: format!("{id}.pdf"),
        content_type: Some("application/pdf".to_owned()),
        content: vec![0, 159, 146, 150].into(),
        at: NOW,
    };
    for id in ["f1", "f2"] {
        store.keep_upload(&eva, &file(id)).await.unwrap();
    }
    let listed = store.uploads(&eva, &case_id("ann")).await.unwrap();
    assert_eq!((listed[0].id.as_str(), listed[0].name.as_str(), listed[0].bytes), ("f1", "f1.pdf", 4));
    assert_eq!(listed[0].content_type, file("f1").content_type);
    assert_eq!(store.uploaded(&eva, &case_id("ann")).await.unwrap(), [file("f1"), file("f2")]);
    store.drop_uploads(&eva, &case_id("ann"), Some(&AttachmentId::parse("f1").unwrap())).await.unwrap();
    assert_eq!(store.uploaded(&eva, &case_id("ann")).await.unwrap(), [file("f2")]);
    store.tidy_desks(NOW, NOW.plus_ms(1)).await.unwrap();
    assert!(store.uploads(&eva, &case_id("ann")).await.unwrap().is_empty());
}

async fn found(record: &Record, typed: &str) -> Vec<String> {
    let found = search::search(&record.store, typed, &Reach::All, 50).await.unwrap();
    found.ids.into_iter().map(|id| id.as_str().trim_start_matches("case-").to_owned()).collect()
}

async fn a_case_is_found_by_its_words_its_customer_and_its_id(record: Arc<Record>) {
    let store = &record.store;
    stored(&record, &[queued("ann", Urgency::Normal, 1), queued("bob", Urgency::Normal, 2)]).await;
    let more = Message { text: "Die Größe von HP-10042 passt nicht".to_owned(), ..message("bob", 2) };
    store.commit(unit("bob", vec![Change::Message(Arc::new(more))])).await.unwrap();
    assert!(found(&record, "parcel").await.is_empty(), "nothing is ready yet");
    search::make_ready(store).await.unwrap();
    for (typed, expected) in [
        ("parcel", vec!["bob", "ann"]),
        ("PARC", vec!["bob", "ann"]),
        ("parcel grosse", vec!["bob"]),
        ("Größe", vec!["bob"]),
        ("HP-10042", vec!["bob"]),
        ("10042", vec!["bob"]),
        ("hp-100", vec!["bob"]),
        ("ann parcel", vec!["ann"]),
        ("O'Neil", vec!["bob", "ann"]),
        ("u-bob", vec!["bob"]),
        ("u-ann parcel", vec!["ann"]),
        ("parcel nothing", vec![]),
        ("", vec![]),
        ("one two three four five six seven eight", vec![]),
    ] {
        assert_eq!(found(&record, typed).await, expected, "{typed}");
    }
    // An id is found by its beginning.
    let id = CaseId::parse("0199aaaa-bbbb-7ccc").unwrap();
    let other = Case { id: id.clone(), ..queued("ann", Urgency::Low, 9) };
    store.commit(unit("ann", vec![Change::NewCase(other)])).await.unwrap();
    assert_eq!(found(&record, "0199aaaa").await, [id.as_str()]);
    assert_eq!(found(&record, " 0199aaaa-bbbb-7ccc ").await, [id.as_str()]);
    // A new name is found, and so is an address that came later.
    let file = store.case_fresh(&case_id("bob")).await.unwrap().unwrap();
    let mut named = firstline::domain::customer::Customer::clone(&file.customer);
    named.version += 1;
    named.name = Some("Robert Quill".to_owned());
    store.commit(unit("bob", vec![Change::Customer(Arc::new(named))])).await.unwrap();
    search::make_ready(store).await.unwrap();
    assert_eq!(found(&record, "quill").await, ["bob"]);
}

async fn a_note_tells_whom_it_names(record: Arc<Record>) {
    let store = &record.store;
    let (eva, max) = (agent("eva"), agent("Max"));
    for one in [&eva, &max] {
        store.add_agent(one).await.unwrap();
    }
    stored(&record, &[queued("ann", Urgency::Normal, 1)]).await;
    let note = Message {
        author: Author::Agent,
        agent: Some(eva.id.clone()),
        visibility: Visibility::Internal,
        text: "@max please look, @eva and @nobody too".to_owned(),
        ..message("ann", 2)
    };
    // The same words to a customer name nobody.
    let said = Message { visibility: Visibility::Public, seq: 3, ..note.clone() };
    let said = Message { id: message("ann", 3).id, ..said };
    let changes = vec![Change::Message(Arc::new(note.clone())), Change::Message(Arc::new(said))];
    store.commit(unit("ann", changes)).await.unwrap();
    for _ in 0..2 {
        search::make_ready(store).await.unwrap();
    }
    assert_eq!(store.unseen_mentions(&max.id).await.unwrap(), 1);
    assert_eq!(store.unseen_mentions(&eva.id).await.unwrap(), 0, "who writes it is not told");
    let told = store.mentions(&max.id, &Reach::All, 10).await.unwrap().remove(0);
    assert_eq!((&told.case, &told.message, &told.text), (&case_id("ann"), &note.id, &note.text));
    assert_eq!((told.by, told.seen_at), (Some(eva.id), None));
    store.see_mentions(&max.id, &case_id("ann"), NOW).await.unwrap();
    assert_eq!(store.unseen_mentions(&max.id).await.unwrap(), 0);
    assert_eq!(store.mentions(&max.id, &Reach::All, 10).await.unwrap()[0].seen_at, Some(NOW));
}

async fn nothing_of_a_person_is_found_after_they_were_erased(record: Arc<Record>) {
    let store = &record.store;
    stored(&record, &[queued("ann", Urgency::Normal, 1)]).await;
    search::make_ready(store).await.unwrap();
    assert_eq!(found(&record, "parcel").await, ["ann"]);
    // Read before and written after: the words come too late.
    let late = std::collections::BTreeSet::from([(case_id("ann"), "parcel".to_owned())]);
    store.erase_customer(&customer_id("ann"), NOW).await.unwrap().unwrap();
    store.add_words(&late, NOW).await.unwrap();
    search::make_ready(store).await.unwrap();
    assert!(found(&record, "parcel").await.is_empty() && found(&record, "neil").await.is_empty());
}

async fn the_newest_thread_of_an_address_is_found(record: Arc<Record>) {
    let store = &record.store;
    let thread = |name: &str, ms: i64| Conversation {
        channel: "email".to_owned(),
        conversation: name.to_owned(),
        address: "ann@shop.example".to_owned(),
        last_inbound_at: NOW.plus_ms(ms),
        threading: None,
    };
    for (name, ms) in [("one", 5), ("two", 9), ("three", 1)] {
        store.commit(unit(name, vec![Change::Heard(thread(name, ms))])).await.unwrap();
    }
    let newest = store.newest_conversation("email", "ann@shop.example").await.unwrap();
    assert_eq!(newest, Some(thread("two", 9)));
    assert_eq!(store.newest_conversation("sms", "ann@shop.example").await.unwrap(), None);
}
