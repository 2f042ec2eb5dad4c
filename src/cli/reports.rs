//! `reports`: counts the measures again from the logs, to check what stands or to replace it.

use anyhow::Context;
use clap::Subcommand;
use jiff::civil::Date;
use serde_json::json;

use super::operations::store;
use super::{Failure, Globals, output};
use crate::app::SystemClock;
use crate::config::Config;
use crate::domain::measures::{Sums, days};
use crate::domain::time::Clock;
use crate::store::{Recount, Store};

/// Differences that are printed; the rest is counted.
const SHOWN_MAX: usize = 50;
/// Looks at a record that goes on changing by time alone, before that is said.
const LOOKS_MAX: usize = 5;

/// What `reports` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: ReportsCommand,
}

#[derive(Debug, Subcommand)]
enum ReportsCommand {
    /// Count every figure again from the logs and compare; exit 1 where one differs
    Verify {
        /// The first day, as 2026-11-01; without it, the first there is
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// The last day; without it, the newest
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget what was counted and count it anew, in the time zone of the settings
    Rebuild,
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let (store, config) = store(globals).await?;
    let done = match options.command {
        ReportsCommand::Verify { from, to, json } => {
            let (from, to) = (from.map_or(i64::MIN, days), to.map_or(i64::MAX, |day| days(day) + 1));
            if from >= to {
                return Err(Failure::Usage("--from must not be after --to".to_owned()));
            }
            verify(&store, &config, (from, to), json).await
        }
        ReportsCommand::Rebuild => rebuild(&store, &config).await,
    };
    store.close().await;
    done
}

/// Counts until nothing is new.
async fn count(store: &Store, config: &Config) -> Result<usize, Failure> {
    let (zone, max) = (config.report_zone(), config.reports.fold_cases_max);
    let mut counted = 0;
    loop {
        match store.fold(SystemClock.now(), &zone, max).await.context("the measures could not be counted")? {
            0 => return Ok(counted),
            cases => counted += cases,
        }
    }
}

async fn rebuild(store: &Store, config: &Config) -> Result<(), Failure> {
    let forgotten = store.forget_counts(SystemClock.now(), &config.report_zone()).await;
    forgotten.context("what was counted could not be forgotten")?;
    let counted = count(store, config).await?;
    output::remark(&format!("counted {counted} cases in the days of {}", config.report_zone()));
    Ok(())
}

async fn verify(
    store: &Store,
    config: &Config,
    (from, to): (i64, i64),
    as_json: bool,
) -> Result<(), Failure> {
    let mut looks = 0;
    let recount = loop {
        count(store, config).await?;
        let recount = store.recount(from, to).await.context("the logs could not be counted again")?;
        looks += 1;
        match recount {
            None => {
                output::remark("nothing has been counted yet");
                return Ok(());
            }
            Some(recount) if !recount.behind || looks == LOOKS_MAX => break recount,
            Some(_) => {}
        }
    };
    let zone = config.report_zone();
    if recount.standing.zone != zone {
        output::remark(&format!(
            "days are counted in {}, the settings say {zone}; `firstline reports rebuild` counts anew",
            recount.standing.zone
        ));
    }
    show(&recount, as_json)?;
    match recount.differing.len() {
        0 => Ok(()),
        1 => Err(Failure::Found(
            "1 roll-up differs from the logs; `firstline reports rebuild` counts anew".to_owned(),
        )),
        n => Err(Failure::Found(format!(
            "{n} roll-ups differ from the logs; `firstline reports rebuild` counts anew"
        ))),
    }
}

fn show(recount: &Recount, as_json: bool) -> Result<(), Failure> {
    let lines = |(_, stands, should): &(String, Sums, Sums)| stands.differences(should);
    if as_json {
        let differing: Vec<_> = recount
            .differing
            .iter()
            .map(|one| {
                let numbers = lines(one);
                let numbers: Vec<_> = numbers
                    .iter()
                    .map(|(name, stands, should)| json!({"name": name, "stands": stands, "counted": should}))
                    .collect();
                json!({"rollup": one.0, "numbers": numbers})
            })
            .collect();
        output::json(&json!({
            "counted_at": recount.standing.counted_at, "zone": recount.standing.zone, "cases": recount.cases,
            "behind": recount.behind, "differing": differing,
        }))?;
        return Ok(());
    }
    output::line(&format!(
        "{} cases counted again, as of {} in {}",
        recount.cases, recount.standing.counted_at, recount.standing.zone
    ));
    for one in recount.differing.iter().take(SHOWN_MAX) {
        for (name, stands, should) in lines(one) {
            output::line(&format!("{}: {name} stands at {stands}, the logs say {should}", one.0));
        }
    }
    if recount.differing.len() > SHOWN_MAX {
        output::line(&format!("… and {} more", recount.differing.len() - SHOWN_MAX));
    }
    Ok(())
}
