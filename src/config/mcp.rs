//! MCP servers as they are declared in `firstline.toml` (INTERFACES, `[[mcp_servers]]`), and what bounds them all.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tools::{ToolLimits, usual_assurance};
use crate::domain::assurance::Assurance;
use crate::domain::receipt::Effect;

/// Longest name of a server: it begins the names of its tools, which may have 64 characters.
const NAME_CHARS_MAX: usize = 24;

/// What bounds every server, whatever it says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    /// Longest the start of the service waits for the first listings.
    pub start_ms_max: u64,
    /// Longest a server may take to start, and then to list its tools.
    pub connect_ms_max: u64,
    /// Pause before a server that ended is started again; doubles each time, with jitter.
    pub restart_ms_min: u64,
    /// Longest such pause.
    pub restart_ms_max: u64,
    /// Pause between two listings of a server that says its tools change.
    pub relist_ms_min: u64,
    /// Most tools of one server.
    pub tools_max: usize,
    /// Largest schema of one tool's arguments.
    pub schema_bytes_max: usize,
    /// Longest description of a tool or of an argument.
    pub description_chars_max: usize,
    /// Largest single message of a server.
    pub message_bytes_max: usize,
}

/// One server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// Its name, with which the names of its tools begin.
    pub name: String,
    /// The program that serves over its standard input and output.
    #[serde(default)]
    pub command: Option<String>,
    /// What the program is started with.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its environment beside `PATH` and `HOME`; templates over `env`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where a server is that speaks streamable HTTP; a template over `env`.
    #[serde(default)]
    pub url: Option<String>,
    /// Headers of every request; templates over `env`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Longest a call may take.
    #[serde(default = "three_seconds")]
    pub timeout_ms: u64,
    /// What we know better than the server, by the server's own name of the tool.
    #[serde(default)]
    pub tools: BTreeMap<String, McpTool>,
}

/// How one tool of a server is classified. A tool without such an entry is a write that needs `verified` and a yes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpTool {
    /// Read or write; without it a write.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// What must be proven; by default `channel` for reads and `verified` for writes.
    #[serde(default)]
    pub assurance: Option<Assurance>,
    /// Writes: details, then a fresh yes. Switched off only by saying so.
    #[serde(default = "yes")]
    pub confirm: bool,
    /// Writes that move money: an expression over `arguments` that gives minor units.
    #[serde(default)]
    pub amount: Option<String>,
    /// ISO 4217 code of `amount`, for words about limits.
    #[serde(default)]
    pub currency: Option<String>,
    /// What its calls may move.
    #[serde(default)]
    pub limits: ToolLimits,
    /// Arguments that code fills, as templates over `customer`, `case` and `env`: nobody else sees or gives them.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Writes: an error that the server reports says that nothing was done. Unless somebody vouches for that, what a
    /// failed write did is unknown, and a person looks.
    #[serde(default)]
    pub errors_refuse: bool,
    /// Leave the tool out altogether.
    #[serde(default)]
    pub ignore: bool,
}

impl Default for McpTool {
    /// A tool that nobody classified.
    fn default() -> Self {
        Self {
            effect: None,
            assurance: None,
            confirm: true,
            amount: None,
            currency: None,
            limits: ToolLimits::default(),
            arguments: BTreeMap::new(),
            errors_refuse: false,
            ignore: false,
        }
    }
}

impl McpTool {
    /// Whether it changes anything: what nobody classified does.
    pub fn effect(&self) -> Effect {
        self.effect.unwrap_or(Effect::Write)
    }

    /// What must be proven before a call.
    pub fn required_assurance(&self) -> Assurance {
        self.assurance.unwrap_or_else(|| usual_assurance(self.effect()))
    }
}

impl McpServer {
    /// What is wrong with the declaration by itself.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if self.name.is_empty() || self.name.len() > NAME_CHARS_MAX || !self.name.chars().all(fits) {
            wrong.push(format!("a name has 1 to {NAME_CHARS_MAX} letters, digits, `_` or `-`"));
        }
        match (&self.command, &self.url) {
            (Some(_), Some(_)) => wrong.push("it has `command` and `url`; keep one".to_owned()),
            (None, None) => wrong.push("it needs `command` (with `args`) or `url`".to_owned()),
            (Some(_), None) if !self.headers.is_empty() => {
                wrong.push("`headers` go with `url`; a program is given `env`".to_owned());
            }
            (None, Some(_)) if !self.args.is_empty() || !self.env.is_empty() => {
                wrong.push("`args` and `env` go with `command`; a `url` is given `headers`".to_owned());
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        for (name, tool) in &self.tools {
            if !tool.confirm && tool.effect.is_none() {
                wrong
                    .push(format!("`{name}`: to switch `confirm` off, say what it is: `effect = \"write\"`"));
            }
        }
        wrong
    }
}

/// What is wrong with the servers together: from two names that begin alike one tool name could come twice.
pub(super) fn contradictions(servers: &[McpServer]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, server) in servers.iter().enumerate() {
        let own = server.contradictions();
        wrong.extend(own.into_iter().map(|problem| format!("[[mcp_servers]] `{}`: {problem}", server.name)));
        for other in servers.iter().skip(at + 1) {
            let alike = |one: &str, two: &str| one == two || one.starts_with(&format!("{two}_"));
            if alike(&server.name, &other.name) || alike(&other.name, &server.name) {
                wrong.push(format!(
                    "[[mcp_servers]] `{}` and `{}`: one tool could get the name of another; rename one of them",
                    server.name, other.name
                ));
            }
        }
    }
    wrong
}

fn yes() -> bool {
    true
}

fn three_seconds() -> u64 {
    3000
}
