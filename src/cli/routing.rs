//! `firstline routing simulate`: a day of arrivals against a roster, by fit and by first-free.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::domain::routing::simulate::{Costs, Figures, Method, Report, simulate};
use crate::domain::triage::Urgency;

mod day;

/// Until somebody wrong has read a case, understood that it is not theirs and passed it on.
const TRANSFER_MS: i64 = 3 * 60_000;
/// How long a case takes somebody who lacks what it needs and has to ask around, percent.
const UNFIT_PERCENT: i64 = 150;
/// How long a case takes somebody without a skill that would help, percent.
const UNPREFERRED_PERCENT: i64 = 120;
/// Longest until somebody who is offered a case takes it.
const ACCEPT_MS_MAX: i64 = 20_000;
/// Most days played at once.
const DAYS_MAX: u64 = 100;

/// What `routing` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: RoutingCommand,
}

#[derive(Debug, Subcommand)]
enum RoutingCommand {
    /// Play a day by the rules of the service, and with whoever is free first getting the oldest case
    Simulate {
        /// Cases as CSV, columns `at,team,language,channel,urgency,skills,prefers,handle_minutes`; without it a built-in day
        #[arg(long, value_name = "FILE")]
        arrivals: Option<PathBuf>,
        /// People as CSV, columns `name,teams,skills,languages,channels,capacity,shifts`; without it built-in ones
        #[arg(long, value_name = "FILE")]
        roster: Option<PathBuf>,
        /// Decides what is left to chance; the same seed gives the same figures
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// Play so many days, each with the next seed, and count them together
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=DAYS_MAX))]
        days: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let RoutingCommand::Simulate { arrivals, roster, seed, days, json: as_json } = options.command;
    let config = Workspace::find(globals)?.config(None)?;
    let own = match &arrivals {
        Some(path) => Some(day::arrivals(&day::read(path)?, &path.display().to_string())?),
        None => None,
    };
    let last = seed.saturating_add(days - 1);
    let day = |seed| Ok((own.clone().map_or_else(|| day::built_in(seed), Ok)?, seed));
    let played = (seed..=last).map(day).collect::<Result<Vec<_>, Failure>>()?;
    let roster = match &roster {
        Some(path) => day::roster(&day::read(path)?, &path.display().to_string())?,
        None => day::built_in_roster()?,
    };
    let levels = [Urgency::Urgent, Urgency::High, Urgency::Normal, Urgency::Low];
    let promised = levels.into_iter().filter_map(|one| Some((one, config.service_levels.promised_ms(one)?)));
    let costs = Costs {
        transfer_ms: TRANSFER_MS,
        unfit_percent: UNFIT_PERCENT,
        unpreferred_percent: UNPREFERRED_PERCENT,
        accept_ms_max: ACCEPT_MS_MAX,
        promised_ms: promised.collect::<BTreeMap<_, _>>(),
    };
    let rules = config.routing.rules();
    let play = |method| simulate(&played, &roster, method, (&rules, &costs));
    let (fit, free) = (play(Method::Fit), play(Method::FirstFree));
    let cases = fit.all.cases;
    if as_json {
        let people = roster.len();
        output::json(
            &json!({"seed": seed, "days": days, "cases": cases, "people": people, "fit": fit, "first_free": free}),
        )?;
        return Ok(());
    }
    let seeds =
        if days == 1 { format!("seed {seed}") } else { format!("{days} days, seeds {seed} to {last}") };
    output::line(&format!("{cases} cases, {} people, {seeds}", roster.len()));
    output::line("");
    for line in table(&fit, &free) {
        output::line(&line);
    }
    Ok(())
}

/// Both days side by side, as Markdown.
fn table(fit: &Report, free: &Report) -> Vec<String> {
    let mut lines = vec![
        "| Cases | Routing | Wait p50 | p90 | p99 | In time | Any word p50 | Transfers | Left |".to_owned(),
        "|---|---|---:|---:|---:|---:|---:|---:|---:|".to_owned(),
    ];
    let mut pair = |name: &str, fit: &Figures, free: &Figures| {
        for (routing, figures) in [("by fit", fit), ("first free", free)] {
            lines.push(row(&format!("{name} ({})", figures.cases), routing, figures));
        }
    };
    pair("all", &fit.all, &free.all);
    for ((urgency, by_fit), (_, by_free)) in fit.by_urgency.iter().zip(&free.by_urgency) {
        pair(urgency.as_str(), by_fit, by_free);
    }
    lines.push(String::new());
    for (routing, report) in [("By fit", fit), ("First free", free)] {
        lines.push(format!(
            "{routing}: of the people's time {:.0} % spent on cases they could deal with, {:.0} % on cases they could not ({} min by the clock), {:.0} % idle; {} cases by somebody who lacked something.",
            report.useful_percent,
            (100.0 - report.useful_percent - report.idle_percent).max(0.0),
            report.lost_minutes,
            report.idle_percent,
            report.all.widened
        ));
    }
    lines
}

fn row(name: &str, routing: &str, figures: &Figures) -> String {
    let in_time = if figures.promised == 0 {
        "none promised".to_owned()
    } else {
        format!("{:.1} %", 100.0 * figures.met as f64 / figures.promised as f64)
    };
    format!(
        "| {name} | {routing} | {} | {} | {} | {in_time} | {} | {} | {} |",
        span(figures.wait_p50_s),
        span(figures.wait_p90_s),
        span(figures.wait_p99_s),
        span(figures.touch_p50_s),
        figures.transfers,
        figures.left
    )
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{:.1} min", seconds as f64 / 60.0),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_has_as_many_cells_as_its_head() {
        let figures =
            Figures { cases: 3, promised: 2, met: 1, wait_p50_s: 90, wait_p90_s: 300, ..Figures::default() };
        let report = Report {
            all: figures.clone(),
            by_urgency: vec![(Urgency::High, Figures { promised: 0, ..figures })],
            useful_percent: 80.0,
            idle_percent: 12.4,
            lost_minutes: 3,
        };
        let lines = table(&report, &report);
        let cells = |line: &str| line.matches('|').count();
        assert!(lines.iter().take(6).all(|line| cells(line) == cells(&lines[0])), "{lines:#?}");
        assert_eq!(lines[2], "| all (3) | by fit | 90 s | 5.0 min | 0 s | 50.0 % | 0 s | 0 | 0 |");
        assert!(lines[4].contains("none promised"));
    }
}
