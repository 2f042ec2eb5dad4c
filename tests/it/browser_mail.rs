//! Mail and files in a real browser: an HTML mail is looked at as it came and can do nothing, and a file goes out with an
//! answer and arrives in the chat.

use std::sync::{Arc, Mutex};

use fantoccini::Locator;
use firstline::providers::{Outbox, ProviderCall};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio_util::task::TaskTracker;

use crate::support::browser::{Browser, ENTER};
use crate::support::connected::{Connected, eventually};
use crate::support::site::{Site, http};

/// Somewhere that nothing of a mail may ever reach, and what has been asked there: the first line, or nothing where
/// somebody only connected. It has an address of its own, on which nobody else is looked for.
async fn elsewhere() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.77:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asking = asked.clone();
    // It ends with the runtime of its test.
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 200];
            let patience = std::time::Duration::from_millis(300);
            let read = tokio::time::timeout(patience, stream.read(&mut bytes)).await;
            let told = &bytes[..read.map_or(0, |read| read.unwrap_or(0))];
            let line = String::from_utf8_lossy(told).lines().next().unwrap_or_default().to_owned();
            asking.lock().unwrap().push(line);
        }
    });
    (address, asked)
}

/// A page that tries whatever a page can try to run something, to fetch something or to lead away.
fn hostile(at: &str) -> String {
    format!(
        r#"<html background="{at}/1"><head><base href="{at}/"><meta http-equiv="refresh" content="0;url={at}/2">
<meta http-equiv="Content-Security-Policy" content="default-src *">
<link rel="stylesheet" href="{at}/3"><link rel="preconnect" href="{at}"><link rel="prefetch" href="{at}/4">
<link rel="dns-prefetch" href="{at}"><link rel="icon" href="{at}/5">
<style>@import url("{at}/6"); @font-face {{ font-family: x; src: url("{at}/7"); }}
body {{ background: url("{at}/8"); font-family: x, sans-serif; }} h1 {{ color: #7a1f5c; }}
p::before {{ content: url("{at}/9"); }}</style>
<script src="{at}/10"></script></head>
<body background="{at}/11" onload="top.hacked = 1; fetch('{at}/12')">
<h1>Your invoice, as it looked</h1>
<p id="words">The table below is the mail's own.</p>
<table border="1" cellpadding="6"><tr><th>Item</th><th>Price</th></tr><tr><td>Kettle</td><td>€39.00</td></tr></table>
<p><img alt="green" width="60" height="30" src="cid:dot@mail"></p>
<script>top.hacked = 1; document.title = 'hacked'; document.getElementById('words').textContent = 'hacked';</script>
<img src="{at}/13" onerror="top.hacked = 1"><img srcset="{at}/14 1x"><img src="x" onerror="parent.hacked = 1">
<svg width="20" height="20" onload="top.hacked = 1"><script>top.hacked = 1</script><image href="{at}/15" width="9" height="9"/>
<use href="{at}/16#a"/><a xlink:href="{at}/17"><text y="9">svg</text></a></svg>
<iframe src="{at}/18"></iframe><object data="{at}/19"></object><embed src="{at}/20"><video poster="{at}/21" src="{at}/22"></video>
<audio src="{at}/23" autoplay></audio><input type="image" src="{at}/24">
<form action="{at}/25"><input name="password" value="secret"><button id="send">Confirm your account</button></form>
<p><a id="same" target="_self" href="{at}/26" ping="{at}/27">Track it</a> <a id="top" target="_top" href="{at}/28">Pay now</a>
<a id="script" href="javascript:top.hacked=1">Click</a> <a id="home" target="_self" href="/console">Sign in</a></p>
<p style="background-image: url({at}/29)">The end.</p></body></html>"#
    )
}

/// A mail of a customer, posted as the provider does.
fn mail(desk: &Connected, id: u64, page: &str) -> ProviderCall {
    let call = desk.words(7, id, "-");
    let green =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkqPtfDwADhQGAWjR9awAAAABJRU5ErkJggg==";
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(&call.body) {
        if name == "body-mime" {
            let (head, _) = value.split_once("Content-Type:").unwrap();
            let whole = format!(
                "{head}Subject: The invoice\r\nContent-Type: multipart/related; boundary=rel\r\n\r\n--rel\r\n\
                 Content-Type: text/html; charset=utf-8\r\n\r\n{page}\r\n--rel\r\nContent-Type: image/png\r\n\
                 Content-ID: <dot@mail>\r\nContent-Transfer-Encoding: base64\r\n\r\n{green}\r\n--rel--\r\n"
            );
            body.append_pair(&name, &whole);
        } else {
            body.append_pair(&name, &value);
        }
    }
    desk.provider.signed(&call, body.finish().into_bytes(), &desk.base())
}

/// The program with a mail server that keeps what it takes.
async fn by_mail() -> Connected {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let outbox = Outbox::default();
    let desk = Connected::start_at("email", &api, outbox.clone(), &[]).await;
    TaskTracker::new().spawn(desk.provider.serve(listener, outbox));
    desk
}

async fn case_of(desk: &Connected) -> String {
    let found = eventually("the mail becomes a case", || async {
        let (_, body) = desk.get("/v1/cases?channel=email").await;
        let all: Value = serde_json::from_str(&body).unwrap();
        all["items"][0]["id"].as_str().map(str::to_owned)
    });
    found.await
}

/// Long enough for a browser to do what it is going to do by itself.
async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_mail_is_looked_at_as_it_came_runs_nothing_and_reaches_nobody() {
    let Some(agent) = Browser::open(None).await else { return };
    let desk = by_mail().await;
    let (at, asked) = elsewhere().await;
    let (status, said) = desk.post(&mail(&desk, 41, &hostile(&at))).await;
    assert_eq!(status, 200, "{said}");
    let case = case_of(&desk).await;
    agent.resize(1280, 900).await;
    agent.sign_in(&desk.site).await;
    agent.goto(&desk.site.url(&format!("/console/cases/{case}"))).await;
    agent.until("document.querySelector('#thread details.original')").await;
    let words =
        agent.ask("return document.querySelector('#thread article.customer .words').textContent;").await;
    assert!(words.as_str().unwrap().contains("Your invoice, as it looked"), "{words}");
    let files = agent.ask("return document.querySelector('#thread article.customer').textContent;").await;
    assert!(!files.as_str().unwrap().contains("whole-mail.html"), "{files}");
    agent.ask("document.querySelector('#thread details.original summary').click();").await;
    agent.ask("document.querySelector('#thread details.original').scrollIntoView();").await;
    a_while().await;
    agent.shoot("console-original.png").await;
    let policy = agent.ask("const frame = document.querySelector('details.original iframe'); return [frame.getAttribute('sandbox'), frame.referrerPolicy, frame.src];").await;
    assert_eq!((&policy[0], &policy[1]), (&json!(""), &json!("no-referrer")), "{policy}");
    // What is in the frame is there as it was written, and nothing of it has run.
    agent.client.enter_frame(0).await.unwrap();
    let text = agent.client.find(Locator::Css("#words")).await.unwrap().text().await.unwrap();
    assert_eq!(text, "The table below is the mail's own.");
    for id in ["same", "top", "script", "home", "send"] {
        // Whatever is clicked stays what it was.
        agent.client.find(Locator::Id(id)).await.unwrap().click().await.unwrap();
    }
    a_while().await;
    let text = agent.client.find(Locator::Css("#words")).await.unwrap().text().await.unwrap();
    assert_eq!(text, "The table below is the mail's own.");
    agent.client.enter_parent_frame().await.unwrap();
    assert_eq!(
        agent.ask("return [window.hacked === undefined, location.pathname];").await,
        json!([true, format!("/console/cases/{case}")])
    );
    assert_eq!(*asked.lock().unwrap(), [""; 0], "nothing of it asked anybody anything");
    // On a page of its own neither.
    agent.goto(policy[2].as_str().unwrap()).await;
    a_while().await;
    for id in ["same", "top", "send"] {
        agent.client.find(Locator::Id(id)).await.unwrap().click().await.unwrap();
    }
    a_while().await;
    assert_eq!(agent.ask("return document.title;").await, "The mail as it came");
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    headers(&desk, policy[2].as_str().unwrap()).await;
    // That the counting works.
    _ = http().get(&at).timeout(std::time::Duration::from_millis(500)).send().await;
    assert_eq!(*asked.lock().unwrap(), ["GET / HTTP/1.1"]);
    agent.close().await;
}

/// What the answer says of itself, to whoever may see the case; to others it says nothing.
async fn headers(desk: &Connected, original: &str) {
    let mut visitor = crate::console::Visitor::new(&desk.site);
    let path = original.trim_start_matches(&desk.base()).to_owned();
    assert_eq!(visitor.get(&path).await.0, 303, "to the sign-in");
    assert!(visitor.sign_in(desk.site.password()).await);
    let request = visitor.http.get(original).header("cookie", &visitor.cookie);
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 200);
    for part in
        ["sandbox;", "default-src 'none'", "img-src data:", "form-action 'none'", "frame-ancestors 'self'"]
    {
        assert!(header("content-security-policy").contains(part), "{part}");
    }
    assert!(!header("content-security-policy").contains("allow-"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_put_beside_an_answer_and_leaves_with_the_mail() {
    let Some(agent) = Browser::open(None).await else { return };
    let desk = by_mail().await;
    assert_eq!(
        desk.post(&mail(&desk, 42, "<p>I want to talk to a person about my invoice</p>")).await.0,
        200
    );
    let case = case_of(&desk).await;
    let before = desk.sent(1).await.len();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Rechnung für Größe.pdf");
    std::fs::write(&path, b"%PDF-1.7 \xff the invoice").unwrap();
    agent.resize(1280, 900).await;
    agent.sign_in(&desk.site).await;
    agent.goto(&desk.site.url(&format!("/console/cases/{case}"))).await;
    agent.until("document.getElementById('file')").await;
    agent.client.find(Locator::Id("file")).await.unwrap().send_keys(path.to_str().unwrap()).await.unwrap();
    agent.until("document.querySelector('#files li')").await;
    agent
        .until("document.getElementById('meter').textContent.includes('takes files up to 18.0 MB together')")
        .await;
    agent.shoot("console-file.png").await;
    // No words are needed beside it.
    agent.ask("document.getElementById('send').click();").await;
    agent.until("[...document.querySelectorAll('#thread article.agent a')].some((a) => a.textContent === 'Rechnung für Größe.pdf')").await;
    let sent = desk.sent(before + 1).await;
    let raw = sent.last().unwrap().request["mail"].as_str().unwrap().to_owned();
    let read = mail_parser::MessageParser::default().parse(&raw).unwrap();
    let file = read.attachments().next().unwrap();
    assert_eq!(mail_parser::MimeHeaders::attachment_name(file), Some("Rechnung für Größe.pdf"));
    assert_eq!(file.contents(), b"%PDF-1.7 \xff the invoice");
    agent.until("document.querySelector('#thread article.agent .sent').textContent.includes('Sent')").await;
    agent.shoot("console-file-sent.png").await;
    agent.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_in_the_chat_of_whoever_it_is_for() {
    let Some(customer) = Browser::open(None).await else { return };
    let site = Site::start().await;
    customer.open_chat(&site, false).await;
    customer.keys(&format!("I want to talk to a person{ENTER}")).await;
    customer.until("theirs().length >= 1 && settled()").await;
    let cases: Value = http()
        .get(site.url("/v1/cases?channel=web_chat"))
        .bearer_auth(site.key())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let case = cases["items"][0]["id"].as_str().unwrap().to_owned();
    crate::files_desk::reply_with_file(&site, &case, "Here is the label.", "Rücksende-Label.pdf").await;
    customer.until("all('.bubble.agent .file').length === 1").await;
    customer.shoot("widget-file.png").await;
    // It is fetched with the session of this chat, and kept under its name.
    customer.ask("window.kept = []; HTMLAnchorElement.prototype.click = function () { window.kept.push(this.download); }; root.querySelector('.bubble.agent .file').click();").await;
    customer.until("window.kept.length === 1 && root.querySelector('.notice').textContent === ''").await;
    assert_eq!(customer.ask("return window.kept[0];").await, "Rücksende-Label.pdf");
    customer.close().await;
}
