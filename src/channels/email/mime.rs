//! Takes a mail apart into its pieces: in one pass over its lines, with nothing decoded that nobody reads.
//!
//! Sources: RFC 5322 (header), RFC 2045 and 2046 (parts and their boundaries). The library reads what stands in
//! headers; the structure is found here, because a mail of a million empty parts must be refused before it costs memory.

use std::borrow::Cow;
use std::collections::HashMap;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, Header, HeaderName, HeaderValue, MessageParser};

use crate::channels::BadInput;

/// What a mail may be at most.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "they are named as the settings are")]
pub(super) struct Caps {
    /// The whole mail, in bytes.
    pub(super) message_bytes_max: usize,
    /// Pieces, containers included.
    pub(super) parts_max: usize,
    /// How deep they may be nested.
    pub(super) depth_max: usize,
    /// The header of the mail, or of any piece, in bytes.
    pub(super) header_bytes_max: usize,
    /// What is read of HTML, in bytes.
    pub(super) html_bytes_max: usize,
    /// How deep its elements may be nested.
    pub(super) html_depth_max: usize,
    /// What is read of all plain texts together, in bytes.
    pub(super) text_bytes_max: usize,
}

/// Longest boundary that is looked for, in bytes; RFC 2046 allows 70.
const BOUNDARY_BYTES_MAX: usize = 200;

/// What a multipart says about its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// They stand beside each other.
    Mixed,
    /// They say the same in different ways.
    Alternative,
}

/// One piece that is no container.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) head: Head<'a>,
    pub(super) body: &'a [u8],
    /// 0 for the mail itself, 1 for a mail inside it, …
    pub(super) mail: usize,
    /// Which set of alternatives it belongs to.
    pub(super) alternatives: Option<usize>,
}

/// The header of a mail or of a piece.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    read: Vec<Header<'a>>,
    raw: &'a [u8],
}

impl<'a> Head<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Self {
        let read = MessageParser::default().parse_headers(raw);
        let headers = read.and_then(|mut message| message.parts.drain(..).next()).map(|part| part.headers);
        Self { read: headers.unwrap_or_default(), raw }
    }

    /// The values of a header as the library understands them, in the order in which they stand.
    pub(super) fn values(&self, name: &HeaderName<'_>) -> impl Iterator<Item = &HeaderValue<'a>> {
        self.read
            .iter()
            .filter(move |header| header.name.as_str().eq_ignore_ascii_case(name.as_str()))
            .map(|header| &header.value)
    }

    /// The values of a header as they were written, unfolded.
    pub(super) fn written(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut inside = false;
        for line in self.raw.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
            if line.starts_with([' ', '\t']) {
                if let Some(value) = found.last_mut().filter(|_| inside) {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                continue;
            }
            let field = line.split_once(':');
            inside = field.is_some_and(|(key, _)| key.trim_end().eq_ignore_ascii_case(name));
            if let Some((_, value)) = field.filter(|_| inside) {
                found.push(value.trim().to_owned());
            }
        }
        found
    }

    fn typed(&self, name: &HeaderName<'_>) -> Option<&ContentType<'a>> {
        self.values(name).find_map(HeaderValue::as_content_type)
    }

    fn content_type(&self) -> Option<&ContentType<'a>> {
        self.typed(&HeaderName::ContentType)
    }

    /// The MIME type, in lower case.
    pub(super) fn kind(&self) -> String {
        self.content_type().map_or_else(
            || "text/plain".to_owned(),
            |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("plain")).to_ascii_lowercase(),
        )
    }

    /// A parameter of the MIME type.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.content_type()?.attribute(name)
    }

    /// The file name it was sent with.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.typed(&HeaderName::ContentDisposition)
            .and_then(|d| d.attribute("filename"))
            .or_else(|| self.parameter("name"))
    }

    /// Whether it is to be kept beside the text rather than shown in it.
    pub(super) fn attached(&self) -> bool {
        self.attached_openly() || (self.file_name().is_some() && !self.kind().starts_with("text/"))
    }

    /// Whether it says so itself.
    pub(super) fn attached_openly(&self) -> bool {
        self.typed(&HeaderName::ContentDisposition).is_some_and(ContentType::is_attachment)
    }

    fn encoding(&self) -> String {
        self.written("content-transfer-encoding").pop().unwrap_or_default().to_ascii_lowercase()
    }
}

impl<'a> Part<'a> {
    /// The whole of it, as a file.
    pub(super) fn bytes(&self) -> Cow<'a, [u8]> {
        plain(self.body, &self.head.encoding())
    }

    /// What it says, of at most `bytes_max` bytes: what a transfer encoding and a charset hide. A charset that nobody
    /// knows is read as UTF-8.
    pub(super) fn text(&self, bytes_max: usize) -> String {
        let encoding = self.head.encoding();
        // Encoded, it is at most three times as long; a charset of two bytes per character is cut at a whole one.
        let most = bytes_max.saturating_mul(if encoding.is_empty() { 1 } else { 3 });
        let body = self.body.get(..most & !3).unwrap_or(self.body);
        let bytes = plain(body, &encoding);
        let bytes = bytes.get(..bytes_max & !3).unwrap_or(&bytes);
        decoded(bytes, self.head.parameter("charset").unwrap_or_default())
    }
}

/// The bytes that a transfer encoding hides; those it cannot be read from stand for themselves.
fn plain<'a>(body: &'a [u8], encoding: &str) -> Cow<'a, [u8]> {
    match encoding {
        "base64" => base64_decode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        "quoted-printable" => quoted_printable_decode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        _ => Cow::Borrowed(body),
    }
}

/// Reads bytes in a charset.
pub(super) fn decoded(bytes: &[u8], charset: &str) -> String {
    let utf8 = std::str::from_utf8(bytes);
    let text = match (utf8, charset_decoder(charset.trim().as_bytes())) {
        // Many a mail says ASCII, or nothing, and means UTF-8.
        (Ok(text), None) => text.to_owned(),
        (Err(_), None) => String::from_utf8_lossy(bytes).into_owned(),
        (_, Some(decode)) => decode(bytes),
    };
    text.replace('\0', "")
}

fn too_much(what: &str, most: usize) -> BadInput {
    BadInput::new("mail", format!("has more than {most} {what}; send less"))
}

/// A mail in pieces.
pub(super) struct Mail<'a> {
    /// Its own header.
    pub(super) head: Head<'a>,
    /// Everything that is no container, in order.
    pub(super) parts: Vec<Part<'a>>,
    /// The header of the first mail inside it.
    pub(super) inner: Option<&'a [u8]>,
}

/// Takes a mail apart.
pub(super) fn split(raw: &[u8], caps: Caps) -> Result<Mail<'_>, BadInput> {
    if raw.len() > caps.message_bytes_max {
        return Err(too_much("bytes", caps.message_bytes_max));
    }
    let mut splitter = Splitter {
        raw,
        caps,
        at: 0,
        open: Vec::new(),
        known: HashMap::new(),
        entities: 0,
        parts: Vec::new(),
        inner: None,
    };
    let top = splitter.head()?;
    splitter.entity(Head::of(top), 0, None)?;
    Ok(Mail { head: Head::of(top), parts: splitter.parts, inner: splitter.inner })
}

/// A multipart that has begun and not ended.
struct Open {
    boundary: Vec<u8>,
    mail: usize,
    alternatives: Option<usize>,
}

struct Splitter<'a> {
    raw: &'a [u8],
    caps: Caps,
    at: usize,
    open: Vec<Open>,
    /// The level of each boundary that may come.
    known: HashMap<Vec<u8>, usize>,
    entities: usize,
    parts: Vec<Part<'a>>,
    inner: Option<&'a [u8]>,
}

/// A line that is a boundary.
enum Mark {
    Begins(usize),
    Ends(usize),
}

impl<'a> Splitter<'a> {
    /// The next line with its end.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.raw.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.at += length;
        rest.get(..length)
    }

    fn mark(&self, line: &[u8]) -> Option<Mark> {
        let name = line.strip_prefix(b"--")?.trim_ascii_end();
        if self.known.is_empty() || name.len() > BOUNDARY_BYTES_MAX + 2 {
            return None;
        }
        if let Some(level) = self.known.get(name) {
            return Some(Mark::Begins(*level));
        }
        name.strip_suffix(b"--").and_then(|name| self.known.get(name)).map(|level| Mark::Ends(*level))
    }

    /// The header that begins here; an empty line, a boundary or the end of the mail ends it.
    fn head(&mut self) -> Result<&'a [u8], BadInput> {
        let start = self.at;
        loop {
            let before = self.at;
            let Some(line) = self.line() else { break };
            if self.at - start > self.caps.header_bytes_max {
                return Err(too_much("bytes in one header", self.caps.header_bytes_max));
            }
            if self.mark(line).is_some() {
                self.at = before;
                break;
            }
            if line.trim_ascii_end().is_empty() {
                break;
            }
        }
        Ok(self.raw.get(start..self.at).unwrap_or_default())
    }

    /// Everything from the body of the first entity to the end.
    fn entity(&mut self, head: Head<'a>, mail: usize, alternatives: Option<usize>) -> Result<(), BadInput> {
        let mut next = Some((head, mail, alternatives));
        while let Some((head, mail, alternatives)) = next.take() {
            self.entities += 1;
            if self.entities > self.caps.parts_max {
                return Err(too_much("parts", self.caps.parts_max));
            }
            if self.open.len() + mail > self.caps.depth_max {
                return Err(too_much("levels of parts inside parts", self.caps.depth_max));
            }
            let kind = head.kind();
            if matches!(kind.as_str(), "message/rfc822" | "message/global")
                && matches!(head.encoding().as_str(), "" | "7bit" | "8bit" | "binary")
            {
                // The mail inside has a header of its own; what was said of it outside stays as an empty piece.
                self.parts.push(Part { head, body: &[], mail, alternatives });
                let inner = self.head()?;
                self.inner = self.inner.or(Some(inner));
                next = Some((Head::of(inner), mail + 1, None));
                continue;
            }
            let opened = self.opens(&head, &kind, mail, alternatives);
            let start = self.at;
            let (end, mark) = self.seek();
            if !opened {
                let body = self.raw.get(start..end).unwrap_or_default();
                self.parts.push(Part { head, body, mail, alternatives });
            }
            next = self.follow(mark)?;
        }
        Ok(())
    }

    /// Whether it is a multipart, whose pieces come next.
    fn opens(&mut self, head: &Head<'a>, kind: &str, mail: usize, alternatives: Option<usize>) -> bool {
        let boundary = head.parameter("boundary").map(|name| name.trim_end().as_bytes().to_vec());
        let boundary = boundary.filter(|name| !name.is_empty() && name.len() <= BOUNDARY_BYTES_MAX);
        let Some(boundary) = boundary.filter(|_| kind.starts_with("multipart/")) else { return false };
        let container =
            if kind == "multipart/alternative" { Container::Alternative } else { Container::Mixed };
        let alternatives = match container {
            Container::Alternative => Some(self.entities),
            Container::Mixed => alternatives,
        };
        self.known.insert(boundary.clone(), self.open.len());
        self.open.push(Open { boundary, mail, alternatives });
        true
    }

    /// Goes to the next boundary; where the text before it ends.
    fn seek(&mut self) -> (usize, Option<Mark>) {
        loop {
            let before = self.at;
            let Some(line) = self.line() else { return (self.raw.len(), None) };
            if let Some(mark) = self.mark(line) {
                // The line break before a boundary belongs to it.
                let text = self.raw.get(..before).unwrap_or_default();
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                return (text.strip_suffix(b"\r").unwrap_or(text).len(), Some(mark));
            }
        }
    }

    /// The entity that follows a boundary.
    fn follow(
        &mut self,
        mut mark: Option<Mark>,
    ) -> Result<Option<(Head<'a>, usize, Option<usize>)>, BadInput> {
        loop {
            match mark {
                None => return Ok(None),
                Some(Mark::Begins(level)) => {
                    self.close(level + 1);
                    let Some(open) = self.open.last() else { return Ok(None) };
                    let (mail, alternatives) = (open.mail, open.alternatives);
                    return Ok(Some((Head::of(self.head()?), mail, alternatives)));
                }
                Some(Mark::Ends(level)) => {
                    self.close(level);
                    mark = self.seek().1;
                }
            }
        }
    }

    fn close(&mut self, level: usize) {
        while self.open.len() > level {
            let Some(closed) = self.open.pop() else { return };
            let outer = self.open.iter().rposition(|open| open.boundary == closed.boundary);
            match outer {
                Some(outer) => self.known.insert(closed.boundary, outer),
                None => self.known.remove(&closed.boundary),
            };
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::channels::email) const CAPS: Caps = Caps {
        message_bytes_max: 26_214_400,
        parts_max: 1000,
        depth_max: 100,
        header_bytes_max: 65_536,
        html_bytes_max: 524_288,
        html_depth_max: 512,
        text_bytes_max: 1_048_576,
    };

    fn pieces(raw: &str) -> Vec<(String, usize, String)> {
        let mail = split(raw.as_bytes(), CAPS).unwrap();
        mail.parts.iter().map(|part| (part.head.kind(), part.mail, part.text(1000))).collect()
    }

    #[test]
    fn a_mail_falls_into_its_pieces() {
        let raw = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\
            Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\r\nplain\r\n--inner\r\n\
            Content-Type: text/html\r\n\r\n<p>html\r\n--inner--\r\nepilogue\r\n--a b\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nnested\r\n--a b--\r\nafter";
        let piece = |kind: &str, mail, text: &str| (kind.to_owned(), mail, text.to_owned());
        let expected = [
            piece("text/plain", 0, "plain"),
            piece("text/html", 0, "<p>html"),
            piece("message/rfc822", 0, ""),
            piece("text/plain", 1, "nested"),
        ];
        assert_eq!(pieces(raw), expected);
        assert_eq!(pieces(&raw.replace("\r\n", "\n")), expected);
        assert_eq!(split(raw.as_bytes(), CAPS).unwrap().inner, Some(b"Subject: in\r\n\r\n".as_slice()));
    }

    #[test]
    fn bombs_are_refused_before_they_cost_anything() {
        let refused =
            |raw: &str| split(raw.as_bytes(), CAPS).err().map(|error| error.to_string()).unwrap_or_default();
        let parts = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\n".repeat(2_000_000));
        assert!(refused(&parts).contains("1000 parts"));
        let mails = "Content-Type: message/rfc822\n\n".repeat(500_000);
        assert!(refused(&mails).contains("100 levels"));
        let level = |at| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n");
        let nested = (0..200).map(level).collect::<Vec<_>>().concat();
        assert!(refused(&nested).contains("100 levels"));
        assert!(refused(&format!("X: {}", "a".repeat(70_000))).contains("bytes in one header"));
        assert!(
            refused(&format!(
                "Content-Type: multipart/mixed; boundary=b\n\n--b\nTo: {}\n",
                "a,".repeat(70_000)
            ))
            .contains("one header")
        );
        assert!(refused(&"a\n".repeat(14_000_000)).contains("26214400 bytes"));
        // Boundaries that never come cost one look each, not one search through the whole mail.
        let open = format!("Content-Type: multipart/mixed; boundary=never\n\n{}", "--x\n".repeat(5_000_000));
        assert_eq!(pieces(&open), []);
    }

    #[test]
    fn every_charset_is_read() {
        for (charset, bytes, text) in [
            ("windows-1252", b"caf\xe9 \x80".as_slice(), "café €"),
            ("iso-8859-1", b"gr\xfc\xdfe", "grüße"),
            ("iso-8859-15", b"\xa4", "€"),
            ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
            ("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("gb18030", b"\xc4\xe3\xba\xc3", "你好"),
            ("big5", b"\xa7A\xa6n", "你好"),
            ("shift_jis", b"\x82\xb1\x82\xf1", "こん"),
            ("iso-2022-jp", b"\x1b$B$3$s\x1b(B", "こん"),
            ("euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
            ("utf-16le", b"h\0i\0", "hi"),
            ("us-ascii", b"hi", "hi"),
            ("nobody-knows-it", "grüße".as_bytes(), "grüße"),
            ("", b"gr\xfc", "gr\u{fffd}"),
        ] {
            assert_eq!(decoded(bytes, charset), text, "{charset}");
        }
    }
}
