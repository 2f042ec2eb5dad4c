//! One conversation with whoever hands mail over.
//!
//! Lines end with CR LF and nothing else, and only such a line with a single dot ends a mail: a server that reads that
//! differently from the one before it can be made to take one mail for two (SMTP smuggling).

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::listener::House;
use super::mailroom::{self, HandedOver, Taken};

/// Longest line with a command, in bytes; RFC 5321 asks for 512, extensions for more.
const COMMAND_BYTES_MAX: usize = 2048;
/// Commands that make no sense, after which the other side is no mail server.
const ERRORS_MAX: usize = 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Session<'a> {
    house: &'a House,
    stream: BufReader<Box<dyn Stream>>,
    encrypted: bool,
    greeted: bool,
    errors: usize,
    /// What has been announced, once there is a sender.
    mail: Option<HandedOver>,
    edge: bool,
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    End,
}

/// A line as it was read.
struct Line {
    text: Vec<u8>,
    /// How long it was, without its end; more than `text` holds where that was cut.
    length: usize,
    /// It ended with CR LF and had neither inside.
    clean: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(house: &'a House, stream: TcpStream, edge: bool) -> Self {
        let stream: Box<dyn Stream> = Box::new(stream);
        Self {
            house,
            stream: BufReader::new(stream),
            encrypted: false,
            greeted: false,
            errors: 0,
            mail: None,
            edge,
        }
    }

    pub(super) async fn run(mut self) -> Result<()> {
        let greeting = format!("220 {} ESMTP", self.house.name);
        self.say(&greeting).await?;
        loop {
            let line = tokio::select! {
                () = self.house.shutdown.cancelled() => {
                    return self.say("421 4.3.2 closing, come back later").await;
                }
                line = read_line(&mut self.stream, COMMAND_BYTES_MAX, self.house) => line,
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return self.say("421 4.4.2 nothing came for too long").await;
                }
                Err(error) => return Err(error),
            };
            if self.command(&line).await? == Next::End {
                return Ok(());
            }
            if self.errors >= ERRORS_MAX {
                return self.say("421 4.7.0 too many errors").await;
            }
        }
    }

    async fn command(&mut self, line: &Line) -> Result<Next> {
        let Ok(text) = std::str::from_utf8(&line.text) else {
            return self.wrong("500 5.5.2 not understood").await;
        };
        if !line.clean || line.length > COMMAND_BYTES_MAX || text.contains('\0') {
            return self.wrong("500 5.5.2 end a line with CR LF, and keep it short").await;
        }
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => self.greeted(verb, rest).await,
            "MAIL" => self.from(rest).await,
            "RCPT" => self.to(rest).await,
            "DATA" => self.data().await,
            "STARTTLS" => self.encrypt().await,
            "RSET" => {
                self.mail = None;
                self.go("250 2.0.0 forgotten").await
            }
            "NOOP" => self.go("250 2.0.0 OK").await,
            "VRFY" => self.go("252 2.1.5 send it and see").await,
            "QUIT" => {
                self.say("221 2.0.0 goodbye").await?;
                Ok(Next::End)
            }
            _ => self.wrong("502 5.5.1 no such command here").await,
        }
    }

    async fn greeted(&mut self, verb: &str, rest: &str) -> Result<Next> {
        if rest.trim().is_empty() {
            return self.wrong("501 5.5.4 say who you are").await;
        }
        (self.greeted, self.mail) = (true, None);
        let name = &self.house.name;
        if verb.eq_ignore_ascii_case("HELO") {
            let answer = format!("250 {name}");
            return self.go(&answer).await;
        }
        let tls = if self.house.tls.is_some() && !self.encrypted { "\r\n250-STARTTLS" } else { "" };
        let size = self.house.message_bytes_max;
        let answer = format!(
            "250-{name}\r\n250-SIZE {size}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING{tls}\r\n250 ENHANCEDSTATUSCODES"
        );
        self.go(&answer).await
    }

    async fn from(&mut self, rest: &str) -> Result<Next> {
        if !self.greeted {
            return self.wrong("503 5.5.1 EHLO first").await;
        }
        if self.mail.is_some() {
            return self.wrong("503 5.5.1 one mail at a time").await;
        }
        let Some((sender, options)) = path(rest, "FROM:") else {
            return self.wrong("501 5.5.4 write MAIL FROM:<address>").await;
        };
        let size = options
            .iter()
            .find_map(|option| option.to_ascii_uppercase().strip_prefix("SIZE=").map(str::to_owned));
        if size
            .and_then(|size| size.parse::<u64>().ok())
            .is_some_and(|size| size > self.house.message_bytes_max as u64)
        {
            return self.go("552 5.3.4 too large").await;
        }
        self.mail = Some(HandedOver { sender: Some(sender), recipients: Vec::new(), edge: self.edge });
        self.go("250 2.1.0 OK").await
    }

    async fn to(&mut self, rest: &str) -> Result<Next> {
        let Some((recipient, _)) = path(rest, "TO:") else {
            return self.wrong("501 5.5.4 write RCPT TO:<address>").await;
        };
        let known = self.house.post.takes(&recipient);
        let most = self.house.recipients_max;
        let Some(mail) = &mut self.mail else { return self.wrong("503 5.5.1 MAIL first").await };
        if !known {
            return self.wrong("550 5.1.1 nobody here has that address").await;
        }
        if mail.recipients.len() >= most {
            return self.go("452 4.5.3 too many recipients").await;
        }
        mail.recipients.push(recipient);
        self.go("250 2.1.5 OK").await
    }

    async fn data(&mut self) -> Result<Next> {
        let mail = match self.mail.take() {
            Some(mail) if !mail.recipients.is_empty() => mail,
            kept => {
                self.mail = kept;
                return self.wrong("503 5.5.1 MAIL and RCPT first").await;
            }
        };
        self.say("354 end with a line of a single dot").await?;
        let answer = match self.received().await? {
            Received::Whole(raw) => {
                match mailroom::take(&self.house.post, &self.house.ingest, raw, mail).await {
                    Taken::Durably => "250 2.0.0 taken",
                    Taken::Later => "451 4.3.0 cannot be stored just now, come back later",
                    Taken::Never => "554 5.6.0 this mail cannot be taken",
                }
            }
            Received::TooLarge => "552 5.3.4 too large",
            Received::Ambiguous => "550 5.6.11 lines must end with CR LF, and hold neither alone",
            Received::Endless => {
                self.say("552 5.3.4 too large").await?;
                return Ok(Next::End);
            }
        };
        self.go(answer).await
    }

    /// The mail up to the line with a single dot.
    async fn received(&mut self) -> Result<Received> {
        let most = self.house.message_bytes_max;
        let (mut raw, mut read, mut clean) = (Vec::new(), 0_usize, true);
        let mut after_clean = true;
        loop {
            let left = most.saturating_sub(raw.len()).saturating_add(2);
            let line = read_line(&mut self.stream, left, self.house).await?;
            let Some(line) = line else { return Err(ErrorKind::UnexpectedEof.into()) };
            if line.clean && after_clean && line.text == b"." && line.length == 1 {
                break;
            }
            (after_clean, clean) = (line.clean, clean && line.clean);
            read = read.saturating_add(line.length).saturating_add(2);
            if read > most.saturating_mul(2) {
                return Ok(Received::Endless);
            }
            if read <= most.saturating_add(2) {
                raw.extend_from_slice(line.text.strip_prefix(b".").unwrap_or(&line.text));
                raw.extend_from_slice(b"\r\n");
            }
        }
        Ok(match (clean, read <= most) {
            (false, _) => Received::Ambiguous,
            (true, false) => Received::TooLarge,
            (true, true) => Received::Whole(raw),
        })
    }

    async fn encrypt(&mut self) -> Result<Next> {
        let Some(tls) = self.house.tls.clone().filter(|_| !self.encrypted) else {
            return self.wrong("502 5.5.1 not offered").await;
        };
        // What was sent in the clear after this command must never be taken for words of the encrypted connection.
        if !self.stream.buffer().is_empty() {
            self.say("501 5.5.4 nothing may follow STARTTLS").await?;
            return Ok(Next::End);
        }
        self.say("220 2.0.0 go on").await?;
        let (closed, _) = tokio::io::duplex(1);
        let empty: Box<dyn Stream> = Box::new(closed);
        let plain = std::mem::replace(&mut self.stream, BufReader::new(empty)).into_inner();
        let shaken = tokio::time::timeout(self.house.idle, tls.accept(plain)).await;
        let stream = shaken.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        let stream: Box<dyn Stream> = Box::new(stream);
        self.stream = BufReader::new(stream);
        (self.encrypted, self.greeted, self.mail) = (true, false, None);
        Ok(Next::Go)
    }

    async fn go(&mut self, answer: &str) -> Result<Next> {
        self.say(answer).await?;
        Ok(Next::Go)
    }

    async fn wrong(&mut self, answer: &str) -> Result<Next> {
        self.errors += 1;
        self.go(answer).await
    }

    async fn say(&mut self, answer: &str) -> Result<()> {
        let saying = async {
            self.stream.write_all(answer.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        let said = tokio::time::timeout(self.house.idle, saying).await;
        said.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

/// How a mail came.
enum Received {
    Whole(Vec<u8>),
    TooLarge,
    Ambiguous,
    Endless,
}

/// The next line; `keep` bytes of a longer one are kept, and one that does not end is broken off.
async fn read_line(
    stream: &mut BufReader<Box<dyn Stream>>,
    keep: usize,
    house: &House,
) -> Result<Option<Line>> {
    let mut line = Line { text: Vec::new(), length: 0, clean: true };
    let mut last = 0_u8;
    loop {
        let filled = tokio::time::timeout(house.idle, stream.fill_buf()).await;
        let bytes = filled.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        if bytes.is_empty() {
            return if line.length == 0 { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, _) = bytes.split_at(end.unwrap_or(bytes.len()));
        // A CR stands before the LF and nowhere else.
        let broken =
            part.windows(2).any(|pair| pair.first() == Some(&b'\r')) || (last == b'\r' && !part.is_empty());
        line.clean &= !broken;
        last = part.last().copied().unwrap_or(last);
        let room = keep.saturating_sub(line.text.len()).min(part.len());
        line.text.extend_from_slice(part.get(..room).unwrap_or_default());
        line.length += part.len();
        let used = part.len() + usize::from(end.is_some());
        stream.consume(used);
        if end.is_some() {
            line.clean &= last == b'\r';
            if last == b'\r' {
                if line.text.len() == line.length {
                    line.text.pop();
                }
                line.length -= 1;
            }
            return Ok(Some(line));
        }
        if line.length > house.message_bytes_max.saturating_mul(2) {
            return Err(ErrorKind::InvalidData.into());
        }
    }
}

/// The address after `FROM:` or `TO:`, and the options behind it.
fn path<'a>(rest: &'a str, name: &str) -> Option<(String, Vec<&'a str>)> {
    let (head, tail) = rest.trim_start().split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let (address, options) = tail.trim_start().strip_prefix('<')?.split_once('>')?;
    let plain =
        address.len() <= 320 && !address.contains(|c: char| c.is_control() || c.is_whitespace() || c == '<');
    plain.then(|| (address.to_owned(), options.split_whitespace().collect()))
}
