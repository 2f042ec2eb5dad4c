//! The chat widget and the console in a real browser, against the real program in an empty folder.
//!
//! Needs `chromedriver` and `chromium`. Where they are missing the tests say so and are left out, except
//! in CI, where they fail. Screenshots are left in `target/screenshots/`.

mod new_agent;
mod reports;

use serde_json::Value;

use crate::support::browser::ESCAPE;
pub(crate) use crate::support::browser::{Browser, ENTER, TAB};
use crate::support::site::Site;
use crate::support::stub_model::{StubModel, honestly};

/// The words of a page part that must be there once.
fn once(texts: &Value, text: &str) -> bool {
    texts.as_array().unwrap().iter().filter(|one| one.as_str().unwrap().contains(text)).count() == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_once_and_is_there_once_after_a_reload() {
    let Some(browser) = Browser::open(None).await else { return };
    let site = Site::start().await;
    browser.open_chat(&site, true).await;
    browser.shoot("shop.png").await;
    browser.keys(&format!("when will my parcel arrive{ENTER}")).await;
    browser.until("theirs().length >= 1 && settled()").await;
    browser.shoot("answer.png").await;
    let (mine, theirs) = (browser.ask("return mine();").await, browser.ask("return theirs();").await);
    assert!(once(&mine, "when will my parcel arrive"), "{mine}");
    assert_eq!(browser.ask("return root.activeElement.tagName;").await, "TEXTAREA");
    browser.client.refresh().await.unwrap();
    browser.until("live() && mine().length >= 1").await;
    assert_eq!(browser.ask("return mine();").await, mine);
    assert_eq!(browser.ask("return theirs();").await, theirs);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_replies_and_closing_work_by_keyboard_and_nobody_sees_anybody_elses_thread() {
    let Some(browser) = Browser::open(None).await else { return };
    let site = Site::start().await;
    browser.open_chat(&site, false).await;
    browser.until("all('.choice').length === 3").await;
    browser.keys(&format!("{TAB}{TAB}")).await;
    browser.ask("root.querySelector('.choice').focus();").await;
    // The second one: one step to the right, then Enter.
    browser.keys("\u{e014}").await;
    let chosen = browser.ask("return root.activeElement.textContent;").await;
    browser.keys(&ENTER.to_string()).await;
    browser.until("mine().length === 1 && theirs().length >= 1 && settled()").await;
    assert_eq!(browser.ask("return mine()[0];").await, chosen);
    browser.keys(&ESCAPE.to_string()).await;
    browser
        .until("root.querySelector('.panel').hidden && root.activeElement.classList.contains('launcher')")
        .await;
    // Somebody who signs in on this machine sees nothing of the visitor before, and the other way round.
    browser.open_chat(&site, true).await;
    browser.until("live() && mine().length === 0").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_service_is_gone_arrives_once_when_it_is_back() {
    let Some(browser) = Browser::open(None).await else { return };
    let mut site = Site::start().await;
    browser.open_chat(&site, true).await;
    browser.keys(&format!("hello there{ENTER}")).await;
    browser.until("theirs().length >= 1 && settled()").await;
    let before = browser.ask("return theirs().length;").await;
    site.kill();
    browser.until("root.querySelector('.panel').classList.contains('offline')").await;
    browser.keys(&format!("what is your return policy{ENTER}")).await;
    browser.until("all('.on-its-way').length === 1").await;
    browser.shoot("offline.png").await;
    site.start_again().await;
    browser
        .until(&format!("settled() && theirs().length > {before} && !root.querySelector('.offline')"))
        .await;
    let mine = browser.ask("return mine();").await;
    assert!(once(&mine, "hello there") && once(&mine, "what is your return policy"), "{mine}");
    let theirs = browser.ask("return theirs();").await;
    // A message that is in the outbox while the page is left is sent by the next page.
    site.kill();
    browser.until("root.querySelector('.panel').classList.contains('offline')").await;
    browser.keys(&format!("and how long does delivery take{ENTER}")).await;
    browser.until("all('.on-its-way').length === 1").await;
    site.start_again().await;
    browser.open_chat(&site, true).await;
    browser
        .until(&format!(
            "settled() && mine().length === 3 && theirs().length > {}",
            theirs.as_array().unwrap().len()
        ))
        .await;
    let mine = browser.ask("return mine();").await;
    assert!(once(&mine, "and how long does delivery take"), "{mine}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_dies_in_the_middle_of_a_conversation_leaves_no_message_unanswered() {
    let Some(browser) = Browser::open(None).await else { return };
    let stub = StubModel::start(|_, captured| honestly(captured)).await;
    let settings = [("FIRSTLINE__MODEL__NAME", "stub"), ("FIRSTLINE__MODEL__BASE_URL", &stub.base_url())];
    let site = Site::start_with(&settings).await;
    browser.open_chat(&site, true).await;
    browser.keys(&format!("do you ship to canada{ENTER}")).await;
    browser.until("theirs().length >= 1 && settled()").await;
    assert!(!stub.seen().is_empty(), "the model was asked");
    drop(stub);
    for text in ["do gift cards expire", "wheres my order"] {
        let before = browser.ask("return theirs().length;").await;
        browser.keys(&format!("{text}{ENTER}")).await;
        browser.until(&format!("settled() && theirs().length > {before}")).await;
    }
    browser.shoot("without-the-model.png").await;
    let theirs = browser.ask("return theirs();").await.to_string();
    assert!(theirs.contains("never expire") && theirs.contains("HP-"), "{theirs}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_chat_fills_the_screen_and_nothing_is_wider_than_it() {
    let Some(browser) = Browser::open(Some((320, 640))).await else { return };
    let site = Site::start().await;
    browser.goto(&site.url("/demo")).await;
    browser.until("live()").await;
    browser.shoot("phone-shop.png").await;
    browser.open_chat(&site, true).await;
    browser.keys(&format!("where is my order{ENTER}")).await;
    browser.until("theirs().length >= 1 && settled()").await;
    browser.shoot("phone-chat.png").await;
    let wide = browser.ask("return [innerWidth, document.documentElement.scrollWidth, root.querySelector('.panel').getBoundingClientRect().width, Math.max(...all('.bubble').map((node) => node.getBoundingClientRect().right))];").await;
    let wide: Vec<f64> = wide.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    assert!(wide[1] <= wide[0] && (wide[2] - wide[0]).abs() < 1.0 && wide[3] <= wide[0], "{wide:?}");
    let small = "return all('button').filter((node) => node.offsetParent && node.getBoundingClientRect().height < 40).length;";
    assert_eq!(browser.ask(small).await, 0, "every button can be hit with a finger");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_signs_in_reads_the_handoff_and_answers_into_the_chat() {
    let Some(customer) = Browser::open(None).await else { return };
    let Some(agent) = Browser::open(None).await else { return };
    let site = Site::start().await;
    customer.open_chat(&site, true).await;
    customer.keys(&format!("I want to talk to a person please{ENTER}")).await;
    customer
        .until("theirs().length >= 1 && root.querySelector('.standing').textContent.includes('colleague')")
        .await;
    agent.goto(&site.url("/console")).await;
    agent.until("document.querySelector('input[name=login]') === document.activeElement").await;
    agent.shoot("sign-in.png").await;
    agent.keys(&format!("admin{TAB}wrong password{ENTER}")).await;
    agent.until("document.querySelector('[role=alert]')").await;
    agent.ask("document.querySelector('input[name=login]').focus();").await;
    agent.keys(&format!("admin{TAB}{}{ENTER}", site.password())).await;
    agent.until("document.querySelectorAll('#list li').length === 1").await;
    agent.ask("document.querySelector('#list li a').click();").await;
    agent.until("document.querySelector('.note dl')").await;
    agent.shoot("console.png").await;
    agent.ask("document.getElementById('text').focus();").await;
    agent.keys(&format!("Good morning this is Ada{ENTER}how can I help")).await;
    agent.ask("document.getElementById('send').click();").await;
    customer.until("theirs().some((text) => text === 'Good morning this is Ada\\nhow can I help')").await;
    customer.shoot("agent-answer.png").await;
    customer.keys(&format!("thank you Ada{ENTER}")).await;
    agent.until("[...document.querySelectorAll('#thread article.customer .words')].some((node) => node.textContent === 'thank you Ada')")
        .await;
    agent.shoot("console-answered.png").await;
    let said = customer.ask("return theirs().filter((text) => text.includes('this is Ada')).length;").await;
    assert_eq!(said, 1);
    customer.close().await;
    agent.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_by_keyboard_on_a_phone_too_and_the_customer_is_told() {
    let Some(customer) = Browser::open(None).await else { return };
    let Some(agent) = Browser::open(Some((360, 740))).await else { return };
    let site = Site::start().await;
    customer.goto(&site.url("/demo")).await;
    customer.until("live()").await;
    customer.ask("const who = document.getElementById('who'); who.value = 'cust-0007'; who.dispatchEvent(new Event('change'));").await;
    customer.until("chat.dataset.conversation.startsWith('user:') && live()").await;
    customer.ask("root.querySelector('.launcher').focus();").await;
    customer.keys(&ENTER.to_string()).await;
    customer.keys(&format!("refund 900 now{ENTER}")).await;
    customer.until("theirs().length >= 1 && settled()").await;
    agent.goto(&site.url("/console")).await;
    agent.until("document.querySelector('input[name=login]') === document.activeElement").await;
    agent.keys(&format!("admin{TAB}{}{ENTER}", site.password())).await;
    agent.until("document.querySelectorAll('#list li').length === 1").await;
    agent.ask("document.querySelector('#list li a').click();").await;
    agent.until("document.getElementById('approve')").await;
    agent.shoot("phone-approval.png").await;
    let page = agent.ask("return document.getElementById('approval').innerText;").await;
    let page = page.as_str().unwrap();
    for part in ["Refund order", "$900.00", "HP-09992", "above the limit of $100.00"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let wide = agent.ask("return document.documentElement.scrollWidth - innerWidth;").await;
    assert_eq!(wide, 0, "nothing is wider than the screen");
    let unlabelled = agent.ask("return [...document.querySelectorAll('input:not([type=hidden]), textarea')].filter((node) => !node.labels || node.labels.length === 0).length;").await;
    assert_eq!(unlabelled, 0);
    agent.ask("document.getElementById('approve').focus();").await;
    agent.keys(&ENTER.to_string()).await;
    agent.until("document.querySelector('.approval.settled') && document.querySelector('.approval .stands').innerText.includes('It is done')").await;
    agent.shoot("phone-approved.png").await;
    customer
        .until("theirs().some((text) => text.includes('$900.00 has been approved and carried out'))")
        .await;
    customer.close().await;
    agent.close().await;
}
