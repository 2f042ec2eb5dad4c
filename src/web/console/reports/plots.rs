//! The plots of a report: day by day, week by week or month by month.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::super::error::ApiError;
use crate::charts::{self, Point, Told, Unit};
use crate::domain::measures::{Count, Measure, Prices, Sums, date, grouped, month_of, percent};
use crate::store::{By, Cut};

/// Up to so many days each is a step; then weeks are …
const DAYS_MAX: i64 = 45;
/// … up to this, and then months.
const WEEK_DAYS_MAX: i64 = 190;
const WEEK: i64 = 7;

/// The sums of one step.
pub(super) struct Step {
    label: String,
    told: String,
    pub(super) sums: Sums,
}

/// The steps of a cut, also those in which nothing happened.
pub(super) async fn steps(edge: &Edge, cut: &Cut) -> Result<Vec<Step>, ApiError> {
    let length = cut.to - cut.from;
    let by = if length > WEEK_DAYS_MAX { By::Month } else { By::Day };
    let begins = |day: i64| match length {
        length if length > WEEK_DAYS_MAX => month_of(day),
        length if length > DAYS_MAX => cut.from + (day - cut.from) / WEEK * WEEK,
        _ => day,
    };
    let mut all: BTreeMap<i64, Sums> = (cut.from..cut.to).map(|day| (begins(day), Sums::default())).collect();
    for (day, sums) in edge.app.store.sums(cut, by).await? {
        let Ok(day) = day.parse::<i64>() else { continue };
        let day = if by == By::Month { day } else { begins(day) };
        all.entry(day).or_default().merge(&sums, 1);
    }
    let step = |(day, sums): (i64, Sums)| {
        let date = date(day);
        let (label, told) = match length {
            length if length > WEEK_DAYS_MAX => {
                (date.strftime("%b").to_string(), date.strftime("%B %Y").to_string())
            }
            length if length > DAYS_MAX => {
                (date.strftime("%-d %b").to_string(), date.strftime("week from %-d %B").to_string())
            }
            _ => (date.strftime("%-d %b").to_string(), date.strftime("%A %-d %B").to_string()),
        };
        Step { label, told, sums }
    };
    Ok(all.into_iter().map(step).collect())
}

/// The plots, with a word for whoever cannot see them.
pub(super) fn all(steps: &[Step], cut: &Cut) -> Value {
    let length = cut.to - cut.from;
    let each = match length {
        length if length > WEEK_DAYS_MAX => "month",
        length if length > DAYS_MAX => "week",
        _ => "day",
    };
    json!({"each": each, "volume": volume(steps, each), "rates": rates(steps, each)})
}

fn volume(steps: &[Step], each: &str) -> String {
    let parts = |sums: &Sums| {
        let (automated, people) = (sums.get(Count::Automated), sums.get(Count::HandedCases));
        [automated, people, (sums.get(Count::Cases) - automated - people).max(0)]
    };
    let points: Vec<Point> = steps
        .iter()
        .map(|step| {
            let [automated, people, rest] = parts(&step.sums);
            Point {
                label: step.label.clone(),
                values: [automated, people, rest].map(|n| Some(n as f64)).to_vec(),
                told: format!(
                    "{}: {} cases, {automated} by the assistant, {people} with people, {rest} open or only greetings",
                    step.told,
                    step.sums.get(Count::Cases)
                ),
            }
        })
        .collect();
    let whole: i64 = steps.iter().map(|step| step.sums.get(Count::Cases)).sum();
    let most = steps.iter().max_by_key(|step| step.sums.get(Count::Cases));
    let most = most.map_or_else(String::new, |step| {
        format!(" The most, {}, on {}.", grouped(step.sums.get(Count::Cases)), step.told)
    });
    let text = format!("{} cases by the {each} on which they began.{most}", grouped(whole));
    charts::columns(Told { id: "volume", title: "Cases", text: &text }, &points)
}

fn rates(steps: &[Step], each: &str) -> String {
    let prices = Prices::default();
    let value = |measure: Measure, step: &Step| measure.figure(&step.sums, &prices).value;
    let points: Vec<Point> = steps
        .iter()
        .map(|step| {
            let values = [Measure::Automation, Measure::Durable].map(|measure| value(measure, step));
            let words = |share: Option<f64>| share.map_or_else(|| "nothing yet".to_owned(), percent);
            Point {
                label: step.label.clone(),
                told: format!("{}: automation {}, durable {}", step.told, words(values[0]), words(values[1])),
                values: values.to_vec(),
            }
        })
        .collect();
    let known: Vec<f64> = steps.iter().filter_map(|step| value(Measure::Automation, step)).collect();
    let text = match (known.first(), known.last()) {
        (Some(first), Some(last)) => format!(
            "Shares by {each}. Automation from {} at the beginning to {} at the end.",
            percent(*first),
            percent(*last)
        ),
        _ => "There is nothing to tell yet.".to_owned(),
    };
    charts::lines(
        Told { id: "rates", title: "Automation and durable resolutions", text: &text },
        Unit::Share,
        &points,
    )
}
