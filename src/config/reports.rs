//! `[reports]` and `[prices]`: how the measures are counted, who is told once a week, and what things cost.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Config;

/// The latest hour of a day.
const HOUR_MAX: i8 = 23;

/// How the measures are counted, and who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// IANA name of the time zone of days and weeks; empty: that of the default team's hours, else UTC.
    pub timezone: String,
    /// Pause between looks for what is to be counted.
    pub fold_ms: u64,
    /// Cases counted in one transaction.
    pub fold_cases_max: usize,
    /// Mail addresses that get the summary of each week.
    pub weekly_to: Vec<String>,
    /// Where it is posted too, signed as Standard Webhooks; empty: nowhere.
    pub weekly_webhook_url: String,
    /// `whsec_…`.
    pub weekly_webhook_secret: SecretString,
    /// `mon` to `sun`.
    pub weekly_day: Weekday,
    /// From this hour on, 0 to 23, in that time zone.
    pub weekly_hour: i8,
    /// Tries before a summary is given up.
    pub weekly_attempts_max: i64,
    /// Pause before the second try; doubles each time.
    pub weekly_retry_ms: i64,
    /// How long a summary is held by the process that sends it.
    pub weekly_lease_ms: i64,
}

/// A day of the week, as settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days say themselves")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What things cost, in the currency of the operator's bills.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSettings {
    /// ISO 4217.
    pub currency: String,
    /// One call of a tool.
    pub tool_call: f64,
    /// One minute of a person.
    pub agent_minute: f64,
    /// One part of a message, by channel.
    pub segments: BTreeMap<String, f64>,
}

impl Reports {
    /// What contradicts itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.timezone.is_empty() && jiff::tz::TimeZone::get(&self.timezone).is_err() {
            let zone = &self.timezone;
            wrong.push(format!(
                "[reports] timezone: `{zone}` is no known time zone; write an IANA name like `America/Chicago`"
            ));
        }
        if !(0..=HOUR_MAX).contains(&self.weekly_hour) {
            wrong.push(format!("[reports] weekly_hour must be between 0 and {HOUR_MAX}"));
        }
        for address in self.weekly_to.iter().filter(|address| address.parse::<lettre::Address>().is_err()) {
            wrong.push(format!("[reports] weekly_to: `{address}` is no mail address"));
        }
        if !self.weekly_webhook_url.is_empty() {
            if !reqwest::Url::parse(&self.weekly_webhook_url).is_ok_and(|url| url.has_host()) {
                wrong.push(
                    "[reports] weekly_webhook_url must be a URL like https://ops.example/reports".to_owned(),
                );
            }
            if self.weekly_webhook_secret.expose_secret().is_empty() {
                wrong.push(
                    "[reports] weekly_webhook_secret is missing; set FIRSTLINE__REPORTS__WEEKLY_WEBHOOK_SECRET=whsec_…"
                        .to_owned(),
                );
            }
        }
        wrong
    }
}

impl PriceSettings {
    /// What contradicts itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let named = self.segments.iter().map(|(channel, price)| (channel.as_str(), *price));
        let all = named.chain([("tool_call", self.tool_call), ("agent_minute", self.agent_minute)]);
        all.filter(|(_, price)| !price.is_finite() || *price < 0.0)
            .map(|(name, _)| format!("[prices] {name} must be a number of at least 0"))
            .collect()
    }
}

impl Config {
    /// The IANA name of the time zone of reports.
    pub fn report_zone(&self) -> String {
        if !self.reports.timezone.is_empty() {
            return self.reports.timezone.clone();
        }
        let default = self.teams.iter().find(|team| team.id == self.routing.default_team);
        let hours = default.and_then(|team| team.hours.as_ref());
        hours.map_or_else(|| "UTC".to_owned(), |hours| hours.timezone.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Sources};

    fn load(text: &str) -> Result<Config, String> {
        let file = Some((text, Path::new("firstline.toml")));
        Config::load(Sources { file, ..Sources::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_counted_or_sent_is_named() {
        for (text, says) in [
            ("[reports]\ntimezone = \"Mars/Base\"", "no known time zone"),
            ("[reports]\nweekly_hour = 24", "between 0 and 23"),
            ("[reports]\nweekly_to = [\"ops\"]", "`ops` is no mail address"),
            ("[reports]\nweekly_webhook_url = \"https://ops.example\"", "WEEKLY_WEBHOOK_SECRET"),
            ("[prices]\nagent_minute = -1.0", "agent_minute must be"),
            ("[prices.segments]\nsms = inf", "sms must be"),
        ] {
            assert!(load(text).unwrap_err().contains(says), "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_default_team_where_nothing_else_is_said() {
        assert_eq!(load("").unwrap().report_zone(), "UTC");
        let teams =
            "[[teams]]\nid = \"support\"\nname = \"Support\"\nhours = { timezone = \"America/Chicago\" }";
        assert_eq!(load(teams).unwrap().report_zone(), "America/Chicago");
        let said = format!("[reports]\ntimezone = \"Europe/Berlin\"\n{teams}");
        assert_eq!(load(&said).unwrap().report_zone(), "Europe/Berlin");
    }
}
