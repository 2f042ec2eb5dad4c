//! The first hour of somebody new: a case is offered to them, they understand it, answer it, settle it, and see what the
//! customer thinks of it and what it does to the measures.

use serde_json::Value;

use super::{Browser, ENTER, TAB};
use crate::browser_console::note_on_one_screen;
use crate::support::connected::eventually;
use crate::support::site::{Site, http};

/// Chooses the theme in the menu of the page that is open.
async fn colours(browser: &Browser, theme: &str) {
    browser.ask(&format!("document.querySelector('.themes [value={theme}]').click();")).await;
    browser.until(&format!("document.documentElement.dataset.theme === '{theme}'")).await;
}

async fn first_sign_in(agent: &Browser, site: &Site) {
    let (_, made) = site.command(&[
        "user",
        "add",
        "nia",
        "--name",
        "Nia Okafor",
        "--team",
        "support",
        "--team",
        "logistics",
    ]);
    let password = made.split_whitespace().find(|word| word.len() == 20).unwrap_or_else(|| panic!("{made}"));
    agent.sign_in_as(site, "nia", password).await;
    agent.until("document.querySelector('.advice a')").await;
    agent.shoot("new-agent-first.png").await;
    agent.ask("document.querySelector('.advice a').click();").await;
    agent.until("document.querySelector('input[name=old]') === document.activeElement").await;
    let own = "four plain words together";
    agent.keys(&format!("{password}{TAB}{own}{TAB}{own}{ENTER}")).await;
    agent.until("document.querySelector('main.queue') && !document.querySelector('.advice')").await;
    agent.until("document.querySelector('.presence [value=online]')").await;
    agent.ask("document.querySelector('.presence [value=online]').click();").await;
    agent.until("document.querySelector('.presence b')?.textContent === 'online'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_takes_a_case_answers_settles_it_and_sees_the_score_and_the_measures_move() {
    let Some(customer) = Browser::open(None).await else { return };
    let Some(agent) = Browser::open(None).await else { return };
    let site = Site::start_with(&[
        ("FIRSTLINE__SATISFACTION__ENABLED", "true"),
        ("FIRSTLINE__SATISFACTION__ASK_AFTER_MS", "1000"),
        ("FIRSTLINE__WORKER__TIDY_MS", "500"),
    ])
    .await;
    agent.resize(1280, 800).await;
    first_sign_in(&agent, &site).await;
    customer.open_chat(&site, true).await;
    customer.keys(&format!("wheres my stuff{ENTER}")).await;
    customer.until("theirs().some((text) => text.includes('HP-10042')) && settled()").await;
    customer.keys(&format!("I need it on Friday, I want to talk to a person{ENTER}")).await;

    // It is offered with the reasons for it, and taken.
    agent.until("document.querySelector('.offer .because')").await;
    agent.shoot("new-agent-offer.png").await;
    agent.ask("document.querySelector('.offer button.primary').click();").await;
    agent.until("document.getElementById('state')?.textContent === 'Yours'").await;
    agent.until("document.querySelector('#side .first')").await;
    agent.shoot("new-agent-case.png").await;
    note_on_one_screen(&agent).await;

    // Answered; what the customer says next comes by itself.
    agent.keys("r").await;
    agent.until("document.activeElement.id === 'text'").await;
    agent.keys("Hello Mara, the carrier has promised it for Thursday").await;
    agent.ask("document.getElementById('send').click();").await;
    customer.until("theirs().some((text) => text.includes('promised it for Thursday'))").await;
    customer.keys(&format!("wonderful, thank you{ENTER}")).await;
    agent
        .until("[...document.querySelectorAll('#thread article.customer .words')].some((node) => node.textContent === 'wonderful, thank you')")
        .await;
    agent.shoot("new-agent-answered.png").await;
    agent.ask("document.activeElement.blur();").await;
    agent.keys("e").await;
    agent.until("document.getElementById('settle').open").await;
    agent.keys(&ENTER.to_string()).await;
    agent.until("document.getElementById('state').textContent === 'Resolved'").await;

    // The customer is asked once, in the chat, and the score arrives on the page that is still open.
    customer.until("all('.choices button').length === 5").await;
    customer.shoot("rating-asked.png").await;
    customer.ask("all('.choices button')[4].click();").await;
    agent.until("document.getElementById('rating')?.textContent.includes('gave 5 of 5 to Nia Okafor')").await;
    agent.until("document.getElementById('state').textContent === 'Resolved'").await;
    agent.shoot("new-agent-rated.png").await;
    measures(&customer, &site).await;
    colours(&agent, "dark").await;
    agent.shoot("new-agent-dark.png").await;
    customer.close().await;
    agent.close().await;
}

/// What whoever runs the shop sees afterwards.
async fn measures(lead: &Browser, site: &Site) {
    eventually("the score is not counted", async || {
        let asked = http().get(site.url("/v1/reports/csat_people")).bearer_auth(site.key());
        let measure: Value = asked.send().await.unwrap().json().await.unwrap();
        (measure["counted"] == 1).then_some(())
    })
    .await;
    lead.sign_in(site).await;
    lead.goto(&site.url("/console/reports")).await;
    lead.until("document.querySelectorAll('.tile').length === 8").await;
    lead.until("document.getElementById('m-csat_people')").await;
    let people = lead.ask("return document.getElementById('m-csat_people').innerText;").await;
    let people = people.as_str().unwrap();
    assert!(people.contains("5.0") && people.contains("1 of 1"), "{people}");
    let assistant = lead.ask("return document.getElementById('m-csat_assistant').innerText;").await;
    assert!(!assistant.as_str().unwrap().contains("5.0"), "never mixed: {assistant}");
    let handed = lead.ask("return document.getElementById('m-escalation').innerText;").await;
    assert!(handed.as_str().unwrap().contains("1 of 1"), "{handed}");
    lead.shoot("reports-after.png").await;
    colours(lead, "dark").await;
    lead.goto(&site.url("/console/reports")).await;
    lead.until("document.querySelectorAll('.tile').length === 8").await;
    lead.shoot("reports-dark.png").await;
    for (page, shot) in [
        ("/console", "queue-dark.png"),
        ("/console/account", "account-dark.png"),
        ("/console/accounts", "accounts-dark.png"),
        ("/console/webhooks", "webhooks-dark.png"),
    ] {
        lead.goto(&site.url(page)).await;
        lead.until("document.querySelector('header.top + main, header.top ~ main, .work main')").await;
        lead.shoot(shot).await;
    }
}
