//! Articles: Markdown with front matter, read into plain passages.

use serde::Deserialize;

use super::front::{self, stem};
use super::markdown::{self, Passage};
use super::problem::Problem;

/// Longest id of an article, characters.
const ID_CHARS_MAX: usize = 200;

/// A piece of the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Its name: the file's, unless the front matter has one.
    pub id: String,
    /// What it is about, as people would say it.
    pub title: String,
    /// Other ways to ask for it.
    pub questions: Vec<String>,
    /// Words to group articles by.
    pub tags: Vec<String>,
    /// ISO 639-1, lower case.
    pub language: String,
    /// When a person last checked it.
    pub reviewed: Option<jiff::civil::Date>,
    /// What it says, in order.
    pub passages: Vec<Passage>,
    /// Where it was read, below the knowledge folder.
    pub file: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    id: Option<serde_saphyr::Spanned<String>>,
    title: Option<serde_saphyr::Spanned<String>>,
    questions: Vec<String>,
    tags: Vec<String>,
    language: Option<serde_saphyr::Spanned<String>>,
    reviewed: Option<serde_saphyr::Spanned<String>>,
}

/// Reads one article; every problem of the file is named.
pub(super) fn parse(file: &str, text: &str, passage_chars_max: usize) -> Result<Article, Vec<Problem>> {
    let front = front::split(file, text).map_err(|problem| vec![problem])?;
    let keys: Keys = front.read(file).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let mut check = |value: Option<&serde_saphyr::Spanned<String>>,
                     good: fn(&str) -> bool,
                     message: &str,
                     advice: &str| {
        if let Some(value) = value.filter(|v| !good(&v.value)) {
            problems.push(Problem::new(file, front.line(value.referenced), message, advice));
        }
    };
    check(
        keys.id.as_ref(),
        is_id,
        "this is no id",
        "write 1 to 200 characters, none of them a space at an end or a control character",
    );
    check(
        keys.title.as_ref(),
        |t| !t.trim().is_empty(),
        "the title is empty",
        "say what the article is about",
    );
    check(keys.language.as_ref(), is_language, "this is no language", "write two letters, for example `en`");
    check(
        keys.reviewed.as_ref(),
        |day| day.trim().parse::<jiff::civil::Date>().is_ok(),
        "this is no date",
        "write it as 2026-11-24",
    );
    let passages = markdown::passages(front.body, passage_chars_max);
    if passages.is_empty() {
        problems.push(Problem::new(
            file,
            None,
            "the article says nothing",
            "write its text below the front matter",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let id = keys.id.map_or_else(|| stem(file).to_owned(), |id| id.value);
    let title = keys
        .title
        .map(|title| title.value.trim().to_owned())
        .or_else(|| markdown::first_heading(front.body))
        .unwrap_or_else(|| id.replace(['-', '_'], " "));
    Ok(Article {
        id,
        title,
        questions: keys.questions.into_iter().filter(|q| !q.trim().is_empty()).collect(),
        tags: keys.tags,
        language: keys.language.map_or_else(|| "en".to_owned(), |l| l.value.trim().to_ascii_lowercase()),
        reviewed: keys.reviewed.and_then(|day| day.value.trim().parse().ok()),
        passages,
        file: file.to_owned(),
    })
}

fn is_id(text: &str) -> bool {
    let length = text.chars().count();
    (1..=ID_CHARS_MAX).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
}

fn is_language(text: &str) -> bool {
    let text = text.trim();
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(markdown: &str) -> Vec<String> {
        parse("articles/a.md", markdown, 900).unwrap().passages.into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn an_article_reads_its_keys_and_defaults_the_rest() {
        let text = "---\ntitle: \"Returns: how\"\nquestions: [send it back]\nlanguage: DE\nreviewed: 2026-10-20\n---\nHello.\n";
        let article = parse("articles/x/returns.md", text, 900).unwrap();
        assert_eq!((article.id.as_str(), article.title.as_str()), ("returns", "Returns: how"));
        assert_eq!(article.language, "de");
        assert_eq!(article.reviewed, Some(jiff::civil::date(2026, 10, 20)));
        let bare = parse("articles/gift-cards.md", "# Gift cards\n\nThey never expire.", 900).unwrap();
        assert_eq!((bare.title.as_str(), bare.language.as_str()), ("Gift cards", "en"));
    }

    #[test]
    fn every_problem_of_a_file_is_named_with_its_line() {
        let text = "---\nid: \" x\"\ntitle: \"\"\nlanguage: english\nreviewed: yesterday\n---\nHello.\n";
        let problems = parse("articles/a.md", text, 900).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(2), Some(3), Some(4), Some(5)]);
    }

    #[test]
    fn headings_lists_tables_and_links_become_plain_text() {
        let text = "# Sizes\n\nSee [the chart](https://shop.example/sizes) or <https://shop.example>.\n\n\
            1. Measure\n2. Compare\n   - twice\n\n## Boots\n\n| Size | Length |\n|---|---|\n| 42 | 26 cm |\n";
        let article = parse("articles/a.md", text, 900).unwrap();
        assert_eq!(
            article.passages,
            [
                Passage {
                    heading: "Sizes".into(),
                    text: "See the chart (https://shop.example/sizes) or https://shop.example.\n1. Measure\n2. Compare\n- twice".into()
                },
                Passage { heading: "Sizes > Boots".into(), text: "42: Length 26 cm".into() },
            ]
        );
    }

    #[test]
    fn a_placeholder_in_angle_brackets_is_kept_and_a_tag_is_not() {
        assert_eq!(text_of("Set <NAME> to<br>1 <b>now</b>."), ["Set <NAME> to\n1 now."]);
    }

    #[test]
    fn a_long_text_is_cut_between_sentences() {
        let text = "One two three. Four five six. Seven eight nine.";
        let article = parse("articles/a.md", text, 30).unwrap();
        let parts: Vec<_> = article.passages.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(parts, ["One two three. Four five six.", "Seven eight nine."]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_an_article_panic_or_exceed_the_limit(bytes: Vec<u8>, size in 1_usize..60) {
            let text = String::from_utf8_lossy(&bytes);
            for text in [text.to_string(), format!("---\n{text}\n---\n{text}")] {
                if let Ok(article) = parse("articles/a.md", &text, size) {
                    prop_assert!(article.passages.iter().all(|p| p.text.chars().count() <= size));
                }
            }
        }

        #[test]
        fn no_markdown_makes_an_article_panic(text in "[-#>|*_`\\[\\]()<>a-z0-9 .!\n]{0,200}") {
            if let Ok(article) = parse("articles/a.md", &text, 40) {
                prop_assert!(article.passages.iter().all(|p| p.text.chars().count() <= 40));
            }
        }
    }
}
