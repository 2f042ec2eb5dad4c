//! Answers from the articles: which of those found, and whether any is good enough to be said at all.

use super::Run;
use super::reply::Part;
use crate::domain::case::Resolution;
use crate::domain::decision::{HandOff, Step};
use crate::domain::message::Citation;
use crate::knowledge::{Hit, Search};

/// How much more an article counts that the procedure under way names: the classifier has read more of
/// the question than the words it shares with an article.
const NAMED_WEIGHT: f32 = 1.5;
/// How much of the question a named article must have; the procedure vouches for the rest.
const NAMED_COVERAGE_MIN: f32 = 0.35;
/// How much of it any other article must have: half a question is somebody else's answer.
const COVERAGE_MIN: f32 = 0.5;
/// How like it must be to what such an article is asked: one rare word in common is chance.
const LIKENESS_MIN: f32 = 0.25;
/// From here on the question is one of the article's own, whatever else speaks against it.
const LIKENESS_SURE: f32 = 0.6;

impl Run {
    /// Answers from what the search found, or says that we do not have it.
    pub(super) fn passage(&mut self, request: &str, named: &[String], search: &Search) -> Option<Step> {
        let Some(hit) = best(search, named, self.shared.triage.answer_min) else {
            if self.situation.language != self.shared.business.language {
                let say = Some(self.phrase("language_handoff", &serde_json::Value::Null));
                return Some(self.hand_off(HandOff { say, ..HandOff::because("language") }));
            }
            return self.nothing_known(request);
        };
        self.quote(hit);
        None
    }

    /// Answers a question about things in general; false when the articles do not surely have it.
    pub(super) fn in_general(&mut self, search: &Search) -> bool {
        let like = |a: &&Hit, b: &&Hit| a.likeness.total_cmp(&b.likeness);
        let Some(hit) = search.hits.iter().max_by(like).filter(|hit| hit.likeness >= LIKENESS_SURE) else {
            return false;
        };
        self.quote(hit);
        true
    }

    fn quote(&mut self, hit: &Hit) {
        self.memory.failures = 0;
        let citation = Citation { article: hit.article.clone(), title: hit.title.clone() };
        let text = format!("{}\n{}", hit.snippet.trim(), self.source_line(&hit.title));
        self.parts.push(Part {
            text,
            citations: vec![citation],
            choices: Vec::new(),
            resolves: Some(Resolution::Answered),
        });
    }
}

/// The article that answers best, those of the procedure first among equals; none when it is not good enough.
pub(in crate::assistant) fn best<'a>(
    search: &'a Search,
    named: &[String],
    answerable_min: f32,
) -> Option<&'a Hit> {
    let vouched = |hit: &Hit| named.contains(&hit.article);
    let worth = |hit: &Hit| {
        // Squared: half a likeness is common among articles about one product.
        let score = hit.score * (1.0 + hit.likeness * hit.likeness);
        if vouched(hit) { NAMED_WEIGHT * score } else { score }
    };
    let hit = search.hits.iter().max_by(|a, b| worth(a).total_cmp(&worth(b)))?;
    let enough = if hit.likeness >= LIKENESS_SURE {
        true
    } else if vouched(hit) {
        hit.coverage >= NAMED_COVERAGE_MIN
    } else {
        search.answerable >= answerable_min && hit.coverage >= COVERAGE_MIN && hit.likeness >= LIKENESS_MIN
    };
    enough.then_some(hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(article: &str, score: f32, coverage: f32) -> Hit {
        Hit {
            article: article.to_owned(),
            title: String::new(),
            score,
            coverage,
            likeness: 0.3,
            passage: String::new(),
            snippet: String::new(),
            reviewed: None,
        }
    }

    fn chosen(hits: Vec<Hit>, answerable: f32, named: &[&str]) -> Option<String> {
        let search = Search { answerable, hits, version: String::new() };
        let named: Vec<String> = named.iter().map(|&id| id.to_owned()).collect();
        best(&search, &named, 0.5).map(|hit| hit.article.clone())
    }

    #[test]
    fn the_procedures_article_wins_unless_another_is_much_better() {
        let near = || vec![hit("other", 10.0, 1.0), hit("named", 8.0, 0.6)];
        assert_eq!(chosen(near(), 0.6, &["named"]).as_deref(), Some("named"));
        assert_eq!(chosen(near(), 0.6, &[]).as_deref(), Some("other"));
        let far = vec![hit("other", 30.0, 1.0), hit("named", 8.0, 0.3)];
        assert_eq!(chosen(far, 0.9, &["named"]).as_deref(), Some("other"));
    }

    #[test]
    fn half_a_question_is_not_answered_unless_the_procedure_vouches_for_it() {
        assert_eq!(chosen(vec![hit("tents", 17.0, 0.3)], 0.9, &[]), None);
        assert_eq!(chosen(vec![hit("tents", 17.0, 0.9)], 0.3, &[]), None);
        let chance = Hit { likeness: 0.1, ..hit("tents", 17.0, 0.9) };
        assert_eq!(chosen(vec![chance], 0.9, &[]), None);
        assert_eq!(chosen(vec![hit("payment", 11.0, 0.4)], 0.3, &["payment"]).as_deref(), Some("payment"));
        assert_eq!(chosen(vec![hit("payment", 11.0, 0.1)], 0.3, &["payment"]), None);
    }

    #[test]
    fn an_articles_own_question_is_answered_by_it() {
        let asked = |likeness| Hit { likeness, ..hit("asked", 8.0, 0.4) };
        assert_eq!(chosen(vec![hit("near", 10.0, 0.4), asked(0.7)], 0.3, &[]).as_deref(), Some("asked"));
        assert_eq!(chosen(vec![hit("near", 10.0, 0.4), asked(0.4)], 0.3, &[]), None);
    }
}
