//! Files on a reply from the console: to the visitor of a chat and to nobody else, and refused in words where a channel
//! does not take them.

use serde_json::{Value, json};

use crate::console_work::Agent;
use crate::support::connected::{Connected, eventually};
use crate::support::site::{Site, http};

const BYTES: &[u8] = b"%PDF-1.7 the words of a file";

impl Agent<'_> {
    /// Chooses a file for a reply.
    async fn choose(&self, case: &str, name: &str, content: &[u8]) -> Value {
        let site = self.visitor.site;
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let request = self.visitor.http.post(site.url(&format!("/console/cases/{case}/files")));
        let request = request.header("cookie", &self.visitor.cookie).header("origin", site.url(""));
        let request = request.header("x-csrf", &self.csrf).header("x-file-name", name);
        request.body(content.to_vec()).send().await.unwrap().json().await.unwrap()
    }

    /// Sends the reply; the status, and why it was refused.
    async fn reply(&self, case: &str, id: &str, text: &str) -> (u16, String) {
        let fields = [("csrf", self.csrf.as_str()), ("id", id), ("kind", "reply"), ("text", text)];
        let answer = self.visitor.post(&format!("/console/cases/{case}/reply"), &fields).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn measure(&self, case: &str, channel: &str) -> Value {
        let fields = [("csrf", self.csrf.as_str()), ("case", case), ("channel", channel), ("text", "")];
        self.visitor.post("/console/measure", &fields).await.json().await.unwrap()
    }
}

/// Answers a case with words and a file.
pub(crate) async fn reply_with_file(site: &Site, case: &str, text: &str, name: &str) {
    let agent = Agent::of(site).await;
    let files = agent.choose(case, name, BYTES).await;
    assert_eq!(files["files"][0]["name"], name, "{files}");
    let (status, why) = agent.reply(case, "r1", text).await;
    assert_eq!(status, 303, "{why}");
}

/// A chat of a visitor: the token of its session, and its case.
async fn chat(site: &Site, text: &str) -> (String, String) {
    let begun: Value =
        http().post(site.url("/widget/session")).json(&json!({})).send().await.unwrap().json().await.unwrap();
    let token = begun["token"].as_str().unwrap().to_owned();
    let request = http().post(site.url("/widget/messages")).bearer_auth(&token);
    let said: Value =
        request.json(&json!({"id": "m-1", "text": text})).send().await.unwrap().json().await.unwrap();
    (token, said["case_id"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned())
}

async fn get(site: &Site, path: &str, token: Option<&str>) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let request = http().get(site.url(path));
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_visitor_of_a_chat_gets_the_file_and_nobody_else_does() {
    let site = Site::start().await;
    let (ours, case) = chat(&site, "I want to talk to a person").await;
    let (others, _) = chat(&site, "I want to talk to a person, too").await;
    reply_with_file(&site, &case, "Here it is.", "Label – Größe.pdf").await;
    let thread: Value = serde_json::from_slice(&get(&site, "/widget/messages", Some(&ours)).await.2).unwrap();
    let said = thread["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&said["text"], &said["attachments"][0]["name"]),
        (&json!("Here it is."), &json!("Label – Größe.pdf"))
    );
    let path = format!("/widget/files/{}", said["attachments"][0]["id"].as_str().unwrap());
    let (status, headers, body) = get(&site, &path, Some(&ours)).await;
    assert_eq!((status, body.as_slice()), (200, BYTES));
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert!(header("content-disposition").starts_with("attachment; filename="));
    assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
    for (path, token, expected) in [
        (path.as_str(), Some(others.as_str()), 404),
        (&path, None, 401),
        (&path, Some("forged.token"), 401),
        ("/widget/files/none", Some(&ours), 404),
        ("/widget/files/..%2f1", Some(&ours), 404),
    ] {
        assert_eq!(get(&site, path, token).await.0, expected, "{path} {token:?}");
    }
    // A file of the same case that did not go to the chat is not the visitor's.
    let record =
        firstline::store::Store::open(&site.database(), &crate::support::database::settings()).await.unwrap();
    let inside = firstline::store::StoredAttachment {
        id: firstline::domain::ids::AttachmentId::parse("inside").unwrap(),
        case: firstline::domain::ids::CaseId::parse(&case).unwrap(),
        message: firstline::domain::ids::MessageId::parse("of-nobody").unwrap(),
        name: "inside.pdf".to_owned(),
        content_type: None,
        content: BYTES.into(),
        at: firstline::domain::time::Timestamp(0),
    };
    let unit = firstline::store::Unit {
        case: inside.case.clone(),
        changes: vec![firstline::store::Change::Attachment(inside)],
    };
    record.commit(unit).await.unwrap();
    assert_eq!(get(&site, "/widget/files/inside", Some(&ours)).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_takes_no_such_file_says_so_before_anything_is_sent() {
    let desk = Connected::start("instagram", &[]).await;
    assert_eq!(desk.post(&desk.words(7, 41, "I want to talk to a person")).await.0, 200);
    let case = case_of(&desk, "instagram").await;
    let agent = Agent::of(&desk.site).await;
    agent.choose(&case, "a.pdf", BYTES).await;
    let told = agent.measure(&case, "instagram").await;
    assert!(told["files"].as_str().is_some_and(|why| why.contains("take the files off")), "{told}");
    let (status, why) = agent.reply(&case, "r1", "Here it is.").await;
    assert!(status == 409 && why.contains("Instagram takes only files"), "{status} {why}");
    let told = agent.measure(&case, "in_app").await;
    assert_eq!(told["files"], Value::Null);
    let answers = desk.outbox.all();
    assert!(answers.iter().all(|sent| sent.text != "Here it is."), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_alone_leaves_by_whatsapp_and_one_that_is_too_large_stays_with_its_writer() {
    let desk = Connected::start("whatsapp", &[]).await;
    assert_eq!(desk.post(&desk.words(7, 41, "I want to talk to a person")).await.0, 200);
    let case = case_of(&desk, "whatsapp").await;
    let before = desk.sent(1).await.len();
    let agent = Agent::of(&desk.site).await;
    let chosen = agent.choose(&case, "large.png", &vec![7; 5_000_001]).await;
    let (status, why) = agent.reply(&case, "r1", "").await;
    assert!(status == 409 && why.contains("JPEG and PNG pictures up to 5 MB"), "{status} {why}");
    let id = chosen["files"][0]["id"].as_str().unwrap();
    let fields = [("csrf", agent.csrf.as_str())];
    agent.visitor.post(&format!("/console/cases/{case}/files/{id}"), &fields).await;
    agent.choose(&case, "größe.png", b"\x89PNG and so on").await;
    assert_eq!(agent.reply(&case, "r2", "").await.0, 303);
    let sent = desk.sent(before + 1).await;
    assert_eq!(sent.last().unwrap().request["type"], "image", "{:?}", sent.last());
    assert_eq!(desk.outbox.files()[0]["name"], "größe.png");
    // Sent again by an impatient agent, it is the same reply.
    assert!(agent.reply(&case, "r2", "").await.0 >= 400, "there is nothing to send any more");
    assert_eq!(desk.outbox.all().len(), before + 1);
}

async fn case_of(desk: &Connected, channel: &str) -> String {
    let found = eventually("the message becomes a case", || async {
        let (_, body) = desk.get(&format!("/v1/cases?channel={channel}")).await;
        let all: Value = serde_json::from_str(&body).unwrap();
        all["items"][0]["id"].as_str().map(str::to_owned)
    });
    found.await
}
