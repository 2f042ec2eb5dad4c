//! The fields of a form, `multipart/form-data` or `application/x-www-form-urlencoded`, each as it was sent.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use multer::{Constraints, Multipart};

use crate::channels::{BadInput, Webhook};

/// Most fields of one form, files included.
const FIELDS_MAX: usize = 1000;
/// Looks at a form that is in memory already; one that never ends is given up.
const POLLS_MAX: usize = 100_000;

/// One field.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) value: Bytes,
}

/// All fields of a form.
pub(super) struct Form(Vec<Field>);

impl Form {
    /// Reads the form that a request carries.
    pub(super) fn of(webhook: &Webhook<'_>) -> Result<Self, BadInput> {
        let kind = webhook.header("content-type").unwrap_or_default();
        match multer::parse_boundary(kind) {
            Ok(boundary) => multipart(webhook.body, boundary),
            Err(_) if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") => {
                urlencoded(webhook.body)
            }
            Err(_) => Err(BadInput::new(
                "body",
                "is no form; send multipart/form-data or application/x-www-form-urlencoded",
            )),
        }
    }

    /// The bytes of a field.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_ref())
    }

    /// A field as text in UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(bytes).replace('\0', ""))
    }

    /// The fields that are files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(|field| field.file_name.is_some())
    }
}

fn too_many() -> BadInput {
    BadInput::new("body", format!("has more than {FIELDS_MAX} fields; send less"))
}

fn urlencoded(body: &[u8]) -> Result<Form, BadInput> {
    let mut fields = Vec::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if fields.len() == FIELDS_MAX {
            return Err(too_many());
        }
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
        let value = value.strip_prefix(b"=").unwrap_or(value);
        let name = String::from_utf8_lossy(&unescaped(name)).into_owned();
        fields.push(Field { name, file_name: None, kind: None, value: unescaped(value).into() });
    }
    Ok(Form(fields))
}

/// The bytes that `%41` and `+` stand for; a mail in them need not be UTF-8.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                bytes.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    bytes
}

fn multipart(body: &[u8], boundary: String) -> Result<Form, BadInput> {
    let whole = Bytes::copy_from_slice(body);
    let stream = futures_util::stream::once(std::future::ready(Ok::<_, std::io::Error>(whole)));
    let mut form = Multipart::with_constraints(stream, boundary, Constraints::new());
    let broken = |_| BadInput::new("body", "is no whole multipart form; send it again");
    let reading = pin!(async {
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            if fields.len() == FIELDS_MAX {
                return Err(too_many());
            }
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let kind = field.content_type().map(|kind| kind.essence_str().to_owned());
            fields.push(Field { name, file_name, kind, value: field.bytes().await.map_err(broken)? });
        }
        Ok(Form(fields))
    });
    finish(reading)
}

/// Runs what waits for nothing outside: all of the form is here, so whoever asks again gets on.
fn finish<T>(
    mut reading: std::pin::Pin<&mut impl Future<Output = Result<T, BadInput>>>,
) -> Result<T, BadInput> {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(outcome) = reading.as_mut().poll(&mut context) {
            return outcome;
        }
    }
    Err(BadInput::new("body", "is no whole multipart form; send it again"))
}
