//! Tools of MCP servers, against a server of our own with good and bad manners: over standard input and over HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstline::app::SystemClock;
use firstline::config::{Config, ConfigError, Environment, Sources};
use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, PendingWrite};
use firstline::domain::customer::Customer;
use firstline::domain::message::{Author, Message};
use firstline::domain::receipt::{CallStatus, Effect};
use firstline::domain::time::Clock;
use firstline::templates::Templates;
use firstline::tools::authority::{self, Asking, Permit, Spent};
use firstline::tools::{CallResult, Caller, ToolError, Toolbox, dispatch, ledger};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::things::{self, NOW};
use crate::support::mcp::{JOURNAL, MANNERS, WebShop, serve_standard_input};

mod front_door;
mod hostile;
mod real;

/// Longest wait for anything a server does.
const PATIENCE: Duration = Duration::from_mins(1);
const CLASSIFIED: &str = r#"
[mcp_servers.tools.order_status]
effect = "read"
arguments = { customer_id = "{{ customer.external_id }}" }
[mcp_servers.tools.cancel_order]
effect = "write"
errors_refuse = true
arguments = { customer_id = "{{ customer.external_id }}" }
"#;

/// Not a test: this program is started again as the server of the others.
#[test]
#[ignore = "it is the server of other tests"]
fn a_server_on_standard_input() {
    serve_standard_input();
}

/// A server that is this program, with these manners.
fn program(manners: &str, journal: &Path) -> String {
    let program = std::env::current_exe().unwrap();
    format!(
        r#"
[[mcp_servers]]
name = "shop"
command = {:?}
args = ["mcp::a_server_on_standard_input", "--exact", "--ignored", "--nocapture"]
env = {{ {MANNERS} = {manners:?}, {JOURNAL} = {:?} }}
timeout_ms = 700
"#,
        program.display(),
        journal.display(),
    )
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let quick = "[mcp]\nrestart_ms_min = 50\nrelist_ms_min = 10\n";
    Config::load(Sources {
        file: Some((&format!("{quick}{text}"), Path::new("firstline.toml"))),
        workspace: PathBuf::new(),
        environment: Environment::default().with("SHOP_TOKEN", "s3cret").with("PATH", "/usr/bin:/bin"),
    })
}

fn toolbox(text: &str) -> Result<Arc<Toolbox>, Vec<String>> {
    Toolbox::new(&load(text).unwrap(), Arc::new(Templates::new())).map(Arc::new)
}

/// A toolbox whose servers run.
struct World {
    toolbox: Arc<Toolbox>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts the program with these manners, classified as its owner would.
    async fn start(manners: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = program(manners, &folder.path().join("journal"));
        Self::of(&format!("{text}{CLASSIFIED}"), folder).await
    }

    /// Starts a server over HTTP with these manners, classified in the same way.
    async fn web(manners: &str) -> (Self, WebShop) {
        let folder = tempfile::tempdir().unwrap();
        let web = WebShop::start(manners, folder.path().join("journal")).await;
        let server = format!(
            "[[mcp_servers]]\nname = \"shop\"\nurl = {:?}\ntimeout_ms = 700\nheaders = {{ Authorization = \"Bearer {{{{ env.SHOP_TOKEN }}}}\" }}\n",
            web.url
        );
        (Self::of(&format!("{server}{CLASSIFIED}"), folder).await, web)
    }

    async fn of(text: &str, folder: tempfile::TempDir) -> Self {
        Self::running(toolbox(text).unwrap(), folder).await
    }

    async fn running(toolbox: Arc<Toolbox>, folder: tempfile::TempDir) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        toolbox.start(&tasks, &shutdown, &clock);
        toolbox.listed(PATIENCE).await;
        Self { toolbox, tasks, shutdown, folder }
    }

    fn names(&self) -> Vec<String> {
        self.toolbox.contents().tools().map(|tool| tool.name.clone()).collect()
    }

    /// What the server was asked to do.
    fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("journal")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn called(&self, tool: &str) -> Vec<Value> {
        self.journal().into_iter().filter(|asked| asked["name"] == tool).collect()
    }

    async fn call(&self, tool: &str, arguments: Value, key: Option<&str>) -> Result<CallResult, ToolError> {
        let (case, customer) = ann();
        let caller = Caller { case: &case, customer: &customer, clock: &SystemClock, call: None };
        dispatch(&self.toolbox, tool, &arguments, caller, key).await
    }

    async fn status(&self) -> CallResult {
        self.call("shop_order_status", json!({"order_id": "HP-1"}), None).await.unwrap()
    }

    /// Waits until something holds that a server brings about.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
    }
}

/// A customer who is signed in.
fn ann() -> (Case, Customer) {
    (Case { assurance: Assurance::Verified, ..things::case("ann") }, things::customer("ann"))
}

fn code(result: &CallResult) -> &str {
    result.result["error"]["code"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_and_called_over_standard_input_and_over_http() {
    let program = World::start("honest").await;
    let (web, _server) = World::web("honest").await;
    let (modern, _modern_server) = World::web("modern").await;
    let shook_hands = |world: &World| world.journal().iter().any(|line| line["started"].is_string());
    assert!(shook_hands(&web) && !shook_hands(&modern), "the newest revision has no handshake");
    for world in [program, web, modern] {
        assert_eq!(world.names(), ["shop_cancel_order", "shop_order_status", "shop_store_hours"]);
        let result = world.status().await;
        let expected = json!({"order": "HP-1", "of": "u-ann", "status": "shipped"});
        assert_eq!((result.status, result.result), (CallStatus::Done, expected));
        let hours = world.call("shop_store_hours", json!({}), Some("key-1")).await.unwrap();
        assert_eq!((hours.status, hours.result), (CallStatus::Done, json!({"text": "nine to five"})));
        let cancelled =
            world.call("shop_cancel_order", json!({"order_id": "HP-1"}), Some("key-2")).await.unwrap();
        assert_eq!((cancelled.status, cancelled.result), (CallStatus::Done, json!({"cancelled": true})));
        let refused =
            world.call("shop_cancel_order", json!({"order_id": "HP-2"}), Some("key-3")).await.unwrap();
        assert_eq!(refused.status, CallStatus::Refused);
        assert_eq!(refused.result, json!({"error": {"code": "refused", "message": "already shipped"}}));
        let sent = world.called("cancel_order").remove(0);
        assert_eq!(sent["arguments"], json!({"order_id": "HP-1", "customer_id": "u-ann"}));
        assert_eq!(sent["_meta"]["firstline/idempotency-key"], "key-2");
        assert!(world.called("order_status")[0]["_meta"].get("firstline/idempotency-key").is_none());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_no_more_of_the_environment_than_it_needs() {
    let world = World::start("honest").await;
    let started = world.journal().remove(0);
    assert_eq!(started["env"], json!([JOURNAL, MANNERS, "PATH"]));
    world.stop().await;
}

fn asking<'a>(case: &'a Case, customer: &'a Customer, messages: &'a [Arc<Message>]) -> Asking<'a> {
    let says_yes = |text: &str, _: &str| text == "yes";
    let spent = Spent::default();
    Asking { case, customer, procedure: None, spent, messages, says_yes, now: NOW }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclassified_tool_is_a_write_that_needs_a_verified_customer_and_a_yes() {
    let world = World::start("honest").await;
    let hours = world.toolbox.tool("shop_store_hours").unwrap();
    assert_eq!((hours.effect, hours.assurance, hours.confirm), (Effect::Write, Assurance::Verified, true));
    let permit = |case: &Case, customer: &Customer, messages: &[Arc<Message>]| {
        authority::permit(&world.toolbox, "shop_store_hours", &json!({}), &asking(case, customer, messages))
    };
    let (mut case, customer) = ann();
    let asked = Arc::new(things::message("ann", 1));
    case.assurance = Assurance::Channel;
    assert!(matches!(
        permit(&case, &customer, std::slice::from_ref(&asked)),
        Permit::Denied { reason: "assurance", .. }
    ));
    case.assurance = Assurance::Verified;
    assert_eq!(permit(&case, &customer, std::slice::from_ref(&asked)), Permit::NeedsYes);
    case.pending = Some(PendingWrite {
        tool: "shop_store_hours".to_owned(),
        arguments: ledger::canonical_json(&json!({})),
        details: String::new(),
        asked_seq: 2,
        expires_at: NOW.plus_ms(1000),
    });
    let yes = Message { text: "yes".to_owned(), author: Author::Customer, ..things::message("ann", 3) };
    let yes = Arc::new(Message { at: NOW, ..yes });
    assert!(matches!(permit(&case, &customer, &[asked, yes]), Permit::Allowed { key: Some(_), .. }));
    let unasked = world.call("shop_store_hours", json!({}), None).await;
    assert!(matches!(unasked, Err(ToolError::Stop(_))), "{unasked:?}");
    assert!(world.called("store_hours").is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classified_read_needs_a_channel_and_acts_on_the_cases_own_customer() {
    let world = World::start("honest").await;
    let status = world.toolbox.tool("shop_order_status").unwrap();
    assert_eq!((status.effect, status.assurance), (Effect::Read, Assurance::Channel));
    assert!(status.needs_external_id);
    assert_eq!(
        status.parameters,
        json!({"type": "object", "additionalProperties": false, "required": ["order_id"], "properties": {
            "order_id": {"type": "string"}, "note": {"type": ["string", "null"]},
        }})
    );
    let (case, customer) = (things::case("ann"), things::customer("ann"));
    let permit = |case: &Case, customer: &Customer, arguments: Value| {
        authority::permit(&world.toolbox, "shop_order_status", &arguments, &asking(case, customer, &[]))
    };
    let own = json!({"order_id": "HP-1"});
    assert!(matches!(permit(&case, &customer, own.clone()), Permit::Allowed { key: None, .. }));
    let stranger = Case { assurance: Assurance::Claimed, ..case.clone() };
    assert!(matches!(permit(&stranger, &customer, own.clone()), Permit::Denied { reason: "assurance", .. }));
    let unknown = Customer { external_id: None, ..customer.clone() };
    assert!(matches!(permit(&case, &unknown, own), Permit::Denied { reason: "no_record", .. }));
    let others = json!({"order_id": "HP-1", "customer_id": "u-bob"});
    assert!(matches!(permit(&case, &customer, others.clone()), Permit::Denied { reason: "arguments", .. }));
    assert!(matches!(world.call("shop_order_status", others, None).await, Err(ToolError::TellModel(_))));
    assert!(world.called("order_status").is_empty());
    let noted =
        world.call("shop_order_status", json!({"order_id": "HP-1", "note": null}), None).await.unwrap();
    assert_eq!(noted.result["of"], "u-ann");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_a_write_leaves_it_unknown_and_is_started_again() {
    let world = World::start("dies").await;
    let lost = world.call("shop_cancel_order", json!({"order_id": "HP-1"}), Some("key-1")).await.unwrap();
    assert_eq!((lost.status, code(&lost)), (CallStatus::Unknown, "no_answer"));
    world.until("the server is back", async || world.status().await.status == CallStatus::Done).await;
    assert_eq!(world.called("cancel_order").len(), 1, "a write is never repeated");
    let starts = world.journal().iter().filter(|line| line["started"].is_string()).count();
    assert_eq!(starts, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_makes_its_tools_unavailable_and_nothing_else() {
    let text = "[[mcp_servers]]\nname = \"shop\"\ncommand = \"/nowhere/to/be/found\"\n";
    let world = World::of(&format!("{text}{CLASSIFIED}"), tempfile::tempdir().unwrap()).await;
    assert_eq!(world.names(), ["shop_cancel_order", "shop_order_status"], "known by name");
    let (case, customer) = ann();
    for tool in ["shop_cancel_order", "shop_order_status"] {
        let permit = authority::permit(
            &world.toolbox,
            tool,
            &json!({"order_id": "HP-1"}),
            &asking(&case, &customer, &[]),
        );
        assert!(matches!(permit, Permit::Denied { reason: "unavailable", .. }), "{permit:?}");
    }
    world.stop().await;
    // One that was there is missed: what it listed is known, and cannot be called.
    let (world, server) = World::web("honest").await;
    assert_eq!(world.status().await.status, CallStatus::Done);
    drop(server);
    let noticed = async || world.status().await.result["error"]["code"] == "unavailable";
    world.until("its end is noticed", noticed).await;
    let (read, write) = (
        world.status().await,
        world.call("shop_cancel_order", json!({"order_id": "HP-1"}), Some("k")).await.unwrap(),
    );
    for result in [read, write] {
        assert_eq!((result.status, code(&result)), (CallStatus::Failed, "unavailable"));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_change_are_listed_again() {
    let world = World::start("grows").await;
    let before = world.toolbox.contents().version();
    world.call("shop_store_hours", json!({}), Some("key-1")).await.unwrap();
    world.until("the new tool is listed", async || world.toolbox.tool("shop_gift_card").is_some()).await;
    assert!(world.toolbox.contents().version() > before);
    assert_eq!(world.toolbox.tool("shop_gift_card").unwrap().effect, Effect::Write);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_with_us() {
    let world = World::start("honest").await;
    let running = || {
        let marker = world.folder.path().join("journal").display().to_string();
        let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let environments = all.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
        environments.filter(|environment| String::from_utf8_lossy(environment).contains(&marker)).count()
    };
    assert_eq!(running(), 1);
    world.shutdown.cancel();
    world.tasks.close();
    tokio::time::timeout(PATIENCE, world.tasks.wait()).await.unwrap();
    assert_eq!(running(), 0);
}
