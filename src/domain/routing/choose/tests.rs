//! What must hold whoever waits and whoever is there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::routing::rank::level;
use crate::domain::routing::{Capacity, Passed};
use crate::domain::triage::Urgency;

const MINUTE: i64 = 60_000;
const NOW: Timestamp = Timestamp(1_795_406_400_000);

fn rules() -> Rules {
    Rules {
        widen_language_ms: 10 * MINUTE,
        widen_preferred_ms: 15 * MINUTE,
        widen_required_ms: 60 * MINUTE,
        widen_urgent_percent: 25,
        urgent_on_top: true,
        raise_ms: 120 * MINUTE,
        again_ms: 5 * MINUTE,
        capacity: Capacity(BTreeMap::from([("voice".to_owned(), 1), ("web_chat".to_owned(), 5)])),
        capacity_other: 5,
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn ask(name: &str, waited: i64) -> Ask {
    Ask {
        case: CaseId::parse(name).unwrap(),
        team: Some(TeamId::parse("support").unwrap()),
        team_name: "Customer service".to_owned(),
        required: BTreeSet::new(),
        preferred: BTreeSet::new(),
        language: "en".to_owned(),
        channel: "web_chat".to_owned(),
        urgency: Urgency::Normal,
        since: NOW.plus_ms(-waited),
        due: None,
        passed: Vec::new(),
    }
}

fn person(name: &str, skills: &[&str], languages: &[&str]) -> Person {
    Person {
        id: AgentId::parse(name).unwrap(),
        teams: vec![TeamId::parse("support").unwrap()],
        everywhere: false,
        skills: set(skills),
        languages: set(languages),
        channels: BTreeSet::new(),
        capacity: Capacity::default(),
        presence: Presence::Online,
        load: 0,
        engrossed: false,
        last_given: Timestamp(0),
    }
}

fn to(choice: &Choice) -> Option<&str> {
    match choice {
        Choice::Offer { agent, .. } => Some(agent.as_str()),
        Choice::Nobody { .. } => None,
    }
}

fn because(choice: &Choice) -> String {
    match choice {
        Choice::Offer { because, .. } => because.join(", "),
        Choice::Nobody { because } => because.clone(),
    }
}

#[test]
fn a_choice_says_why() {
    let mut ask = ask("c1", MINUTE);
    (ask.language, ask.required) = ("de".to_owned(), set(&["warranty"]));
    let mut anna = person("anna", &["warranty", "tents"], &["de", "en"]);
    anna.load = 2 * rules().weight(&anna.capacity, "web_chat");
    let people = [anna, person("bob", &["warranty"], &["en"]), person("cleo", &["tents"], &["de"])];
    let choice = choose(&ask, &people, NOW, &rules());
    assert_eq!(to(&choice), Some("anna"));
    assert_eq!(because(&choice), "is in Customer service, speaks German, knows warranty, 2 of 5 taken");
}

#[test]
fn what_is_asked_for_widens_one_thing_after_the_other_and_says_so() {
    let people = [person("anna", &["tents"], &["en"]), person("bob", &[], &["de"])];
    let at = |minutes: i64, language: &str, required: &[&str]| {
        let mut ask = ask("c1", minutes * MINUTE);
        (ask.language, ask.required) = (language.to_owned(), set(required));
        let choice = choose(&ask, &people, NOW, &rules());
        (to(&choice).map(str::to_owned), because(&choice))
    };
    assert_eq!(at(9, "fr", &[]), (None, "nobody online there speaks French".to_owned()));
    let (who, why) = at(10, "fr", &[]);
    assert!(who.is_some() && why.contains("nobody who speaks French could take it for 10 min"), "{why}");
    assert_eq!(at(59, "de", &["warranty"]), (None, "nobody online there knows warranty".to_owned()));
    let (who, why) = at(60, "de", &["warranty"]);
    assert_eq!(who.as_deref(), Some("bob"), "still whoever speaks the language");
    assert!(why.contains("nobody who knows warranty could take it for 60 min"), "{why}");
}

#[test]
fn what_is_preferred_is_waited_for_while_somebody_at_work_has_it() {
    let mut asked = ask("c1", MINUTE);
    asked.preferred = set(&["tents"]);
    let mut expert = person("anna", &["tents"], &["en"]);
    let other = person("bob", &["boots"], &["en"]);
    assert_eq!(to(&choose(&asked, &[expert.clone(), other.clone()], NOW, &rules())), Some("anna"));
    expert.load = WHOLE;
    assert_eq!(to(&choose(&asked, &[expert.clone(), other.clone()], NOW, &rules())), None);
    asked.since = NOW.plus_ms(-15 * MINUTE);
    assert_eq!(to(&choose(&asked, &[expert.clone(), other.clone()], NOW, &rules())), Some("bob"));
    asked.since = NOW;
    expert.presence = Presence::Away;
    assert_eq!(to(&choose(&asked, &[expert, other], NOW, &rules())), Some("bob"));
}

#[test]
fn whoever_said_no_is_asked_again_only_when_nobody_else_fits_and_not_at_once() {
    let people = [person("anna", &[], &[]), person("bob", &[], &[])];
    let mut asked = ask("c1", 30 * MINUTE);
    let passed =
        |name: &str, ago: i64| Passed { agent: AgentId::parse(name).unwrap(), at: NOW.plus_ms(-ago) };
    asked.passed = vec![passed("anna", MINUTE)];
    assert_eq!(to(&choose(&asked, &people, NOW, &rules())), Some("bob"));
    asked.passed = vec![passed("anna", 6 * MINUTE), passed("bob", MINUTE)];
    let choice = choose(&asked, &people, NOW, &rules());
    assert_eq!(to(&choice), Some("anna"));
    assert!(because(&choice).contains("let it pass before"), "{choice:?}");
    asked.passed = vec![passed("anna", 4 * MINUTE), passed("bob", MINUTE)];
    assert_eq!(because(&choose(&asked, &people, NOW, &rules())), "everybody who fits has let it pass");
    // Whoever fits but is full is waited for.
    let mut full = people;
    full[1].load = WHOLE;
    asked.passed = vec![passed("anna", 6 * MINUTE)];
    assert_eq!(to(&choose(&asked, &full, NOW, &rules())), None);
}

#[test]
fn a_desk_of_one_without_anything_written_down_gets_everything() {
    let mut alone = person("admin", &[], &[]);
    (alone.teams, alone.everywhere) = (Vec::new(), true);
    let mut asked = ask("c1", 0);
    (asked.required, asked.language) = (set(&["warranty"]), "pt".to_owned());
    let choice = choose(&asked, std::slice::from_ref(&alone), NOW, &rules());
    assert_eq!((to(&choice), because(&choice).as_str()), (Some("admin"), "0 of 5 taken"));
    // A team that nobody is in is that of everybody who may see it, and of nobody else.
    alone.teams = vec![TeamId::parse("other").unwrap()];
    assert_eq!(to(&choose(&asked, std::slice::from_ref(&alone), NOW, &rules())), Some("admin"));
    alone.everywhere = false;
    asked.since = NOW.plus_ms(-90 * MINUTE);
    assert_eq!(because(&choose(&asked, &[alone], NOW, &rules())), "nobody of Customer service is online");
}

#[test]
fn a_call_fills_a_person_and_five_chats_another() {
    let mut call = ask("call", 0);
    call.channel = "voice".to_owned();
    let mut people = vec![person("anna", &[], &[])];
    let plan = plan(&mut [call, ask("chat", 0)], &mut people, NOW, &rules());
    assert_eq!(plan.iter().filter(|(_, choice)| to(choice).is_some()).count(), 1, "{plan:?}");
    let mut own = person("bob", &[], &[]);
    own.capacity = Capacity(BTreeMap::from([("web_chat".to_owned(), 2)]));
    let mut chats: Vec<Ask> = (0..7).map(|at| ask(&format!("chat{at}"), at)).collect();
    let offered = |plan: &[(CaseId, Choice)]| plan.iter().filter(|(_, choice)| to(choice).is_some()).count();
    assert_eq!(offered(&super::plan(&mut chats, &mut [own], NOW, &rules())), 2);
    assert_eq!(offered(&super::plan(&mut chats, &mut [person("cleo", &[], &[])], NOW, &rules())), 5);
}

#[test]
fn a_call_that_needs_a_whole_person_is_not_starved_by_chats() {
    let mut call = ask("call", 5 * MINUTE);
    call.channel = "voice".to_owned();
    let mut anna = person("anna", &[], &[]);
    anna.load = rules().weight(&anna.capacity, "web_chat");
    let mut waiting = vec![call, ask("chat1", MINUTE), ask("chat2", MINUTE)];
    let offered = |waiting: &mut Vec<Ask>, people: &mut [Person]| {
        let plan = plan(waiting, people, NOW, &rules());
        plan.into_iter().find(|(_, choice)| to(choice).is_some()).map(|(case, _)| case.to_string())
    };
    assert_eq!(offered(&mut waiting, &mut [anna.clone()]), None, "she is kept for the call");
    let two = &mut [anna.clone(), person("bob", &[], &[])];
    assert_eq!(offered(&mut waiting, two), Some("call".to_owned()));
    assert_eq!(two[0].load, 3 * anna.load, "and then the chats go to her");
    anna.load = 0;
    assert_eq!(offered(&mut waiting, &mut [anna]), Some("call".to_owned()));
}

#[test]
fn whoever_can_do_little_else_goes_first_so_that_the_versatile_stay_free() {
    let people = [person("anna", &["tents"], &["en", "de"]), person("bob", &[], &["en"])];
    assert_eq!(to(&choose(&ask("c1", 0), &people, NOW, &rules())), Some("bob"));
}

#[test]
fn an_urgent_case_comes_on_top_of_what_fills_a_person_but_not_beside_a_call_and_not_twice() {
    let mut urgent = ask("c1", 0);
    urgent.urgency = Urgency::Urgent;
    let mut full = person("anna", &[], &[]);
    full.load = WHOLE;
    let offered =
        |ask: &Ask, people: &[Person], rules: &Rules| to(&choose(ask, people, NOW, rules)).map(str::to_owned);
    assert_eq!(offered(&ask("c1", 0), std::slice::from_ref(&full), &rules()), None, "a normal one waits");
    assert_eq!(offered(&urgent, std::slice::from_ref(&full), &rules()).as_deref(), Some("anna"));
    let why = because(&choose(&urgent, std::slice::from_ref(&full), NOW, &rules()));
    assert!(why.ends_with("5 of 5 taken, urgent, so one more than usual"), "{why}");
    let never = Rules { urgent_on_top: false, ..rules() };
    assert_eq!(offered(&urgent, std::slice::from_ref(&full), &never), None, "unless it is switched off");
    let mut calling = full.clone();
    calling.engrossed = true;
    assert_eq!(offered(&urgent, &[calling], &rules()), None, "not beside a call");
    let room = person("bob", &["a", "b"], &["en"]);
    assert_eq!(offered(&urgent, &[full.clone(), room], &rules()).as_deref(), Some("bob"), "room comes first");
    let twice: Vec<Ask> =
        (0..3).map(|at| Ask { case: CaseId::parse(&format!("u{at}")).unwrap(), ..urgent.clone() }).collect();
    let plan = plan(&mut twice.clone(), &mut [full.clone()], NOW, &rules());
    assert_eq!(plan.iter().filter(|(_, choice)| to(choice).is_some()).count(), 1, "one at a time");
    // A call that is urgent comes beside chats, and then nothing more does.
    let mut call = urgent.clone();
    call.channel = "voice".to_owned();
    let mut anna = [full];
    assert_eq!(super::plan(&mut [call], &mut anna, NOW, &rules()).len(), 1);
    assert!(anna[0].engrossed && !anna[0].takes_more(&rules()), "{anna:?}");
}

#[test]
fn an_urgent_case_widens_sooner() {
    let people = [person("anna", &["tents"], &["en"])];
    let mut asked = ask("c1", 15 * MINUTE);
    asked.required = set(&["warranty"]);
    assert_eq!(to(&choose(&asked, &people, NOW, &rules())), None);
    asked.urgency = Urgency::Urgent;
    assert_eq!(to(&choose(&asked, &people, NOW, &rules())), Some("anna"));
    asked.since = NOW.plus_ms(-15 * MINUTE + 1);
    assert_eq!(to(&choose(&asked, &people, NOW, &rules())), None);
}

#[test]
fn a_queue_of_calls_empties_one_person_of_ten_and_not_the_floor() {
    // Each call asks for another skill, so that each would keep somebody else.
    let names: Vec<String> = (0..20).map(|at| format!("s{at}")).collect();
    let busy = |name: &String| {
        let mut one = person(name, &[name], &[]);
        one.load = rules().weight(&one.capacity, "web_chat");
        one
    };
    let chat = |name: &String| Ask {
        case: CaseId::parse(&format!("chat-{name}")).unwrap(),
        required: set(&[name]),
        ..ask("c", 0)
    };
    let call = |name: &String| Ask {
        case: CaseId::parse(&format!("call-{name}")).unwrap(),
        channel: "voice".to_owned(),
        since: NOW.plus_ms(-MINUTE),
        ..chat(name)
    };
    let offered = |urgency: Urgency| {
        let mut waiting: Vec<Ask> = names.iter().map(chat).collect();
        waiting.extend(names.iter().map(call).map(|call| Ask { urgency, ..call }));
        let mut people: Vec<Person> = names.iter().map(busy).collect();
        let never = Rules { urgent_on_top: false, ..rules() };
        let plan = plan(&mut waiting, &mut people, NOW, &never);
        plan.iter().filter(|(_, choice)| to(choice).is_some()).count()
    };
    assert_eq!(offered(Urgency::Normal), 18, "two of twenty are kept for calls");
    assert_eq!(offered(Urgency::Urgent), 0, "and everybody for urgent ones");
}

const SKILLS: [&str; 3] = ["warranty", "tents", "invoices"];
const LANGUAGES: [&str; 3] = ["en", "de", "fr"];

fn some_words(of: [&'static str; 3]) -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(prop::sample::select(of.to_vec()), 0..3)
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn urgencies() -> impl Strategy<Value = Urgency> {
    prop::sample::select(vec![Urgency::Low, Urgency::Normal, Urgency::High, Urgency::Urgent])
}

prop_compose! {
    fn some_ask()(
        required in some_words(SKILLS), preferred in some_words(SKILLS),
        language in prop::sample::select(LANGUAGES.to_vec()), channel in prop::sample::select(vec!["web_chat", "voice", "email"]),
        urgency in urgencies(), waited in 0_i64..90, team in prop::sample::select(vec!["support", "payments"]),
        due in prop::option::of(-300_i64..300), passed in prop::collection::vec((0_usize..6, 0_i64..20), 0..3),
    ) -> Ask {
        let mut made = ask("c", waited * MINUTE);
        made.team = Some(TeamId::parse(team).unwrap());
        (made.required, made.preferred, made.urgency) = (required, preferred, urgency);
        (made.language, made.channel) = (language.to_owned(), channel.to_owned());
        made.due = due.map(|minutes| NOW.plus_ms(minutes * MINUTE));
        let passing = |(at, ago): (usize, i64)| Passed { agent: AgentId::parse(&format!("p{at}")).unwrap(), at: NOW.plus_ms(-ago * MINUTE) };
        made.passed = passed.into_iter().map(passing).collect();
        made
    }
}

prop_compose! {
    fn some_person()(
        skills in some_words(SKILLS), languages in some_words(LANGUAGES),
        team in prop::sample::select(vec!["support", "payments"]),
        presence in prop::sample::select(vec![Presence::Online, Presence::Online, Presence::Busy, Presence::Away]),
        load in 0_i64..6, calls in prop::bool::weighted(0.3), everywhere in prop::bool::weighted(0.2),
    ) -> Person {
        let mut made = person("p", &[], &[]);
        made.teams = vec![TeamId::parse(team).unwrap()];
        (made.skills, made.languages, made.presence) = (skills, languages, presence);
        made.everywhere = everywhere;
        made.load = load * WHOLE / 5;
        made.engrossed = calls && load == 5;
        made
    }
}

fn named(asks: &mut [Ask], people: &mut [Person]) {
    for (at, ask) in asks.iter_mut().enumerate() {
        ask.case = CaseId::parse(&format!("c{at}")).unwrap();
    }
    for (at, person) in people.iter_mut().enumerate() {
        person.id = AgentId::parse(&format!("p{at}")).unwrap();
    }
}

proptest! {
    #[test]
    fn no_plan_breaks_a_rule(
        mut asks in prop::collection::vec(some_ask(), 0..12),
        mut people in prop::collection::vec(some_person(), 0..6),
    ) {
        named(&mut asks, &mut people);
        let before = people.clone();
        let skilled = people.iter().any(|person| !person.skills.is_empty());
        let plan = plan(&mut asks, &mut people, NOW, &rules());
        prop_assert_eq!(plan.len(), asks.len());
        let cases: BTreeSet<&CaseId> = plan.iter().map(|(case, _)| case).collect();
        prop_assert_eq!(cases.len(), asks.len(), "no case is offered to two");
        for (case, choice) in &plan {
            let Some(to) = to(choice) else { continue };
            let ask = asks.iter().find(|ask| ask.case == *case).unwrap();
            let person = before.iter().find(|person| person.id.as_str() == to).unwrap();
            let waited = NOW.ms_since(ask.since);
            prop_assert_eq!(person.presence, Presence::Online, "neither the busy nor the away");
            let team = ask.team.clone().unwrap();
            prop_assert!(person.everywhere || person.teams.contains(&team), "nobody beyond their reach");
            let share = if ask.urgency == Urgency::Urgent { rules().widen_urgent_percent } else { 100 };
            if waited < rules().widen_required_ms * share / 100 {
                prop_assert!(!skilled || ask.required.is_subset(&person.skills), "required skills");
                let served = before.iter().any(|one| one.teams.contains(&team));
                prop_assert!(!served || person.teams.contains(&team), "the team");
            }
            if waited < rules().widen_language_ms * share / 100 {
                prop_assert!(person.languages.is_empty() || person.languages.contains(&ask.language), "the language");
            }
            if let Some(passed) = ask.passed.iter().rev().find(|passed| passed.agent == person.id) {
                prop_assert!(NOW.ms_since(passed.at) >= rules().again_ms, "not again at once");
            }
        }
        for (after, before) in people.iter().zip(&before) {
            let given = |(case, choice): &&(CaseId, Choice)| {
                let urgent = asks.iter().any(|ask| ask.case == *case && ask.urgency == Urgency::Urgent);
                urgent && to(choice) == Some(after.id.as_str())
            };
            let most = WHOLE.max(before.load);
            if plan.iter().any(|one| given(&one)) {
                prop_assert!(before.load <= WHOLE && after.load <= 2 * WHOLE, "one urgent case on top");
                prop_assert!(!before.engrossed || after.load <= most, "and not beside a call");
            } else {
                prop_assert!(after.load <= most, "capacity is never passed");
            }
        }
        // The order: urgent first, then the clock, ties by the longest wait.
        for (one, next) in asks.iter().zip(asks.iter().skip(1)) {
            let (high, low) = (level(one, NOW, &rules()), level(next, NOW, &rules()));
            prop_assert!(high >= low);
            if high == low && one.due == next.due && one.due.is_some() {
                prop_assert!(one.since <= next.since, "ties by the longest wait");
            }
        }
    }

    #[test]
    fn a_waiting_case_that_somebody_free_can_take_is_in_the_plan(
        mut asks in prop::collection::vec(some_ask(), 1..12),
        mut people in prop::collection::vec(some_person(), 1..6),
    ) {
        named(&mut asks, &mut people);
        let plan = plan(&mut asks, &mut people, NOW, &rules());
        // After the plan nobody who is still free could be given what is left, but those who are kept for a case before it.
        let crowd = Crowd::of(&people);
        let unserved: Vec<&Ask> =
            asks.iter().zip(&plan).filter(|(_, (_, choice))| to(choice).is_none()).map(|(ask, _)| ask).collect();
        for (place, ask) in unserved.iter().enumerate() {
            if let Some(free) = to(&choose(ask, &people, NOW, &rules())) {
                let free = people.iter().find(|person| person.id.as_str() == free).unwrap();
                let kept = |before: &&&Ask| suits(before, free, &crowd, (NOW, &rules())).is_some() && !can_take(before, free, &rules());
                prop_assert!(unserved[..place].iter().any(|before| kept(&before)), "{:?}", ask);
            }
        }
    }

    #[test]
    fn equals_are_loaded_within_one(count in 1_usize..30, people in 2_usize..7) {
        let mut asks: Vec<Ask> = (0..count).map(|at| ask(&format!("c{at}"), at as i64)).collect();
        let mut people: Vec<Person> = (0..people).map(|at| person(&format!("p{at}"), &["tents"], &["en"])).collect();
        plan(&mut asks, &mut people, NOW, &rules());
        let loads: Vec<i64> = people.iter().map(|person| person.load / rules().weight(&person.capacity, "web_chat")).collect();
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{:?}", loads);
    }

    #[test]
    fn nobody_starves_whatever_arrives(
        urgency in urgencies(), before in 0_usize..10, arriving in 1_usize..4, promised in 1_i64..240,
    ) {
        // One person, one case a step; each step more urgent cases arrive than can be served.
        let (rules, step) = (rules(), 30 * MINUTE);
        let mut waiting: Vec<Ask> = (0..before).map(|at| ask(&format!("old{at}"), MINUTE)).collect();
        let mut victim = ask("victim", 0);
        (victim.urgency, victim.due) = (urgency, Some(NOW.plus_ms(promised * MINUTE)));
        waiting.push(victim);
        // It is at the top once it is due and was raised three times; then only what is due before it goes first.
        let steps_to_top = (promised * MINUTE + 3 * rules.raise_ms) / step + 1;
        let bound = before as i64 + steps_to_top * arriving as i64 + steps_to_top + 1;
        let mut served = None;
        for turn in 0..bound {
            let now = NOW.plus_ms(turn * step);
            for at in 0..arriving {
                let mut urgent = ask(&format!("u{turn}-{at}"), 0);
                (urgent.urgency, urgent.since, urgent.due) = (Urgency::Urgent, now, Some(now.plus_ms(15 * MINUTE)));
                waiting.push(urgent);
            }
            let mut anna = person("anna", &[], &[]);
            anna.load = WHOLE - rules.weight(&anna.capacity, "web_chat");
            let plan = plan(&mut waiting, &mut [anna], now, &rules);
            let first = plan.iter().find(|(_, choice)| to(choice).is_some()).map(|(case, _)| case.clone());
            let first = first.expect("somebody is free");
            if first.as_str() == "victim" {
                served = Some(turn);
                break;
            }
            waiting.retain(|ask| ask.case != first);
        }
        prop_assert!(served.is_some(), "not within {} steps", bound);
    }
}
