//! A day in the console in a real browser: keyboard, two people in one case, lost connections, a phone, the dark, and who
//! cannot see or use a mouse.

use std::path::Path;

use crate::console_work::write;
use crate::support::browser::{Browser, ENTER};
use crate::support::installed::installed;
use crate::support::site::Site;

/// Presses Ctrl and Enter.
async fn send(agent: &Browser) {
    agent.ask("document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true}));").await;
}

/// Demands that the note of the case that is open is understood without scrolling.
pub(crate) async fn note_on_one_screen(agent: &Browser) {
    let low = agent.ask("const lines = [...document.querySelectorAll('#side .first dd, #side .first + dl dd, #side .tried')]; return [lines.length, Math.max(...lines.map((node) => node.getBoundingClientRect().bottom)), innerHeight, document.querySelector('#side').scrollTop];").await;
    let low: Vec<f64> = low.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    assert!(
        low[0] >= 9.0 && low[1] <= low[2] && low[3] == 0.0,
        "who, wanted, promised, tried and what next stand on one screen: {low:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one path from its first step to its last; cut in two it would only be harder to follow"
)]
async fn a_case_is_understood_without_scrolling_and_worked_to_its_end_by_keyboard_alone() {
    let Some(agent) = Browser::open(None).await else { return };
    let site = Site::start().await;
    write(&site, "cust-0001", "where is my order HP-10042").await;
    write(&site, "cust-0001", "It is late and I need it on Friday, I want to talk to a person").await;
    write(&site, "cust-0007", "refund 900 now").await;
    write(
        &site,
        "cust-0003",
        "This is the third time I write. Your courier threatened my neighbour, I will call the police",
    )
    .await;
    agent.resize(1280, 800).await;
    agent.sign_in(&site).await;
    agent.until("document.querySelectorAll('#list li').length === 3").await;
    agent.shoot("console-queue.png").await;
    // The search, then back to the list; down and up, and into the case.
    agent.keys("/").await;
    agent.until("document.activeElement.id === 'find'").await;
    agent.keys(&format!("hp-10042{ENTER}")).await;
    agent
        .until("location.search.includes('q=hp-10042') && document.querySelectorAll('#list li').length === 1")
        .await;
    agent.keys("gq").await;
    agent.until("location.search === '' && document.querySelectorAll('#list li').length === 3").await;
    agent.keys("?").await;
    agent.until("document.getElementById('keys').open").await;
    agent.shoot("console-keys.png").await;
    agent.ask("document.getElementById('keys').close();").await;
    let wanted = agent.ask("const links = [...document.querySelectorAll('#list li a')]; return links.findIndex((a) => a.textContent.includes('HP-10042') || a.textContent.includes('my order'));").await;
    agent.keys(&"j".repeat(1 + wanted.as_u64().unwrap() as usize)).await;
    agent.keys("kj").await;
    agent.keys(&ENTER.to_string()).await;
    agent.until("document.querySelector('#side .first')").await;
    agent.until("document.getElementById('thread').scrollTop + document.getElementById('thread').clientHeight >= document.getElementById('thread').scrollHeight - 2").await;
    agent.shoot("console-case.png").await;
    note_on_one_screen(&agent).await;
    // A fact leads to its receipt in the log.
    agent.ask("document.querySelector('#side .tried a').click();").await;
    agent.until("document.querySelector('#side .why li:target, #side .why li[tabindex]')").await;
    agent.shoot("console-why.png").await;
    for panel in ["customer", "records"] {
        agent.ask(&format!("document.querySelector('[data-panel={panel}]').click();")).await;
        agent.until(&format!("document.getElementById('side').dataset.panel === '{panel}'")).await;
        agent.shoot(&format!("console-{panel}.png")).await;
    }
    agent.keys("a").await;
    agent.until("document.getElementById('state').textContent === 'Yours'").await;
    agent.keys("r").await;
    agent.until("document.activeElement.id === 'text'").await;
    agent.keys("Good morning, I have asked the carrier").await;
    agent.until("document.getElementById('meter').textContent.includes(' of 20000 characters')").await;
    agent.until("document.getElementById('kept').textContent === 'Kept'").await;
    agent.shoot("console-writing.png").await;
    send(&agent).await;
    agent.until("document.getElementById('text').value === '' && [...document.querySelectorAll('#thread article.agent .words')].some((node) => node.textContent.startsWith('Good morning'))").await;
    // The customer's next words come by themselves.
    write(&site, "cust-0001", "thank you").await;
    agent.until("[...document.querySelectorAll('#thread article.customer .words')].some((node) => node.textContent === 'thank you')").await;
    agent.ask("document.activeElement.blur();").await;
    agent.keys("n").await;
    agent.keys("Called the carrier, @admin knows").await;
    agent.shoot("console-note.png").await;
    send(&agent).await;
    agent.until("document.querySelector('#thread article.internal')").await;
    agent.ask("document.activeElement.blur();").await;
    agent.keys("e").await;
    agent.until("document.getElementById('settle').open").await;
    agent.shoot("console-settle.png").await;
    agent.keys(&ENTER.to_string()).await;
    agent.until("document.getElementById('state').textContent === 'Resolved'").await;
    agent.keys("gd").await;
    agent.until("document.querySelector('main.day')").await;
    agent.shoot("console-day.png").await;
    let settled = agent.ask("return document.getElementById('part-settled').textContent;").await;
    assert_eq!(settled, "Settled today 1");
    agent.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_one_case_see_each_other_and_nobodys_text_is_lost() {
    let Some(one) = Browser::open(None).await else { return };
    let Some(two) = Browser::open(None).await else { return };
    let mut site = Site::start().await;
    let (_, made) = site.command(&["user", "add", "ada", "--name", "Ada Berg", "--role", "supervisor"]);
    let password =
        made.split_whitespace().find(|word| word.len() == 20).unwrap_or_else(|| panic!("{made}")).to_owned();
    let case = write(&site, "cust-0001", "I want to talk to a person").await;
    one.sign_in(&site).await;
    two.sign_in_as(&site, "ada", &password).await;
    let path = site.url(&format!("/console/cases/{case}"));
    one.goto(&path).await;
    two.goto(&path).await;
    one.until("document.getElementById('others').textContent === 'Ada Berg is here'").await;
    two.ask("document.getElementById('text').focus();").await;
    two.keys("I am on it").await;
    one.until("document.getElementById('others').textContent === 'Ada Berg is writing'").await;
    one.shoot("console-two.png").await;
    one.ask("document.getElementById('text').focus();").await;
    one.keys("My own answer").await;
    one.until("document.getElementById('kept').textContent === 'Kept'").await;
    send(&two).await;
    two.until("document.getElementById('text').value === ''").await;
    one.until("document.querySelector('#thread article.agent')").await;
    send(&one).await;
    one.until("document.querySelector('#notices .strong') && document.querySelector('article.new')").await;
    one.shoot("console-changed.png").await;
    assert_eq!(one.ask("return document.getElementById('text').value;").await, "My own answer");
    // It is there after a reload, in another browser of the same person, and when the service was gone meanwhile.
    one.goto(&path).await;
    one.until(
        "document.getElementById('text').value === 'My own answer' && document.querySelector('[data-ready]')",
    )
    .await;
    site.kill();
    one.ask("const text = document.getElementById('text'); text.focus(); text.setSelectionRange(99, 99);")
        .await;
    one.keys(" goes on").await;
    send(&one).await;
    one.until("document.querySelector('#notices .strong') && document.querySelector('#notices .strong').textContent.startsWith('Not sent')").await;
    assert_eq!(one.ask("return document.getElementById('text').value;").await, "My own answer goes on");
    one.shoot("console-offline.png").await;
    site.start_again().await;
    one.goto(&path).await;
    one.until("document.getElementById('text').value === 'My own answer goes on' && document.querySelector('[data-ready]')").await;
    send(&one).await;
    one.until("document.getElementById('text').value === '' && document.querySelectorAll('#thread article.agent').length === 2").await;
    one.goto(&path).await;
    one.until("document.getElementById('text').value === '' && document.querySelectorAll('#thread article.agent').length === 2").await;
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggestion_is_taken_into_the_box_and_changed_before_it_is_sent() {
    let Some(agent) = Browser::open(None).await else { return };
    let site = Site::start().await;
    let case = write(&site, "cust-0001", "I want to talk to a person").await;
    write(&site, "cust-0001", "do gift cards expire").await;
    agent.sign_in(&site).await;
    agent.goto(&site.url(&format!("/console/cases/{case}"))).await;
    agent.until("document.querySelector('[data-ready]')").await;
    agent.ask("document.getElementById('suggest').click();").await;
    agent.until("document.querySelector('#suggestion button')").await;
    agent.shoot("console-suggestion.png").await;
    agent.ask("document.querySelector('#suggestion button').click();").await;
    agent.until("document.getElementById('text').value.includes('never expire')").await;
    agent.keys(" Greetings").await;
    send(&agent).await;
    agent.until("[...document.querySelectorAll('#thread article.agent .words')].some((node) => node.textContent.endsWith('Greetings'))").await;
    agent.ask("const macro = document.getElementById('macro'); macro.value = 'anything-else'; macro.dispatchEvent(new Event('change'));").await;
    agent.until("document.getElementById('text').value.includes('anything else')").await;
    agent.close().await;
}

/// Every page of the console, with something on each.
async fn pages(site: &Site) -> Vec<String> {
    let case = write(site, "cust-0001", "where is my order HP-10042").await;
    write(site, "cust-0001", "I want to talk to a person").await;
    let approval = write(site, "cust-0007", "refund 900 now").await;
    let mut pages: Vec<String> = [
        "/console",
        "/console?list=mine",
        "/console?q=order",
        "/console?list=all&state=resolved",
        "/console/day",
        "/console/password",
        "/console/cases/none",
        "/console/reports",
        "/console/reports/cases?count=cases",
        "/console/account",
        "/console/accounts",
        "/console/second-factor",
        "/console/webhooks",
    ]
    .map(str::to_owned)
    .to_vec();
    for panel in ["note", "customer", "records", "why"] {
        pages.push(format!("/console/cases/{case}?panel={panel}"));
    }
    pages.push(format!("/console/cases/{approval}"));
    pages.push(format!("/console/cases/{approval}?changed=0&said=sent"));
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_usable_by_everybody_in_light_and_dark_at_a_desk_and_on_a_phone() {
    let Some(axe) = installed("TEST_AXE") else { return };
    let axe = std::fs::read_to_string(Path::new(&axe)).unwrap();
    let Some(desk) = Browser::open(None).await else { return };
    let Some(phone) = Browser::open(Some((360, 740))).await else { return };
    let site = Site::start().await;
    let pages = pages(&site).await;
    let mut findings = Vec::new();
    for (browser, place) in [(&desk, "desk"), (&phone, "phone")] {
        browser.goto(&site.url("/console/login")).await;
        findings.extend(found(browser, &axe, &format!("{place} /console/login")).await);
        browser.sign_in(&site).await;
        for theme in ["light", "dark"] {
            browser.ask(&format!("document.cookie = 'firstline_theme={theme}; path=/console';")).await;
            for page in &pages {
                browser.goto(&site.url(page)).await;
                let wide = browser.ask("return document.documentElement.scrollWidth - innerWidth;").await;
                assert_eq!(wide, 0, "{place} {page} is wider than the screen");
                findings.extend(found(browser, &axe, &format!("{place} {theme} {page}")).await);
                if theme == "dark" || place == "phone" {
                    let name = page.trim_start_matches("/console").replace(['/', '?', '&', '='], "-");
                    let name: String = name.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
                    browser.shoot(&format!("page-{place}-{theme}{name}.png")).await;
                }
            }
        }
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    desk.close().await;
    phone.close().await;
}

/// What axe finds on the page that is open, by the rules of WCAG 2.2 up to AA and the best practices.
async fn found(browser: &Browser, axe: &str, page: &str) -> Vec<String> {
    // The policy of the page forbids scripts of others; what the driver runs is not under it.
    browser.client.execute(axe, vec![]).await.unwrap();
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document, {resultTypes: ['violations']}).then((result) => done(result.violations.map((one) =>
            one.id + ': ' + one.help + ' | ' + one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + ' ' + (node.any[0] ? node.any[0].message : '')).join(' | '))),
            (error) => done(['axe failed: ' + error]));";
    let told = browser.client.execute_async(run, vec![]).await.unwrap();
    told.as_array().unwrap().iter().map(|one| format!("{page}: {}", one.as_str().unwrap())).collect()
}
