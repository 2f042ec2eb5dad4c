//! Who is who: whose an address is, when it is theirs no more, and what joins two customers.

use std::sync::Arc;

use firstline::channels::web_chat::Person;
use firstline::config::{Config, Sources};
use firstline::domain::assurance::Assurance;
use firstline::domain::customer::{ContactKind, Link};
use firstline::domain::event::EventKind;
use firstline::domain::ids::CustomerId;
use firstline::domain::message::{InboundMessage, Sender};
use firstline::pipeline::identity::{self, Address, IdentityError};
use firstline::pipeline::{Accepted, Pipeline};
use firstline::store::{Evidence, Store};

use crate::deliver::Says;
use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, parts};

pub(crate) mod codes;
pub(crate) mod merges;

on_both! {
    a_phone_number_that_was_silent_for_long_is_somebody_elses
    an_address_that_is_no_phone_number_does_not_pass_on
    the_operator_says_whose_an_address_is_and_takes_it_away_again
    an_address_of_somebody_with_cases_is_not_given_to_another
    what_a_stranger_typed_replaces_nothing_that_was_proven
    possible_matches_name_their_evidence_and_join_nobody
    a_proven_mail_address_that_the_operator_named_is_that_customers_from_the_first_word
    a_case_opened_while_joined_stays_with_whose_it_is
    a_visitor_who_signs_in_goes_on_with_their_case_and_leaves_nothing_in_the_browser
}

const DAY_MS: i64 = 86_400_000;
const REPLY: &str = "Thank you for your message.";

/// One process over the record.
pub(crate) struct World {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) async fn new(record: &Record) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        let clock = clock();
        let parts = parts(config, clock.clone(), &[], Arc::new(Says(None, REPLY))).await;
        Self { pipeline: Pipeline::new(parts), clock }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    /// Somebody writes whom nothing proves but the channel.
    pub(crate) async fn writes(&self, id: &str, channel: &str, address: &str) -> Accepted {
        let sender = Sender {
            address: address.to_owned(),
            assurance: Assurance::Channel,
            proof: "session_token",
            external_id: None,
            ..message("", "").sender
        };
        let arrived = InboundMessage {
            channel: channel.to_owned(),
            conversation: address.to_owned(),
            sender,
            ..message(id, "where are you")
        };
        self.takes(arrived).await
    }

    /// Ann writes, for whom the operator vouches.
    async fn ann_writes(&self, id: &str) -> Accepted {
        self.takes(message(id, "hello there")).await
    }

    pub(crate) async fn takes(&self, message: InboundMessage) -> Accepted {
        let accepted = self.pipeline.enqueue(message).await.unwrap();
        self.pipeline.drain().await;
        accepted
    }

    pub(crate) async fn customer(&self, id: &CustomerId) -> Arc<firstline::domain::customer::Customer> {
        self.store().customer(id).await.unwrap().unwrap()
    }
}

fn at(channel: &str, address: &str) -> Address {
    Address::parse(channel, address).unwrap()
}

async fn a_phone_number_that_was_silent_for_long_is_somebody_elses(record: Arc<Record>) {
    let world = World::new(&record).await;
    let ann = world.ann_writes("m1").await.customer;
    for (channel, number) in [("sms", "+4930123456"), ("whatsapp", "4930123456"), ("voice", "+4930123456")] {
        identity::link(world.pipeline.parts(), &ann, &at(channel, number), (Link::Operator, "key:test"))
            .await
            .unwrap();
        world.clock.advance(89 * DAY_MS);
        let here = world.writes(&format!("{channel}-1"), channel, number).await;
        assert_eq!(here.customer, ann, "{channel}: still hers");
        world.clock.advance(91 * DAY_MS);
        let gone = world.writes(&format!("{channel}-2"), channel, number).await;
        assert_ne!(gone.customer, ann, "{channel}: whoever has the number now is not her");
        assert_ne!(gone.case, here.case, "{channel}: and does not see her case");
        assert_eq!(world.customer(&gone.customer).await.external_id, None);
        assert_eq!(world.writes(&format!("{channel}-3"), channel, number).await.customer, gone.customer);
        let history = world.store().identities(&ann).await.unwrap();
        let kept = history.iter().find(|one| one.channel == channel).unwrap();
        assert!(kept.ended_at.is_some(), "{channel}: what it was is kept");
        // Who proves it again is her again, with a number that nobody else has cases under.
        identity::link(world.pipeline.parts(), &ann, &at(channel, "+4930777"), (Link::Operator, "key:test"))
            .await
            .unwrap();
    }
}

async fn an_address_that_is_no_phone_number_does_not_pass_on(record: Arc<Record>) {
    let world = World::new(&record).await;
    let first = world.writes("m1", "email", "ida@mail.example").await;
    world.clock.advance(400 * DAY_MS);
    assert_eq!(world.writes("m2", "email", "ida@mail.example").await.customer, first.customer);
}

async fn the_operator_says_whose_an_address_is_and_takes_it_away_again(record: Arc<Record>) {
    let world = World::new(&record).await;
    let parts = world.pipeline.parts();
    let ann = world.ann_writes("m1").await;
    identity::link(parts, &ann.customer, &at("telegram", "77"), (Link::Operator, "key:test")).await.unwrap();
    let here = world.writes("t1", "telegram", "77").await;
    assert_eq!((&here.customer, &here.case), (&ann.customer, &ann.case), "one customer, one case");
    let case = world.store().case_fresh(&here.case).await.unwrap().unwrap().case.clone();
    assert_eq!(
        case.assurance,
        Assurance::Channel,
        "as far as the channel proves the address, and no further"
    );
    let bob = world.writes("t2", "telegram", "78").await;
    let refused = identity::unlink(parts, &bob.customer, &at("telegram", "77"), "key:test").await;
    assert!(matches!(refused, Err(IdentityError::NotLinked)));
    identity::unlink(parts, &ann.customer, &at("telegram", "77"), "key:test").await.unwrap();
    let log = world.store().events(&ann.case, 0, 1000).await.unwrap();
    let said = |kind: EventKind| {
        let body = log.iter().find(|event| event.kind == kind.as_str()).map(|event| event.body.clone());
        serde_json::from_str::<serde_json::Value>(&body.unwrap()).unwrap()
    };
    let by = serde_json::json!({"channel": "telegram", "link": "operator", "by": "key:test"});
    assert_eq!(said(EventKind::Linked), by);
    assert_eq!(said(EventKind::Unlinked), serde_json::json!({"channel": "telegram", "by": "key:test"}));
    let later = world.writes("t3", "telegram", "77").await;
    assert_ne!(later.customer, ann.customer);
    assert_ne!(later.case, ann.case);
}

async fn an_address_of_somebody_with_cases_is_not_given_to_another(record: Arc<Record>) {
    let world = World::new(&record).await;
    let parts = world.pipeline.parts();
    let ann = world.ann_writes("m1").await.customer;
    let ida = world.writes("t1", "telegram", "77").await.customer;
    let refused = identity::link(parts, &ann, &at("telegram", "77"), (Link::Operator, "key:test")).await;
    assert!(matches!(refused, Err(IdentityError::Taken(holder)) if holder == ida));
    assert_eq!(identity::merge(parts, &ann, &ida, "key:test").await.unwrap().id, ann, "the way out");
    assert_eq!(world.writes("t2", "telegram", "77").await.customer, ann);
}

async fn what_a_stranger_typed_replaces_nothing_that_was_proven(record: Arc<Record>) {
    let world = World::new(&record).await;
    let parts = world.pipeline.parts();
    let mut proven = message("m1", "hello there");
    proven.sender.email = Some("ann@mail.example".to_owned());
    proven.sender.name = Some("Ann".to_owned());
    let ann = world.takes(proven).await.customer;
    identity::link(parts, &ann, &at("telegram", "77"), (Link::Operator, "key:test")).await.unwrap();
    let mut typed = message("t1", "hello again");
    "telegram".clone_into(&mut typed.channel);
    typed.sender = Sender {
        address: "77".to_owned(),
        name: Some("Mallory".to_owned()),
        email: Some("mallory@mail.example".to_owned()),
        assurance: Assurance::Channel,
        proof: "webhook",
        external_id: None,
        ..typed.sender
    };
    assert_eq!(world.takes(typed).await.customer, ann);
    let customer = world.customer(&ann).await;
    assert_eq!(customer.email.as_deref(), Some("ann@mail.example"));
    assert_eq!(customer.name.as_deref(), Some("Ann"));
    let claimed = record.database.read("select kind, value from claims").await;
    assert_eq!(claimed, ["email|mallory@mail.example"], "it is kept as a claim");
    let holders = world.store().holders(ContactKind::Email, "Ann@Mail.example").await.unwrap();
    assert_eq!(holders.iter().map(|holder| &holder.id).collect::<Vec<_>>(), [&ann]);
    let nobody = world.store().holders(ContactKind::Email, "mallory@mail.example").await.unwrap();
    assert!(nobody.is_empty(), "nothing is sent to what was only typed");
}

async fn a_proven_mail_address_that_the_operator_named_is_that_customers_from_the_first_word(
    record: Arc<Record>,
) {
    let world = World::new(&record).await;
    let vouched = |person: &str, email: &str| {
        let known = message(person, "hello there");
        let sender = Sender {
            address: person.to_owned(),
            external_id: Some(person.to_owned()),
            email: Some(email.to_owned()),
            ..known.sender
        };
        InboundMessage { sender, conversation: person.to_owned(), ..known }
    };
    let ann = world.takes(vouched("ann", "Ann@Example.com")).await;
    for (person, email) in [("bob", "shared@example.com"), ("cid", "shared@example.com")] {
        world.takes(vouched(person, email)).await;
    }
    let mail = |id: &str, address: &str, assurance: Assurance| {
        let known = message(id, "and where are you?");
        let sender = Sender { address: address.to_owned(), external_id: None, assurance, ..known.sender };
        InboundMessage { channel: "email".to_owned(), conversation: id.to_owned(), sender, ..known }
    };
    let proven = Assurance::Channel;
    for (id, address, assurance, hers) in [
        ("claimed", "unproven:ann@example.com", Assurance::Claimed, false),
        ("first", "ANN@example.com", proven, true),
        ("again", "ANN@example.com", proven, true),
        ("spelt-otherwise", "ann@example.com", proven, true),
        ("alike", "ann+1@example.com", proven, false),
        ("of-two", "shared@example.com", proven, false),
    ] {
        let sent = world.takes(mail(id, address, assurance)).await;
        assert_eq!(sent.customer == ann.customer, hers, "{id}");
    }
    let known = world.store().identities(&ann.customer).await.unwrap();
    let mails = known.iter().filter(|one| one.channel == "email").map(|one| (one.address.as_str(), one.link));
    assert_eq!(
        mails.collect::<Vec<_>>(),
        [("ANN@example.com", Link::Operator), ("ann@example.com", Link::Operator)]
    );
    // What was taken away from her by hand does not come back by itself.
    let taken = at("email", "ann@example.com");
    identity::unlink(world.pipeline.parts(), &ann.customer, &taken, "key:test").await.unwrap();
    let sent = world.takes(mail("taken-away", "ann@example.com", proven)).await;
    assert_ne!(sent.customer, ann.customer);
}

async fn possible_matches_name_their_evidence_and_join_nobody(record: Arc<Record>) {
    let world = World::new(&record).await;
    // Before the operator has said whose it is: afterwards it would be hers from the first word.
    let by_mail = world.writes("e1", "email", "ann@mail.example").await.customer;
    let mut proven = message("m1", "hello there");
    proven.sender.email = Some("Ann@mail.example".to_owned());
    proven.sender.phone = Some("+49 (30) 12-34 56".to_owned());
    proven.sender.name = Some("Ann Baker".to_owned());
    let ann = world.takes(proven).await.customer;
    let by_phone = world.writes("w1", "whatsapp", "4930123456").await.customer;
    let mut typed = message("c1", "it is me");
    typed.sender = Sender {
        address: "v-1".to_owned(),
        name: Some("ann baker".to_owned()),
        email: Some("ANN@mail.example".to_owned()),
        assurance: Assurance::Claimed,
        proof: "typed",
        external_id: None,
        ..typed.sender
    };
    let stranger = world.takes(typed).await.customer;
    world.writes("o1", "email", "other@mail.example").await;
    let evidence = |kind: &str, value: &str, here: &str, there: &str| Evidence {
        kind: kind.to_owned(),
        value: value.to_owned(),
        here: here.to_owned(),
        there: there.to_owned(),
    };
    let found = world.store().matches(&ann, 50).await.unwrap();
    let of = |id: &CustomerId| {
        found.iter().find(|one| one.customer.id == *id).map(|one| one.evidence.clone()).unwrap_or_default()
    };
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(of(&by_mail), [evidence("email", "ann@mail.example", "record", "proven")]);
    assert_eq!(of(&by_phone), [evidence("phone", "4930123456", "record", "proven")]);
    assert_eq!(
        of(&stranger),
        [
            evidence("email", "ann@mail.example", "record", "typed"),
            evidence("name", "ann baker", "record", "record"),
        ]
    );
    let back = world.store().matches(&by_phone, 50).await.unwrap();
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].customer.id, ann);
    assert_eq!(world.customer(&by_mail).await.id, by_mail, "nobody is merged by it");
    identity::merge(world.pipeline.parts(), &ann, &by_mail, "key:test").await.unwrap();
    let rest = world.store().matches(&by_mail, 50).await.unwrap();
    assert_eq!(rest.len(), 2, "nobody is a match of themselves: {rest:?}");
    assert_eq!(world.store().matches(&by_phone, 50).await.unwrap()[0].customer.id, ann);
}

async fn a_case_opened_while_joined_stays_with_whose_it_is(record: Arc<Record>) {
    let world = World::new(&record).await;
    let parts = world.pipeline.parts();
    let ann = world.ann_writes("m1").await;
    let ida = world.writes("t1", "telegram", "77").await;
    identity::merge(parts, &ida.customer, &ann.customer, "agent:admin").await.unwrap();
    // Both cases are closed, so that what Ida writes next opens one.
    for case in [&ann.case, &ida.case] {
        record.database.run(&format!("update cases set state = 'closed' where id = '{case}'")).await;
    }
    let opened = world.writes("t2", "telegram", "77").await;
    assert_eq!(opened.customer, ann.customer, "Ann is known to the operator, so she is kept");
    let file = world.store().case_fresh(&opened.case).await.unwrap().unwrap();
    assert_eq!((&file.case.customer, &file.customer.id), (&ann.customer, &ann.customer));
    let known = world.store().case(&opened.case).await.unwrap().unwrap();
    assert_eq!(known.customer.external_id.as_deref(), Some("ann"), "so it is as this process remembers it");
    identity::unmerge(parts, &ann.customer, &ida.customer, "agent:admin").await.unwrap();
    let file = world.store().case(&opened.case).await.unwrap().unwrap();
    assert_eq!((&file.case.customer, &file.customer.id), (&ida.customer, &ida.customer));
    let log = world.store().events(&opened.case, 0, 100).await.unwrap();
    let unmerged = log.iter().find(|event| event.kind == "unmerged").unwrap();
    assert!(unmerged.body.contains("agent:admin"), "{}", unmerged.body);
}

async fn a_visitor_who_signs_in_goes_on_with_their_case_and_leaves_nothing_in_the_browser(
    record: Arc<Record>,
) {
    let world = World::new(&record).await;
    let parts = world.pipeline.parts();
    let person = |id: &str| Person { external_id: id.to_owned(), name: None, email: None, phone: None };
    assert!(
        !identity::join_visitor(parts, "v-1", &person("ann")).await.unwrap(),
        "who wrote nothing has nothing"
    );
    let visitor = world.writes("w1", "web_chat", "v-1").await;
    assert!(identity::join_visitor(parts, "v-1", &person("ann")).await.unwrap());
    let ann = world.ann_writes("m1").await;
    assert_eq!(ann.case, visitor.case, "the same case goes on");
    assert_eq!(world.customer(&visitor.customer).await.external_id.as_deref(), Some("ann"));
    let merge = record.database.read("select by_whom from merges").await;
    assert_eq!(merge, ["session"], "and it is written down why");
    // The next person at this browser.
    let next = world.writes("w2", "web_chat", "v-1").await;
    assert_ne!((&next.customer, &next.case), (&ann.customer, &ann.case));
    assert!(identity::join_visitor(parts, "v-1", &person("bob")).await.unwrap());
    assert_ne!(world.customer(&next.customer).await.id, ann.customer);
    // Whose visitor was somebody already is not made somebody else.
    identity::link(parts, &ann.customer, &at("web_chat", "v-2"), (Link::Operator, "key:test")).await.unwrap();
    assert!(!identity::join_visitor(parts, "v-2", &person("bob")).await.unwrap());
}
