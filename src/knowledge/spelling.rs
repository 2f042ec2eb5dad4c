//! Spelling: the word of the knowledge base that somebody meant, for words that do not occur in it.

use std::collections::HashMap;

/// Shortest word that is corrected, characters: shorter ones are one letter away from too many others (`rent`, `rest`).
const CHARS_MIN: usize = 5;
/// From this length on two wrong letters are put right.
const TWO_ERRORS_CHARS_MIN: usize = 8;
/// Shortest half of a word that was written together.
const HALF_CHARS_MIN: usize = 3;

/// Every word that occurs, ordered for looking up the ones that are nearly the same.
///
/// The first letter is taken as right: it is the one that people least often miss, and words that share
/// it and nearly the length are few enough to compare one by one.
#[derive(Default)]
pub(super) struct Spelling {
    by_start: HashMap<(char, usize), Vec<Known>>,
    count: HashMap<String, u32>,
}

struct Known {
    characters: Box<[char]>,
    letters: u32,
    count: u32,
}

impl Spelling {
    /// Notes one occurrence of a word.
    pub(super) fn note(&mut self, word: &str) {
        match self.count.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.count.insert(word.to_owned(), 1);
            }
        }
    }

    /// Orders what was noted; call once after the last word.
    pub(super) fn finish(&mut self) {
        for (word, count) in &self.count {
            let characters: Box<[char]> = word.chars().collect();
            let Some(&first) = characters.first() else { continue };
            if word.chars().any(|c| c.is_ascii_digit()) {
                continue;
            }
            let known = Known { letters: letters(&characters), characters, count: *count };
            self.by_start.entry((first, known.characters.len())).or_default().push(known);
        }
    }

    /// What was meant by a word that does not occur: two words written together, or the most frequent of
    /// the nearest ones. Empty when nothing is near.
    pub(super) fn meant(&self, word: &str) -> Vec<String> {
        let characters: Vec<char> = word.chars().collect();
        if characters.len() < CHARS_MIN || characters.iter().any(char::is_ascii_digit) {
            return Vec::new();
        }
        if let Some(halves) = self.halves(word) {
            return halves;
        }
        let errors_max = if characters.len() >= TWO_ERRORS_CHARS_MIN { 2 } else { 1 };
        let shortest = characters.len().saturating_sub(errors_max);
        let mine = letters(&characters);
        let near = (shortest..=characters.len() + errors_max)
            .filter_map(|length| self.by_start.get(&(*characters.first()?, length)))
            .flatten()
            // One wrong letter takes one kind of letter away and brings one.
            .filter(|known| (known.letters ^ mine).count_ones() as usize <= 2 * errors_max)
            .filter_map(|known| Some((distance(&characters, &known.characters, errors_max)?, known)))
            .min_by(|a, b| {
                a.0.cmp(&b.0).then(b.1.count.cmp(&a.1.count)).then(a.1.characters.cmp(&b.1.characters))
            });
        near.map(|(_, known)| vec![known.characters.iter().collect()]).unwrap_or_default()
    }

    fn halves(&self, word: &str) -> Option<Vec<String>> {
        let cuts = word.char_indices().map(|(at, _)| at).skip(HALF_CHARS_MIN);
        cuts.filter_map(|at| Some((word.get(..at)?, word.get(at..)?)))
            .filter(|(_, right)| right.chars().count() >= HALF_CHARS_MIN)
            .filter_map(|(left, right)| {
                let rarer = self.count.get(left)?.min(self.count.get(right)?);
                Some((rarer, left, right))
            })
            .max_by_key(|(rarer, _, _)| **rarer)
            .map(|(_, left, right)| vec![left.to_owned(), right.to_owned()])
    }
}

/// Which letters occur, one bit for each; others share bits, which only lets more words through.
fn letters(characters: &[char]) -> u32 {
    characters.iter().fold(0, |bits, c| bits | 1 << (u32::from(*c) % 32))
}

/// Letters to insert, remove, change or swap with their neighbour; none when more than `most`.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let mut best =
                (previous[j] + usize::from(left != right)).min(previous[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        if row.iter().all(|d| *d > most) {
            return None;
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous.last().copied().filter(|d| *d <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(text: &str) -> Spelling {
        let mut spelling = Spelling::default();
        text.split(' ').for_each(|word| spelling.note(word));
        spelling.finish();
        spelling
    }

    #[test]
    fn the_nearest_word_is_meant_and_the_more_frequent_of_two() {
        let spelling = spelling("return return retain delivery refund head torch hp10042");
        assert_eq!(spelling.meant("retrun"), ["return"]);
        assert_eq!(spelling.meant("delivry"), ["delivery"]);
        assert_eq!(spelling.meant("delvirey"), ["delivery"]);
        assert_eq!(spelling.meant("headtorch"), ["head", "torch"]);
    }

    #[test]
    fn short_words_numbers_and_far_words_stay_as_they_are() {
        let spelling = spelling("tent refund hp10042");
        for word in ["ten", "hp10043", "capital", "france"] {
            assert!(spelling.meant(word).is_empty(), "{word}");
        }
    }
}
