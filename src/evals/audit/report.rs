//! The matrix of an audit: who began where, who went on where, and what does not hold.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Finding, points};
use crate::templates::{TemplateError, Templates};

const PAGE: &str = include_str!("matrix.html");

/// An audit's findings.
#[derive(Debug, Clone)]
pub struct Report {
    /// The channels, in the order in which they were named.
    pub channels: Vec<String>,
    /// By pair and point.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Findings of which something does not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.failures.is_empty())
    }

    /// Ordered pairs that were played.
    pub fn pairs(&self) -> usize {
        self.findings.iter().map(|finding| (&finding.first, &finding.second)).collect::<BTreeSet<_>>().len()
    }

    fn cell(&self, first: &str, second: &str) -> Option<(usize, usize)> {
        let own = self.findings.iter().filter(|finding| finding.first == first && finding.second == second);
        let (all, failed) = own.fold((0, 0), |(all, failed), finding| {
            (all + 1, failed + usize::from(!finding.failures.is_empty()))
        });
        (all > 0).then_some((all, failed))
    }

    /// The matrix and the failures for a terminal.
    pub fn table(&self) -> String {
        let width = self.channels.iter().map(|channel| channel.chars().count()).max().unwrap_or(0).max(6);
        let mut text = format!("{:width$}", "from ↓");
        for channel in &self.channels {
            _ = write!(text, "  {channel:>width$}");
        }
        for first in &self.channels {
            _ = write!(text, "\n{first:width$}");
            for second in &self.channels {
                let shown = match self.cell(first, second) {
                    None => "·".to_owned(),
                    Some((all, 0)) => format!("{all} ok"),
                    Some((all, failed)) => format!("{failed}/{all} FAIL"),
                };
                _ = write!(text, "  {shown:>width$}");
            }
        }
        let failed = self.failed().count();
        _ = write!(
            text,
            "\n\n{} pairs, {} conversations, {failed} with failures",
            self.pairs(),
            self.findings.len()
        );
        for finding in self.failed() {
            _ = write!(text, "\n\n{} → {}, {}:", finding.first, finding.second, finding.point);
            for failure in &finding.failures {
                _ = write!(text, "\n  - {failure}");
            }
            for line in &finding.transcript {
                _ = write!(text, "\n    {line}");
            }
        }
        text
    }

    /// Everything as JSON.
    pub fn json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "first": finding.first, "second": finding.second, "point": finding.point,
                "failures": finding.failures, "transcript": finding.transcript,
            })
        };
        json!({
            "channels": self.channels,
            "pairs": self.pairs(),
            "conversations": self.findings.len(),
            "failed": self.failed().count(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    /// The matrix as a page of its own.
    pub fn html(&self, templates: &Templates) -> Result<String, TemplateError> {
        let cell = |first: &String, second: &String| {
            let (all, failed) = self.cell(first, second).unwrap_or_default();
            json!({"all": all, "failed": failed, "to": second})
        };
        let row = |first: &String| {
            let cells: Vec<Value> = self.channels.iter().map(|second| cell(first, second)).collect();
            json!({"from": first, "cells": cells})
        };
        let points: Vec<Value> =
            points::ALL.iter().map(|point| json!({"name": point.name, "what": point.what})).collect();
        let mut context = self.json();
        context["rows"] = self.channels.iter().map(row).collect();
        context["points"] = json!(points);
        templates.render_html(PAGE, context)
    }
}
