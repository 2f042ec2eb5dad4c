//! What providers post: signed, whole, and told when not to post it again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::domain::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const BOUNDARY: &str = "form-boundary";

fn taken(path: &str, headers: &[(&str, String)], body: &[u8]) -> Result<Vec<Incoming>, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let url = format!("https://desk.example/channels/email/{path}");
    let webhook =
        Webhook { method: &Method::POST, path, url: &url, query: "", headers: &map, body, now: NOW };
    let email =
        Email::new(&settings(), Bounds { text_chars_max: 20_000, attachments_max: 20, depth_max: 32 })
            .unwrap();
    email.verify(&webhook).and_then(|()| email.parse(&webhook)).map_err(|error| error.to_string())
}

fn only_message(taken: &Result<Vec<Incoming>, String>) -> InboundMessage {
    match taken.as_ref().map(Vec::as_slice) {
        Ok([Incoming::Message(message)]) => message.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn signature(timestamp: &str, token: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"mailgun key").unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(token.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A form of these fields; those whose name begins with `attachment` are files.
fn multipart(fields: &[(&str, Vec<u8>)]) -> (Vec<(&'static str, String)>, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let file = if name.starts_with("attachment-") || *name == "attachment1" {
            "; filename=\"../lamp.jpg\"\r\nContent-Type: image/jpeg"
        } else {
            ""
        };
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes(),
        );
        body.extend(value);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    (vec![("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))], body)
}

fn signed<'a>(seconds: &str, fields: &[(&'a str, Vec<u8>)]) -> Vec<(&'a str, Vec<u8>)> {
    let mut all: Vec<(&str, Vec<u8>)> = fields.to_vec();
    all.push(("timestamp", seconds.into()));
    all.push(("token", b"token".to_vec()));
    all.push(("signature", signature(seconds, "token").into_bytes()));
    all
}

fn basic(of: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", STANDARD.encode(of)))
}

const HEADERS: &str = "[[\"Authentication-Results\",\"mx.shop.example; dmarc=pass header.from=mail.example\"],[\"From\",\"Ann <Ann@mail.example>\"],[\"Subject\",\"Größe\\r\\nEvil: x\"],[\"Message-Id\",\"<1@mail.example>\"],[\"Auto-Submitted\",\"no\"]]";

#[test]
fn mailgun_posts_raw_mails_and_fields() {
    let raw = signed(
        "1800000000",
        &[("body-mime", fixture("plain")), ("recipient", b"support@shop.example".to_vec())],
    );
    let (headers, body) = multipart(&raw);
    assert_eq!(only_message(&taken(MAILGUN, &headers, &body)), message("plain"));
    let fields = signed(
        "1799999701",
        &[
            ("message-headers", HEADERS.into()),
            ("body-plain", "Ist 42 da?\n\nAm 1.1. schrieb x@y.example:\n> z".into()),
            ("body-html", b"<p>no</p>".to_vec()),
            ("attachment-1", b"\xff\xd8\x00".to_vec()),
        ],
    );
    let (headers, body) = multipart(&fields);
    let mail = only_message(&taken(MAILGUN, &headers, &body));
    assert_eq!(mail.text, "Größe Evil: x\n\nIst 42 da?");
    assert_eq!(
        (mail.sender.address.as_str(), mail.sender.assurance),
        ("Ann@mail.example", Assurance::Channel)
    );
    assert_eq!(files(&mail), ["lamp.jpg"]);
    let page = signed(
        "1800000000",
        &[("from", b"ann@mail.example".to_vec()), ("body-html", b"<p>only <b>this</b></p>".to_vec())],
    );
    let (headers, body) = multipart(&page);
    assert_eq!(only_message(&taken(MAILGUN, &headers, &body)).text, "only this");
    let form: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(
            signed("1800000000", &[("body-mime", fixture("reply"))])
                .iter()
                .map(|(name, value)| (*name, String::from_utf8_lossy(value))),
        )
        .finish();
    let kind = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    assert_eq!(only_message(&taken(MAILGUN, &kind, form.as_bytes())), message("reply"));
}

#[test]
fn bytes_that_are_no_utf8_come_through_a_form() {
    let raw =
        b"From: ann@mail.example\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xf6\xdfe".to_vec();
    let escaped = raw.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let (time, sign) = ("1800000000", signature("1800000000", "token"));
    let form = format!("timestamp={time}&token=token&signature={sign}&body-mime={escaped}");
    let kind = [("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
    assert_eq!(only_message(&taken(MAILGUN, &kind, form.as_bytes())).text, "Größe");
}

#[test]
fn a_signature_that_is_wrong_anywhere_or_old_is_refused() {
    let sent = |seconds: &str, token: &str, signature: &str| {
        let fields = [
            ("timestamp", seconds.into()),
            ("token", token.into()),
            ("signature", signature.into()),
            ("body-mime", fixture("plain")),
        ];
        let (headers, body) = multipart(&fields);
        taken(MAILGUN, &headers, &body).is_ok()
    };
    let right = signature("1800000000", "token");
    assert!(sent("1800000000", "token", &right));
    assert!(
        !sent("1800000000", "tokem", &right)
            && !sent("1800000001", "token", &right)
            && !sent("1800000000", "token", "")
    );
    for at in 0..right.len() {
        let mut wrong = right.clone().into_bytes();
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        assert!(!sent("1800000000", "token", &String::from_utf8(wrong).unwrap()), "{at}");
    }
    for seconds in ["1800000301", "1799999699", "0", "-1", "9223372036854775807", "x", ""] {
        assert!(!sent(seconds, "token", &signature(seconds, "token")), "{seconds}");
    }
}

#[test]
fn postmark_posts_raw_mails_and_fields_under_its_password() {
    let raw = json!({"RawEmail": String::from_utf8(fixture("reply")).unwrap()}).to_string();
    let right = [basic("postmark:password")];
    assert_eq!(only_message(&taken(POSTMARK, &right, raw.as_bytes())), message("reply"));
    for wrong in ["", "postmark:", "postmark:passwore", "sendgrid:password"] {
        assert!(taken(POSTMARK, &[basic(wrong)], raw.as_bytes()).is_err(), "{wrong}");
    }
    assert!(taken(POSTMARK, &[], raw.as_bytes()).is_err());
    let fields = json!({
        "From": "Ann@mail.example", "To": "support@shop.example", "Subject": "Lamp\r\nEvil: x", "TextBody": "It is broken.",
        "Headers": [{"Name": "Message-ID", "Value": "<2@mail.example>"}, {"Name": "From", "Value": "evil@evil.example"},
            {"Name": "Authentication-Results", "Value": "mx.shop.example; dmarc=pass header.from=mail.example"}],
        "Attachments": [{"Name": "a/b/lamp.jpg", "ContentType": "image/jpeg", "Content": "/9j/"}],
    });
    let mail = only_message(&taken(POSTMARK, &right, fields.to_string().as_bytes()));
    assert_eq!(
        (mail.text.as_str(), mail.sender.address.as_str()),
        ("Lamp Evil: x\n\nIt is broken.", "Ann@mail.example")
    );
    assert_eq!(files(&mail), ["lamp.jpg"]);
    for bad in ["", "[]", "{}", "{\"From\":1}", "null", "{\"RawEmail\""] {
        assert!(taken(POSTMARK, &right, bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn sendgrid_posts_raw_mails_and_fields_in_their_own_charsets() {
    let envelope = json!({"to": ["support@shop.example"], "from": "ann@mail.example"}).to_string();
    let (mut headers, body) =
        multipart(&[("email", fixture("plain")), ("envelope", envelope.clone().into_bytes())]);
    headers.push(basic("sendgrid:password"));
    assert_eq!(only_message(&taken(SENDGRID, &headers, &body)), message("plain"));
    let header = "Authentication-Results: mx.shop.example; dmarc=pass header.from=mail.example\nFrom: Ann@mail.example\n\nContent-Type: multipart/alternative; boundary=x\nSubject: Lampe\n";
    let charsets = json!({"text": "iso-8859-1", "subject": "UTF-8"}).to_string();
    let fields = [
        ("headers", header.into()),
        ("text", b"Sie ist gr\xf6\xdfer.".to_vec()),
        ("charsets", charsets.into_bytes()),
        ("envelope", envelope.into_bytes()),
        ("attachment1", b"\xff\xd8".to_vec()),
    ];
    let (mut headers, body) = multipart(&fields);
    headers.push(basic("sendgrid:password"));
    let mail = only_message(&taken(SENDGRID, &headers, &body));
    assert_eq!(mail.text, "Lampe\n\nSie ist größer.");
    assert_eq!(files(&mail), ["lamp.jpg"]);
    headers.pop();
    assert!(taken(SENDGRID, &headers, &body).is_err());
}

#[test]
fn no_truncation_of_a_form_panics_or_is_taken_for_the_whole() {
    let fields = signed("1800000000", &[("body-mime", fixture("plain"))]);
    let (headers, body) = multipart(&fields);
    for end in 0..body.len() - 4 {
        assert!(taken(MAILGUN, &headers, &body[..end]).is_err(), "{end}");
    }
    assert!(taken("elsewhere", &headers, &body).is_err());
    assert!(taken(MAILGUN, &[("content-type", "multipart/form-data".to_owned())], &body).is_err());
    let many: Vec<(&str, Vec<u8>)> = (0..1001).map(|_| ("x", Vec::new())).collect();
    let (headers, body) = multipart(&many);
    assert!(taken(MAILGUN, &headers, &body).unwrap_err().contains("1000 fields"));
}
