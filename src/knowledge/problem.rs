//! What is wrong with a file of the knowledge base, for the person who wrote it.

/// One thing to put right, with the place and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the knowledge folder.
    pub file: String,
    /// The line, counted from 1, where one is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl Problem {
    pub(super) fn new(file: &str, line: Option<u32>, message: impl Into<String>, advice: &str) -> Self {
        Self { file: file.to_owned(), line, message: message.into(), advice: advice.to_owned() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}; {}", self.file, self.message, self.advice),
            None => write!(f, "{}: {}; {}", self.file, self.message, self.advice),
        }
    }
}
