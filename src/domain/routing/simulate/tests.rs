//! What the play of a day must show.

use super::*;
use crate::domain::ids::AgentId;
use crate::domain::routing::Capacity;

const MINUTE: i64 = 60_000;

fn rules() -> Rules {
    Rules {
        widen_language_ms: 30 * MINUTE,
        widen_preferred_ms: 10 * MINUTE,
        widen_required_ms: 120 * MINUTE,
        widen_urgent_percent: 25,
        urgent_on_top: true,
        raise_ms: 60 * MINUTE,
        again_ms: 5 * MINUTE,
        capacity: Capacity::default(),
        capacity_other: 1,
    }
}

fn costs() -> Costs {
    Costs {
        transfer_ms: 4 * MINUTE,
        unfit_percent: 150,
        unpreferred_percent: 120,
        accept_ms_max: 10_000,
        promised_ms: BTreeMap::from([(Urgency::Normal, 15 * MINUTE), (Urgency::Urgent, 5 * MINUTE)]),
    }
}

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn arrival(minute: i64, language: &str, skills: &[&str]) -> Arrival {
    Arrival {
        at_ms: minute * MINUTE,
        team: TeamId::parse("support").unwrap(),
        required: words(skills),
        preferred: BTreeSet::new(),
        language: language.to_owned(),
        channel: "web_chat".to_owned(),
        urgency: Urgency::Normal,
        handle_ms: 6 * MINUTE,
    }
}

fn worker(name: &str, languages: &[&str], skills: &[&str]) -> Worker {
    Worker {
        person: Person {
            id: AgentId::parse(name).unwrap(),
            teams: Vec::new(),
            everywhere: true,
            skills: words(skills),
            languages: words(languages),
            channels: BTreeSet::new(),
            capacity: Capacity::default(),
            presence: Presence::Away,
            load: 0,
            engrossed: false,
            last_given: Timestamp(0),
        },
        shifts: vec![(0, 480 * MINUTE)],
    }
}

#[test]
fn whoever_cannot_help_costs_time_and_the_case_goes_on_once() {
    let roster = [worker("anna", &["en"], &["x"]), worker("bob", &["de"], &["x"])];
    let day = [arrival(1, "de", &[])];
    let days = [(day.to_vec(), 1)];
    let play = |method| simulate(&days, &roster, method, (&rules(), &costs()));
    let (fit, free) = (play(Method::Fit), play(Method::FirstFree));
    assert_eq!((fit.all.transfers, free.all.transfers), (0, 1));
    assert!(fit.all.wait_p50_s <= 15, "{fit:?}");
    assert!((240..=270).contains(&free.all.wait_p50_s), "{free:?}");
    assert_eq!(free.lost_minutes, 4);
    assert_eq!((fit.all.met, free.all.met, free.all.left), (1, 1, 0));
}

#[test]
fn a_case_that_nobody_fits_is_widened_and_one_after_the_last_shift_is_left() {
    let roster = [worker("anna", &["en"], &["x"])];
    let day = [arrival(1, "de", &[]), arrival(479, "en", &[]), arrival(481, "en", &[])];
    let report = simulate(&[(day.to_vec(), 1)], &roster, Method::Fit, (&rules(), &costs()));
    assert_eq!((report.all.widened, report.all.left), (1, 1), "{report:?}");
}

#[test]
fn nobody_has_more_than_fits_and_the_same_seed_is_the_same_day() {
    let roster = [worker("anna", &["en"], &["x"]), worker("bob", &["en", "de"], &["x"])];
    let day: Vec<Arrival> =
        (0..100).map(|at| arrival(at * 3, if at % 4 == 0 { "de" } else { "en" }, &["x"])).collect();
    for method in [Method::Fit, Method::FirstFree] {
        let play = |seed| simulate(&[(day.clone(), seed)], &roster, method, (&rules(), &costs()));
        assert_eq!(play(7), play(7));
        assert!((0.0..=100.0).contains(&play(7).idle_percent));
        assert_eq!(play(7).all.cases, 100);
    }
}

#[test]
fn an_empty_day_and_an_empty_floor_come_to_nothing() {
    let empty = simulate(&[(Vec::new(), 1)], &[], Method::Fit, (&rules(), &costs()));
    assert_eq!((empty.all, empty.by_urgency), (Figures::default(), Vec::new()));
    let nobody = simulate(&[(vec![arrival(1, "en", &[])], 1)], &[], Method::FirstFree, (&rules(), &costs()));
    assert_eq!((nobody.all.left, nobody.all.met), (1, 0));
}

#[test]
fn an_urgent_case_on_top_is_served_at_once_and_the_others_wait_for_it() {
    let anna = worker("anna", &["en"], &["x"]);
    let mut urgent = arrival(2, "en", &[]);
    urgent.urgency = Urgency::Urgent;
    // Each fills her, so that she has no room: of a chat that leaves her no ear, nothing comes on top.
    let mut roomy = anna.clone();
    roomy.person.capacity = Capacity(BTreeMap::from([("web_chat".to_owned(), 2)]));
    let two = [arrival(1, "en", &[]), arrival(1, "en", &[])];
    let play = |roster: &Worker, extra: Option<&Arrival>| {
        let day: Vec<Arrival> = two.iter().chain(extra).chain([&arrival(3, "en", &[])]).cloned().collect();
        simulate(&[(day, 1)], std::slice::from_ref(roster), Method::Fit, (&rules(), &costs()))
    };
    let of = |report: &Report, urgency| {
        report.by_urgency.iter().find(|(one, _)| *one == urgency).unwrap().1.clone()
    };
    let with = play(&roomy, Some(&urgent));
    assert!(of(&with, Urgency::Urgent).wait_p99_s <= 15, "{with:?}");
    let without = play(&roomy, None);
    let later = of(&with, Urgency::Normal).wait_p99_s - of(&without, Urgency::Normal).wait_p99_s;
    assert!(later >= 170, "the last normal case waits for what the urgent one took: {later} s");
    let called = play(&anna, Some(&urgent));
    assert!(of(&called, Urgency::Urgent).wait_p99_s >= 240, "{called:?}");
}

#[test]
fn what_is_left_and_not_due_yet_is_neither_kept_nor_broken() {
    let day = vec![arrival(470, "en", &[]), arrival(475, "en", &[]), arrival(400, "de", &[])];
    let mut anna = worker("anna", &["en"], &["x"]);
    anna.shifts = vec![(0, 471 * MINUTE)];
    let report = simulate(&[(day, 1)], &[anna], Method::FirstFree, (&rules(), &costs()));
    assert_eq!((report.all.cases, report.all.left), (3, 2), "{report:?}");
    assert_eq!((report.all.promised, report.all.met), (2, 1), "{report:?}");
}

#[test]
fn days_are_counted_together() {
    let roster = [worker("anna", &["en"], &["x"])];
    let day = |count: i64| (0..count).map(|at| arrival(at * 10, "en", &[])).collect::<Vec<_>>();
    let both = simulate(&[(day(3), 1), (day(5), 2)], &roster, Method::Fit, (&rules(), &costs()));
    assert_eq!((both.all.cases, both.all.met), (8, 8));
    let sum = both.useful_percent + both.idle_percent;
    assert!((99.9..=100.1).contains(&sum), "{both:?}");
}
