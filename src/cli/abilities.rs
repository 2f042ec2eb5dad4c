//! What an account says of what its owner can do: skills, channels, capacity.

use super::Failure;
use crate::domain::routing::{CAPACITY_MAX, Capacity, SKILL_ADVICE, skill};
use crate::store::Abilities;

/// The options of `user add` and `user set`. What is left out stays as it was.
#[derive(Debug, Default, clap::Args)]
pub(super) struct AbilityOptions {
    /// Something they know, as procedures ask for it; may be repeated
    #[arg(long = "skill", value_name = "SKILL")]
    skills: Vec<String>,
    /// A channel they serve; may be repeated. Without any they serve every one
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// How many cases of a channel fill them, as `web_chat=5`; may be repeated
    #[arg(long = "capacity", value_name = "CHANNEL=N")]
    capacity: Vec<String>,
}

impl AbilityOptions {
    /// Whether any was given.
    pub(super) fn any(&self) -> bool {
        !(self.skills.is_empty() && self.channels.is_empty() && self.capacity.is_empty())
    }

    /// The abilities with what was given in place of what was there. A single empty text takes a list away.
    pub(super) fn over(&self, before: Abilities) -> Result<Abilities, Failure> {
        let mut abilities = before;
        if !self.skills.is_empty() {
            let wrong = |text: &str| Failure::Usage(format!("`{text}` is no skill; {SKILL_ADVICE}"));
            abilities.skills = given(&self.skills)
                .map(|text| skill(text).ok_or_else(|| wrong(text)))
                .collect::<Result<_, _>>()?;
        }
        if !self.channels.is_empty() {
            abilities.channels = given(&self.channels).map(channel).collect::<Result<_, _>>()?;
        }
        if !self.capacity.is_empty() {
            abilities.capacity = Capacity(given(&self.capacity).map(capacity).collect::<Result<_, _>>()?);
        }
        Ok(abilities)
    }
}

fn given(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Any well-formed name: the operator's own channels are named by whoever sends their messages.
fn channel(text: &str) -> Result<String, Failure> {
    skill(text).ok_or_else(|| {
        Failure::Usage(format!("`{text}` is no channel; write a name such as `web_chat`, `email` or `voice`"))
    })
}

fn capacity(text: &str) -> Result<(String, u32), Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "`{text}` is no capacity; write how many cases of a channel fill them, 1 to {CAPACITY_MAX}, as `voice=1`"
        ))
    };
    let (name, count) = text.split_once('=').ok_or_else(wrong)?;
    let count = count.parse().ok().filter(|count| (1..=CAPACITY_MAX).contains(count)).ok_or_else(wrong)?;
    Ok((self::channel(name.trim())?, count))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn options(skills: &[&str], channels: &[&str], capacity: &[&str]) -> AbilityOptions {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        AbilityOptions { skills: words(skills), channels: words(channels), capacity: words(capacity) }
    }

    #[test]
    fn what_is_given_replaces_and_what_is_left_out_stays() {
        let first = options(&["warranty", "tents"], &["voice"], &["voice=1", "web_chat=3"]);
        let first = first.over(Abilities::default()).unwrap();
        assert_eq!(first.skills, ["warranty", "tents"]);
        let capacity = BTreeMap::from([("voice".to_owned(), 1), ("web_chat".to_owned(), 3)]);
        assert_eq!(first.capacity, Capacity(capacity));
        let then = options(&["boots"], &[""], &[]).over(first.clone()).unwrap();
        assert_eq!(
            (then.skills, then.channels, then.capacity),
            (vec!["boots".to_owned()], Vec::new(), first.capacity)
        );
        assert!(!options(&[], &[], &[]).any());
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        for (wrong, says) in [
            (options(&["Two Words"], &[], &[]), "lower-case"),
            (options(&[], &["Web Chat"], &[]), "`web_chat`"),
            (options(&[], &[], &["voice"]), "voice=1"),
            (options(&[], &[], &["voice=0"]), "1 to 100"),
            (options(&[], &[], &["Web Chat=2"]), "Web Chat"),
        ] {
            let error = wrong.over(Abilities::default()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
