//! Once a week whoever runs the operation hears how it went: by mail, or on their own server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Parts;
use crate::channels::notices::{self, Notice};
use crate::channels::{ChannelError, email};
use crate::config::Weekday;
use crate::domain::measures::{Count, Measure, Named, Prices, Sums, days, grouped};
use crate::domain::time::Timestamp;
use crate::store::{By, Cut, DueSummary, StoreError, Told};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_mins(1);
/// The recipient that is the operator's server.
const WEBHOOK: &str = "webhook";
/// Summaries taken at once.
const BATCH_MAX: usize = 20;
/// Reasons and channels that are named.
const NAMED_MAX: usize = 6;
const WEEK: i64 = 7;
/// What a summary says, in this order.
const SAID: [Measure; 12] = [
    Measure::Volume,
    Measure::Automation,
    Measure::Contained,
    Measure::Durable,
    Measure::FirstContact,
    Measure::FirstResponse,
    Measure::Escalation,
    Measure::EscalationRight,
    Measure::CsatAssistant,
    Measure::CsatPeople,
    Measure::Cost,
    Measure::Gaps,
];

/// Tells of each week until shutdown; nothing where nobody wants to know.
pub(super) async fn run(parts: Arc<Parts>) {
    while wanted(&parts) {
        due(&parts).await;
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn wanted(parts: &Parts) -> bool {
    let settings = &parts.config.reports;
    !settings.weekly_to.is_empty() || !settings.weekly_webhook_url.is_empty()
}

/// Tells of the week that is over, if nobody has.
pub(super) async fn due(parts: &Parts) {
    if !wanted(parts) {
        return;
    }
    if let Err(error) = tell(parts).await {
        tracing::error!(error = %error, "the summary of the week could not be prepared");
    }
}

async fn tell(parts: &Parts) -> Result<(), StoreError> {
    let (settings, now) = (&parts.config.reports, parts.clock.now());
    // What has happened until now is in the figures.
    let (own, most) = (parts.config.report_zone(), settings.fold_cases_max);
    while parts.store.fold(now, &own, most).await? > 0 {}
    let Some(standing) = parts.store.standing().await? else { return Ok(()) };
    let zone = TimeZone::get(&standing.zone).unwrap_or(TimeZone::UTC);
    let Some(day) = summed_up(now, &zone, settings.weekly_day, settings.weekly_hour) else {
        return Ok(());
    };
    let week = day.to_string();
    if !parts.store.summary_planned(&week).await? {
        let ever = Cut { from: days(Date::constant(1970, 1, 1)), to: days(day), ..Cut::default() };
        if total(parts, &ever).await?.get(Count::Cases) > 0 {
            for address in &settings.weekly_to {
                parts.store.plan_summary(&week, address, now).await?;
            }
            if !settings.weekly_webhook_url.is_empty() {
                parts.store.plan_summary(&week, WEBHOOK, now).await?;
            }
        }
    }
    let taken = parts.store.due_summaries(&parts.holder, now, settings.weekly_lease_ms, BATCH_MAX).await?;
    for due in taken {
        let told = send(parts, &due).await?;
        if let Told::Dead(why) = &told {
            tracing::error!(week = due.week, error = why, "the summary of a week was given up");
        }
        parts.store.summary_told(&due, &parts.holder, &told).await?;
    }
    Ok(())
}

/// The newest day on which a week was to be summed up.
fn summed_up(now: Timestamp, zone: &TimeZone, weekday: Weekday, hour: i8) -> Option<Date> {
    let local = now.to_jiff().to_zoned(zone.clone());
    let wanted = match weekday {
        Weekday::Mon => 0,
        Weekday::Tue => 1,
        Weekday::Wed => 2,
        Weekday::Thu => 3,
        Weekday::Fri => 4,
        Weekday::Sat => 5,
        Weekday::Sun => 6,
    };
    let ago = (i64::from(local.weekday().to_monday_zero_offset()) - wanted).rem_euclid(WEEK);
    let mut day = local.date().checked_sub(ago.days()).ok()?;
    let begins = |day: Date| day.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok();
    if begins(day)? > local {
        day = day.checked_sub(WEEK.days()).ok()?;
    }
    Some(day)
}

async fn total(parts: &Parts, cut: &Cut) -> Result<Sums, StoreError> {
    Ok(parts.store.sums(cut, By::Nothing).await?.remove("").unwrap_or_default())
}

async fn send(parts: &Parts, due: &DueSummary) -> Result<Told, StoreError> {
    let Ok(day) = due.week.parse::<Date>() else { return Ok(Told::Dead("no week".to_owned())) };
    let summary = Summary::read(parts, day).await?;
    let now = parts.clock.now();
    let id = format!("weekly-{}", due.week);
    let sent = if due.recipient == WEBHOOK {
        notices::post(&parts.config, &id, now, summary.json(now).to_string()).await
    } else {
        let (subject, text) = (summary.subject(), summary.text());
        let notice = Notice { id: &id, to: &due.recipient, subject: &subject, text: &text, at: now };
        match parts.channels.named(email::NAME).and_then(|channel| channel.notify(notice)) {
            Some(sent) => sent.await,
            None => Err(ChannelError::Permanent("[email] is not switched on".to_owned())),
        }
    };
    let settings = &parts.config.reports;
    let pause = settings.weekly_retry_ms.saturating_mul(1 << (due.attempts - 1).clamp(0, 16));
    Ok(match sent {
        Ok(()) => Told::Done,
        // A server knows the same id again; a mail that may have been taken is not sent twice.
        Err(ChannelError::Unknown(why)) if due.recipient != WEBHOOK => Told::Dead(why),
        Err(ChannelError::Later { why, after_ms }) if due.attempts < settings.weekly_attempts_max => {
            Told::Later(now.plus_ms(pause.max(after_ms.unwrap_or_default())), why)
        }
        Err(ChannelError::Unknown(why)) if due.attempts < settings.weekly_attempts_max => {
            Told::Later(now.plus_ms(pause), why)
        }
        Err(error) => Told::Dead(error.to_string()),
    })
}

/// How a week went.
struct Summary {
    business: String,
    from: Date,
    to: Date,
    zone: String,
    link: String,
    prices: Prices,
    total: Sums,
    before: Sums,
    channels: Vec<(String, Sums)>,
}

impl Summary {
    /// The seven days before `day`.
    async fn read(parts: &Parts, day: Date) -> Result<Self, StoreError> {
        let (store, to) = (&parts.store, days(day));
        let cut = |from: i64, to: i64| Cut { from, to, ..Cut::default() };
        let week = cut(to - WEEK, to);
        let channels: BTreeMap<String, Sums> = store.sums(&week, By::Channel).await?;
        let mut channels: Vec<(String, Sums)> = channels.into_iter().collect();
        channels.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.get(Count::Cases)));
        let (from, last) = (crate::domain::measures::date(to - WEEK), crate::domain::measures::date(to - 1));
        let settings = &parts.config.prices;
        Ok(Self {
            business: parts.config.business.name.clone(),
            from,
            to: last,
            zone: store
                .standing()
                .await?
                .map_or_else(|| parts.config.report_zone(), |standing| standing.zone),
            link: format!("{}/console/reports?from={from}&to={last}", parts.config.public_base_url()),
            prices: Prices {
                currency: settings.currency.clone(),
                segments: settings.segments.clone(),
                tool_call: settings.tool_call,
                agent_minute: settings.agent_minute,
            },
            total: total(parts, &week).await?,
            before: total(parts, &cut(to - 2 * WEEK, to - WEEK)).await?,
            channels,
        })
    }

    fn subject(&self) -> String {
        format!("{}: support from {} to {}", self.business, self.from, self.to)
    }

    /// For people.
    fn text(&self) -> String {
        let mut text = format!(
            "{}, {} to {} (days of {}), compared with the week before.\n\n",
            self.business, self.from, self.to, self.zone
        );
        let currency = &self.prices.currency;
        for measure in SAID {
            let figure = measure.figure(&self.total, &self.prices);
            let change = measure.change(figure, measure.figure(&self.before, &self.prices));
            let change = change.map_or_else(String::new, |change| format!(", {}", change.text));
            let of = measure.say_of(figure, currency);
            let of = if of.is_empty() { of } else { format!(" ({of})") };
            // A `String` takes every write.
            _ = writeln!(text, "{}: {}{change}{of}", measure.title(), measure.say(figure, currency));
        }
        text.push_str("\nBy channel:\n");
        for (channel, sums) in self.channels.iter().take(NAMED_MAX) {
            let say = |measure: Measure| measure.say(measure.figure(sums, &self.prices), currency);
            _ = writeln!(
                text,
                "- {channel}: {} cases, {} by the assistant alone, {} durable",
                grouped(sums.get(Count::Cases)),
                say(Measure::Automation),
                say(Measure::Durable)
            );
        }
        let mut reasons: Vec<(&str, i64)> = self.total.named(Named::Reason).collect();
        reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        if !reasons.is_empty() {
            text.push_str("\nWhy cases went to people:\n");
        }
        for (reason, n) in reasons.into_iter().take(NAMED_MAX) {
            let (right, unneeded) =
                (self.total.of(Named::ReasonRight, reason), self.total.of(Named::ReasonUnneeded, reason));
            let reason = reason.replace('_', " ");
            _ = writeln!(text, "- {reason}: {n}, {right} of them right, {unneeded} not");
        }
        _ = write!(
            text,
            "\nEverything, with what each figure means and the cases behind it:\n{}\n",
            self.link
        );
        text
    }

    /// For programs.
    fn json(&self, now: Timestamp) -> Value {
        let figures = |sums: &Sums| -> Value {
            let one = |measure: &Measure| {
                let figure = measure.figure(sums, &self.prices);
                (
                    measure.as_str().to_owned(),
                    json!({"value": figure.value, "counted": figure.counted, "of": figure.of}),
                )
            };
            Value::Object(Measure::ALL.iter().map(one).collect())
        };
        let channels: Vec<Value> = self
            .channels
            .iter()
            .map(|(channel, sums)| json!({"channel": channel, "measures": figures(sums)}))
            .collect();
        json!({"type": "report.weekly", "timestamp": now, "data": {
            "from": self.from.to_string(), "to": self.to.to_string(), "zone": self.zone, "link": self.link,
            "measures": figures(&self.total), "previous": figures(&self.before), "channels": channels,
        }})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_summed_up_on_its_day_from_its_hour_on_by_the_wall_clock() {
        let zone = TimeZone::get("America/Chicago").unwrap();
        let told = |now: &str| {
            summed_up(Timestamp::parse(now).unwrap(), &zone, Weekday::Mon, 8).unwrap().to_string()
        };
        assert_eq!(told("2026-11-23T13:59:59Z"), "2026-11-16");
        assert_eq!(told("2026-11-23T14:00:00Z"), "2026-11-23");
        assert_eq!(told("2026-11-29T23:00:00Z"), "2026-11-23");
        // The clocks were set forward on Sunday 8 March 2026.
        assert_eq!(told("2026-03-09T12:59:59Z"), "2026-03-02");
        assert_eq!(told("2026-03-09T13:00:00Z"), "2026-03-09");
        for moment in [i64::MIN, i64::MAX] {
            let _ = summed_up(Timestamp(moment), &zone, Weekday::Sun, 23);
        }
    }
}
