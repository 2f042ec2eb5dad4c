//! How likely it is that the knowledge base holds the answer at all.
//!
//! A logistic model over four measures of the search. A short question is answered when the best article
//! matches most of what it could match; a long description never is covered whole by any article, and what
//! tells is how far the best stands above the others. So the measures change places with the length of the
//! query. Fitted on techqa (191 answerable questions, 49 without an answer, and the 191 again with their
//! document taken away) and on a help centre of 100 articles (575 of its own questions, each held out of its
//! article, two or three of them joined for long ones; off-topic requests short and long). Cross-validated
//! AUROC: techqa .75 to .76 (BM25 score alone .65, the best single measure .75), its removed documents .79;
//! help centre against off-topic .89 short and .99 long. Agreement between fields, likeness to titles,
//! coverage by the rarest word, pairs and unknown words brought less than .01 on top.

use super::rank::Evidence;

/// Number of terms up to which a query is short, and from which it is long.
const SHORT_TERMS: f32 = 5.0;
const LONG_TERMS: f32 = 20.0;
/// More strength than this says nothing more about a long query.
const LONG_STRENGTH_MAX: f32 = 0.6;

const BIAS: f32 = -2.1126;
const LONG: f32 = -1.4170;
const SHORT_STRENGTH: f32 = 1.3948;
const LONG_MARGIN: f32 = 2.2786;
const LONG_PASSAGE_LEAD: f32 = 3.8961;
const LONG_STRENGTH: f32 = 4.2282;

/// The probability, 0 to 1; without any article that matches it is 0.
pub(super) fn answerable(evidence: Option<Evidence>) -> f32 {
    let Some(evidence) = evidence else { return 0.0 };
    let span = LONG_TERMS.ln() - SHORT_TERMS.ln();
    let long = ((evidence.terms.max(1.0).ln() - SHORT_TERMS.ln()) / span).clamp(0.0, 1.0);
    let sum = BIAS
        + (1.0 - long) * SHORT_STRENGTH * evidence.strength
        + long
            * (LONG
                + LONG_MARGIN * evidence.margin
                + LONG_PASSAGE_LEAD * evidence.passage_lead
                + LONG_STRENGTH * evidence.strength.min(LONG_STRENGTH_MAX));
    1.0 / (1.0 + (-sum).exp())
}
