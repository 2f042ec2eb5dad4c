//! One suite for every adapter, over the provider that is played: the program itself takes its requests.

use firstline::app::SystemClock;
use firstline::channels::{ChannelAdapter, ChannelError, Incoming};
use firstline::domain::time::{Clock, Timestamp};
use firstline::providers::{Provider, ProviderCall, Said};
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::channel_fixtures::{fixtures, posted};
use crate::support::played::{BASE, as_webhook, channels, each, take as take_at};

/// When the fixtures happen.
const THEN: Timestamp = Timestamp(1_749_416_400_000);

fn take(adapter: &dyn ChannelAdapter, call: &ProviderCall) -> Result<Vec<Incoming>, ChannelError> {
    take_at(adapter, call, SystemClock.now())
}

fn said(provider: &dyn Provider, text: &str) -> ProviderCall {
    said_at(provider, text, SystemClock.now())
}

fn said_at(provider: &dyn Provider, text: &str, at: Timestamp) -> ProviderCall {
    let from = provider.address(7);
    let said = Said { from: &from, name: "Ann Baker", text, id: 41, at };
    provider.says(&said, BASE)
}

/// A fixture as a tree: JSON, or the fields of a form.
fn tree(name: &str, body: &[u8]) -> Option<Value> {
    if has_extension(name, "form") {
        let fields = form_urlencoded::parse(body).map(|(key, value)| (key.into_owned(), Value::from(value)));
        return Some(Value::Object(fields.collect()));
    }
    serde_json::from_slice(body).ok()
}

/// The tree written as the fixture was. A field of a form is a text, stands several times, or is not there.
fn bytes(name: &str, tree: &Value) -> Vec<u8> {
    let (true, Some(fields)) = (has_extension(name, "form"), tree.as_object()) else {
        return tree.to_string().into_bytes();
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (key, value) in fields {
        let written = match value {
            Value::Null => vec![],
            Value::String(text) => vec![text.clone()],
            Value::Array(_) => vec!["a stranger".to_owned(); 2],
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![value.to_string()],
        };
        form.extend_pairs(written.iter().map(|text| (key, text)));
    }
    form.finish().into_bytes()
}

fn has_extension(name: &str, extension: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|found| found == extension)
}

fn texts(taken: &[Incoming]) -> Vec<&str> {
    let mut texts = Vec::new();
    for one in taken {
        match one {
            Incoming::Message(message) => texts.push(message.text.as_str()),
            Incoming::Status(_) | Incoming::Nothing(_) => {}
        }
    }
    texts
}

#[test]
fn a_plain_message_is_read_as_it_was_written() {
    each(|provider, adapter| {
        let text = "Where is HP-10042? Größe 42 👍";
        let taken = take(adapter, &said(provider, text)).unwrap();
        let [Incoming::Message(message)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(message.text, text, "{}", provider.channel());
        assert_eq!(message.sender.address, provider.address(7));
        assert_eq!(message.channel, provider.channel());
        assert_eq!(message.sender.external_id, None, "no provider's word makes a customer verified");
    });
}

#[test]
fn a_request_that_was_changed_anywhere_or_carries_no_signature_is_refused() {
    each(|provider, adapter| {
        let call = said(provider, "hello");
        let unsigned = ProviderCall { headers: Vec::new(), ..call.clone() };
        assert!(take(adapter, &unsigned).is_err(), "{}", provider.channel());
        for at in 0..call.headers.len() {
            let (name, value) = call.headers[at].clone();
            if name == "content-type" {
                continue;
            }
            for place in 0..value.len() {
                let mut changed = value.clone().into_bytes();
                changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
                let mut forged = call.clone();
                forged.headers[at].1 = String::from_utf8_lossy(&changed).into_owned();
                let refused = take(adapter, &forged);
                assert!(
                    matches!(refused, Err(ChannelError::Forged(_))),
                    "{} {name} {place}",
                    provider.channel()
                );
            }
        }
    });
}

/// A header that proves the sender without the body, such as a shared secret, says nothing of what was changed.
#[test]
fn a_signature_does_not_fit_other_bytes() {
    each(|provider, adapter| {
        let call = said(provider, "hello");
        let other = provider.signed(&call, b"{}".to_vec(), BASE);
        if other.headers == call.headers {
            return;
        }
        for place in 0..call.body.len() {
            let mut forged = call.clone();
            forged.body[place] ^= 1;
            let refused = take(adapter, &forged);
            assert!(matches!(refused, Err(ChannelError::Forged(_))), "{} {place}", provider.channel());
        }
    });
}

#[test]
fn no_truncation_of_a_request_panics_or_is_taken_for_the_whole() {
    each(|provider, adapter| {
        let call = said(provider, "hello there, where is my parcel");
        for end in 0..call.body.len() {
            let cut = provider.signed(&call, call.body[..end].to_vec(), BASE);
            // What it says is of no matter here: it must come back, and not with the whole message.
            if let Ok(taken) = take(adapter, &cut) {
                let whole = texts(&taken).contains(&"hello there, where is my parcel");
                assert!(!whole || end + 2 >= call.body.len(), "{}", provider.channel());
            }
        }
    });
}

/// Every value of a JSON tree, one at a time, replaced by values of every type.
fn with_wrong_types(value: &Value, test: &mut dyn FnMut(Value)) {
    let strangers = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!("a stranger"),
        json!([]),
        json!([[{}]]),
        json!({"a": {"b": 1}}),
    ];
    strangers.into_iter().for_each(&mut *test);
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                with_wrong_types(inner, &mut |changed| {
                    let mut whole = value.clone();
                    whole[name] = changed;
                    test(whole);
                });
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                with_wrong_types(inner, &mut |changed| {
                    let mut whole = value.clone();
                    whole[at] = changed;
                    test(whole);
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Words by which facts are told that come as fields.
const OURS: [&str; 7] = ["Location", "Contact", "Order", "from", "the", "catalogue", "at"];

#[test]
fn wrong_types_at_every_field_of_every_fixture_come_back_without_words_that_nobody_wrote() {
    let tried = std::cell::Cell::new(0);
    each(|provider, adapter| {
        for (name, body) in fixtures(provider.channel()) {
            let Some(value) = tree(&name, &body) else { continue };
            with_wrong_types(&value, &mut |changed| {
                tried.set(tried.get() + 1);
                let body = format!("{changed} a stranger");
                let call = posted(provider, bytes(&name, &changed));
                for text in texts(&take_at(adapter, &call, THEN).unwrap_or_default()) {
                    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                    let strange: Vec<&str> =
                        words.filter(|word| !body.contains(word) && !OURS.contains(word)).collect();
                    assert!(strange.is_empty(), "{} {name}: {strange:?} in {text}", provider.channel());
                    // In a form everything is a text.
                    let written_out = !has_extension(&name, "form")
                        && (text == "null" || text == "true" || text.contains("{\""));
                    assert!(!written_out, "{} {name}: {text}", provider.channel());
                }
            });
        }
    });
    assert!(tried.get() > 10_000, "{} were tried", tried.get());
}

/// Texts that break careless readers.
fn naughty() -> Vec<String> {
    vec![
        "\u{1}\u{7}\u{1b}[31m".to_owned() + "red",
        "\r\n\t tabs and breaks".to_owned(),
        "\u{202e}txet desrever\u{2066}".to_owned(),
        "\u{feff}\u{200b}invisible".to_owned(),
        "'; drop table messages; --".to_owned(),
        "{{ 7 * 7 }} {% raw %} ${jndi:ldap://x} %s %n".to_owned(),
        "<script>alert(1)</script> &lt;b&gt; &amp;amp; <@U1> <!channel>".to_owned(),
        "../../etc/passwd\\..\\".to_owned(),
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L".to_owned(),
        "👩‍👩‍👧‍👦🏳️‍🌈".to_owned(),
        "word".repeat(5_000),
        "null".to_owned(),
        "1e309".to_owned(),
    ]
}

#[test]
fn naughty_words_are_kept_to_the_letter() {
    each(|provider, adapter| {
        // A phone hears words, not letters, and of a mail only what stands between its blank lines is a text.
        if ["voice", "email"].contains(&provider.channel()) {
            return;
        }
        for text in naughty() {
            let call = said(provider, &text);
            let taken = take(adapter, &call).unwrap();
            let shown: String = text.chars().take(40).collect();
            assert_eq!(texts(&taken), [text.as_str()], "{} {shown}", provider.channel());
        }
    });
}

#[test]
fn naughty_strings_in_every_field_come_back_and_never_break_a_line_of_a_name() {
    each(|provider, adapter| {
        for (name, body) in fixtures(provider.channel()) {
            let Some(value) = tree(&name, &body) else { continue };
            with_naughty(&value, &mut |changed| {
                let call = posted(provider, bytes(&name, &changed));
                for one in take_at(adapter, &call, THEN).unwrap_or_default() {
                    let Incoming::Message(message) = one else { continue };
                    let sender = &message.sender;
                    let lines = message.attachments.iter().map(|file| &file.name);
                    let lines = lines.chain([&message.external_id, &message.conversation, &sender.address]);
                    for line in lines.chain(&sender.name) {
                        assert!(
                            !line.chars().any(char::is_control),
                            "{} {name}: {line:?}",
                            provider.channel()
                        );
                        assert!(line.chars().count() <= 600, "{} {name}", provider.channel());
                    }
                }
            });
        }
    });
}

/// Every string of a JSON tree, one at a time, replaced by each naughty one.
fn with_naughty(value: &Value, test: &mut dyn FnMut(Value)) {
    match value {
        Value::String(_) => naughty().into_iter().for_each(|text| test(Value::String(text))),
        Value::Object(fields) => {
            for (name, inner) in fields {
                with_naughty(inner, &mut |changed| {
                    let mut whole = value.clone();
                    whole[name] = changed;
                    test(whole);
                });
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                with_naughty(inner, &mut |changed| {
                    let mut whole = value.clone();
                    whole[at] = changed;
                    test(whole);
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn a_nul_or_half_a_character_is_refused_and_a_word_of_a_megabyte_never_passes_for_a_message() {
    each(|provider, adapter| {
        let call = said(provider, "PLACE");
        let body = String::from_utf8(call.body.clone()).unwrap();
        if serde_json::from_str::<Value>(&body).is_ok() {
            for escape in ["\\u0000", "\\ud83d", "\\udc4d\\ud83d"] {
                let bad = provider.signed(&call, body.replace("PLACE", escape).into_bytes(), BASE);
                let refused = take(adapter, &bad);
                assert!(
                    matches!(refused, Err(ChannelError::Malformed(_))),
                    "{} {escape}",
                    provider.channel()
                );
            }
        }
        let long = provider.signed(&call, body.replace("PLACE", &"x".repeat(1_048_576)).into_bytes(), BASE);
        let taken = take(adapter, &long).unwrap_or_default();
        assert!(texts(&taken).iter().all(|text| text.chars().count() <= 20_000), "{}", provider.channel());
    });
}

#[test]
fn what_was_signed_ten_minutes_before_or_after_is_refused_where_time_is_signed() {
    let now = SystemClock.now();
    each(|provider, adapter| {
        let call = said_at(provider, "hello", now);
        let headers = call.headers.iter().any(|(name, _)| name.contains("timestamp"));
        let timed = headers || call.body.starts_with(b"timestamp=");
        for ms in [-600_000, -301_000, 301_000, 600_000] {
            let taken = take_at(adapter, &call, now.plus_ms(ms));
            let forged = matches!(taken, Err(ChannelError::Forged(_)));
            assert_eq!(forged, timed, "{} {ms}", provider.channel());
        }
        assert!(take_at(adapter, &call, now.plus_ms(-290_000)).is_ok(), "{}", provider.channel());
        assert!(take_at(adapter, &call, now.plus_ms(290_000)).is_ok(), "{}", provider.channel());
    });
}

#[test]
fn meta_is_given_its_challenge_for_the_right_token_alone() {
    let channels = channels();
    for name in ["whatsapp", "messenger", "instagram"] {
        let adapter = channels.named(name).unwrap();
        let asked = |query: &str| {
            let target = format!("/channels/{name}?{query}");
            let call = ProviderCall { method: Method::GET, target, headers: Vec::new(), body: Vec::new() };
            as_webhook(&call, THEN, |webhook| adapter.greet(webhook)).unwrap()
        };
        let right = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=simulated-verify-token";
        assert_eq!(asked(right).unwrap().body, "1158201444");
        for wrong in [
            "",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=simulated-verify-tokem",
            "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=simulated-verify-token",
            "hub.mode=subscribe&hub.verify_token=simulated-verify-token",
        ] {
            assert!(matches!(asked(wrong), Err(ChannelError::Forged(_))), "{name} {wrong}");
        }
    }
}

#[test]
fn slack_is_given_its_challenge_only_when_it_signed_the_request() {
    let channels = channels();
    let adapter = channels.named("slack").unwrap();
    let provider = firstline::providers::all().into_iter().find(|one| one.channel() == "slack").unwrap();
    let body = fixtures("slack").remove("url_verification.json").unwrap();
    let mut call = posted(provider.as_ref(), body);
    let greeting = |call: &ProviderCall| as_webhook(call, THEN, |webhook| adapter.greet(webhook)).unwrap();
    assert_eq!(greeting(&call).unwrap().body, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P");
    call.headers.pop();
    assert!(matches!(greeting(&call), Err(ChannelError::Forged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_adapter_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        each(|provider, adapter| drop(take_at(adapter, &posted(provider, bytes.clone()), THEN)));
    }

    #[test]
    fn no_adapter_panics_on_any_bytes_inside_a_message(text in "\\PC{0,60}", cut in 0_usize..2000, byte in any::<u8>()) {
        each(|provider, adapter| {
            let call = said_at(provider, &text, THEN);
            let mut body = call.body.clone();
            let at = cut % body.len().max(1);
            body[at] = byte;
            drop(take_at(adapter, &provider.signed(&call, body, BASE), THEN));
        });
    }
}
