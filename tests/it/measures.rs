//! The measures in the record: counted once whoever counts and whatever happens in between, and the same as the logs say.

use std::process::Command;
use std::sync::Arc;

use firstline::domain::case::Case;
use firstline::domain::event::EventKind;
use firstline::domain::ids::{AgentId, CustomerId, TeamId};
use firstline::domain::measures::{Count, Named, Sums, days};
use firstline::domain::role::Reach;
use firstline::domain::time::Timestamp;
use firstline::store::{By, Cut, Draftbook, Page, Store};
use serde_json::{Value, json};

use crate::store::things::{NOW, case, case_id, customer};
use crate::store::{Record, on_both};
use crate::support::database::settings;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const ZONE: &str = "America/Chicago";

on_both! {
    whatever_happens_in_between_everything_is_counted_once
    a_round_that_breaks_leaves_nothing_behind
    a_clock_that_jumps_ahead_and_back_settles_nothing_for_good
    a_return_on_another_channel_moves_the_numbers_of_the_first_day
    a_wrong_roll_up_is_caught_and_made_anew
    whoever_is_erased_stays_counted
    people_who_turn_out_to_be_one_are_counted_as_one
    sums_are_told_apart_by_each_thing_and_open_their_cases
}

/// A case under test: what was committed of it last.
struct Told {
    case: Case,
}

impl Told {
    async fn open(store: &Store, name: &str, person: &str, at: i64, channel: &str) -> Self {
        let mut case = case(name);
        case.version = 0;
        case.customer = CustomerId::parse(person).unwrap();
        case.opened_at = Timestamp(at);
        let mut book = Draftbook::new(case, Timestamp(at));
        let body = json!({"channel": channel, "customer": person, "language": "en"});
        book.event(EventKind::Opened, &body);
        book.event(EventKind::Received, &json!({"channel": channel}));
        book.event(EventKind::Triaged, &json!({"decision": "tier1", "reason": "intent"}));
        let mut told = book.case.clone();
        told.version += 1;
        store.commit(book.open(Vec::new())).await.unwrap();
        Self { case: told }
    }

    async fn happens(&mut self, store: &Store, at: i64, kind: EventKind, body: &Value) {
        let mut book = Draftbook::new(self.case.clone(), Timestamp(at));
        book.event(kind, body);
        self.case = book.case.clone();
        self.case.version += 1;
        store.commit(book.close(Vec::new())).await.unwrap();
    }

    async fn resolved(&mut self, store: &Store, at: i64, intent: &str) {
        let body = json!({"turn": "t", "resolution": "answered", "intent": intent, "segments": 1,
            "channel": "web_chat", "articles": ["delivery-times"], "language": "en"});
        self.happens(store, at, EventKind::Resolved, &body).await;
    }
}

async fn count_all(store: &Store, now: i64) {
    while store.fold(Timestamp(now), ZONE, 3).await.unwrap() > 0 {}
}

fn ever() -> Cut {
    Cut { from: i64::MIN, to: i64::MAX, ..Cut::default() }
}

async fn total(store: &Store) -> Sums {
    store
        .sums(&Cut { from: 0, to: days(jiff::civil::date(2100, 1, 2)), ..ever() }, By::Nothing)
        .await
        .unwrap()
        .remove("")
        .unwrap_or_default()
}

/// Every roll-up that is not empty, as it stands.
async fn stands(record: &Record) -> Vec<String> {
    record.database.read("select id, sums from rollups where sums <> ' ' order by id").await
}

/// What was counted is what the logs say.
pub(crate) async fn agrees(store: &Store) {
    let recount = store.recount(i64::MIN, i64::MAX).await.unwrap().unwrap();
    assert!(!recount.behind);
    let told: Vec<_> =
        recount.differing.iter().map(|(place, stands, should)| (place, stands.differences(should))).collect();
    assert!(told.is_empty(), "{told:?}");
}

/// Numbers without chance: the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn step(dice: &mut Dice) -> (EventKind, Value) {
    let channel = ["web_chat", "sms", "email"][dice.roll(3) as usize];
    let intent = ["order_status", "refund", ""][dice.roll(3) as usize];
    let mut body =
        json!({"turn": "t", "channel": channel, "intent": intent, "language": "en", "segments": 1});
    let kind = match dice.roll(12) {
        0..3 => EventKind::Resolved,
        3..5 => EventKind::Received,
        5 => {
            body["reason"] = json!("customer_wrote");
            EventKind::Reopened
        }
        6 => {
            body["reason"] = json!(["over_limit", "person_asked"][dice.roll(2) as usize]);
            body["team"] = json!("returns");
            EventKind::HandedOff
        }
        7 => EventKind::AgentReplied,
        8 => EventKind::Returned,
        9 => {
            body["articles"] = json!(["a"]);
            EventKind::Replied
        }
        10 => {
            body["kept"] = json!(format!("person-{}", dice.roll(3)));
            EventKind::Merged
        }
        _ => EventKind::Closed,
    };
    (kind, body)
}

async fn whatever_happens_in_between_everything_is_counted_once(record: Arc<Record>) {
    let store = &record.store;
    // A second process over the same record.
    let other = Store::open(&record.database.url(), &settings()).await.unwrap();
    for seed in 0..3 {
        let (mut dice, mut now) = (Dice(seed), NOW.0);
        let mut told: Vec<Told> = Vec::new();
        for turn in 0..60 {
            now += [0, HOUR / 2, 3 * HOUR, 2 * DAY, 5 * DAY][dice.roll(5) as usize];
            if told.len() < 12 && dice.roll(3) == 0 {
                let name = format!("{seed}-{turn}");
                let person = format!("person-{}", dice.roll(3));
                told.push(Told::open(store, &name, &person, now, "web_chat").await);
            } else if !told.is_empty() {
                let at = dice.roll(told.len() as u64) as usize;
                let (kind, body) = step(&mut dice);
                told[at].happens(store, now, kind, &body).await;
            }
            match dice.roll(5) {
                0 => _ = store.fold(Timestamp(now), ZONE, 1 + dice.roll(4) as usize).await.unwrap(),
                1 => {
                    let (one, two) = tokio::join!(
                        store.fold(Timestamp(now), ZONE, 2),
                        other.fold(Timestamp(now), ZONE, 2)
                    );
                    one.unwrap();
                    two.unwrap();
                }
                2 => count_all(&other, now).await,
                _ => {}
            }
        }
        count_all(store, now).await;
        agrees(store).await;
        let once = stands(&record).await;
        assert!(once.len() > 20, "there is something to count");
        store.forget_counts(Timestamp(now), ZONE).await.unwrap();
        assert!(stands(&record).await.is_empty());
        count_all(&other, now).await;
        assert_eq!(stands(&record).await, once, "as from the beginning");
    }
    other.close().await;
}

async fn a_round_that_breaks_leaves_nothing_behind(record: Arc<Record>) {
    let store = &record.store;
    let mut told = Told::open(store, "a", "ann", NOW.0, "web_chat").await;
    count_all(store, NOW.0).await;
    told.resolved(store, NOW.0 + 1000, "order_status").await;
    let before = record.database.read("select case_id, facts, sums from case_measures").await;
    // The table that is written last but one is away: the round ends in the middle of its writes.
    record.database.run("alter table rollups rename to away").await;
    assert!(store.fold(Timestamp(NOW.0 + 2000), ZONE, 10).await.is_err());
    record.database.run("alter table away rename to rollups").await;
    assert_eq!(record.database.read("select case_id, facts, sums from case_measures").await, before);
    count_all(store, NOW.0 + 2000).await;
    assert_eq!(total(store).await.get(Count::Automated), 1);
    agrees(store).await;
}

async fn a_clock_that_jumps_ahead_and_back_settles_nothing_for_good(record: Arc<Record>) {
    let store = &record.store;
    let mut told = Told::open(store, "a", "ann", NOW.0, "web_chat").await;
    told.resolved(store, NOW.0 + 1000, "order_status").await;
    count_all(store, NOW.0 + 30 * DAY).await;
    assert_eq!(total(store).await.get(Count::Durable), 1);
    agrees(store).await;
    // A few seconds are the difference between two machines, and change nothing.
    count_all(store, NOW.0 + 30 * DAY - 5000).await;
    assert_eq!(store.standing().await.unwrap().unwrap().counted_at, Timestamp(NOW.0 + 30 * DAY));
    count_all(store, NOW.0 + 2 * HOUR).await;
    let sums = total(store).await;
    assert_eq!([sums.get(Count::Contained), sums.get(Count::Durable), sums.get(Count::Automated)], [0, 0, 1]);
    agrees(store).await;
    count_all(store, NOW.0 + 2 * DAY).await;
    assert_eq!(total(store).await.get(Count::Contained), 1);
    agrees(store).await;
}

async fn a_return_on_another_channel_moves_the_numbers_of_the_first_day(record: Arc<Record>) {
    let store = &record.store;
    let mut first = Told::open(store, "a", "ann", NOW.0, "web_chat").await;
    first.resolved(store, NOW.0 + 1000, "order_status").await;
    count_all(store, NOW.0 + 2 * DAY).await;
    let chat = Cut { channel: Some("web_chat".to_owned()), to: i64::MAX / 2, ..ever() };
    let of_chat = async || store.sums(&chat, By::Nothing).await.unwrap().remove("").unwrap();
    assert_eq!(of_chat().await.get(Count::Contained), 1);
    let mut second = Told::open(store, "b", "ann", NOW.0 + 12 * HOUR, "email").await;
    second.resolved(store, NOW.0 + 13 * HOUR, "order_status").await;
    count_all(store, NOW.0 + 30 * DAY).await;
    let sums = of_chat().await;
    assert_eq!([sums.get(Count::Contained), sums.get(Count::Durable), sums.get(Count::Returned)], [0, 0, 1]);
    let all = total(store).await;
    assert_eq!([all.get(Count::FirstContacts), all.get(Count::FirstContactResolved)], [1, 0]);
    assert_eq!(all.get(Count::Durable), 1, "the second one stood");
    agrees(store).await;
}

fn program(record: &Record, folder: &tempfile::TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .current_dir(folder.path())
        .args(["--database", &record.database.url()])
        .args(arguments)
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

async fn a_wrong_roll_up_is_caught_and_made_anew(record: Arc<Record>) {
    let store = &record.store;
    let mut told = Told::open(store, "a", "ann", NOW.0, "web_chat").await;
    told.resolved(store, NOW.0 + 1000, "order_status").await;
    count_all(store, NOW.0).await;
    let folder = tempfile::tempdir().unwrap();
    let verify = ["reports", "verify"];
    let (code, said) = program(&record, &folder, &verify);
    assert_eq!(code, Some(0), "{said}");
    let wrong = Sums::mark_of(Count::Automated);
    record.database.run(&format!("update rollups set sums = '{wrong}7 ' where grain = 'dt'")).await;
    let (code, said) = program(&record, &folder, &verify);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("automated stands at 7, the logs say 1"), "{said}");
    assert!(said.contains("firstline reports rebuild"), "{said}");
    let (code, said) =
        program(&record, &folder, &["reports", "verify", "--from", "2020-01-01", "--to", "2020-02-01"]);
    assert_eq!(code, Some(0), "other days are right: {said}");
    assert_eq!(program(&record, &folder, &["reports", "rebuild"]).0, Some(0));
    assert_eq!(program(&record, &folder, &verify).0, Some(0));
    // A roll-up that is missing altogether shows, too.
    record.database.run("delete from rollups where grain = 'mf'").await;
    let (code, said) = program(&record, &folder, &["reports", "verify", "--json"]);
    let report: Value = serde_json::from_str(said.split("\nfirstline: ").next().unwrap()).unwrap();
    assert_eq!((code, report["differing"].as_array().unwrap().len()), (Some(1), 1), "{report}");
}

async fn whoever_is_erased_stays_counted(record: Arc<Record>) {
    let store = &record.store;
    store.commit(crate::store::things::first("ann")).await.unwrap();
    let mut told = Told::open(store, "a", customer("ann").id.as_str(), NOW.0, "web_chat").await;
    told.resolved(store, NOW.0 + 1000, "Order-Status.v2").await;
    let handed = json!({"turn": "t", "reason": "over_limit", "team": "returns", "intent": "Order-Status.v2"});
    told.happens(store, NOW.0 + 3 * HOUR, EventKind::HandedOff, &handed).await;
    count_all(store, NOW.0 + 30 * DAY).await;
    let before = total(store).await;
    assert_eq!(before.of(Named::Article, "delivery-times"), 1);
    store.erase_customer(&customer("ann").id, Timestamp(NOW.0 + 30 * DAY)).await.unwrap().unwrap();
    count_all(store, NOW.0 + 30 * DAY).await;
    assert_eq!(total(store).await, before);
    agrees(store).await;
    store.forget_counts(Timestamp(NOW.0 + 30 * DAY), ZONE).await.unwrap();
    count_all(store, NOW.0 + 30 * DAY).await;
    assert_eq!(total(store).await, before, "counted again from what stays");
}

async fn people_who_turn_out_to_be_one_are_counted_as_one(record: Arc<Record>) {
    let store = &record.store;
    let mut first = Told::open(store, "a", "ann", NOW.0, "web_chat").await;
    first.resolved(store, NOW.0 + 1000, "order_status").await;
    let mut second = Told::open(store, "b", "visitor", NOW.0 + DAY, "sms").await;
    second.resolved(store, NOW.0 + DAY + 1000, "order_status").await;
    count_all(store, NOW.0 + 30 * DAY).await;
    assert_eq!(total(store).await.get(Count::Durable), 2);
    let body = json!({"kept": "ann", "absorbed": "visitor"});
    second.happens(store, NOW.0 + 30 * DAY, EventKind::Merged, &body).await;
    count_all(store, NOW.0 + 30 * DAY).await;
    let sums = total(store).await;
    assert_eq!([sums.get(Count::Durable), sums.get(Count::FirstContacts)], [1, 1]);
    agrees(store).await;
    second.happens(store, NOW.0 + 30 * DAY, EventKind::Unmerged, &body).await;
    count_all(store, NOW.0 + 30 * DAY).await;
    assert_eq!(total(store).await.get(Count::Durable), 2);
    agrees(store).await;
}

async fn sums_are_told_apart_by_each_thing_and_open_their_cases(record: Arc<Record>) {
    let store = &record.store;
    // 2026-11-22 in Chicago; the second a day and the third two months later.
    for (name, at, channel, intent) in [
        ("a", NOW.0, "web_chat", "order_status"),
        ("b", NOW.0 + DAY, "sms", "order_status"),
        ("c", NOW.0 + 61 * DAY, "sms", "refund"),
    ] {
        let mut told = Told::open(store, name, name, at, channel).await;
        told.resolved(store, at + 1000, intent).await;
    }
    let mut waits = Told::open(store, "d", "d", NOW.0 + 61 * DAY, "email").await;
    let body = json!({"turn": "t", "reason": "over_limit", "team": "returns", "language": "de"});
    waits.happens(store, NOW.0 + 61 * DAY + 5, EventKind::HandedOff, &body).await;
    count_all(store, NOW.0 + 62 * DAY).await;
    let day = |text: &str| days(text.parse().unwrap());
    let all = Cut { from: day("2026-11-01"), to: day("2027-02-01"), ..Cut::default() };
    let cases = async |cut: &Cut, by: By| -> Vec<(String, i64)> {
        let sums = store.sums(cut, by).await.unwrap();
        sums.into_iter().map(|(key, sums)| (key, sums.get(Count::Cases))).collect()
    };
    let told = |pairs: &[(&str, i64)]| -> Vec<(String, i64)> {
        pairs.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect()
    };
    assert_eq!(cases(&all, By::Nothing).await, told(&[("", 4)]));
    assert_eq!(cases(&all, By::Channel).await, told(&[("email", 1), ("sms", 2), ("web_chat", 1)]));
    assert_eq!(cases(&all, By::Intent).await, told(&[("", 1), ("order_status", 2), ("refund", 1)]));
    assert_eq!(cases(&all, By::Team).await, told(&[("", 3), ("returns", 1)]));
    assert_eq!(cases(&all, By::Language).await, told(&[("de", 1), ("en", 3)]));
    let by_day = cases(&all, By::Day).await;
    assert_eq!(by_day.len(), 3);
    let sms = Cut { channel: Some("sms".to_owned()), ..all.clone() };
    assert_eq!(cases(&sms, By::Intent).await, told(&[("order_status", 1), ("refund", 1)]));
    let short = Cut { to: day("2026-11-23"), ..all.clone() };
    assert_eq!(cases(&short, By::Channel).await, told(&[("web_chat", 1)]));
    let none = Cut { intent: Some(String::new()), ..all.clone() };
    assert_eq!(cases(&none, By::Nothing).await, told(&[("", 1)]));

    let page = |cursor: Option<String>| Page { cursor, limit: 2 };
    let automated = Sums::mark_of(Count::Automated);
    let (first, next) = store.counted_cases(&all, &automated, &page(None)).await.unwrap();
    assert_eq!(first.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [case_id("c"), case_id("b")]);
    let (rest, _) = store.counted_cases(&all, &automated, &page(next)).await.unwrap();
    assert_eq!((rest.len(), &rest[0].id), (1, &case_id("a")));
    let over = Sums::mark_of_name(Named::Reason, "over_limit");
    let (handed, _) = store.counted_cases(&all, &over, &page(None)).await.unwrap();
    assert_eq!((handed.len(), handed[0].place.team.as_str()), (1, "returns"));
    record.database.run("update cases set team = 'returns' where id = 'case-d'").await;
    let hidden = [TeamId::parse("returns").unwrap()].into();
    let narrow = Reach::Within { agent: AgentId::parse("jo").unwrap(), hidden };
    let narrow = Cut { reach: narrow, ..all.clone() };
    let seen = async |mark: &str| store.counted_cases(&narrow, mark, &page(None)).await.unwrap().0.len();
    assert_eq!((seen(&over).await, seen(&automated).await), (0, 2), "cases of another team are not listed");
    assert_eq!(cases(&narrow, By::Nothing).await, told(&[("", 3)]), "nor counted");
    assert_eq!(cases(&narrow, By::Channel).await.iter().map(|(_, n)| n).sum::<i64>(), 3);
    assert_eq!(cases(&narrow, By::Team).await, told(&[("", 3)]));
    assert!(
        store.backlog(&Reach::All, NOW).await.unwrap().is_empty(),
        "nothing of these states is with people in the table of cases"
    );
}
