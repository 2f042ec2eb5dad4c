//! What a test needs that not every machine has: named by a variable, and always there in CI.

/// What this variable names, or none and a word about the test that is left out.
pub(crate) fn installed(variable: &str) -> Option<String> {
    let told = |name: &str| std::env::vars().find(|(known, _)| known == name).map(|(_, value)| value);
    let program = told(variable).filter(|program| !program.is_empty());
    if program.is_none() {
        assert_ne!(
            told("CI").as_deref(),
            Some("true"),
            "{variable} is not set, and in CI these tests must run"
        );
        eprintln!("left out: a test that needs what {variable} names, because it is not set");
    }
    program
}
