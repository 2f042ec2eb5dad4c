//! What the sums say, in the words and links of the page.

use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::super::reports::{self, Read, Wanted};
use super::plots::Step;
use super::{called, named};
use crate::charts;
use crate::domain::measures::{Count, Figure, Measure, Sums, date, grouped, percent, time};
use crate::store::{Backlog, By};

/// The numbers that are shown first.
const TILES: [Measure; 8] = [
    Measure::Automation,
    Measure::Contained,
    Measure::Durable,
    Measure::FirstContact,
    Measure::FirstResponse,
    Measure::Escalation,
    Measure::CsatAssistant,
    Measure::Cost,
];
/// The columns of the table.
const COLUMNS: [Measure; 12] = [
    Measure::Volume,
    Measure::Automation,
    Measure::Contained,
    Measure::Durable,
    Measure::FirstContact,
    Measure::FirstResponse,
    Measure::Escalation,
    Measure::HandlePeople,
    Measure::Returned,
    Measure::CsatAssistant,
    Measure::CsatPeople,
    Measure::Cost,
];
/// Lines of a table that are shown.
const LINES_MAX: usize = 40;
/// Articles that are shown.
const ARTICLES_SHOWN: usize = 12;
/// Periods that are one click away, in days.
const PERIODS: [(&str, i64); 4] = [("7 days", 7), ("28 days", 28), ("90 days", 90), ("12 months", 365)];

/// One report as it is shown.
pub(super) struct View<'a> {
    pub(super) edge: &'a Edge,
    pub(super) wanted: &'a Wanted,
    pub(super) read: &'a Read,
    pub(super) steps: &'a [Step],
}

/// What is asked for, as the fields of an address.
pub(super) fn fields(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let all = [
        ("from", &wanted.from),
        ("to", &wanted.to),
        ("channel", &wanted.channel),
        ("intent", &wanted.intent),
        ("team", &wanted.team),
        ("language", &wanted.language),
        ("by", &wanted.by),
        ("compare", &wanted.compare),
    ];
    let set = all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    set.filter(|(_, value)| !value.is_empty()).collect()
}

/// An address with these fields, some of them replaced; an empty one is left out.
pub(super) fn address(path: &str, fields: &[(&'static str, String)], other: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter().filter(|(name, _)| other.iter().all(|(one, _)| one != name)) {
        query.append_pair(name, value);
    }
    for (name, value) in other.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

impl View<'_> {
    fn link(&self, other: &[(&str, &str)]) -> String {
        address("/console/reports", &fields(self.wanted), other)
    }

    /// Where the cases behind a number are listed.
    pub(super) fn cases(&self, name: &str, value: &str) -> String {
        self.cases_of(name, value, None)
    }

    fn cases_of(&self, name: &str, value: &str, group: Option<(&str, &str)>) -> String {
        let mut other = vec![(name, value), ("by", ""), ("compare", "")];
        let (from, to) =
            (date(self.read.scope.cut.from).to_string(), date(self.read.scope.cut.to - 1).to_string());
        other.extend([("from", from.as_str()), ("to", to.as_str())]);
        other.extend(group);
        address("/console/reports/cases", &fields(self.wanted), &other)
    }

    fn figure(&self, measure: Measure, sums: &Sums) -> Figure {
        measure.figure(sums, &self.read.prices)
    }

    fn currency(&self) -> &str {
        &self.read.prices.currency
    }

    /// The period, and others one click away.
    pub(super) fn period(&self) -> Value {
        let (cut, today) = (&self.read.scope.cut, self.read.scope.today);
        let shown = |day: i64| date(day).to_string();
        let others: Vec<Value> = PERIODS
            .iter()
            .map(|(label, length)| {
                let from = shown(today + 1 - length);
                let chosen = cut.to == today + 1 && cut.to - cut.from == *length;
                json!({"label": label, "link": self.link(&[("from", &from), ("to", "")]), "chosen": chosen})
            })
            .collect();
        let before = self.read.scope.previous.as_ref();
        let before = before.map(|cut| format!("{} to {}", shown(cut.from), shown(cut.to - 1)));
        let filters: Vec<Value> = [
            ("channel", By::Channel, &self.wanted.channel),
            ("intent", By::Intent, &self.wanted.intent),
            ("team", By::Team, &self.wanted.team),
            ("language", By::Language, &self.wanted.language),
        ]
        .into_iter()
        .filter_map(|(name, by, key)| {
            let key = key.as_deref().filter(|key| !key.is_empty())?;
            Some(json!({"label": named(self.edge, by, key), "without": self.link(&[(name, "")])}))
        })
        .collect();
        let export = |format| self.link(&[("format", format)]);
        json!({
            "from": shown(cut.from), "to": shown(cut.to - 1), "zone": self.read.scope.zone, "others": others,
            "before": before, "filters": filters, "all": self.link(&[("channel", ""), ("intent", ""), ("team", ""), ("language", "")]),
            "by": self.wanted.by, "csv": export("csv"), "json": export("json"),
            "compared": before_is(self.wanted), "cases": grouped(self.read.total.get(Count::Cases)),
            "requests": grouped(self.read.total.get(Count::Requests)),
        })
    }

    /// The numbers that are shown first.
    pub(super) fn tiles(&self) -> Value {
        let tile = |measure: &Measure| {
            let figure = self.figure(*measure, &self.read.total);
            let values: Vec<Option<f64>> =
                self.steps.iter().map(|step| self.figure(*measure, &step.sums).value).collect();
            json!({
                "id": measure.as_str(), "title": measure.title(), "value": measure.say(figure, self.currency()),
                "of": measure.say_of(figure, self.currency()), "few": measure.few(figure),
                "definition": measure.definition(), "change": self.change(*measure, figure, self.read.before.as_ref()),
                "spark": charts::spark(&values), "link": self.cases("count", measure.cases().as_str()),
                "none": figure.value.is_none(),
            })
        };
        TILES.iter().map(tile).collect()
    }

    fn change(&self, measure: Measure, now: Figure, before: Option<&Sums>) -> Value {
        let before = before.map(|sums| self.figure(measure, sums));
        let Some((change, before)) = before.and_then(|old| Some((measure.change(now, old)?, old))) else {
            return Value::Null;
        };
        let side = match change.better {
            Some(true) => "better",
            Some(false) => "worse",
            None => "neither",
        };
        json!({"text": change.text, "side": side, "before": measure.say(before, self.currency())})
    }

    /// All measures told apart, with a line for the whole.
    pub(super) fn table(&self) -> Value {
        let by = self.read.scope.by;
        let name = match by {
            By::Intent => "intent",
            By::Team => "team",
            By::Language => "language",
            By::Channel | By::Day | By::Month | By::Nothing => "channel",
        };
        let cells = |sums: &Sums, before: Option<&Sums>, group: Option<(&str, &str)>| -> Vec<Value> {
            COLUMNS
                .iter()
                .map(|measure| {
                    let figure = self.figure(*measure, sums);
                    json!({
                        "text": measure.say(figure, self.currency()), "of": measure.say_of(figure, self.currency()),
                        "few": measure.few(figure), "change": self.change(*measure, figure, before),
                        "link": self.cases_of("count", measure.cases().as_str(), group),
                    })
                })
                .collect()
        };
        let line = |group: &reports::Group| {
            json!({
                "label": called(self.edge, by, group), "link": self.link(&[(name, &group.key)]),
                "cells": cells(&group.sums, group.before.as_ref(), Some((name, &group.key))),
            })
        };
        let lines: Vec<Value> = self.read.groups.iter().take(LINES_MAX).map(line).collect();
        let tabs: Vec<Value> = [("channel", "Channel"), ("intent", "What it is about"), ("team", "Team"), ("language", "Language")]
            .iter()
            .map(|(key, label)| {
                json!({"label": label, "link": format!("{}#apart", self.link(&[("by", key)])), "chosen": *key == name})
            })
            .collect();
        let heads: Vec<Value> = COLUMNS
            .iter()
            .map(|measure| json!({"id": measure.as_str(), "title": measure.title(), "definition": measure.definition()}))
            .collect();
        json!({
            "tabs": tabs, "heads": heads, "lines": lines, "more": self.read.groups.len().saturating_sub(LINES_MAX),
            "all": cells(&self.read.total, self.read.before.as_ref(), None),
        })
    }

    /// Why cases went to people, and whether that was right.
    pub(super) fn reasons(&self) -> Value {
        let all = reports::reasons(&self.read.total);
        let most = all.iter().map(|one| one.handoffs).max().unwrap_or_default() as f64;
        let lines: Vec<Value> = all
            .iter()
            .map(|one| {
                let open = (one.handoffs - one.right - one.not_right).max(0);
                let parts = [one.right as f64, one.not_right as f64, open as f64];
                let over = one.right + one.not_right;
                let right = if over > 0 { percent(one.right as f64 / over as f64) } else { "–".to_owned() };
                json!({
                    "label": super::super::shown::reason(&one.reason), "handoffs": grouped(one.handoffs),
                    "right": grouped(one.right), "not_right": grouped(one.not_right), "open": grouped(open),
                    "share": right, "bar": charts::bar(&parts, most), "link": self.cases("reason", &one.reason),
                })
            })
            .collect();
        let figure = self.figure(Measure::EscalationRight, &self.read.total);
        json!({
            "lines": lines, "value": Measure::EscalationRight.say(figure, ""),
            "of": Measure::EscalationRight.say_of(figure, ""), "definition": Measure::EscalationRight.definition(),
        })
    }

    /// Articles that resolve, and those that do not.
    pub(super) fn articles(&self) -> Value {
        let all = reports::articles(&self.read.total);
        let most = all.iter().map(|one| one.cases).max().unwrap_or_default() as f64;
        let lines: Vec<Value> = all
            .iter()
            .take(ARTICLES_SHOWN)
            .map(|one| {
                let rest = (one.cases - one.contained - one.failed).max(0);
                let parts = [one.contained as f64, one.failed as f64, rest as f64];
                json!({
                    "label": one.article, "cases": grouped(one.cases), "contained": grouped(one.contained),
                    "failed": grouped(one.failed), "bar": charts::bar(&parts, most),
                    "link": self.cases("article", &one.article),
                })
            })
            .collect();
        json!({"lines": lines, "more": all.len().saturating_sub(ARTICLES_SHOWN)})
    }

    /// What a case costs, part by part.
    pub(super) fn cost(&self) -> Value {
        let parts = self.read.cost();
        let whole: f64 = parts.iter().map(|part| part.amount).sum();
        let cases = self.read.total.get(Count::Cases).max(1) as f64;
        let sums = &self.read.total;
        let lines: Vec<Value> = parts
            .iter()
            .map(|part| {
                let (label, what) = match part.part {
                    "tokens" => {
                        let tokens = sums.get(Count::TokensIn) + sums.get(Count::TokensOut);
                        ("Language model", format!("{} tokens", grouped(tokens)))
                    }
                    "messages" => {
                        let all = sums.named(crate::domain::measures::Named::Segment).map(|(_, n)| n).sum();
                        ("Messages", format!("{} parts", grouped(all)))
                    }
                    "tools" => ("Tools", format!("{} calls", grouped(sums.get(Count::ToolCalls)))),
                    _ => ("People", time(sums.get(Count::PeopleMs) as f64)),
                };
                json!({
                    "label": label, "what": what, "each": format!("{} {:.3}", self.currency(), part.amount / cases),
                    "whole": format!("{} {:.2}", self.currency(), part.amount),
                    "bar": charts::bar(&[part.amount], whole),
                })
            })
            .collect();
        json!({"lines": lines, "priced": whole > 0.0, "definition": Measure::Cost.definition()})
    }

    /// What customers think of the assistant and of people, beside each other.
    pub(super) fn opinions(&self) -> Value {
        let all = [Measure::CsatAssistant, Measure::CsatPeople].map(|measure| {
            let figure = self.figure(measure, &self.read.total);
            json!({
                "id": measure.as_str(), "title": measure.title(), "value": measure.say(figure, ""),
                "of": measure.say_of(figure, ""),
                "change": self.change(measure, figure, self.read.before.as_ref()),
                "definition": measure.definition(), "link": self.cases("count", measure.cases().as_str()),
            })
        });
        json!(all)
    }

    /// Times, the middle one and the ninth of ten.
    pub(super) fn times(&self) -> Value {
        let all = [
            Measure::FirstResponse,
            Measure::HandleAssistant,
            Measure::HandlePeople,
            Measure::Wait,
            Measure::ResolutionTime,
        ];
        let line = |measure: Measure| {
            let figure = self.figure(measure, &self.read.total);
            let ninth = figure.second.map_or_else(|| "–".to_owned(), time);
            json!({
                "id": measure.as_str(), "title": measure.title(), "value": measure.say(figure, ""), "ninth": ninth, "of": grouped(figure.of),
                "change": self.change(measure, figure, self.read.before.as_ref()), "definition": measure.definition(),
            })
        };
        let level = self.figure(Measure::ServiceLevel, &self.read.total);
        json!({
            "lines": all.map(line),
            "level": (level.of > 0).then(|| json!({
                "value": Measure::ServiceLevel.say(level, ""), "of": Measure::ServiceLevel.say_of(level, ""),
                "definition": Measure::ServiceLevel.definition(),
            })),
        })
    }

    /// What waits for people or is with them, now.
    pub(super) fn backlog(&self, all: Vec<Backlog>) -> Value {
        let now = self.edge.app.clock.now();
        let lines: Vec<Value> = reports::waiting(all)
            .into_iter()
            .map(|one| {
                json!({
                    "state": match one.state.as_str() {
                        "queued" => "Waiting",
                        "agent" => "With a person",
                        _ => "Put aside",
                    },
                    "team": named(self.edge, By::Team, &one.team), "cases": grouped(one.cases),
                    "late": grouped(one.late), "soon": grouped(one.due_soon),
                    "oldest": time(now.ms_since(one.oldest_at).max(0) as f64),
                })
            })
            .collect();
        json!(lines)
    }

    /// Every measure with what it is.
    pub(super) fn definitions(&self) -> Value {
        let one = |measure: &Measure| {
            let figure = self.figure(*measure, &self.read.total);
            json!({
                "id": measure.as_str(), "title": measure.title(), "definition": measure.definition(),
                "value": measure.say(figure, self.currency()), "of": measure.say_of(figure, self.currency()),
                "link": self.cases("count", measure.cases().as_str()),
                "csv": format!("/console/reports?{}", self.link(&[("format", "csv")]).split_once('?').map_or("", |(_, query)| query)),
            })
        };
        Measure::ALL.iter().map(one).collect()
    }
}

fn before_is(wanted: &Wanted) -> bool {
    wanted.compare.as_deref() == Some("previous")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_chosen_and_replaces_what_is_given() {
        let wanted = Wanted {
            from: Some("2026-11-01".to_owned()),
            channel: Some("web chat&x=1".to_owned()),
            ..Wanted::default()
        };
        let fields = fields(&wanted);
        assert_eq!(address("/r", &fields, &[]), "/r?from=2026-11-01&channel=web+chat%26x%3D1");
        assert_eq!(address("/r", &fields, &[("channel", ""), ("by", "team")]), "/r?from=2026-11-01&by=team");
        assert_eq!(address("/r", &[], &[("by", "")]), "/r");
    }
}
