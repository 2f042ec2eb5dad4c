//! Front matter: the YAML between two lines of `---` at the top of a Markdown file.

use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A file taken apart; line numbers count from 1 in the whole file.
#[derive(Debug)]
pub(super) struct Front<'a> {
    /// The YAML, empty when there is none.
    yaml: &'a str,
    /// How many lines stand before the YAML.
    lines_before: u32,
    /// What follows.
    pub(super) body: &'a str,
}

/// Takes a file apart; a file that does not begin with `---` has no front matter.
pub(super) fn split<'a>(file: &str, text: &'a str) -> Result<Front<'a>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != "---" {
        return Ok(Front { yaml: "", lines_before: 0, body: text });
    }
    let begin = first.len();
    let mut end = begin;
    for line in lines {
        if line.trim_end() == "---" {
            let yaml = text.get(begin..end).unwrap_or_default();
            let body = text.get(end + line.len()..).unwrap_or_default();
            return Ok(Front { yaml, lines_before: 1, body });
        }
        end += line.len();
    }
    Err(Problem::new(
        file,
        Some(1),
        "the front matter is never closed",
        "add a line with only `---` below it",
    ))
}

impl Front<'_> {
    /// Reads the YAML as `T`, which names every key it knows.
    pub(super) fn read<T: DeserializeOwned>(&self, file: &str) -> Result<T, Problem> {
        let yaml = if self.yaml.trim().is_empty() { "{}" } else { self.yaml };
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
            let line = error.location().map_or(1, |l| u32::try_from(l.line()).unwrap_or(1));
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default().to_owned();
            Problem::new(
                file,
                Some(line.saturating_add(self.lines_before)),
                message,
                "correct the front matter (texts with `:` or `{{` need quotes)",
            )
        })
    }

    /// The line in the file of a place in the YAML; none when the place is not known.
    pub(super) fn line(&self, location: serde_saphyr::Location) -> Option<u32> {
        let line = u32::try_from(location.line()).ok().filter(|line| *line > 0)?;
        Some(line.saturating_add(self.lines_before))
    }
}

/// The name of a file without folders and ending, which is the id of what is in it unless it says otherwise.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Keys {
        title: String,
    }

    #[test]
    fn front_matter_and_body_come_apart_whatever_the_line_ends() {
        let front = split("a.md", "\u{feff}---\r\ntitle: Hello\r\n---\r\nBody\r\n").unwrap();
        assert_eq!(front.read::<Keys>("a.md").unwrap().title, "Hello");
        assert_eq!(front.body, "Body\r\n");
        assert_eq!(split("a.md", "just text").unwrap().body, "just text");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let problem =
            split("a.md", "---\ntitle: x\ncolour: red\n---\n").unwrap().read::<Keys>("a.md").unwrap_err();
        assert_eq!(problem.line, Some(3));
        assert!(problem.message.contains("colour"), "{problem}");
    }

    #[test]
    fn front_matter_without_an_end_is_a_problem() {
        assert_eq!(split("a.md", "---\ntitle: x\n").unwrap_err().line, Some(1));
    }
}
