//! Texts of strangers in a real browser: whatever a customer writes or is called, it is shown and never runs.

use reqwest::Client;
use serde_json::{Value, json};

use crate::browser::{Browser, ENTER, TAB};
use crate::support::site::Site;

/// What would run, or load something, if any of these were taken for more than words.
const HOSTILE: [&str; 9] = [
    "<script>window.owned = 1</script>",
    "<img src=x onerror=\"window.owned = 2\">",
    "\"><svg onload=window.owned=3>",
    "'-window.owned=4-'",
    "<iframe srcdoc=\"<script>parent.owned = 5</script>\"></iframe>",
    "<a href=\"javascript:window.owned=6\">click</a> [click](javascript:window.owned=6)",
    "{{ 7 * 7 }} ${window.owned=7} {% raw %}",
    "</textarea></title></style></script><style>body{display:none}</style><b id=planted>",
    "\u{202e}txet desrever &lt;img src=x onerror=window.owned=9&gt;",
];

async fn call(site: &Site, path: &str, body: Value) -> Value {
    let http = Client::builder().no_proxy().build().unwrap();
    let request = http.post(site.url(path)).bearer_auth(site.key()).json(&body);
    request.send().await.unwrap().json().await.unwrap()
}

/// Asserts that the page that is open shows words and nothing of what they would be.
async fn nothing_ran(browser: &Browser, page: &str) {
    let script = "return [window.owned === undefined, document.getElementById('planted') === null,
        getComputedStyle(document.body).display !== 'none',
        [...document.querySelectorAll('script')].every((node) => node.src.startsWith(location.origin)),
        document.querySelectorAll('iframe, object, embed, img, main svg, [onerror], [onload], a[href^=javascript]').length === 0];";
    let told = browser.ask(script).await;
    assert_eq!(told, json!([true, true, true, true, true]), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_is_shown_and_never_runs() {
    let Some(browser) = Browser::open(None).await else { return };
    let site = Site::start().await;
    let mut last = Value::Null;
    for (place, text) in HOSTILE.iter().enumerate() {
        // A name is a label; texts may hold anything.
        let name: String = text.chars().filter(|c| !c.is_control()).collect();
        let sender = json!({"id": format!("stranger-{place}"), "name": name});
        let text = format!("I want to talk to a person. {text}");
        let body = json!({"id": format!("h-{place}"), "sender": sender, "text": text});
        last = call(&site, "/v1/messages?wait_ms=20000", body).await;
        assert_eq!(last["outcome"], "handed_off", "{last}");
    }
    let case = last["case_id"].as_str().unwrap();
    for text in HOSTILE {
        _ = call(&site, &format!("/v1/cases/{case}/notes"), json!({"text": text})).await;
    }
    let (added, said) = site.command(&["user", "add", "eva", "--name", HOSTILE[1], "--role", "supervisor"]);
    assert!(added, "{said}");
    browser.goto(&site.url("/console/login")).await;
    browser.until("document.querySelector('input[name=login]') === document.activeElement").await;
    browser.keys(&format!("admin{TAB}{}{ENTER}", site.password())).await;
    browser.until("document.querySelectorAll('#list li').length >= 9").await;
    nothing_ran(&browser, "the lists").await;
    browser.goto(&site.url(&format!("/console/cases/{case}"))).await;
    browser.until("document.querySelectorAll('#thread article.internal').length >= 9").await;
    nothing_ran(&browser, "the case").await;
    let shown = browser.ask("return document.getElementById('thread').textContent;").await;
    for text in &HOSTILE[..8] {
        assert!(shown.as_str().unwrap().contains(text), "{text} in {shown}");
    }
    // What arrives while the page is open is shown the same way.
    for (place, text) in HOSTILE.iter().enumerate() {
        let body = json!({"id": format!("l-{place}"), "sender": {"id": format!("stranger-{}", HOSTILE.len() - 1)}, "text": text});
        _ = call(&site, "/v1/messages", body).await;
    }
    browser.until("document.querySelectorAll('#thread article.customer').length >= 10").await;
    nothing_ran(&browser, "the case, live").await;
    browser.goto(&site.url("/console/accounts")).await;
    browser
        .until("[...document.querySelectorAll('.people li')].some((one) => one.textContent.includes('eva'))")
        .await;
    nothing_ran(&browser, "the accounts").await;
    browser.shoot("accounts.png").await;
    browser.ask("document.querySelector('.people details').open = true;").await;
    browser.shoot("accounts-change.png").await;
    browser.goto(&site.url("/console/account")).await;
    browser.shoot("account.png").await;
    browser.goto(&site.url("/console/second-factor")).await;
    browser.ask("document.querySelector('main form button').click();").await;
    browser.until("document.getElementById('secret')").await;
    browser.shoot("second-factor.png").await;
    chat_shows_words(&browser, &site).await;
    browser.close().await;
}

/// The widget shows what its own visitor wrote, and what a person answers, as words.
async fn chat_shows_words(browser: &Browser, site: &Site) {
    browser.open_chat(site, false).await;
    browser.keys(&format!("{}{ENTER}", HOSTILE[1])).await;
    browser.until("mine().length >= 1 && theirs().length >= 1 && settled()").await;
    let mine = browser.ask("return mine();").await;
    assert!(mine.to_string().contains("onerror"), "{mine}");
    let planted = browser.ask("return [window.owned === undefined, root.querySelectorAll('.bubble img, .bubble script, .bubble iframe').length];").await;
    assert_eq!(planted, json!([true, 0]));
}
