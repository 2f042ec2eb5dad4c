//! A report as a file for spreadsheets.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{FigureBody, Read, shown, unit};
use crate::domain::measures::{Measure, Sums};
use crate::web::error::{ApiError, of_status};

/// The columns. `second` is what the measure says beside its value: the ninth tenth of a time, the response rate of a
/// score, the whole of a cost.
const COLUMNS: [&str; 12] = [
    "measure",
    "key",
    "from",
    "to",
    "unit",
    "value",
    "second",
    "counted",
    "of",
    "previous_value",
    "previous_counted",
    "previous_of",
];

/// These measures, a line for the whole and one for each group.
pub(in crate::web) fn csv(read: &Read, measures: &[Measure]) -> Result<Response, ApiError> {
    let broken = |error: &dyn std::fmt::Display| {
        tracing::error!(error = %error, "a report could not be written");
        of_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR, None)
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|error| broken(&error))?;
    for measure in measures.iter().copied() {
        let groups = read.groups.iter().map(|group| (group.key.as_str(), &group.sums, group.before.as_ref()));
        for (key, sums, before) in std::iter::once(("", &read.total, read.before.as_ref())).chain(groups) {
            let line = line(read, measure, key, sums, before);
            writer.write_record(line).map_err(|error| broken(&error))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| broken(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"report.csv\""),
    ];
    Ok((headers, bytes).into_response())
}

fn line(read: &Read, measure: Measure, key: &str, sums: &Sums, before: Option<&Sums>) -> [String; 12] {
    let figure = |sums| shown(measure, measure.figure(sums, &read.prices));
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let cut = &read.scope.cut;
    let now = figure(sums);
    let then: Option<FigureBody> = before.map(figure);
    let previous =
        |part: fn(&FigureBody) -> i64| then.as_ref().map_or_else(String::new, |one| part(one).to_string());
    [
        measure.as_str().to_owned(),
        harmless(key),
        crate::domain::measures::date(cut.from).to_string(),
        crate::domain::measures::date(cut.to - 1).to_string(),
        unit(measure, &read.prices),
        number(now.value),
        number(now.p90.or(now.response_rate).or(now.whole)),
        now.counted.to_string(),
        now.of.to_string(),
        number(then.as_ref().and_then(|one| one.value)),
        previous(|one| one.counted),
        previous(|one| one.of),
    ]
}

/// A word that no spreadsheet takes for a formula.
fn harmless(word: &str) -> String {
    if word.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{word}") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_never_a_formula() {
        assert_eq!([harmless("=1+1"), harmless("@x"), harmless("sms")], ["'=1+1", "'@x", "sms"]);
    }
}
