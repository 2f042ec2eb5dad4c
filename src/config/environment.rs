//! The process's environment, as templates of tools and settings may read it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

/// The process's environment, read once. Values are secret until a template asks for one by name.
#[derive(Clone, Default)]
pub struct Environment(pub(super) BTreeMap<String, SecretString>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, SecretString::from(v.into_string().ok()?))))
            .collect()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret)
    }

    /// The same environment with `name` set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), SecretString::from(value.to_owned()));
        self
    }
}

impl FromIterator<(String, SecretString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, SecretString)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
