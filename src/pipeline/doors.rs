//! Where the messages of one writer wait for each other.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Messages of one writer are stored one after the other: at once they would only lose against each other, and each
/// would have to read the case again. Between processes the versions in the record decide.
pub struct Doors(Vec<tokio::sync::Mutex<()>>);

impl Default for Doors {
    fn default() -> Self {
        // Enough that two strangers hardly ever share one, and when they do, one waits for a commit.
        Self((0..1024).map(|_| tokio::sync::Mutex::default()).collect())
    }
}

impl Doors {
    pub(super) async fn of(&self, writer: &(String, String)) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        writer.hash(&mut hasher);
        match self.0.get(hasher.finish() as usize % self.0.len()) {
            Some(door) => Some(door.lock().await),
            None => None,
        }
    }
}
