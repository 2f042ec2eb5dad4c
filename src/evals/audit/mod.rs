//! The diagnostic of omnichannel support: for every ordered pair of channels, does the second know what the first was
//! told?
//!
//! A customer begins on one channel and goes on by another, at each of the [`points`]. Then it is looked at what came
//! out: on the customer's side of both channels, and where the record can be read, in the record.

use std::sync::Arc;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;

use crate::app::App;
use crate::domain::ids::CaseId;
use crate::domain::message::{Author, Message, Visibility};
use crate::store::{CaseFilter, Page};
use points::{Moment, Point};

pub mod points;
pub mod report;

/// The customer's end of one channel.
pub trait Line {
    /// The channel.
    fn channel(&self) -> &str;
    /// Whether this medium proves who writes, so that records of theirs may be read on it.
    fn proves(&self) -> bool;
    /// Whether it is a live call: something is always said in it, and nothing reaches it when it has ended.
    fn live(&self) -> bool {
        false
    }
    /// Writes, or says.
    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>>;
    /// Everything that has reached the customer by this channel so far, oldest first.
    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>>;
}

/// Waits until nothing is under way at a desk.
pub type Rest = Box<dyn Fn(&Desk) -> LocalBoxFuture<'_, Result<()>>>;

/// A desk under audit, with one customer who can use two of its channels.
pub struct Desk {
    /// Where the customer begins.
    pub first: Box<dyn Line>,
    /// Where they go on.
    pub second: Box<dyn Line>,
    /// The service itself, where its record can be read; another system is judged by what the customer hears alone.
    pub app: Option<Arc<App>>,
    /// Waits until nothing is under way any more.
    pub rest: Rest,
    /// Ends it and clears it away.
    pub end: Box<dyn FnOnce() -> LocalBoxFuture<'static, ()>>,
}

/// Starts a desk whose customer can use these two channels.
pub type Start<'a> = Box<dyn Fn(&str, &str) -> LocalBoxFuture<'a, Result<Desk>> + 'a>;

/// What one point of one pair came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where the customer began.
    pub first: String,
    /// Where they went on.
    pub second: String,
    /// The name of the point.
    pub point: &'static str,
    /// What does not hold; nothing when all of it does.
    pub failures: Vec<String>,
    /// What was said, line by line, for whoever looks into a failure.
    pub transcript: Vec<String>,
}

/// Plays every point of one pair, each at a desk of its own.
pub async fn pair(start: &Start<'_>, first: &str, second: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for point in points::ALL {
        let mut finding = Finding {
            first: first.to_owned(),
            second: second.to_owned(),
            point: point.name,
            failures: Vec::new(),
            transcript: Vec::new(),
        };
        if let Err(error) = play(start, &point, &mut finding).await {
            finding.failures.push(format!("it could not be played: {error:#}"));
        }
        findings.push(finding);
    }
    findings
}

async fn play(start: &Start<'_>, point: &Point, finding: &mut Finding) -> Result<()> {
    let desk = start(&finding.first, &finding.second).await?;
    let played = at(&desk, point, finding).await;
    (desk.end)().await;
    played
}

async fn at(desk: &Desk, point: &Point, finding: &mut Finding) -> Result<()> {
    let script = point.script(desk.first.proves() && desk.second.proves());
    let before = told(desk, desk.first.as_ref(), script.first, finding).await?;
    let said_first = before.join("\n");
    if before.is_empty() {
        finding.failures.push(format!("nothing came back on {}", finding.first));
    }
    let kept = desk.first.heard().await?.len();
    let heard = told(desk, desk.second.as_ref(), script.second, finding).await?;
    let people = if script.moment == Moment::WithPeople {
        answered_by_people(desk, finding).await?
    } else {
        Vec::new()
    };
    let stray: Vec<String> = desk.first.heard().await?.split_off(kept);
    let mut fail = |holds: bool, what: String| {
        if !holds {
            finding.failures.push(what);
        }
    };
    fail(
        stray.is_empty(),
        format!("after the move something still came on {}: {stray:?}", desk.first.channel()),
    );
    match script.moment {
        Moment::WithPeople => {
            let silent = heard.is_empty() || desk.second.live();
            fail(silent, format!("the assistant spoke into a person's case: {heard:?}"));
            if desk.app.is_some() && !desk.second.live() {
                fail(people.len() == 1, format!("the person's answer arrived {} times", people.len()));
            }
        }
        Moment::Resolves | Moment::HandsOver => {
            fail(!heard.is_empty(), format!("nothing came back on {}", desk.second.channel()));
        }
    }
    for wanted in script.says {
        fail(
            heard.iter().any(|text| text.contains(wanted)),
            format!("the answer does not say `{wanted}`: {heard:?}"),
        );
    }
    let again = heard.iter().find(|text| text.contains('?') && said_first.contains(text.as_str()));
    fail(again.is_none(), format!("it asked again what it had asked before: {again:?}"));
    if let Some(app) = &desk.app {
        finding.failures.extend(in_the_record(app, desk, &script, &heard).await?);
    }
    Ok(())
}

/// Says something and returns what came back on the same channel.
async fn told(desk: &Desk, line: &dyn Line, text: &str, finding: &mut Finding) -> Result<Vec<String>> {
    let known = line.heard().await?.len();
    finding.transcript.push(format!("{} customer: {text}", line.channel()));
    line.say(text).await?;
    (desk.rest)(desk).await?;
    let new = line.heard().await?.split_off(known);
    finding.transcript.extend(new.iter().map(|text| format!("{} desk: {text}", line.channel())));
    Ok(new)
}

/// A person answers the case; what arrives by the second channel because of it.
async fn answered_by_people(desk: &Desk, finding: &mut Finding) -> Result<Vec<String>> {
    let Some(app) = &desk.app else { return Ok(Vec::new()) };
    let known = desk.second.heard().await?.len();
    let Some(case) = newest_case(app).await? else { return Ok(Vec::new()) };
    points::person_answers(app, &case).await?;
    (desk.rest)(desk).await?;
    let new = desk.second.heard().await?.split_off(known);
    finding.transcript.extend(new.iter().map(|text| format!("{} person: {text}", desk.second.channel())));
    Ok(new)
}

async fn newest_case(app: &App) -> Result<Option<CaseId>> {
    let (cases, _) = app.store.list_cases(&CaseFilter::default(), &Page { cursor: None, limit: 10 }).await?;
    Ok(cases.into_iter().next().map(|case| case.id))
}

/// What only the record can tell: one case, nothing called twice, one answer by the right channel, a whole note.
async fn in_the_record(
    app: &App,
    desk: &Desk,
    script: &points::Script,
    heard: &[String],
) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    let (cases, _) = app.store.list_cases(&CaseFilter::default(), &Page { cursor: None, limit: 10 }).await?;
    let [case] = cases.as_slice() else {
        return Ok(vec![format!("there are {} cases for one matter", cases.len())]);
    };
    let thread = app.store.transcript(&case.id).await?;
    let public = thread.iter().filter(|message| message.visibility == Visibility::Public);
    let moved = |message: &&Arc<Message>| message.channel == desk.second.channel();
    let assistant: Vec<_> =
        public.clone().filter(moved).filter(|message| message.author == Author::Assistant).collect();
    let expected = usize::from(script.moment != Moment::WithPeople);
    if assistant.len() != expected {
        failures.push(format!(
            "{} answers left on {}, not {expected}",
            assistant.len(),
            desk.second.channel()
        ));
    }
    let receipts = app.store.receipts(&case.id).await?;
    let mut calls: Vec<(String, String)> =
        receipts.iter().map(|receipt| (receipt.tool.clone(), receipt.arguments.to_string())).collect();
    calls.sort();
    for call in calls.windows(2).filter(|pair| pair.first() == pair.last()) {
        failures
            .push(format!("{} was called again with the same arguments", call.first().map_or("", |c| &c.0)));
    }
    for tool in script.calls {
        if !calls.iter().any(|call| call.0 == *tool) {
            failures.push(format!("{tool} was never called"));
        }
    }
    if script.moment == Moment::HandsOver {
        failures.extend(whole_note(app, &case.id, desk, script).await?);
    }
    if heard.iter().any(|text| text.trim().is_empty()) {
        failures.push("an empty answer arrived".to_owned());
    }
    Ok(failures)
}

/// The note names both channels and holds what was said on each.
async fn whole_note(app: &App, case: &CaseId, desk: &Desk, script: &points::Script) -> Result<Vec<String>> {
    let Some(handoff) = app.store.handoff(case).await? else {
        return Ok(vec!["it was not handed over".to_owned()]);
    };
    let mut failures = Vec::new();
    for (line, words) in [(&desk.first, script.first), (&desk.second, script.second)] {
        let there =
            |entry: &crate::domain::handoff::Line| entry.channel == line.channel() && entry.text == words;
        if !handoff.note.transcript.iter().any(there) {
            failures.push(format!("the note does not hold what was said on {}", line.channel()));
        }
        if !handoff.note.channels.iter().any(|channel| channel == line.channel()) {
            failures.push(format!("the note does not name {}", line.channel()));
        }
    }
    for fact in script.tried {
        if !handoff.note.tried.iter().any(|tried| tried.tool == *fact) {
            failures.push(format!("the note does not say that {fact} was called"));
        }
    }
    Ok(failures)
}
