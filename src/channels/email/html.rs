//! HTML to plain text, in one pass and without a tree: nothing in it can make that slow.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content is not read.
const SILENT: [&str; 6] = ["script", "style", "head", "template", "title", "noscript"];
/// Elements that have no end.
const EMPTY: [&str; 8] = ["br", "hr", "img", "input", "meta", "link", "wbr", "col"];
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 22] = [
    "p",
    "div",
    "tr",
    "table",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "section",
    "article",
    "header",
    "footer",
    "dl",
    "dt",
    "dd",
];
/// Longest character reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 32;

/// What a page of at most `bytes_max` bytes says, one paragraph a line; quoted text gets `> `, links keep their address.
/// What is nested deeper than `depth_max` is left out.
pub(super) fn to_text(html: &str, bytes_max: usize, depth_max: usize) -> String {
    let end = (0..=bytes_max.min(html.len())).rev().find(|at| html.is_char_boundary(*at)).unwrap_or_default();
    let (html, _) = html.split_at(end);
    let mut page = Page { depth_max, ..Page::default() };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        page.words(text);
        rest = page.tag(tag);
    }
    page.words(rest);
    page.finish()
}

#[derive(Default)]
struct Page {
    text: String,
    /// Whether white space stands before the next word.
    space: bool,
    /// How many elements are open; the names do not matter, so that nothing grows with them.
    depth: usize,
    depth_max: usize,
    /// How many quotations are open.
    quoted: usize,
    links: Vec<(String, usize)>,
}

impl Page {
    /// Takes a tag and what belongs to it off the front; `tag` begins with `<`.
    fn tag<'a>(&mut self, tag: &'a str) -> &'a str {
        if let Some(comment) = tag.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let inner = tag.strip_prefix('<').unwrap_or(tag);
        let begins = inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !begins {
            self.words("<");
            return inner;
        }
        let (inside, rest) = inner.split_once('>').unwrap_or((inner, ""));
        let closing = inside.starts_with('/');
        let name: String =
            inside.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).take(16).collect();
        let name = name.to_ascii_lowercase();
        if SILENT.contains(&name.as_str()) && !closing && !inside.ends_with('/') {
            return after_end(rest, &name);
        }
        if !EMPTY.contains(&name.as_str()) && !inside.ends_with('/') {
            self.depth = if closing { self.depth.saturating_sub(1) } else { self.depth + 1 };
        }
        match (name.as_str(), closing) {
            ("br", _) => self.line(),
            ("blockquote", false) => {
                self.line();
                self.quoted += 1;
            }
            ("blockquote", true) => {
                self.line();
                self.quoted = self.quoted.saturating_sub(1);
            }
            ("td" | "th", true) => self.space = true,
            ("a", false) => {
                if let Some(target) = attribute(inside, "href").filter(|_| self.links.len() < self.depth_max)
                {
                    self.links.push((target, self.text.len()));
                }
            }
            ("a", true) => self.link(),
            (block, _) if BLOCKS.contains(&block) => self.line(),
            _ => {}
        }
        rest
    }

    /// Adds the address behind a link where the words do not say it.
    fn link(&mut self) {
        let Some((target, start)) = self.links.pop() else { return };
        let shown = self.text.get(start..).unwrap_or_default();
        let web = target.starts_with("http://") || target.starts_with("https://");
        if web && !shown.contains(target.trim_end_matches('/')) && !shown.trim().is_empty() {
            self.words(&format!(" ({target})"));
        }
    }

    fn line(&mut self) {
        // At most one empty line stands between two others.
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.space = false;
    }

    fn words(&mut self, text: &str) {
        if self.depth > self.depth_max {
            return;
        }
        self.space |= text.starts_with(|c: char| c.is_whitespace() || c == '\u{a0}');
        for (at, word) in text.split_whitespace().enumerate() {
            if self.text.is_empty() || self.text.ends_with('\n') {
                if self.quoted > 0 {
                    self.text.push_str("> ");
                }
            } else if at > 0 || self.space {
                self.text.push(' ');
            }
            self.space = false;
            push_word(&mut self.text, word);
        }
        self.space |= text.ends_with(char::is_whitespace);
    }

    fn finish(self) -> String {
        self.text.replace('\u{a0}', " ").trim().to_owned()
    }
}

/// What follows `</name>`. The search goes on where it ended, so that all searches together read the page once.
fn after_end<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut left = rest;
    while let Some((_, tail)) = left.split_once("</") {
        let same = tail.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if same {
            return tail.split_once('>').map_or("", |(_, rest)| rest);
        }
        left = tail;
    }
    ""
}

/// Adds a word with its character references resolved.
fn push_word(text: &mut String, word: &str) {
    let mut rest = word;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        text.push_str(before);
        let end = reference.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
        if let Some((whole, after)) = end.and_then(|end| reference.split_at_checked(end + 1)) {
            add_html_token(text, whole.as_bytes(), false);
            rest = after;
        } else {
            text.push('&');
            rest = reference.strip_prefix('&').unwrap_or_default();
        }
    }
    text.push_str(rest);
}

/// The value of an attribute, up to 2,000 characters.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find(&format!("{name}="))?;
    let value = tag.get(at + name.len() + 1..)?;
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    let mut target = String::new();
    push_word(&mut target, value.trim());
    let target: String = target.chars().filter(|c| !c.is_control()).take(2000).collect();
    (!target.is_empty()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        to_text(html, 512 * 1024, 512)
    }

    #[test]
    fn a_page_becomes_the_lines_a_reader_sees() {
        let page = "<html><head><title>x</title><style>p{}</style></head><body><p>Hello&nbsp;there,</p><p>order <b>HP-10042</b> is\n late &amp; I am <i>cross</i>.<br>Ann</p><script>alert('<p>no</p>')</script><!-- <p>no</p> --></body>";
        assert_eq!(text(page), "Hello there,\n\norder HP-10042 is late & I am cross.\nAnn");
        assert_eq!(text("<blockquote>you said<br>this</blockquote>I say"), "> you said\n> this\nI say");
        assert_eq!(text("3 < 4 &unknown; &#x1F44D; &"), "3 < 4 &unknown; 👍 &");
        assert_eq!(text("<table><tr><td>a</td><td>b</td></tr></table>"), "a b");
    }

    #[test]
    fn a_link_keeps_its_address_unless_the_words_say_it() {
        assert_eq!(
            text("see <a href=\"https://shop.example/a?x=1&amp;y=2\">here</a>."),
            "see here (https://shop.example/a?x=1&y=2)."
        );
        assert_eq!(text("<a href='https://shop.example/'>https://shop.example</a>"), "https://shop.example");
        assert_eq!(text("<a href=javascript:x>here</a>"), "here");
    }

    #[test]
    fn what_is_nested_or_broken_without_end_takes_no_time() {
        let nested = "<div>".repeat(100_000) + "deep";
        assert_eq!(text(&nested), "");
        for piece in ["<", "<!--", "<a href=\"", "</", "<script>", "&", "<style></", "<blockquote>x"] {
            text(&piece.repeat(100_000));
        }
    }
}
