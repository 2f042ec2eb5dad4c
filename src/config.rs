//! Typed settings: `config.default.toml`, replaced by the workspace's file, replaced by the environment.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::Deserialize;
use toml::{Table, Value};

mod channels;
mod console;
mod crm;
mod email;
mod environment;
mod identity;
mod mcp;
mod reports;
mod routing;
mod sections;
mod sinks;
mod telemetry;
mod tools;
mod webhooks;

pub use channels::{
    Channels, InAppSettings, MetaSettings, SlackSettings, SmsSettings, TelegramSettings, VoiceSettings,
    WhatsAppSettings,
};
pub use console::{Console, Oidc, SecondFactor};
pub use crm::{CrmEvent, CrmSettings, WriteBackSettings};
pub use email::{EmailSettings, MailTls};
pub use environment::Environment;
pub use identity::Identity;
pub use mcp::{Mcp, McpServer, McpTool};
pub use reports::{PriceSettings, Reports, Weekday};
pub use routing::{Hours, Routing, ServiceLevels, TeamSettings};
pub use sections::{
    Business, Cases, Database, Guard, Knowledge, Limits, Model, ModelCalls, OutputLimit, Satisfaction,
    Server, Structured, TriageSettings, Worker,
};
pub use sinks::{HandoffSettings, SinkKind, SinkSettings};
pub use telemetry::Telemetry;
pub use tools::{HttpTool, Method, OAuth2, ToolLimits, ToolSettings};
pub use webhooks::{WebhookDelivery, WebhookSettings};

/// The embedded defaults: every key, with a comment.
pub const DEFAULTS: &str = include_str!("config.default.toml");
const PREFIX: &str = "FIRSTLINE__";

/// The settings of one process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The edge.
    pub server: Server,
    /// The record.
    pub database: Database,
    /// Turns and deliveries.
    pub worker: Worker,
    /// What is bounded.
    pub limits: Limits,
    /// When cases end.
    pub cases: Cases,
    /// What customers are asked after a resolution.
    pub satisfaction: Satisfaction,
    /// Thresholds of understanding.
    pub triage: TriageSettings,
    /// Articles and search.
    pub knowledge: Knowledge,
    /// Who we speak for.
    pub business: Business,
    /// What may leave.
    pub guard: Guard,
    /// What bounds MCP servers.
    pub mcp: Mcp,
    /// Where cases go.
    pub routing: Routing,
    /// By when people answer.
    pub service_levels: ServiceLevels,
    /// Where agents work.
    pub console: Console,
    /// The language model that answers.
    pub model: Model,
    /// The one that answers when the first cannot.
    pub fallback_model: Model,
    /// How both are called.
    pub model_calls: ModelCalls,
    /// Logs, spans and metrics.
    pub telemetry: Telemetry,
    /// Who somebody is, and how they prove it.
    pub identity: Identity,
    /// The media that providers connect.
    pub channels: Channels,
    /// The operator's CRM.
    pub crm: CrmSettings,
    /// How the measures are counted, and who is told.
    pub reports: Reports,
    /// What things cost.
    pub prices: PriceSettings,
    /// How what happens is told to subscribers.
    pub webhook_delivery: WebhookDelivery,
    /// Other desks that cases are handed to.
    pub handoff: HandoffSettings,
    /// Who subscribes to what happens.
    pub webhooks: Vec<WebhookSettings>,
    /// Groups of agents.
    pub teams: Vec<TeamSettings>,
    /// What may be called.
    pub tools: Vec<ToolSettings>,
    /// Who else has tools.
    pub mcp_servers: Vec<McpServer>,
    /// The environment that templates of tools may read.
    pub environment: Environment,
    /// Where the workspace is; none for the embedded demo run from an empty folder.
    pub workspace: PathBuf,
    /// The merged settings as they were read, secrets hidden; for `firstline check`.
    pub effective: Table,
    /// The file that was read, for messages.
    pub file: Option<PathBuf>,
}

/// Everything that is wrong with the settings, each with what to do.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Where settings come from.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// Text of the workspace's file and its path for messages.
    pub file: Option<(&'a str, &'a Path)>,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// The environment.
    pub environment: Environment,
}

impl Config {
    /// Reads and checks all settings; reports every problem at once.
    pub fn load(sources: Sources<'_>) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut merged = parse(DEFAULTS, "the built-in defaults", &mut problems);
        if let Some((text, path)) = sources.file {
            let shown = path.display().to_string();
            merge(&mut merged, parse(text, &shown, &mut problems));
        }
        apply_environment(&mut merged, &sources.environment, &mut problems);
        let shown =
            sources.file.map_or_else(|| "settings".to_owned(), |(_, path)| path.display().to_string());
        let effective = hidden(merged.clone());
        let mut reader = Reader { table: merged, shown, problems };
        let teams: Vec<TeamSettings> = reader.list("teams");
        let tools: Vec<ToolSettings> = reader.list("tools");
        let mcp_servers: Vec<McpServer> = reader.list("mcp_servers");
        let webhooks: Vec<WebhookSettings> = reader.list("webhooks");
        let config = (|| {
            Some(Self {
                server: reader.section("server")?,
                database: reader.section("database")?,
                worker: reader.section("worker")?,
                limits: reader.section("limits")?,
                cases: reader.section("cases")?,
                satisfaction: reader.section("satisfaction")?,
                triage: reader.section("triage")?,
                knowledge: reader.section("knowledge")?,
                business: reader.section("business")?,
                guard: reader.section("guard")?,
                mcp: reader.section("mcp")?,
                routing: reader.section("routing")?,
                service_levels: reader.section("service_levels")?,
                console: reader.section("console")?,
                model: reader.section("model")?,
                fallback_model: reader.section("fallback_model")?,
                model_calls: reader.section("model_calls")?,
                telemetry: reader.section("telemetry")?,
                identity: reader.section("identity")?,
                crm: reader.section("crm")?,
                reports: reader.section("reports")?,
                prices: reader.section("prices")?,
                webhook_delivery: reader.section("webhook_delivery")?,
                handoff: reader.section("handoff")?,
                webhooks,
                channels: reader.channels()?,
                teams,
                tools,
                mcp_servers,
                environment: sources.environment,
                effective,
                workspace: sources.workspace,
                file: sources.file.map(|(_, path)| path.to_owned()),
            })
        })();
        reader.strangers();
        match config {
            Some(mut config) if reader.problems.is_empty() => {
                sinks::complete(&mut config);
                let wrong = config.contradictions();
                if wrong.is_empty() { Ok(config) } else { Err(ConfigError(wrong)) }
            }
            _ => Err(ConfigError(reader.problems)),
        }
    }

    fn contradictions(&self) -> Vec<String> {
        let mut wrong = self.telemetry.problems();
        wrong.extend(self.channels.problems());
        wrong.extend(self.identity.problems());
        wrong.extend(self.routing.problems());
        wrong.extend(self.reports.problems());
        wrong.extend(self.prices.problems());
        if !self.reports.weekly_to.is_empty() && !self.channels.email.enabled {
            wrong
                .push("[reports] weekly_to needs [email]: switch it on, or leave weekly_to empty".to_owned());
        }
        wrong.extend(self.console.problems(&self.server.public_base_url));
        wrong.extend(sinks::problems(self));
        let names = |label: &str, all: Vec<&str>, wrong: &mut Vec<String>| {
            let mut seen = std::collections::BTreeSet::new();
            for name in all {
                if !seen.insert(name) {
                    wrong.push(format!("{label} `{name}` is declared twice; give each its own name"));
                }
            }
        };
        names("the tool", self.tools.iter().map(|t| t.name.as_str()).collect(), &mut wrong);
        names("the webhook", self.webhooks.iter().map(|w| w.name.as_str()).collect(), &mut wrong);
        names("the desk", self.handoff.sinks.iter().map(|s| s.name.as_str()).collect(), &mut wrong);
        names("the team", self.teams.iter().map(|t| t.id.as_str()).collect(), &mut wrong);
        wrong.extend(mcp::contradictions(&self.mcp_servers));
        if !self.teams.is_empty() && !self.teams.iter().any(|t| t.id == self.routing.default_team) {
            wrong.push(format!(
                "[routing] default_team names `{}`, which is no [[teams]] id",
                self.routing.default_team
            ));
        }
        wrong
    }

    /// The folder for what the service keeps: the database, the index, the journal.
    pub fn data_folder(&self) -> PathBuf {
        self.workspace.join("data")
    }

    /// How the outside reaches this service, without a slash at the end.
    pub fn public_base_url(&self) -> String {
        let configured = self.server.public_base_url.trim_end_matches('/');
        if configured.is_empty() { format!("http://{}", self.server.listen) } else { configured.to_owned() }
    }

    /// The database's address: the configured one, else the SQLite file of the workspace.
    pub fn database_url(&self) -> String {
        if self.database.url.is_empty() {
            format!("sqlite://{}", self.data_folder().join("firstline.db").display())
        } else {
            self.database.url.clone()
        }
    }
}

struct Reader {
    table: Table,
    shown: String,
    problems: Vec<String>,
}

impl Reader {
    fn section<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Option<T> {
        let value = self.table.remove(name).unwrap_or(Value::Table(Table::new()));
        match value.try_into() {
            Ok(section) => Some(section),
            Err(error) => {
                self.problems.push(format!("{}: [{name}] {}", self.shown, tidy(&error.to_string())));
                None
            }
        }
    }

    fn channels(&mut self) -> Option<Channels> {
        Some(Channels {
            in_app: self.section("in_app")?,
            telegram: self.section("telegram")?,
            whatsapp: self.section("whatsapp")?,
            messenger: self.section("messenger")?,
            instagram: self.section("instagram")?,
            slack: self.section("slack")?,
            sms: self.section("sms")?,
            voice: self.section("voice")?,
            email: self.section("email")?,
        })
    }

    /// Reports what nobody has asked for.
    fn strangers(&mut self) {
        for unknown in self.table.keys() {
            self.problems
                .push(format!("{}: unknown section [{unknown}]; remove it or correct its name", self.shown));
        }
    }

    fn list<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Vec<T> {
        let Some(value) = self.table.remove(name) else {
            return Vec::new();
        };
        let Value::Array(entries) = value else {
            self.problems.push(format!("{}: `{name}` must be written as [[{name}]] entries", self.shown));
            return Vec::new();
        };
        let mut read = Vec::new();
        for (at, entry) in entries.into_iter().enumerate() {
            let label =
                ["name", "id"].iter().find_map(|k| entry.get(k).and_then(Value::as_str)).map(str::to_owned);
            match entry.try_into() {
                Ok(one) => read.push(one),
                Err(error) => self.problems.push(format!(
                    "{}: [[{name}]] entry {} ({}): {}",
                    self.shown,
                    at + 1,
                    label.unwrap_or_else(|| "unnamed".to_owned()),
                    tidy(&error.to_string())
                )),
            }
        }
        read
    }
}

/// Whether nobody should read this setting over somebody's shoulder: keys, headers that carry them, and addresses
/// with a password in them.
fn secret(key: &str, text: &str) -> bool {
    let named = key == "secret"
        || ["_secret", "_key", "_headers", "_token", "password"].iter().any(|end| key.ends_with(end));
    !text.is_empty() && (named || (key.ends_with("url") && text.contains('@')))
}

/// The settings without secrets: those by name, and the headers and environments of tools.
fn hidden(mut table: Table) -> Table {
    for (key, value) in &mut table {
        match value {
            Value::Table(inner) if key == "headers" || key == "env" => {
                inner.iter_mut().for_each(|(_, value)| *value = Value::String("[redacted]".to_owned()));
            }
            Value::Table(inner) => *inner = hidden(std::mem::take(inner)),
            Value::Array(entries) => {
                for entry in entries {
                    if let Value::Table(inner) = entry {
                        *inner = hidden(std::mem::take(inner));
                    }
                }
            }
            Value::String(text) if secret(key, text) => "[redacted]".clone_into(text),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {}
        }
    }
    table
}

fn tidy(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn parse(text: &str, shown: &str, problems: &mut Vec<String>) -> Table {
    text.parse::<Table>().unwrap_or_else(|error| {
        let line = error
            .span()
            .map_or(0, |span| text.get(..span.start).map_or(0, |head| head.matches('\n').count() + 1));
        problems.push(format!("{shown}:{line}: {}", tidy(error.message())));
        Table::new()
    })
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(new)) => merge(inner, new),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// `FIRSTLINE__WORKER__POLL_MS=100` sets `[worker] poll_ms`; the text takes the type of the default it replaces.
/// Sets one setting as the type it has; whether the value has that type. `OIDC__CLIENT_ID` in `[console]` is the
/// setting of `[console.oidc]`, where there is such a section.
fn set(section: &mut Table, key: &str, value: &str) -> bool {
    if let Some((inner, rest)) = key.split_once("__")
        && let Some(Value::Table(inner)) = section.get_mut(inner)
    {
        return set(inner, rest, value);
    }
    let typed = typed(section.get(key), value);
    typed.is_some_and(|typed| {
        section.insert(key.to_owned(), typed);
        true
    })
}

fn apply_environment(table: &mut Table, environment: &Environment, problems: &mut Vec<String>) {
    for (name, value) in &environment.0 {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let path = path.to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            problems.push(format!("{name}: write it as {PREFIX}SECTION__KEY"));
            continue;
        };
        if section == "webhooks" || key.starts_with("sinks__") {
            // The secret of one entry of a list; the list takes it by the entry's name.
            continue;
        }
        let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = section else {
            continue;
        };
        if !set(section, key, value.expose_secret()) {
            problems.push(format!("{name}: its value does not have the type of the setting it replaces"));
        }
    }
}

/// How the setting `key` of a section is called in the environment.
pub fn setting_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase())
}

fn typed(replaces: Option<&Value>, text: &str) -> Option<Value> {
    match replaces {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Float(_)) => text.parse().ok().map(Value::Float),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Array(_)) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(|s| Value::String(s.to_owned()))
                .collect(),
        )),
        Some(Value::Table(_) | Value::Datetime(_)) => None,
        Some(Value::String(_)) | None => Some(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().fold(Environment::default(), |e, (k, v)| e.with(k, v));
        Config::load(Sources {
            file: Some((text, Path::new("firstline.toml"))),
            workspace: PathBuf::new(),
            environment,
        })
    }

    #[test]
    fn the_defaults_alone_are_a_whole_configuration() {
        let config = Config::load(Sources::default()).unwrap();
        assert_eq!(config.worker.poll_ms, 500);
    }

    #[test]
    fn the_environment_replaces_the_file_which_replaces_the_defaults() {
        let config =
            load("[worker]\npoll_ms = 7\nlease_ms = 8\n", &[("FIRSTLINE__WORKER__POLL_MS", "9")]).unwrap();
        assert_eq!((config.worker.poll_ms, config.worker.lease_ms), (9, 8));
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_place() {
        let error =
            load("[worker]\npol_ms = 7\n[nonsense]\nx = 1\n[[tools]]\nname = \"a\"\n", &[]).unwrap_err();
        let text = error.to_string();
        for part in ["[worker]", "pol_ms", "[nonsense]", "[[tools]] entry 1 (a)"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn broken_toml_names_its_line() {
        let text = load("[worker]\npoll_ms = = 7\n", &[]).unwrap_err().to_string();
        assert!(text.contains("firstline.toml:2"), "{text}");
    }

    #[test]
    fn a_secret_never_shows_when_settings_are_printed() {
        let config = load("", &[("SHOP_TOKEN", "hush-hush")]).unwrap();
        assert!(!format!("{config:?}").contains("hush-hush"));
    }
}
