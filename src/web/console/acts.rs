//! The console's buttons: one act on one case, then back to its page.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Redirect;

use super::super::Edge;
use super::super::access;
use super::super::error::ApiError;
use super::super::extract::customer_id;
use super::sign_in::{SignedIn, form};
use crate::desk::act::{self, ActError, Actor, Assignee, At, Reply};
use crate::desk::approvals::Decision;
use crate::desk::{send_again, ways};
use crate::domain::case::{Case, SettledAs};
use crate::domain::ids::{AgentId, ApprovalId, DeliveryId, TeamId};
use crate::domain::role::Right;
use crate::domain::time::Timestamp;
use crate::pipeline::{Word, identity};
use crate::store::AgentDraft;

/// The hour at which what was put aside for another day comes back.
const MORNING: i8 = 9;
const HOUR_MS: i64 = 3_600_000;
/// How the page is asked to show what somebody else wrote meanwhile.
const CHANGED: &str = "?changed=";

type Fields = BTreeMap<String, String>;

/// Does what the button says.
pub(super) async fn act(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, act)): Path<(String, String)>,
    request: Request,
) -> Result<Redirect, ApiError> {
    let fields = form(&edge, &signed_in, request).await?;
    signed_in.demand(match act.as_str() {
        "approve" | "refuse" => Right::Approve,
        "merge" | "unmerge" => Right::MergeCustomers,
        _ => Right::Act,
    })?;
    let file = signed_in.case(&edge, &id).await?;
    let id = file.case.id.clone();
    let actor = Actor::Agent(signed_in.agent.id.clone());
    let at = At {
        store: &edge.app.store,
        channels: &edge.app.pipeline.parts().channels,
        clock: &*edge.app.clock,
        actor: &actor,
        case: &id,
    };
    let doing = Doing { edge: &edge, signed_in: &signed_in, at, case: &file.case, fields };
    let query = doing.run(&act).await?;
    Ok(Redirect::to(&format!("/console/cases/{id}{query}")))
}

/// One act with what its form brought.
struct Doing<'a> {
    edge: &'a Edge,
    signed_in: &'a SignedIn,
    at: At<'a>,
    case: &'a Case,
    fields: Fields,
}

impl Doing<'_> {
    /// Does it; what the page is asked to show then.
    async fn run(mut self, act: &str) -> Result<String, ApiError> {
        let said = |what: &str| Ok(format!("?said={what}"));
        let (at, me) = (self.at, self.signed_in.agent.id.clone());
        match act {
            "reply" => self.reply().await,
            "take" => {
                act::assign(at, &Assignee::Agent(me), None).await?;
                said("taken")
            }
            "release" => {
                act::assign(at, &Assignee::Queue(None), self.word()?.as_deref()).await?;
                said("given")
            }
            "assign" => {
                let (to, word) = (self.assignee().await?, self.word()?);
                act::assign(at, &to, word.as_deref()).await?;
                said("given")
            }
            "snooze" => {
                let until = self.until()?;
                act::snooze(at, until).await?;
                said("snoozed")
            }
            "resolve" => {
                let kind = self.fields.remove("kind").unwrap_or_default();
                act::resolve(at, SettledAs::parse(&kind).unwrap_or_default()).await?;
                said("resolved")
            }
            "reopen" => {
                act::reopen(at, &self.edge.app.pipeline.parts().desk).await?;
                said("")
            }
            "return" => {
                act::give_back(at, self.word()?.as_deref()).await?;
                said("returned")
            }
            "send-again" => {
                let id = self.fields.remove("delivery").and_then(|id| DeliveryId::parse(&id).ok());
                send_again::send_again(at, &id.ok_or(ActError::NoDelivery)?).await?;
                said("")
            }
            "look-up" => self.look_up().await,
            "merge" | "unmerge" => self.join(act).await,
            _ => self.decide(act).await,
        }
    }

    async fn decide(mut self, act: &str) -> Result<String, ApiError> {
        let decision = Decision::of_act(act).ok_or_else(|| ApiError::not_found("act"))?;
        let approval = self.fields.remove("approval").and_then(|id| ApprovalId::parse(&id).ok());
        let approval = approval.ok_or_else(|| ApiError::not_found("approval"))?;
        // The form says what it showed, so that nothing else is carried out.
        let shown = Some(self.fields.remove("hash").unwrap_or_default());
        let word =
            Word { case: self.at.case.clone(), approval, shown, decision, actor: self.at.actor.clone() };
        self.edge.app.pipeline.decide(word).await?;
        Ok(String::new())
    }

    /// Says it, or keeps it: whatever stands in the way, the words are there when the page is shown again.
    async fn reply(mut self) -> Result<String, ApiError> {
        let written = self.fields.remove("text");
        let note = self.fields.get("kind").is_some_and(|kind| kind == "note");
        let seen = self.fields.remove("seen").and_then(|seen| seen.parse::<i64>().ok());
        let most = self.edge.app.config.limits.message_chars_max;
        let text = written.as_deref().unwrap_or_default().replace("\r\n", "\n");
        let draft = AgentDraft {
            agent: self.signed_in.agent.id.clone(),
            case: self.at.case.clone(),
            kind: if note { "note" } else { "reply" }.to_owned(),
            way: self.fields.get("way").filter(|way| !way.is_empty()).cloned(),
            text: text.trim().chars().take(most).collect(),
            seen_seq: seen.unwrap_or_default(),
            at: self.edge.app.clock.now(),
        };
        let store = &self.edge.app.store;
        let said = if note { self.note(written).await } else { self.send(written, seen).await };
        if said.as_ref().is_ok_and(|said| !said.starts_with(CHANGED)) {
            store.drop_draft(&draft.agent, &draft.case).await?;
        } else if let Err(error) = store.keep_draft(&draft).await {
            tracing::error!(error = %error, "a text that was not sent could not be kept");
        }
        said
    }

    async fn note(self, written: Option<String>) -> Result<String, ApiError> {
        act::note(self.at, &words(self.edge, written)?).await?;
        Ok("?said=noted".to_owned())
    }

    async fn send(mut self, written: Option<String>, seen: Option<i64>) -> Result<String, ApiError> {
        let (agent, case) = (self.signed_in.agent.id.clone(), self.at.case.clone());
        let store = &self.edge.app.store;
        let now = self.edge.app.clock.now();
        let ways = ways::of_case(store, &self.edge.app.pipeline.parts().channels, self.case, now).await?;
        let key = self.fields.remove("way").filter(|key| !key.is_empty());
        let way = match &key {
            Some(key) => ways.iter().find(|way| way.key() == *key),
            None => ways.first(),
        };
        let way = way.ok_or_else(|| ApiError::invalid("this is no way to this customer; choose another"))?;
        if let Some(closed) = way.closed {
            let channel = way.channel.replace('_', " ");
            return Err(ApiError::conflict(format!(
                "nothing can be sent by {channel}: {}; your text is kept, choose another way",
                closed.words()
            )));
        }
        let id = self.fields.remove("id");
        let files = match &id {
            // The message has no id yet; it is given when the files are put beside it.
            Some(_) => store.uploaded(&agent, &case).await?,
            None => Vec::new(),
        };
        // Files alone may say it all.
        let blank = written.as_ref().is_none_or(|text| text.trim().is_empty());
        let text = if blank && !files.is_empty() { String::new() } else { words(self.edge, written)? };
        let sizes: Vec<_> = files
            .iter()
            .map(|file| (file.name.as_str(), file.content_type.as_deref(), file.content.len()))
            .collect();
        if let Some(problem) = way.limit.files.problem(&sizes) {
            return Err(ApiError::conflict(problem));
        }
        let own = way.own;
        let to = (!own).then(|| (way.channel.clone(), way.conversation.clone()));
        match act::reply(self.at, Reply { id, text, way: to, files, seen }).await {
            Ok(_) => {
                store.drop_uploads(&agent, &case, None).await?;
                Ok("?said=sent".to_owned())
            }
            Err(ActError::Changed) => Ok(format!("{CHANGED}{}", seen.unwrap_or_default())),
            Err(error) => Err(error.into()),
        }
    }

    async fn look_up(mut self) -> Result<String, ApiError> {
        let tool = self.fields.remove("tool").unwrap_or_default();
        let typed = self.fields.remove("call").unwrap_or_default();
        let arguments =
            if typed.is_empty() { Ok(serde_json::json!({})) } else { serde_json::from_str(&typed) };
        let arguments = arguments.map_err(|_| ApiError::invalid("these are no arguments of a tool"))?;
        self.edge.app.pipeline.look_up(self.at.case, (&tool, &arguments), self.at.actor).await?;
        Ok("?panel=records&said=read".to_owned())
    }

    async fn join(mut self, act: &str) -> Result<String, ApiError> {
        let with = self.fields.remove("with").filter(|with| !with.is_empty());
        let with = customer_id(&with.ok_or_else(|| ApiError::invalid("name the other customer"))?)?;
        let (parts, by) = (self.edge.app.pipeline.parts(), self.at.actor.shown());
        let other =
            self.edge.app.store.customer(&with).await?.ok_or_else(|| ApiError::not_found("customer"))?;
        access::customer(self.edge, other, &self.signed_in.reach).await?;
        if act == "merge" {
            identity::merge(parts, &self.case.customer, &with, &by).await?;
            Ok("?panel=customer&said=merged".to_owned())
        } else {
            identity::unmerge(parts, &self.case.customer, &with, &by).await?;
            Ok("?panel=customer&said=unmerged".to_owned())
        }
    }

    /// A word that goes along, where there is one.
    fn word(&mut self) -> Result<Option<String>, ApiError> {
        match self.fields.remove("word").filter(|word| !word.trim().is_empty()) {
            Some(word) => words(self.edge, Some(word)).map(Some),
            None => Ok(None),
        }
    }

    async fn assignee(&mut self) -> Result<Assignee, ApiError> {
        let to = self.fields.remove("to").unwrap_or_default();
        let chosen = match to.split_once(':') {
            Some(("agent", id)) => AgentId::parse(id).ok().map(Assignee::Agent),
            Some(("team", id)) => {
                let known = self.edge.app.pipeline.parts().desk.teams();
                let team = TeamId::parse(id).ok().filter(|id| known.iter().any(|(team, _)| team == id));
                team.map(|team| Assignee::Queue(Some(team)))
            }
            _ => None,
        };
        let chosen = chosen.ok_or_else(|| ApiError::invalid("choose a person or a team"))?;
        if let Assignee::Agent(id) = &chosen
            && *id != self.signed_in.agent.id
        {
            self.signed_in.demand(Right::AssignOthers)?;
            let agent = self.edge.app.store.agent(id).await?.ok_or(ActError::NoAgent)?;
            access::demand(&agent, Right::Act)?;
        }
        Ok(chosen)
    }

    /// When it comes back; none when the customer writes.
    fn until(&mut self) -> Result<Option<Timestamp>, ApiError> {
        let now = self.edge.app.clock.now();
        let desk = &self.edge.app.pipeline.parts().desk;
        let (today, zone) = (desk.today(now), desk.zone());
        let at = |moment: jiff::civil::DateTime| {
            moment.to_zoned(zone.clone()).ok().map(|moment| Timestamp(moment.timestamp().as_millisecond()))
        };
        let morning = |day: Option<jiff::civil::Date>| day.and_then(|day| at(day.at(MORNING, 0, 0, 0)));
        let chosen = match self.fields.remove("until").unwrap_or_default().as_str() {
            "reply" => return Ok(None),
            "hour" => Some(now.plus_ms(HOUR_MS)),
            "three_hours" => Some(now.plus_ms(3 * HOUR_MS)),
            "tomorrow" => morning(today.tomorrow().ok()),
            "monday" => morning(today.nth_weekday(1, jiff::civil::Weekday::Monday).ok()),
            _ => {
                let typed = self.fields.remove("at").unwrap_or_default();
                typed.parse::<jiff::civil::DateTime>().ok().and_then(at)
            }
        };
        let chosen = chosen.filter(|until| *until > now);
        chosen.map(Some).ok_or_else(|| ApiError::invalid("choose a time in the future"))
    }
}

fn words(edge: &Edge, text: Option<String>) -> Result<String, ApiError> {
    // Forms send line ends as CR LF, whatever was typed.
    let text = text.unwrap_or_default().replace("\r\n", "\n").replace('\0', "").trim().to_owned();
    let (length, most) = (text.chars().count(), edge.app.config.limits.message_chars_max);
    if text.is_empty() || length > most {
        return Err(ApiError::invalid(format!("write between 1 and {most} characters; this has {length}")));
    }
    Ok(text)
}
