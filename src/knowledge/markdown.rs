//! Markdown to plain passages: headings kept beside them, lists and tables readable, links as `text (url)`.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::sentences::sentences;

/// A part of an article that is found, shown and cited as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The headings above it, outermost first, joined by ` > `; empty above the first.
    pub heading: String,
    /// Plain text: whole sentences, a line for each paragraph and list entry.
    pub text: String,
}

/// HTML elements whose tags say nothing in plain text; anything else in angle brackets stays, as `<VALUE>`.
const SILENT: [&str; 18] = [
    "a", "b", "i", "u", "p", "em", "br", "hr", "div", "img", "sub", "sup", "span", "small", "strong",
    "details", "summary", "center",
];

/// Cuts the Markdown of an article into passages of at most `chars_max` characters, in order.
pub(super) fn passages(markdown: &str, chars_max: usize) -> Vec<Passage> {
    let mut reader = Reader::default();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(markdown, options) {
        reader.take(event);
    }
    reader.end_block();
    pack(reader.blocks, chars_max.max(1))
}

/// The first heading of the outermost level, if the text has one.
pub(super) fn first_heading(markdown: &str) -> Option<String> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        reader.take(event);
        if let Some((_, heading)) = reader.headings.first() {
            return Some(heading.clone());
        }
    }
    None
}

struct Block {
    heading: String,
    text: String,
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    headings: Vec<(u8, String)>,
    text: String,
    in_heading: Option<u8>,
    /// The next number of each open list; none for bullets.
    lists: Vec<Option<u64>>,
    /// Where the text of each open link began, and where it leads.
    links: Vec<(usize, String)>,
    columns: Vec<String>,
    cells: Vec<String>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text.push_str(&text);
            }
            Event::InlineHtml(html) | Event::Html(html) => self.html(&html),
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.text.push('\n'),
            Event::Rule => self.end_block(),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn html(&mut self, html: &str) {
        let inner = html.trim().trim_start_matches('<').trim_start_matches('/');
        let name: String = inner.chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.eq_ignore_ascii_case("br") {
            self.text.push('\n');
        } else if !html.trim_start().starts_with("<!--")
            && !SILENT.contains(&name.to_ascii_lowercase().as_str())
        {
            self.text.push_str(html);
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.end_block();
                self.in_heading = Some(level as u8);
            }
            // The mark of a list entry stays with its first paragraph.
            Tag::Paragraph | Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_)
                if is_list_mark(&self.text) => {}
            Tag::Paragraph | Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_) => self.end_block(),
            Tag::List(first) => {
                self.end_block();
                self.lists.push(first);
            }
            Tag::Item => {
                self.end_block();
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number += 1;
                        mark
                    }
                    _ => "- ".to_owned(),
                };
                self.text.push_str(&mark);
            }
            Tag::Link { dest_url, .. } => self.links.push((self.text.len(), dest_url.into_string())),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                let heading = one_line(&std::mem::take(&mut self.text));
                if let Some(level) = self.in_heading.take() {
                    self.headings.retain(|(above, _)| *above < level);
                    self.headings.push((level, heading));
                }
            }
            TagEnd::Link => {
                if let Some((begin, url)) = self.links.pop() {
                    let shown = self.text.get(begin..).unwrap_or_default();
                    let says_it = url.trim_start_matches("mailto:").trim_start_matches("tel:") == shown;
                    if !says_it && !url.is_empty() {
                        self.text.extend([" (", url.as_str(), ")"]);
                    }
                }
            }
            TagEnd::List(_) => {
                self.end_block();
                self.lists.pop();
            }
            TagEnd::TableCell => self.cells.push(one_line(&std::mem::take(&mut self.text))),
            TagEnd::TableHead => self.columns = std::mem::take(&mut self.cells),
            TagEnd::TableRow => {
                self.text = table_row(&self.columns, &std::mem::take(&mut self.cells));
                self.end_block();
            }
            TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::HtmlBlock | TagEnd::Item => self.end_block(),
            _ => {}
        }
    }

    fn end_block(&mut self) {
        self.links.clear();
        let text = std::mem::take(&mut self.text);
        let lines: Vec<_> = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
        let text = lines.join("\n");
        if text.is_empty() || is_list_mark(&text) {
            return;
        }
        let heading = self.headings.iter().map(|(_, h)| h.as_str()).collect::<Vec<_>>().join(" > ");
        self.blocks.push(Block { heading, text });
    }
}

fn is_list_mark(text: &str) -> bool {
    let text = text.trim();
    text == "-"
        || text.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row reads without its table: `M: Chest 96 cm, Waist 80 cm`.
fn table_row(columns: &[String], cells: &[String]) -> String {
    let mut cells = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
    let Some((_, first)) = cells.next() else { return String::new() };
    let rest: Vec<_> = cells
        .map(|(at, cell)| match columns.get(at).filter(|column| !column.is_empty()) {
            Some(column) => format!("{column} {cell}"),
            None => cell.clone(),
        })
        .collect();
    if rest.is_empty() { first.clone() } else { format!("{first}: {}", rest.join(", ")) }
}

/// Puts neighbouring blocks of one heading together while they fit.
fn pack(blocks: Vec<Block>, chars_max: usize) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut room = 0;
    for block in blocks {
        for piece in pieces(&block.text, chars_max) {
            let length = piece.chars().count();
            match passages.last_mut() {
                Some(last) if last.heading == block.heading && length < room => {
                    last.text.push('\n');
                    last.text.push_str(&piece);
                    room -= length + 1;
                }
                _ => {
                    passages.push(Passage { heading: block.heading.clone(), text: piece });
                    room = chars_max - length.min(chars_max);
                }
            }
        }
    }
    passages
}

/// A block as pieces that fit: whole sentences, and of a sentence that is too long whole words.
fn pieces(text: &str, chars_max: usize) -> Vec<String> {
    if text.chars().count() <= chars_max {
        return vec![text.to_owned()];
    }
    let mut pieces: Vec<String> = Vec::new();
    let mut length = usize::MAX;
    let mut add = |part: &str, joint: char| {
        let part_length = part.chars().count();
        match pieces.last_mut() {
            Some(last) if length.saturating_add(part_length + 1) <= chars_max => {
                last.push(joint);
                last.push_str(part);
                length += part_length + 1;
            }
            _ => {
                pieces.push(part.to_owned());
                length = part_length;
            }
        }
    };
    for line in text.lines() {
        for (at, sentence) in sentences(line).into_iter().enumerate() {
            let joint = if at == 0 { '\n' } else { ' ' };
            if sentence.chars().count() <= chars_max {
                add(sentence, joint);
                continue;
            }
            for word in sentence.split_whitespace() {
                let characters: Vec<char> = word.chars().collect();
                for chunk in characters.chunks(chars_max) {
                    add(&chunk.iter().collect::<String>(), ' ');
                }
            }
        }
    }
    pieces
}
