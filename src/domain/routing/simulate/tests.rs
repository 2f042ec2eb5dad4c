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
            last_given: Timestamp(0),
        },
        shifts: vec![(0, 480 * MINUTE)],
    }
}

#[test]
fn whoever_cannot_help_costs_time_and_the_case_goes_on_once() {
    let roster = [worker("anna", &["en"], &["x"]), worker("bob", &["de"], &["x"])];
    let day = [arrival(1, "de", &[])];
    let play = |method| simulate(&day, &roster, method, (&rules(), &costs()), 1);
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
    let report = simulate(&day, &roster, Method::Fit, (&rules(), &costs()), 1);
    assert_eq!((report.all.widened, report.all.left), (1, 1), "{report:?}");
}

#[test]
fn nobody_has_more_than_fits_and_the_same_seed_is_the_same_day() {
    let roster = [worker("anna", &["en"], &["x"]), worker("bob", &["en", "de"], &["x"])];
    let day: Vec<Arrival> =
        (0..100).map(|at| arrival(at * 3, if at % 4 == 0 { "de" } else { "en" }, &["x"])).collect();
    for method in [Method::Fit, Method::FirstFree] {
        let play = |seed| simulate(&day, &roster, method, (&rules(), &costs()), seed);
        assert_eq!(play(7), play(7));
        assert!((0.0..=100.0).contains(&play(7).idle_percent));
        assert_eq!(play(7).all.cases, 100);
    }
}

#[test]
fn an_empty_day_and_an_empty_floor_come_to_nothing() {
    let empty = simulate(&[], &[], Method::Fit, (&rules(), &costs()), 1);
    assert_eq!((empty.all, empty.by_urgency), (Figures::default(), Vec::new()));
    let nobody = simulate(&[arrival(1, "en", &[])], &[], Method::FirstFree, (&rules(), &costs()), 1);
    assert_eq!((nobody.all.left, nobody.all.met), (1, 0));
}
