//! Sentences: the smallest part of a text that is ever shown alone.

/// What ends in a full stop without ending a sentence.
const ABBREVIATIONS: [&str; 24] = [
    "e.g", "i.e", "etc", "approx", "incl", "excl", "mr", "mrs", "ms", "dr", "st", "no", "nr", "vs", "ca",
    "bzw", "z.b", "max", "min", "tel", "p.m", "a.m", "fig", "sr",
];

/// Cuts a text at the ends of its lines and of its sentences; nothing is lost but the space between.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    text.split('\n').flat_map(line_sentences).map(str::trim).filter(|s| !s.is_empty()).collect()
}

fn line_sentences(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if !matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？') {
            continue;
        }
        while let Some((_, next)) = characters.peek()
            && matches!(next, '.' | '!' | '?' | '"' | '\'' | ')' | '”' | '’')
        {
            characters.next();
        }
        let Some(&(after, space)) = characters.peek() else { break };
        if !space.is_whitespace() {
            continue;
        }
        let so_far = line.get(begin..at).unwrap_or_default();
        let next = line.get(after..).unwrap_or_default().trim_start().chars().next();
        if next.is_some_and(char::is_lowercase) || (c == '.' && is_abbreviation(so_far)) {
            continue;
        }
        parts.push(line.get(begin..after).unwrap_or_default());
        begin = after;
    }
    parts.push(line.get(begin..).unwrap_or_default());
    parts
}

fn is_abbreviation(text: &str) -> bool {
    let word = text.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let lower = word.to_lowercase();
    // A number or a dash before the stop is the mark of a list entry: `1. First`.
    let list_mark = text.trim().chars().all(|c| c.is_ascii_digit()) && !text.trim().is_empty();
    list_mark || ABBREVIATIONS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_stops_and_lines_but_not_at_abbreviations() {
        let text = "Standard takes 3.5 days, e.g. Monday. Is it late? Write to us!\n1. Open the lid.\n- No stop here";
        assert_eq!(
            sentences(text),
            [
                "Standard takes 3.5 days, e.g. Monday.",
                "Is it late?",
                "Write to us!",
                "1. Open the lid.",
                "- No stop here"
            ]
        );
    }
}
