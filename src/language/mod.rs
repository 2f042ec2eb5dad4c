//! Text understanding.
pub mod classify;
pub mod signals {
    #![allow(missing_docs)]
    use crate::domain::triage::Urgency;
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Answer {
        Yes,
        No,
    }
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SmallTalk {
        Greeting,
        Thanks,
        Goodbye,
    }
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Alarm {
        Safety,
        SelfHarm,
        Legal,
        Fraud,
        Press,
    }
    impl Alarm {
        pub fn as_str(self) -> &'static str {
            "safety"
        }
        pub fn route(self) -> (&'static str, Urgency) {
            ("safety", Urgency::High)
        }
    }
    pub fn affirmation(t: &str) -> Option<Answer> {
        match t.trim() {
            "yes" => Some(Answer::Yes),
            "no" => Some(Answer::No),
            _ => None,
        }
    }
    pub fn small_talk(t: &str) -> Option<SmallTalk> {
        (t == "hi").then_some(SmallTalk::Greeting)
    }
    pub fn alarm(_: &str) -> Option<Alarm> {
        None
    }
    pub fn wants_person(_: &str) -> bool {
        false
    }
    pub fn takes_back(_: &str) -> bool {
        false
    }
    pub fn other_one(_: &str) -> bool {
        false
    }
    pub fn place(_: &str, _: usize) -> Option<usize> {
        None
    }
    pub fn choice(_: &str, _: &[String]) -> Option<usize> {
        None
    }
    pub fn described(_: &str, _: &[String]) -> Option<usize> {
        None
    }
}
pub mod extract {
    #![allow(missing_docs)]
    use std::borrow::Cow;
    #[derive(Debug, Clone)]
    pub struct Amount {
        pub minor: i64,
        pub currency: Option<String>,
    }
    pub fn emails(_: &str) -> Vec<String> {
        vec![]
    }
    pub fn amounts(_: &str) -> Vec<Amount> {
        vec![]
    }
    pub fn dates(_: &str, _: jiff::civil::Date) -> Vec<jiff::civil::Date> {
        vec![]
    }
    pub fn numbers(_: &str) -> Vec<i64> {
        vec![]
    }
    pub fn by_pattern(t: &str, p: &str) -> Vec<String> {
        regex::Regex::new(p)
            .map(|r| r.find_iter(t).map(|m| m.as_str().to_owned()).collect())
            .unwrap_or_default()
    }
    pub fn address(_: &str) -> Option<String> {
        None
    }
    pub fn mask_cards(t: &str) -> Cow<'_, str> {
        Cow::Borrowed(t)
    }
}
pub mod detect {
    #![allow(missing_docs)]
    pub fn language(_: &str) -> Option<String> {
        None
    }
}
pub mod mood {
    #![allow(missing_docs)]
    use crate::domain::triage::*;
    pub fn urgency(_: &str) -> Urgency {
        Urgency::Normal
    }
    pub fn sentiment(_: &str) -> Sentiment {
        Sentiment::Neutral
    }
}
pub mod sentences {
    #![allow(missing_docs)]
    pub fn clean(t: &str) -> String {
        t.to_owned()
    }
    pub fn requests(t: &str) -> Vec<&str> {
        vec![t]
    }
    pub fn split(t: &str) -> Vec<&str> {
        vec![t]
    }
}
