//! The chat widget and the console in a real browser, against the real program in an empty folder.
//!
//! Needs `chromedriver` and `chromium`. Where they are missing the tests say so and are left out, except
//! in CI, where they fail. Screenshots are left in `target/screenshots/`.

mod reports;

use std::path::Path;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::support::site::{Line, Running, Site, lines_of};
use crate::support::stub_model::{StubModel, honestly};

/// Longest wait for anything on a page.
const PATIENCE_MS: u64 = 20_000;
/// Pause between two looks at a page.
const LOOK_MS: u64 = 30;
pub(crate) const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
pub(crate) const TAB: char = '\u{e004}';

/// What every script below may use to look into the widget.
const LOOK: &str = "
    const chat = document.querySelector('firstline-chat');
    const root = chat && chat.shadowRoot;
    const all = (selector) => root ? [...root.querySelectorAll(selector)] : [];
    const mine = () => all('.bubble.mine .words').map((node) => node.textContent);
    const theirs = () => all('.bubble:not(.mine)').filter((node) => node.querySelector('.note').textContent)
        .map((node) => node.querySelector('.words').textContent);
    const settled = () => all('.on-its-way').length === 0;
    const live = () => root && root.querySelector('.log').getAttribute('aria-busy') === 'false';
";

/// A browser of its own, and the driver that steers it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Running,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// Starts one, or says why it is left out.
    pub(crate) async fn open(mobile: Option<(u32, u32)>) -> Option<Self> {
        let spawned = std::process::Command::new("chromedriver")
            .arg("--port=0")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn();
        let Ok(driver) = spawned else {
            let ci = std::env::vars().any(|(name, value)| name == "CI" && value == "true");
            assert!(!ci, "chromedriver is not installed, and in CI the browser tests must run");
            eprintln!("left out: 1 browser test, because chromedriver is not installed");
            return None;
        };
        let mut driver = Running(driver);
        let mut lines = lines_of(driver.0.stdout.take().unwrap());
        let port = lines.find(|line| line.split("successfully on port ").nth(1)).await;
        let port: String = port.chars().filter(char::is_ascii_digit).collect();
        let folder = tempfile::tempdir().unwrap();
        let profile = format!("--user-data-dir={}", folder.path().display());
        let mut options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1280,860", profile,
        ]});
        if let Some((width, height)) = mobile {
            options["mobileEmulation"] = json!({"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2.0, "touch": true}});
        }
        let wishes = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let Value::Object(wishes) = wishes else { unreachable!() };
        // The driver is on this machine: nothing to encrypt.
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wishes)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium starts");
        let patience = Duration::from_millis(2 * PATIENCE_MS);
        let timeouts = fantoccini::wd::TimeoutConfiguration::new(Some(patience), Some(patience), None);
        client.update_timeouts(timeouts).await.unwrap();
        Some(Self { client, driver, _folder: folder })
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// What a script returns.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(&format!("{LOOK} {script}"), vec![]).await.unwrap()
    }

    /// Waits until an expression holds in the page, also while another page takes its place.
    pub(crate) async fn until(&self, holds: &str) {
        let script = format!("{LOOK} try {{ return Boolean({holds}); }} catch (error) {{ return false; }}");
        let held = async {
            while self.client.execute(&script, vec![]).await.ok() != Some(Value::Bool(true)) {
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(PATIENCE_MS), held).await.is_err() {
            let script = format!(
                "{LOOK} return document.body.innerText.slice(0, 300) + ' | ' + JSON.stringify([mine(), theirs()]);"
            );
            let seen = self.client.execute(&script, vec![]).await;
            panic!("waited in vain for: {holds}; the page has {seen:?}");
        }
    }

    /// Presses keys as a person does: they go to whatever has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        let press =
            |keys: KeyActions, value| keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        let keys = text.chars().fold(KeyActions::new("keyboard".to_owned()), press);
        self.client.perform_actions(keys).await.unwrap();
    }

    pub(crate) async fn shoot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Opens the shop, signed in as its first customer or as nobody, and the chat in it, by keyboard.
    pub(crate) async fn open_chat(&self, site: &Site, signed_in: bool) {
        self.goto(&site.url("/demo")).await;
        self.until("live()").await;
        if signed_in {
            self.ask("const who = document.getElementById('who'); who.selectedIndex = 1; who.dispatchEvent(new Event('change'));")
                .await;
            self.until("chat.dataset.conversation.startsWith('user:') && live()").await;
        }
        self.ask("root.querySelector('.launcher').focus();").await;
        self.keys(&ENTER.to_string()).await;
        self.until("root.activeElement === root.querySelector('textarea')").await;
    }

    pub(crate) async fn close(mut self) {
        self.client.close().await.unwrap();
        self.driver.kill();
    }
}

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
    agent.until("document.querySelectorAll('nav li').length === 1").await;
    agent.ask("document.querySelector('nav li a').click();").await;
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
    agent.until("document.querySelectorAll('nav li').length === 1").await;
    agent.ask("document.querySelector('nav li a').click();").await;
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
    agent.until("document.querySelector('.approval.settled') && document.querySelector('.stands').innerText.includes('It is done')").await;
    agent.shoot("phone-approved.png").await;
    customer
        .until("theirs().some((text) => text.includes('$900.00 has been approved and carried out'))")
        .await;
    customer.close().await;
    agent.close().await;
}
