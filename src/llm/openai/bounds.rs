//! How deep JSON nests, seen without building any of it.

/// Whether brackets outside of strings nest at most `max` deep.
pub(super) fn nests_within(json: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert!(nests_within(br#"{"a":["[[[[\"[[[["]}"#, 2));
        assert!(!nests_within(br#"{"a":[[]]}"#, 2));
        assert!(!nests_within("[".repeat(100_000).as_bytes(), 64));
    }
}
