//! Files that go with an answer: what each medium takes of them, and how one is handed over.
//!
//! Sources: WhatsApp "Supported media types"; Telegram Bot API `sendPhoto`, `sendDocument`; Messenger "Saving assets";
//! Slack `files.getUploadURLExternal`.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::multipart::Part;

use super::ChannelError;

/// A megabyte as the vendors' pages write it, reckoned the smaller way.
const MB: usize = 1_000_000;
/// Longest type of a file that is passed on, in characters.
const TYPE_CHARS_MAX: usize = 100;
/// What nothing else is known of.
const BYTES: &str = "application/octet-stream";

/// A file on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its MIME type.
    pub content_type: String,
    /// The file.
    pub content: Arc<[u8]>,
}

impl File {
    /// A file whose type is the declared one, or follows from its name.
    pub fn new(name: &str, declared: Option<&str>, content: Arc<[u8]>) -> Self {
        Self { name: name.to_owned(), content_type: content_type(name, declared), content }
    }

    /// The file as a body, without another copy of it.
    pub(super) fn body(&self) -> reqwest::Body {
        Bytes::from_owner(self.content.clone()).into()
    }

    /// The file as a part of a form.
    pub(super) fn part(&self) -> Result<Part, ChannelError> {
        Part::stream_with_length(self.body(), self.content.len() as u64)
            .file_name(self.name.clone())
            .mime_str(&self.content_type)
            .map_err(|_| ChannelError::Permanent("the type of the file cannot be written".to_owned()))
    }
}

/// The type of a file: as it was declared, where that says something, else by the ending of its name.
pub fn content_type(name: &str, declared: Option<&str>) -> String {
    let declared = declared.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let declared = declared.trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let whole = declared.len() <= TYPE_CHARS_MAX
        && declared.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    match declared.as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        "audio/mp3" => "audio/mpeg".to_owned(),
        _ if whole && declared != BYTES => declared,
        _ => mime_guess::from_path(name).first_raw().unwrap_or(BYTES).to_owned(),
    }
}

/// Files that a medium takes in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What the medium calls such a message.
    pub name: &'static str,
    /// Their types; one that ends with `/` stands for all below it, an empty one for any.
    pub types: &'static [&'static str],
    /// Largest, in bytes.
    pub bytes_max: usize,
    /// As an agent reads it.
    pub words: &'static str,
}

impl Kind {
    fn takes(&self, content_type: &str) -> bool {
        self.types.iter().any(|known| {
            known.is_empty()
                || *known == content_type
                || (known.ends_with('/') && content_type.starts_with(known))
        })
    }
}

/// What a medium takes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// None, and why.
    Refused(&'static str),
    /// Any: whoever reads the message fetches them from us.
    Fetched,
    /// Any, in the same message as the words; so many bytes together.
    Together {
        /// The most.
        bytes_max: usize,
    },
    /// Each as a message of its own, after the words.
    Apart(&'static [Kind]),
}

/// A mail takes any; how much of them is a setting.
pub(super) const EMAIL: Files = Files::Together { bytes_max: usize::MAX };

#[rustfmt::skip]
pub(super) const WHATSAPP: Files = Files::Apart(&[
    Kind { name: "image", types: &["image/jpeg", "image/png"], bytes_max: 5 * MB, words: "JPEG and PNG pictures up to 5 MB" },
    Kind { name: "video", types: &["video/mp4", "video/3gp", "video/3gpp"], bytes_max: 16 * MB, words: "MP4 and 3GP up to 16 MB" },
    Kind { name: "audio", types: &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"], bytes_max: 16 * MB,
        words: "AAC, AMR, MP3, M4A and Ogg up to 16 MB" },
    Kind { name: "document", types: &["application/pdf", "text/plain", "application/msword", "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"], bytes_max: 100 * MB,
        words: "PDF, text and Office documents up to 100 MB" },
]);

#[rustfmt::skip]
pub(super) const TELEGRAM: Files = Files::Apart(&[
    Kind { name: "photo", types: &["image/jpeg", "image/png"], bytes_max: 10 * MB, words: "pictures up to 10 MB" },
    Kind { name: "document", types: &[""], bytes_max: 50 * MB, words: "any file up to 50 MB" },
]);

#[rustfmt::skip]
pub(super) const MESSENGER: Files = Files::Apart(&[
    Kind { name: "image", types: &["image/"], bytes_max: 25 * MB, words: "pictures up to 25 MB" },
    Kind { name: "video", types: &["video/"], bytes_max: 25 * MB, words: "videos up to 25 MB" },
    Kind { name: "audio", types: &["audio/"], bytes_max: 25 * MB, words: "recordings up to 25 MB" },
    Kind { name: "file", types: &[""], bytes_max: 25 * MB, words: "other files up to 25 MB" },
]);

/// Slack takes files of a gigabyte; the limits of this service are far below.
pub(super) const SLACK: Files =
    Files::Apart(&[Kind { name: "file", types: &[""], bytes_max: 1000 * MB, words: "any file up to 1 GB" }]);

/// A file as it is looked at before it leaves: its name, its declared type, its size in bytes.
pub type Sizes<'a> = (&'a str, Option<&'a str>, usize);

impl Files {
    /// As what a file of this type and size leaves, where each is a message of its own.
    pub fn kind(self, content_type: &str, bytes: usize) -> Option<&'static Kind> {
        match self {
            Self::Apart(kinds) => {
                kinds.iter().find(|kind| kind.takes(content_type) && bytes <= kind.bytes_max)
            }
            Self::Refused(_) | Self::Fetched | Self::Together { .. } => None,
        }
    }

    /// Why these cannot leave this way, as an agent reads it.
    pub fn problem(self, files: &[Sizes<'_>]) -> Option<String> {
        if files.is_empty() {
            return None;
        }
        match self {
            Self::Fetched => None,
            Self::Refused(why) => Some(format!("{why}; take the files off, or choose another way")),
            Self::Together { bytes_max } => {
                let bytes: usize = files.iter().map(|(.., bytes)| *bytes).sum();
                (bytes > bytes_max).then(|| {
                    format!(
                        "the files have {} together and this channel takes {}; take some off, or choose another way",
                        megabytes(bytes),
                        megabytes(bytes_max)
                    )
                })
            }
            Self::Apart(_) => files.iter().find_map(|(name, declared, bytes)| {
                let lacking = self.kind(&content_type(name, *declared), *bytes).is_none();
                lacking.then(|| {
                    let takes = self.words();
                    format!("“{name}” cannot leave this way, which takes {takes}; take it off, or choose another way")
                })
            }),
        }
    }

    /// What is taken, in words.
    pub fn words(self) -> String {
        match self {
            Self::Refused(why) => why.to_owned(),
            Self::Fetched => "any file".to_owned(),
            Self::Together { bytes_max } => format!("files up to {} together", megabytes(bytes_max)),
            Self::Apart(kinds) => kinds.iter().map(|kind| kind.words).collect::<Vec<_>>().join("; "),
        }
    }
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / MB as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_what_was_declared_or_what_the_name_says_and_never_breaks_a_header() {
        for (name, declared, expected) in [
            ("a.bin", Some("Image/JPG"), "image/jpeg"),
            ("a.pdf", None, "application/pdf"),
            ("A.PDF", Some("application/octet-stream"), "application/pdf"),
            ("a.txt", Some("text/plain; charset=utf-8"), "text/plain"),
            ("a.png", Some("image/png\r\nX: y"), "image/png"),
            ("a.nobody-knows", Some("no type"), BYTES),
            ("a", Some("a/b/c"), BYTES),
            ("a.docx", Some(""), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ] {
            assert_eq!(content_type(name, declared), expected, "{name} {declared:?}");
        }
    }

    #[test]
    fn each_medium_takes_a_file_in_the_first_way_that_fits_or_says_what_it_takes() {
        let named = |files: Files, kind: &str, bytes| files.kind(kind, bytes).map(|kind| kind.name);
        for (files, kind, bytes, expected) in [
            (WHATSAPP, "image/png", 5 * MB, Some("image")),
            (WHATSAPP, "image/png", 5 * MB + 1, None),
            (WHATSAPP, "image/gif", 1, None),
            (WHATSAPP, "application/pdf", 100 * MB, Some("document")),
            (WHATSAPP, "application/zip", 1, None),
            (TELEGRAM, "image/png", 10 * MB, Some("photo")),
            (TELEGRAM, "image/png", 10 * MB + 1, Some("document")),
            (TELEGRAM, "application/zip", 50 * MB + 1, None),
            (MESSENGER, "video/webm", 1, Some("video")),
            (MESSENGER, "text/csv", 25 * MB, Some("file")),
            (SLACK, "image/png", 1, Some("file")),
            (Files::Fetched, "image/png", 1, None),
        ] {
            assert_eq!(named(files, kind, bytes), expected, "{kind} {bytes}");
        }
        let zip = [("all.zip", None, 7)];
        let refused = WHATSAPP.problem(&zip).unwrap();
        assert!(
            refused.starts_with("“all.zip” cannot leave this way, which takes JPEG and PNG"),
            "{refused}"
        );
        assert_eq!(TELEGRAM.problem(&zip), None);
        assert_eq!(Files::Refused("no").problem(&[]), None);
        assert!(Files::Refused("no files here").problem(&zip).unwrap().starts_with("no files here; take"));
        let letter = Files::Together { bytes_max: 2 * MB };
        assert_eq!(letter.problem(&[("a", None, MB), ("b", None, MB)]), None);
        let refused = letter.problem(&[("a", None, MB), ("b", None, MB + 100_000)]).unwrap();
        assert!(refused.contains("2.1 MB together and this channel takes 2.0 MB"), "{refused}");
    }
}
