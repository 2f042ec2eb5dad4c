//! The table, cell by cell, and how replies are fitted into it.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::{AttachmentId, CaseId, MessageId};
use crate::domain::message::{Attachment, Visibility};
use crate::domain::time::Timestamp;

fn message(text: &str, choices: &[&str]) -> Message {
    Message {
        id: MessageId::parse("m").unwrap(),
        case: CaseId::parse("c").unwrap(),
        seq: 1,
        author: Author::Assistant,
        agent: None,
        channel: "sms".to_owned(),
        text: text.to_owned(),
        at: Timestamp(0),
        visibility: Visibility::Public,
        citations: Vec::new(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        attachments: Vec::new(),
        turn: None,
    }
}

fn texts(channel: &str, text: &str, choices: &[&str]) -> Vec<String> {
    of(channel).parts(&message(text, choices)).into_iter().map(|part| part.text).collect()
}

fn size(length: Length, text: &str) -> usize {
    text.chars().map(|c| length.cost(c)).sum()
}

proptest! {
    #[test]
    fn every_part_fits_and_no_word_is_lost(words in prop::collection::vec("[a-zäß👍]{1,40}[.?!,]?", 0..400)) {
        let text = words.join(" ");
        for rules in RULES {
            let parts = rules.parts(&message(&text, &[]));
            prop_assert!(!parts.is_empty());
            for part in &parts {
                prop_assert!(size(rules.length, &part.text) <= rules.length.most(), "{}", rules.channel);
            }
            let all: Vec<&str> = parts.iter().flat_map(|part| part.text.split_whitespace()).collect();
            prop_assert_eq!(all, text.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_text_at_all_is_too_strange_to_be_cut(text in any::<String>()) {
        for rules in RULES {
            for part in rules.parts(&message(&text.repeat(40), &[])) {
                prop_assert!(size(rules.length, &part.text) <= rules.length.most());
            }
        }
    }
}

/// Each medium's length as a text that just fits and one that does not.
#[test]
fn one_more_than_fits_makes_a_second_part() {
    for rules in RULES {
        let fits = "x".repeat(rules.length.most());
        assert_eq!(rules.parts(&message(&fits, &[])).len(), 1, "{}", rules.channel);
        assert_eq!(rules.parts(&message(&format!("{fits}x"), &[])).len(), 2, "{}", rules.channel);
    }
    assert_eq!(texts("instagram", &"é".repeat(600), &[]).len(), 2, "Instagram counts bytes");
    assert_eq!(texts("messenger", &"é".repeat(600), &[]).len(), 1, "Messenger counts characters");
}

#[test]
fn a_long_text_is_cut_where_something_ends() {
    let sentence = "The parcel is on its way to you and will be there soon. ";
    let parts = texts("sms", &sentence.repeat(60), &[]);
    assert!(parts.len() > 1 && parts.iter().all(|part| part.ends_with("soon.")), "{parts:?}");
    let paragraphs = format!("{}\n\n{}", "a ".repeat(700).trim(), "b ".repeat(700).trim());
    assert_eq!(texts("sms", &paragraphs, &[]), paragraphs.split("\n\n").collect::<Vec<_>>());
}

#[test]
fn quick_replies_are_buttons_where_they_fit_and_numbers_or_words_elsewhere() {
    let choices = ["Yes", "No"];
    for rules in RULES {
        let parts = rules.parts(&message("Shall I?", &choices));
        let expected = match rules.choices {
            Choices::Native { .. } => ("Shall I?", vec!["Yes".to_owned(), "No".to_owned()]),
            Choices::Numbered => ("Shall I?\n\n1. Yes\n2. No", vec![]),
            Choices::Spoken => ("Shall I? Yes. No.", vec![]),
        };
        let [part] = parts.as_slice() else { panic!("{}: {parts:?}", rules.channel) };
        assert_eq!((part.text.as_str(), part.choices.clone()), expected, "{}", rules.channel);
        // One more than there are buttons, and one that is too long for a button.
        if let Choices::Native { count_max, chars_max } = rules.choices {
            let many: Vec<String> = (0..=count_max).map(|at| format!("n{at}")).collect();
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            let long = "x".repeat(chars_max + 1);
            for choices in [many.as_slice(), &[long.as_str()]] {
                let parts = rules.parts(&message("Which?", choices));
                assert!(parts.iter().all(|part| part.choices.is_empty()), "{}", rules.channel);
                assert!(parts[0].text.contains("1. "), "{}", rules.channel);
            }
        }
    }
}

#[test]
fn a_code_to_copy_is_a_message_of_its_own_where_that_helps() {
    let text = "Your return code is RT-20240X. Show it at the counter.";
    for rules in RULES {
        let parts = rules.parts(&message(text, &[]));
        assert_eq!(parts.len(), if rules.codes_apart { 2 } else { 1 }, "{}", rules.channel);
        assert!(!rules.codes_apart || parts[1].text == "RT-20240X");
    }
    for plain in ["The code of conduct applies.", "Order HP-10042 is on its way.", "Your code is ABC."] {
        assert_eq!(texts("sms", plain, &[]).len(), 1, "{plain}");
    }
}

#[test]
fn free_words_are_sent_while_the_window_is_open() {
    for rules in RULES {
        let Some(window) = rules.window_ms else {
            assert!(rules.window_open(None) && rules.window_open(Some(i64::MAX)), "{}", rules.channel);
            continue;
        };
        assert_eq!(window, 86_400_000, "{}", rules.channel);
        assert!(rules.window_open(Some(window - 1)) && !rules.window_open(Some(window)), "{}", rules.channel);
        assert!(!rules.window_open(None), "nobody has written there: {}", rules.channel);
    }
}

/// What an agent attached leaves as the medium takes it; what a customer sent, or what stays with another channel, never.
#[test]
fn files_leave_with_the_words_or_after_them_or_not_at_all() {
    let file = |name: &str, id: Option<&str>| Attachment {
        name: name.to_owned(),
        content_type: None,
        url: None,
        id: id.map(|id| AttachmentId::parse(id).unwrap()),
        content: None,
    };
    let files = vec![file("elsewhere", None), file("a.png", Some("f1")), file("b.pdf", Some("f2"))];
    for rules in RULES {
        let mut said = Message { author: Author::Agent, attachments: files.clone(), ..message("Here.", &[]) };
        let parts = |said: &Message| -> Vec<(String, Vec<usize>)> {
            rules.parts(said).into_iter().map(|part| (part.text, part.files)).collect()
        };
        let words = |files: &[usize]| ("Here.".to_owned(), files.to_vec());
        let bare = |files: &[usize]| (String::new(), files.to_vec());
        let (with_words, alone) = match rules.files {
            Files::Refused(_) | Files::Fetched => (vec![words(&[])], vec![bare(&[])]),
            Files::Together { .. } => (vec![words(&[1, 2])], vec![bare(&[1, 2])]),
            Files::Apart(_) => (vec![words(&[]), bare(&[1]), bare(&[2])], vec![bare(&[1]), bare(&[2])]),
        };
        assert_eq!(parts(&said), with_words, "{}", rules.channel);
        said.text.clear();
        assert_eq!(parts(&said), alone, "{}", rules.channel);
        let theirs = Message { author: Author::Customer, ..said };
        assert_eq!(parts(&theirs), [bare(&[])], "{}", rules.channel);
    }
    let refused: Vec<&str> =
        RULES.iter().filter(|rules| matches!(rules.files, Files::Refused(_))).map(|r| r.channel).collect();
    assert_eq!(refused, ["sms", "voice", "instagram"]);
}

/// The cells that are only looked up: who has what.
#[test]
fn the_table_says_of_each_medium_what_it_has() {
    let with = |has: fn(&Rules) -> bool| -> Vec<&str> {
        RULES.iter().filter(|rules| has(rules)).map(|rules| rules.channel).collect()
    };
    assert_eq!(with(|rules| rules.templates), ["whatsapp"]);
    assert_eq!(with(|rules| rules.statuses), ["whatsapp", "sms"]);
    assert_eq!(with(|rules| rules.opt_out == OptOutWords::StopAndHelp), ["sms"]);
    assert_eq!(
        with(|rules| rules.opt_out == OptOutWords::Stop),
        ["whatsapp", "messenger", "instagram", "telegram"]
    );
    assert_eq!(of("a channel of the operator's own").channel, "in_app");
}
