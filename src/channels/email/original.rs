//! The page of a mail as it came, for agents to look at: kept beside the words that were read from it, with the pictures
//! that travelled inside the mail, and never where it says something that is masked in the words.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::html;
use super::mime::{Mail, Part};
use super::read::ours;
use crate::domain::message::{Attachment, WHOLE_PAGE};
use crate::language::extract;

/// Pictures that may stand inside a page; others stay files or are left out.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// How a page names a picture of its own mail.
const INSIDE: &str = "cid:";
/// Longest name of such a picture, in bytes.
const NAME_BYTES_MAX: usize = 250;

/// A picture of the mail: how the page names it, its bytes, its type.
type Picture<'a> = (String, Cow<'a, [u8]>, String);

/// The page of a mail in pieces.
pub(super) fn of_mail(mail: &Mail<'_>, bytes_max: usize) -> Option<Attachment> {
    let written =
        |part: &&Part<'_>| part.mail == 0 && part.head.kind() == "text/html" && !part.head.attached();
    let mut pages = mail.parts.iter().filter(written).peekable();
    pages.peek()?;
    let mut page = String::new();
    for part in pages {
        // One byte more than may be kept shows that it is too large.
        page.push_str(&part.text(bytes_max.saturating_sub(page.len()).saturating_add(4)));
        if page.len() > bytes_max {
            return None;
        }
    }
    let page = proper(&page, bytes_max)?;
    let pictures: Vec<Picture<'_>> =
        mail.parts.iter().filter(|part| part.mail == 0).filter_map(picture).collect();
    let whole = with_pictures(&page, &pictures, bytes_max);
    Some(ours(WHOLE_PAGE, "text/html", whole.as_bytes()))
}

/// A page that a provider has taken out of its mail.
pub(super) fn of_page(page: &str, bytes_max: usize) -> Option<Attachment> {
    let page = page.replace('\0', "");
    Some(ours(WHOLE_PAGE, "text/html", proper(&page, bytes_max)?.as_bytes()))
}

/// The page without what nobody may see; none where that stands in its words, whatever tags are between.
fn proper(page: &str, bytes_max: usize) -> Option<Cow<'_, str>> {
    if page.trim().is_empty() || page.len() > bytes_max {
        return None;
    }
    for gap in ["", " "] {
        let bare = bare(page, gap);
        let words = html::to_text(&bare, bare.len(), usize::MAX);
        if extract::mask_secrets(&words) != words {
            return None;
        }
    }
    Some(extract::mask_secrets(page))
}

/// The words of a page, hidden ones included, with `gap` where a tag was.
fn bare(page: &str, gap: &str) -> String {
    let mut words = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        words.push_str(before);
        let begins = tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if begins {
            let end = if tag.starts_with("!--") { "-->" } else { ">" };
            words.push_str(gap);
            rest = tag.split_once(end).map_or("", |(_, rest)| rest);
        } else {
            // A bare sign; as one it would be read as a tag once more.
            words.push(' ');
            rest = tag;
        }
    }
    words.push_str(rest);
    words
}

/// A picture of the mail and its name there.
fn picture<'a>(part: &Part<'a>) -> Option<Picture<'a>> {
    let kind = part.head.kind();
    let name = part.head.written("content-id").pop()?;
    let name = name.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
    let fits = PICTURES.contains(&kind.as_str()) && (1..=NAME_BYTES_MAX).contains(&name.len());
    fits.then(|| (name, part.bytes(), kind))
}

/// Puts the pictures in their places, as long as the page stays within its size.
fn with_pictures(page: &str, pictures: &[Picture<'_>], bytes_max: usize) -> String {
    let known: HashMap<&str, (&[u8], &str)> =
        pictures.iter().map(|(name, bytes, kind)| (name.as_str(), (bytes.as_ref(), kind.as_str()))).collect();
    let mut whole = String::with_capacity(page.len());
    let mut left = bytes_max.saturating_sub(page.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(INSIDE) {
        whole.push_str(before);
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"')><&".contains(byte);
        // Looked for no further than a name may go; what ends one stands for itself in UTF-8.
        let end = after.as_bytes().iter().take(NAME_BYTES_MAX + 1).position(ends);
        let (name, behind) = after.split_at(end.unwrap_or_default());
        let found = known.get(name).filter(|(bytes, _)| bytes.len().saturating_mul(4) / 3 + 64 <= left);
        if let Some((bytes, kind)) = found {
            let encoded = STANDARD.encode(bytes);
            left = left.saturating_sub(encoded.len() + 64);
            whole.extend(["data:", kind, ";base64,", &encoded]);
            rest = behind;
        } else {
            whole.push_str(INSIDE);
            rest = after;
        }
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::super::mime;
    use super::super::mime::tests::CAPS;
    use super::*;

    fn kept(raw: &str, bytes_max: usize) -> Option<String> {
        let mail = mime::split(raw.as_bytes(), CAPS).unwrap();
        let page = of_mail(&mail, bytes_max)?;
        assert_eq!((page.name.as_str(), page.content_type.as_deref()), (WHOLE_PAGE, Some("text/html")));
        Some(String::from_utf8(page.content.unwrap().to_vec()).unwrap())
    }

    fn html(page: &str) -> String {
        format!("Content-Type: text/html; charset=utf-8\n\n{page}")
    }

    #[test]
    fn a_page_is_kept_with_the_pictures_of_its_mail_and_no_larger_than_allowed() {
        let mail = "Content-Type: multipart/related; boundary=r\n\n--r\n\
            Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\n\
            Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n\
            <p>gr=FC=DFe <img src=3D\"cid:one@x\"><img src=3D'cid:two@x'>\n--a--\n--r\n\
            Content-Type: image/png\nContent-ID: <one@x>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--r\n\
            Content-Type: image/svg+xml\nContent-ID: <two@x>\n\n<svg/>\n--r--\n";
        let page = kept(mail, 1000).unwrap();
        assert_eq!(page, "<p>grüße <img src=\"data:image/png;base64,iVBORw==\"><img src='cid:two@x'>");
        // The picture has no room left, then the page has none.
        assert!(kept(mail, 70).unwrap().contains("cid:one@x"));
        assert_eq!(kept(mail, 40), None);
        assert_eq!(kept(mail, 0), None);
        assert_eq!(kept("Content-Type: text/plain\n\nwords", 1000), None);
        let many = format!(
            "Content-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n{}\n--r\n\
            Content-Type: image/gif\nContent-ID: <p>\n\n{}\n--r--\n",
            "<img src=cid:p>".repeat(1000),
            "x".repeat(9000)
        );
        assert!(kept(&many, 100_000).unwrap().len() <= 100_000, "one picture named a thousand times");
    }

    #[test]
    fn a_page_that_says_what_is_masked_elsewhere_is_not_kept() {
        for page in [
            "<p>my card is 4111 1111 1111 1111",
            "<td>4111</td><td>1111</td><td>1111</td><td>1111</td>",
            "41<b>11</b>1111<!-- x > y -->1111<i></i>1111",
            "&#52;111 1111 1111 1111",
            "5 < 6 4111111111111111",
            "<style>p{}</style><div hidden>4111111111111111</div>",
            "<p>my verification code is <b>123456</b>",
        ] {
            assert_eq!(kept(&html(page), 1000), None, "{page}");
        }
        // Where no words stand it is masked, and the page is kept.
        let page =
            kept(&html("<p title=\"4111 1111 1111 1111\">Order HP-10042, tracking 123456789</p>"), 1000);
        let page = page.unwrap();
        assert!(page.contains("•••• 1111") && page.contains("HP-10042, tracking 123456789"), "{page}");
    }

    #[test]
    fn nothing_makes_it_slow() {
        for piece in ["<", "<a", "cid:", "<!--", "4111 ", "&#", "<p>4"] {
            let page = piece.repeat(300_000 / piece.len());
            let begun = std::time::Instant::now();
            let _ = kept(&html(&page), 1_000_000);
            assert!(begun.elapsed().as_secs() < 20, "{piece}: {:?}", begun.elapsed());
        }
    }
}
