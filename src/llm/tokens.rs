//! Counting tokens ourselves: where a server reports no usage, and where a question may be too long.

use tiktoken_rs::o200k_base_singleton;

/// Longer texts are counted up to here and estimated beyond: counting is not linear in every text.
const COUNTED_BYTES_MAX: usize = 200_000;
/// Bytes a token has at least on average, in texts of every language.
const BYTES_PER_TOKEN_LOW: usize = 3;
/// Bytes a token has in everyday text.
const BYTES_PER_TOKEN: usize = 4;
/// What a message and a tool take beside their texts.
const TOKENS_PER_MESSAGE: u64 = 4;

/// Unpacks the vocabulary in the background.
pub(super) fn warm() {
    std::thread::spawn(|| _ = o200k_base_singleton());
}

/// The tokens of these texts together. Takes a millisecond for a few kilobytes: not for the async workers.
pub(super) fn count<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let mut left = COUNTED_BYTES_MAX;
    texts.map(|text| TOKENS_PER_MESSAGE + count_one(text, &mut left)).sum()
}

fn count_one(text: &str, left: &mut usize) -> u64 {
    let mut cut = text.len().min(*left);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    *left -= cut;
    let (head, tail) = text.split_at(cut);
    let counted = o200k_base_singleton().encode_ordinary(head).len();
    (counted + tail.len().div_ceil(BYTES_PER_TOKEN_LOW)) as u64
}

/// A guess from the length alone, for what need not be exact.
pub(super) fn guess(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_counted_and_a_flood_is_bounded() {
        let sentence = count(["Where is my order HP-10042?"].into_iter());
        assert!((8..16).contains(&sentence), "{sentence}");
        let flood = "ä".repeat(3 * COUNTED_BYTES_MAX);
        assert!(count(std::iter::once(flood.as_str())) >= (flood.len() / BYTES_PER_TOKEN) as u64 / 2);
    }
}
