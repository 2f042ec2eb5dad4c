//! What each medium can carry, as one table, and how a reply is fitted into it.

use super::files::{self, Files};
use crate::domain::message::{Author, Message};

/// How long one message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In characters.
    Chars(usize),
    /// In bytes of UTF-8.
    Bytes(usize),
}

impl Length {
    fn cost(self, c: char) -> usize {
        match self {
            Self::Chars(_) => 1,
            Self::Bytes(_) => c.len_utf8(),
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Chars(most) | Self::Bytes(most) => most,
        }
    }
}

/// How quick replies are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choices {
    /// As the medium's own buttons; what does not fit is written out with numbers.
    Native {
        /// Most buttons under one message.
        count_max: usize,
        /// Longest words on one, in characters.
        chars_max: usize,
    },
    /// Written under the text with numbers.
    Numbered,
    /// Said, one after the other.
    Spoken,
}

/// Bare words that ask something of the medium itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOutWords {
    /// None: they are words like any other.
    Ignored,
    /// One that ends all messages, and one that begins them again.
    Stop,
    /// Those, and "help", which carriers want answered.
    StopAndHelp,
}

/// A medium's rules towards the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The channel.
    pub channel: &'static str,
    /// Longest text of one message; a longer one leaves in parts.
    pub length: Length,
    /// Quick replies.
    pub choices: Choices,
    /// How long after the customer's last words there free words may be sent, in milliseconds; none: always.
    pub window_ms: Option<i64>,
    /// Whether a text that was approved beforehand may be sent after that.
    pub templates: bool,
    /// Whether codes to copy are sent again as a message of their own.
    pub codes_apart: bool,
    /// Which bare words are for the medium itself and never reach an assistant.
    pub opt_out: OptOutWords,
    /// Files that go with an answer.
    pub files: Files,
    /// Whether the provider tells by itself what became of a message: one whose answer was lost is waited for.
    pub statuses: bool,
}

const DAY_MS: i64 = 86_400_000;

const PLAIN: Rules = Rules {
    channel: "in_app",
    length: Length::Chars(20_000),
    choices: Choices::Native { count_max: 10, chars_max: 200 },
    window_ms: None,
    templates: false,
    codes_apart: false,
    opt_out: OptOutWords::Ignored,
    files: Files::Fetched,
    statuses: false,
};

const TEXT_ONLY: Files = Files::Refused("a text message carries no files");
const SPOKEN: Files = Files::Refused("the phone carries no files");
/// Instagram's pages contradict each other about files that are not fetched from a public address.
const BY_ADDRESS: Files = Files::Refused("Instagram takes only files that anybody could open on our site");

/// One line per medium. Sources: the vendors' pages named in each adapter.
#[rustfmt::skip]
pub const RULES: [Rules; 10] = [
    PLAIN,
    Rules { channel: "web_chat", ..PLAIN },
    Rules { channel: "email", choices: Choices::Numbered, length: Length::Chars(100_000), files: files::EMAIL, ..PLAIN },
    Rules { channel: "whatsapp", length: Length::Chars(4096), choices: Choices::Native { count_max: 10, chars_max: 24 },
        window_ms: Some(DAY_MS), templates: true, codes_apart: true, opt_out: OptOutWords::Stop,
        files: files::WHATSAPP, statuses: true },
    Rules { channel: "sms", length: Length::Chars(1600), choices: Choices::Numbered, codes_apart: true,
        opt_out: OptOutWords::StopAndHelp, files: TEXT_ONLY, statuses: true, ..PLAIN },
    Rules { channel: "voice", length: Length::Chars(3000), choices: Choices::Spoken, files: SPOKEN, ..PLAIN },
    Rules { channel: "messenger", length: Length::Chars(2000), choices: Choices::Native { count_max: 13, chars_max: 20 },
        window_ms: Some(DAY_MS), codes_apart: true, opt_out: OptOutWords::Stop, files: files::MESSENGER, ..PLAIN },
    Rules { channel: "instagram", length: Length::Bytes(1000), choices: Choices::Native { count_max: 13, chars_max: 20 },
        window_ms: Some(DAY_MS), codes_apart: true, opt_out: OptOutWords::Stop, files: BY_ADDRESS, ..PLAIN },
    Rules { channel: "telegram", length: Length::Chars(4096), choices: Choices::Native { count_max: 20, chars_max: 200 },
        codes_apart: true, opt_out: OptOutWords::Stop, files: files::TELEGRAM, ..PLAIN },
    Rules { channel: "slack", length: Length::Chars(4000), choices: Choices::Numbered, files: files::SLACK, ..PLAIN },
];

/// The rules of a channel; one of the operator's own is served like `in_app`.
pub fn of(channel: &str) -> &'static Rules {
    static OWN: Rules = PLAIN;
    RULES.iter().find(|rules| rules.channel == channel).unwrap_or(&OWN)
}

/// A part of a message as it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The words.
    pub text: String,
    /// Quick replies that are shown as buttons under it.
    pub choices: Vec<String>,
    /// Places of the files that leave with it, among those of the message.
    pub files: Vec<usize>,
}

impl Rules {
    /// Whether free words may be sent when the customer wrote so many milliseconds ago; `None`: never.
    pub fn window_open(&self, since_ms: Option<i64>) -> bool {
        self.window_ms.is_none_or(|window| since_ms.is_some_and(|since| since < window))
    }

    /// In how many parts a text leaves, and how long it is in what is counted here.
    pub fn measured(&self, text: &str) -> (usize, usize) {
        let parts =
            split(text, self.length).len() + usize::from(self.codes_apart && code_to_copy(text).is_some());
        (parts, text.chars().map(|c| self.length.cost(c)).sum())
    }

    /// The parts in which a message leaves, at least one; the same for the same message at every try.
    pub fn parts(&self, message: &Message) -> Vec<Part> {
        let shown = self.shown(&message.choices);
        let mut text = message.text.trim().to_owned();
        if !shown {
            for (at, choice) in message.choices.iter().enumerate() {
                let break_ = if at == 0 { "\n\n" } else { "\n" };
                match self.choices {
                    Choices::Spoken => text.extend([" ", choice, "."]),
                    Choices::Numbered | Choices::Native { .. } => {
                        text.extend([break_, &(at + 1).to_string(), ". ", choice]);
                    }
                }
            }
        }
        let mut parts: Vec<Part> =
            split(&text, self.length).into_iter().map(|text| Part { text, ..Part::default() }).collect();
        if shown && let Some(last) = parts.last_mut() {
            last.choices.clone_from(&message.choices);
        }
        if self.codes_apart
            && let Some(code) = code_to_copy(&message.text)
        {
            parts.push(Part { text: code.to_owned(), ..Part::default() });
        }
        self.attach(&mut parts, message);
        parts
    }

    /// Puts what an agent attached into the last part, or after it. A message of files alone has no words to send.
    fn attach(&self, parts: &mut Vec<Part>, message: &Message) {
        if message.author != Author::Agent {
            return;
        }
        let kept = message.attachments.iter().enumerate().filter(|(_, file)| file.id.is_some());
        let files: Vec<usize> = kept.map(|(at, _)| at).collect();
        match self.files {
            Files::Refused(_) | Files::Fetched => {}
            Files::Together { .. } => {
                if let Some(last) = parts.last_mut() {
                    last.files = files;
                }
            }
            Files::Apart(_) => {
                if !files.is_empty() && message.text.trim().is_empty() {
                    parts.clear();
                }
                parts.extend(files.into_iter().map(|at| Part { files: vec![at], ..Part::default() }));
            }
        }
    }

    fn shown(&self, choices: &[String]) -> bool {
        match self.choices {
            Choices::Native { count_max, chars_max } => {
                !choices.is_empty()
                    && choices.len() <= count_max
                    && choices.iter().all(|choice| choice.chars().count() <= chars_max)
            }
            Choices::Numbered | Choices::Spoken => false,
        }
    }
}

/// Cuts a text so that each piece fits: between paragraphs, lines, sentences or words, the coarsest that leaves more
/// than a third of the room; a word longer than the room anywhere.
fn split(text: &str, length: Length) -> Vec<String> {
    let most = length.most().max(4);
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let mut room = most;
        let fits = rest.char_indices().find_map(|(at, c)| {
            let cost = length.cost(c);
            if cost > room {
                return Some(at);
            }
            room -= cost;
            None
        });
        let Some(end) = fits else { break };
        let (head, _) = rest.split_at(end);
        let breaks = ["\n\n", "\n", ". ", "? ", "! ", "… ", "; ", " "];
        // The mark stays with what it ends.
        let found = breaks.iter().filter_map(|mark| head.rfind(mark).map(|at| at + mark.trim_end().len()));
        let cut = found.into_iter().find(|at| *at > end / 3).unwrap_or(end);
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece.trim_end().to_owned());
        rest = after.trim_start();
    }
    if pieces.is_empty() || !rest.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

/// A code that the customer will want to copy: capitals and digits after a word for "code".
fn code_to_copy(text: &str) -> Option<&str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let code = word.trim_matches(|c: char| !c.is_alphanumeric());
        let shaped = code.len() >= 6
            && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
            && code.bytes().any(|b| b.is_ascii_digit());
        let before = words.get(at.saturating_sub(3)..at).unwrap_or_default();
        let named = before.iter().any(|word| {
            let word = word.to_lowercase();
            ["code", "código", "codice"].iter().any(|name| word.contains(name))
        });
        (shaped && named).then_some(code)
    })
}

#[cfg(test)]
mod tests;
