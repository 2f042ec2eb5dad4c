//! `firstline eval`: plays scenario suites, each trial in a world of its own, and compares with the baseline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::trial::Trial;
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{App, SystemClock, Tape, Understanding};
use crate::demo::Fault;
use crate::domain::time::Clock;
use crate::evals::model::Scripted;
use crate::evals::report::{self, Baseline, Report};
use crate::evals::run::{self, Person, Place, Start};
use crate::evals::scenario::{self, Scenario};
use crate::evals::score;
use crate::llm::tape::Replayer;

/// What `eval` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Suites or scenarios to play; all when none is named
    suites: Vec<String>,
    /// Who answers; a scenario with a script of its own is answered by the model assistant in any case
    #[arg(long, value_enum, default_value_t)]
    assistant: Who,
    /// Keep every exchange with the model in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Answer from the exchanges in this folder, without a model
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// How often each scenario is played
    #[arg(long, default_value_t = 1, value_name = "K")]
    trials: usize,
    /// A folder for report.json and junit.xml
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// What must not be fallen below; evals/baseline.json of the workspace when left out
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what this run reached as the new baseline
    #[arg(long)]
    update_baseline: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Who answers in the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Who {
    /// The local assistant.
    #[default]
    Local,
    /// The configured model.
    Model,
    /// Recorded exchanges, from `--replay`.
    Replay,
}

impl Options {
    /// Where the model's answers come from; none leaves the work to the local assistant.
    fn tape(&self) -> Result<(Option<Tape>, Option<Arc<Replayer>>), Failure> {
        let usage = |text: &str| Failure::Usage(text.to_owned());
        match (self.assistant, &self.record, &self.replay) {
            (Who::Local | Who::Replay, None, Some(folder)) => {
                if !folder.is_dir() {
                    return Err(Failure::Usage(format!(
                        "`{}` is not a folder of recordings",
                        folder.display()
                    )));
                }
                let replayer = Arc::new(Replayer::new(folder));
                Ok((Some(Tape::Given(replayer.clone())), Some(replayer)))
            }
            (Who::Replay, ..) => Err(usage("name the folder of the recordings with --replay")),
            (Who::Model, Some(folder), None) => Ok((Some(Tape::Record(folder.clone())), None)),
            (Who::Model, None, None) => Ok((Some(Tape::Live), None)),
            (Who::Local, None, None) => Ok((None, None)),
            (Who::Local, Some(_), _) => Err(usage("only a model is recorded: add --assistant model")),
            (Who::Model, _, Some(_)) => {
                Err(usage("--replay answers without a model: leave --assistant model out"))
            }
        }
    }
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    if !workspace.demo {
        return Err(Failure::Usage(
            "scenarios play in the demo's shop: run `eval` in a folder without firstline.toml".to_owned(),
        ));
    }
    let folder = workspace.folder.join("evals");
    let all =
        scenario::read(&folder.join("scenarios")).map_err(|problems| Failure::Usage(problems.join("\n")))?;
    let wanted = |s: &Scenario| {
        options.suites.is_empty() || options.suites.iter().any(|n| *n == s.suite || *n == s.name)
    };
    let chosen: Vec<Scenario> = all.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(Failure::Usage("no scenario has that name or suite".to_owned()));
    }
    let (tape, replayer) = options.tape()?;
    let report = play_all(&workspace, &chosen, options.trials.max(1), tape).await?;
    if options.json {
        output::json(&report)?;
    } else {
        output::line(report.table().trim_end());
    }
    if let Some(folder) = &options.report {
        write_reports(folder, &report)?;
    }
    let misses = replayer.map(|replayer| replayer.misses()).unwrap_or_default();
    if !misses.is_empty() {
        return Err(Failure::Found(format!(
            "{} question(s) to the model were not recorded; record them again with --assistant model --record\n{}",
            misses.len(),
            misses.join("\n")
        )));
    }
    let file = options.baseline.unwrap_or_else(|| folder.join("baseline.json"));
    if options.update_baseline {
        let text =
            serde_json::to_string_pretty(&report.baseline()).context("the baseline has no JSON form")?;
        std::fs::write(&file, text + "\n")
            .with_context(|| format!("`{}` cannot be written", file.display()))?;
        return Ok(());
    }
    compare(&file, &report)
}

fn compare(file: &Path, report: &Report) -> Result<(), Failure> {
    let Ok(text) = std::fs::read_to_string(file) else {
        output::remark("there is no baseline to compare with; --update-baseline writes one");
        return Ok(());
    };
    let baseline: Baseline = serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("`{}` is no baseline: {error}", file.display())))?;
    let below = report.below(&baseline);
    if below.is_empty() {
        return Ok(());
    }
    Err(Failure::Found(format!(
        "{} scenario(s) passed in the baseline and fail now: {}",
        below.len(),
        below.join(", ")
    )))
}

fn write_reports(folder: &Path, report: &Report) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
    let json = serde_json::to_string_pretty(report).context("the report has no JSON form")?;
    for (name, text) in [("report.json", json), ("junit.xml", report.junit())] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("`{}` cannot be written", file.display()))?;
    }
    Ok(())
}

async fn play_all(
    workspace: &Workspace,
    scenarios: &[Scenario],
    trials: usize,
    tape: Option<Tape>,
) -> Result<Report, Failure> {
    let config = workspace.config(None)?;
    let cache = Workspace::cache(&config);
    let (understanding, problems) =
        Understanding::build(&config, workspace.origin(), cache).map_err(Failure::usage)?;
    for problem in problems {
        output::remark(&problem.to_string());
    }
    if matches!(tape, Some(Tape::Live | Tape::Record(_))) && config.model.name.is_empty() {
        return Err(Failure::Usage("no model is configured: set [model] name and base_url".to_owned()));
    }
    let start = starter(workspace, understanding, tape);
    let progress = indicatif::ProgressBar::new(scenarios.len() as u64);
    let mut results = Vec::new();
    for scenario in scenarios {
        let began = SystemClock.now();
        let mut result = report::Result {
            scenario: scenario.name.clone(),
            suite: scenario.suite.clone(),
            purpose: scenario.purpose.clone(),
            trials,
            passed: 0,
            broken: 0,
            failures: Vec::new(),
            model: report::Asked::default(),
            duration_ms: 0,
        };
        for _ in 0..trials {
            match run::play(scenario, &start).await {
                Ok(trial) => {
                    let failures = score::failures(scenario, &trial);
                    result.model.count(&trial);
                    result.passed += usize::from(failures.is_empty());
                    result.failures.extend(failures);
                }
                Err(error) => {
                    result.broken += 1;
                    result.failures.push(format!("the world broke: {error:#}"));
                }
            }
        }
        result.failures.sort();
        result.failures.dedup();
        result.duration_ms = SystemClock.now().ms_since(began).max(0) as u128;
        results.push(result);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Report::new(results))
}

/// Starts a world per trial: a shop on its opening day, a record in a folder that is cleared away afterwards.
fn starter(workspace: &Workspace, understanding: Understanding, tape: Option<Tape>) -> Start {
    let shared = Arc::new((workspace.clone(), understanding, tape));
    Box::new(move |scenario: &Scenario| {
        let (shared, scenario) = (shared.clone(), scenario.clone());
        Box::pin(async move {
            let scripted = scenario.model.clone().map(|script| Tape::Given(Arc::new(Scripted::new(script))));
            open(&shared.0, &shared.1, scripted.or(shared.2.clone()), &scenario).await
        })
    })
}

async fn open(
    workspace: &Workspace,
    understanding: &Understanding,
    tape: Option<Tape>,
    scenario: &Scenario,
) -> Result<Place> {
    let trial = Trial::open(workspace, understanding, tape, scenario.world.at.as_deref()).await?;
    for fault in &scenario.world.faults {
        let fault: Fault =
            serde_json::from_value(fault.clone()).context("a fault of the world is not one")?;
        trial.shop.faults.add(fault);
    }
    let people = trial
        .shop
        .customers()
        .into_iter()
        .map(|c| Person { id: c.id, name: c.name, email: c.email, phone: c.phone })
        .collect();
    let Trial { app, shop, clearing } = trial;
    let state = Box::new(move || shop.state());
    let end = Box::new(move |app: App| -> futures_util::future::LocalBoxFuture<'static, ()> {
        Box::pin(async move { clearing.end(&app).await })
    });
    Ok(Place { app, people, state, end })
}
