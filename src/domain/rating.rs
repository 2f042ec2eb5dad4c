//! What a customer thinks of how their case was settled.

use serde::{Deserialize, Serialize};

use super::ids::{CaseId, CustomerId, MessageId};
use super::time::Timestamp;

/// The best score.
pub const SCORE_MAX: i64 = 5;
/// Longest comment that is kept, in characters.
pub const COMMENT_CHARS_MAX: usize = 2000;

/// How a score was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// From 1 to 5.
    Five,
    /// A thumb up counts as 5, a thumb down as 1.
    Thumbs,
}

impl Scale {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Five => "five",
            Self::Thumbs => "thumbs",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Five, Self::Thumbs].into_iter().find(|scale| scale.as_str() == text)
    }

    /// What can be answered, worst first.
    pub fn answers(self) -> &'static [&'static str] {
        match self {
            Self::Five => &["1", "2", "3", "4", "5"],
            Self::Thumbs => &["👎", "👍"],
        }
    }
}

/// A score, and a word about it if they like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// From 1 to 5.
    pub points: i64,
    /// How it was given.
    pub scale: Scale,
    /// Why, in the customer's words.
    pub comment: Option<String>,
}

impl Score {
    /// Points that somebody gave; none where they are not from 1 to 5.
    pub fn new(points: i64, scale: Scale, comment: Option<String>) -> Option<Self> {
        (1..=SCORE_MAX).contains(&points).then_some(Self { points, scale, comment })
    }

    /// Reads an answer: a bare digit from 1 to 5, "4/5", or a thumb; after a mark also a word about it. "2 of them are
    /// broken" is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        for (thumb, points) in [("👍", SCORE_MAX), ("👎", 1)] {
            if let Some(rest) = text.strip_prefix(thumb) {
                // Signs that only colour the thumb.
                let rest =
                    rest.trim_start_matches(|c: char| matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'));
                return Self::new(points, Scale::Thumbs, comment(rest));
            }
        }
        let mut letters = text.chars();
        let points = i64::from(letters.next()?.to_digit(10)?);
        let rest = letters.as_str();
        let rest = rest.strip_prefix("/5").unwrap_or(rest);
        let apart = rest.trim_start().chars().next().is_none_or(|mark| {
            matches!(mark, ',' | ';' | ':' | '.' | '!' | '-' | '–' | '—') || rest.starts_with('\n')
        });
        // "5.50" and "1-2 days" are figures of something else.
        let figure =
            rest.trim_start_matches(['.', ',', '-', ':', '/']).starts_with(|c: char| c.is_ascii_digit());
        if !apart || figure {
            return None;
        }
        Self::new(points, Scale::Five, comment(rest))
    }
}

fn comment(rest: &str) -> Option<String> {
    let words = rest.trim().trim_start_matches([',', ';', ':', '.', '!', '-', '–', '—']).trim();
    let words: String = words.chars().take(COMMENT_CHARS_MAX).collect();
    (!words.is_empty()).then_some(words)
}

/// What a customer was asked about a case, and what they answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// The case; each is asked about once.
    pub case: CaseId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Where they were asked.
    pub channel: String,
    /// The thread there.
    pub conversation: String,
    /// Who resolved it: `assistant`, or `agent:` and an id.
    pub of: String,
    /// The message that asked; none where nobody was.
    pub message: Option<MessageId>,
    /// Its place in the thread.
    pub asked_seq: i64,
    /// When.
    pub asked_at: Timestamp,
    /// Why nobody was asked.
    pub skipped: Option<String>,
    /// The answer, and when it came.
    pub score: Option<(Score, Timestamp)>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bare_score_is_read_and_words_after_a_mark_are_about_it() {
        let table = [
            ("5", Some((5, None))),
            (" 1 ", Some((1, None))),
            ("4/5", Some((4, None))),
            ("3.", Some((3, None))),
            ("5, very quick", Some((5, Some("very quick")))),
            ("2 - nobody called", Some((2, Some("nobody called")))),
            ("4\nfriendly", Some((4, Some("friendly")))),
            ("👍", Some((5, None))),
            ("👍🏽 thanks", Some((5, Some("thanks")))),
            ("👎 too slow", Some((1, Some("too slow")))),
            ("0", None),
            ("6", None),
            ("12", None),
            ("2 of them are broken", None),
            ("5.50 please", None),
            ("1-2 days", None),
            ("3/4", None),
            ("thanks", None),
            ("", None),
        ];
        for (text, expected) in table {
            let read = Score::read(text).map(|score| (score.points, score.comment));
            let expected = expected.map(|(points, comment)| (points, comment.map(str::to_owned)));
            assert_eq!(read, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            if let Some(score) = Score::read(&text) {
                prop_assert!((1..=SCORE_MAX).contains(&score.points));
            }
        }
    }
}
