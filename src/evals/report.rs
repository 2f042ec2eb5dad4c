//! What the trials of a run came to: by scenario and suite, against a baseline, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::run::Trial;
use crate::domain::turn::Outcome;

/// The trials of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Result {
    /// Its name.
    pub scenario: String,
    /// Its suite.
    pub suite: String,
    /// What it shows.
    pub purpose: String,
    /// How often it was played.
    pub trials: usize,
    /// How often all was as it had to be.
    pub passed: usize,
    /// How often the world could not be started or broke: no failure of the service.
    pub broken: usize,
    /// What was wrong, each once.
    pub failures: Vec<String>,
    /// What a model was asked; in scenarios whose model is scripted nothing is counted.
    pub model: Asked,
    /// How long the trials took together.
    pub duration_ms: u128,
}

/// How much a model was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The customer's messages, a burst as one, where no tool was called in the scenario …
    pub plain_messages: usize,
    /// … and the calls to the model for them.
    pub plain_calls: i64,
    /// The same where tools were called.
    pub tool_messages: usize,
    /// The same where tools were called.
    pub tool_calls: i64,
    /// Read and written.
    pub tokens: i64,
    /// Scenarios that ended resolved.
    pub resolved: usize,
}

impl Asked {
    /// Counts one trial.
    pub fn count(&mut self, trial: &Trial) {
        if trial.model.calls == 0 {
            return;
        }
        let messages = trial.played.iter().filter(|played| played.outcome.is_some()).count();
        let (all, calls) = if trial.receipts.is_empty() {
            (&mut self.plain_messages, &mut self.plain_calls)
        } else {
            (&mut self.tool_messages, &mut self.tool_calls)
        };
        *all += messages;
        *calls += trial.model.calls;
        self.tokens += trial.model.input_tokens + trial.model.output_tokens;
        let last = trial.played.last().and_then(|played| played.outcome);
        self.resolved += usize::from(last == Some(Outcome::Resolved));
    }

    fn add(&mut self, other: Self) {
        self.plain_messages += other.plain_messages;
        self.plain_calls += other.plain_calls;
        self.tool_messages += other.tool_messages;
        self.tool_calls += other.tool_calls;
        self.tokens += other.tokens;
        self.resolved += other.resolved;
    }

    fn line(&self) -> Option<String> {
        let per = |calls: i64, messages: usize| calls as f64 / messages.max(1) as f64;
        (self.plain_calls + self.tool_calls > 0).then(|| {
            format!(
                "model: {:.2} calls a message without tools ({}), {:.2} with ({}); {} tokens a resolved case",
                per(self.plain_calls, self.plain_messages),
                self.plain_messages,
                per(self.tool_calls, self.tool_messages),
                self.tool_messages,
                self.tokens / i64::try_from(self.resolved.max(1)).unwrap_or(1),
            )
        })
    }
}

impl Result {
    fn whole(&self) -> bool {
        self.passed == self.trials
    }
}

/// All results of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// By scenario.
    pub results: Vec<Result>,
    /// By suite, and `all`.
    pub suites: BTreeMap<String, Summary>,
}

/// A suite in numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Its scenarios.
    pub scenarios: usize,
    /// Those that passed in every trial (pass^k).
    pub passed: usize,
    /// The share that passed.
    pub share: f64,
    /// Wilson's 95 % interval around the share.
    pub interval: [f64; 2],
}

/// What an earlier run reached; a later one must not fall below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The scenarios that passed in every trial.
    pub passing: Vec<String>,
}

impl Report {
    /// Sums up results.
    pub fn new(results: Vec<Result>) -> Self {
        let mut suites: BTreeMap<String, Summary> = BTreeMap::new();
        for result in &results {
            for suite in [result.suite.as_str(), "all"] {
                let summary = suites.entry(suite.to_owned()).or_default();
                summary.scenarios += 1;
                summary.passed += usize::from(result.whole());
            }
        }
        for summary in suites.values_mut() {
            summary.share = summary.passed as f64 / summary.scenarios.max(1) as f64;
            summary.interval = wilson(summary.passed, summary.scenarios);
        }
        Self { results, suites }
    }

    /// What this run reached.
    pub fn baseline(&self) -> Baseline {
        let mut passing: Vec<String> =
            self.results.iter().filter(|r| r.whole()).map(|r| r.scenario.clone()).collect();
        passing.sort();
        Baseline { passing }
    }

    /// The scenarios that passed in the baseline and fail now. One that this run did not play is not judged.
    pub fn below<'a>(&'a self, baseline: &'a Baseline) -> Vec<&'a str> {
        let fails = |name: &&String| self.results.iter().any(|r| r.scenario == **name && !r.whole());
        baseline.passing.iter().filter(fails).map(String::as_str).collect()
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for result in self.results.iter().filter(|result| !result.whole()) {
            let _ = writeln!(text, "✗ {} ({}): {}", result.scenario, result.suite, result.purpose);
            for failure in &result.failures {
                let _ = writeln!(text, "    {failure}");
            }
        }
        let _ = writeln!(text, "{:<14} {:>9} {:>7} {:>7}  95 %", "suite", "scenarios", "passed", "share");
        for (suite, summary) in &self.suites {
            let [low, high] = summary.interval;
            let _ = writeln!(
                text,
                "{suite:<14} {:>9} {:>7} {:>6.1}%  {:.0}–{:.0}%",
                summary.scenarios,
                summary.passed,
                100.0 * summary.share,
                100.0 * low,
                100.0 * high
            );
        }
        let mut asked = Asked::default();
        self.results.iter().for_each(|result| asked.add(result.model));
        if let Some(line) = asked.line() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// For machines that read `JUnit`'s XML.
    pub fn junit(&self) -> String {
        let failures = self.results.iter().filter(|r| !r.whole()).count();
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"firstline eval\" tests=\"{}\" failures=\"{failures}\">\n",
            self.results.len()
        );
        for result in &self.results {
            let seconds = result.duration_ms as f64 / 1000.0;
            let (suite, name) = (escaped(&result.suite), escaped(&result.scenario));
            let _ = write!(text, "  <testcase classname=\"{suite}\" name=\"{name}\" time=\"{seconds:.3}\"");
            if result.whole() {
                text.push_str("/>\n");
            } else {
                let message = escaped(&result.failures.join("; "));
                let _ = writeln!(text, "><failure message=\"{message}\"/></testcase>");
            }
        }
        text.push_str("</testsuite>\n");
        text
    }
}

/// Wilson's interval for a share at 95 % (E. B. Wilson, 1927).
fn wilson(passed: usize, of: usize) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (of as f64, 1.96_f64);
    let share = passed as f64 / n;
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, passed: usize) -> Result {
        Result {
            scenario: name.to_owned(),
            suite: "s".to_owned(),
            purpose: "p".to_owned(),
            trials: 2,
            passed,
            broken: 0,
            failures: if passed < 2 { vec!["a < b".to_owned()] } else { vec![] },
            model: Asked::default(),
            duration_ms: 5,
        }
    }

    #[test]
    fn a_scenario_that_fails_once_is_below_a_baseline_in_which_it_passed() {
        let report = Report::new(vec![result("a", 2), result("b", 1)]);
        let baseline = Baseline { passing: vec!["a".to_owned(), "b".to_owned(), "not played".to_owned()] };
        assert_eq!(report.below(&baseline), ["b"]);
        assert_eq!(report.baseline().passing, ["a"]);
        assert!(report.junit().contains("failure message=\"a &lt; b\""));
    }

    #[test]
    fn the_interval_is_wilsons() {
        let [low, high] = wilson(8, 10);
        assert!((low - 0.4902).abs() < 0.001 && (high - 0.9433).abs() < 0.001, "{low} {high}");
    }
}
