//! Servers that other people wrote, from the registries of `npm` and `PyPI`.
//!
//! Needs `TEST_MCP_EVERYTHING` (the program of `@modelcontextprotocol/server-everything`) and `TEST_MCP_TIME` (that of
//! `mcp-server-time`). Where they are missing the tests say so and are left out, except in CI, where they fail.

use std::process::{Command, Stdio};

use super::*;
use crate::support::installed::installed;
use crate::support::site::{Line, Running, lines_of};

/// A world in the environment of this process, where launchers and interpreters are found.
async fn world(text: &str) -> World {
    let config = Config::load(Sources {
        file: Some((text, Path::new("firstline.toml"))),
        environment: Environment::of_process(),
        ..Sources::default()
    });
    let toolbox = Arc::new(Toolbox::new(&config.unwrap(), Arc::new(Templates::new())).unwrap());
    World::running(toolbox, tempfile::tempdir().unwrap()).await
}

const EVERYTHING: &str = r#"
timeout_ms = 10000
[mcp_servers.tools.echo]
effect = "read"
[mcp_servers.tools.get-sum]
effect = "read"
[mcp_servers.tools.get-structured-content]
effect = "read"
[mcp_servers.tools.get-tiny-image]
effect = "read"
[mcp_servers.tools.trigger-long-running-operation]
ignore = true
"#;

async fn everything_works(world: World) {
    let names = world.names();
    assert!(names.len() > 8 && names.iter().any(|name| name == "all_get-env"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("trigger-long")), "{names:?}");
    let echo = world.call("all_echo", json!({"message": "parcel"}), None).await.unwrap();
    assert_eq!((echo.status, echo.result), (CallStatus::Done, json!({"text": "Echo: parcel"})));
    let sum = world.call("all_get-sum", json!({"a": 2, "b": 40}), None).await.unwrap();
    assert!(sum.result["text"].as_str().unwrap().contains("42"), "{}", sum.result);
    let weather =
        world.call("all_get-structured-content", json!({"location": "Chicago"}), None).await.unwrap();
    assert!(weather.result["temperature"].is_number(), "{}", weather.result);
    let image = world.call("all_get-tiny-image", json!({}), None).await.unwrap();
    assert_eq!((image.status, &image.result["left_out"]), (CallStatus::Done, &json!(["image"])));
    let wrong = world.call("all_get-sum", json!({"a": "two", "b": 40}), None).await;
    assert!(matches!(wrong, Err(ToolError::TellModel(_))), "{wrong:?}");
    let env = world.toolbox.tool("all_get-env").unwrap();
    assert_eq!((env.effect, env.assurance, env.confirm), (Effect::Write, Assurance::Verified, true));
    let asked = world.call("all_get-env", json!({}), Some("key-1")).await.unwrap();
    let told = asked.result.to_string();
    assert!(told.contains("PATH") && !told.contains("CARGO"), "it sees what it needs and no more: {told}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_server_is_listed_and_called_over_standard_input() {
    let Some(program) = installed("TEST_MCP_EVERYTHING") else { return };
    let server = format!("[[mcp_servers]]\nname = \"all\"\ncommand = {program:?}\nargs = [\"stdio\"]");
    everything_works(world(&format!("{server}{EVERYTHING}")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_server_is_listed_and_called_over_http() {
    let Some(program) = installed("TEST_MCP_EVERYTHING") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new(program);
    server.arg("streamableHttp").env("PORT", port.to_string()).env_remove("CARGO");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO")) {
        server.env_remove(name);
    }
    let mut server = Running(server.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = lines_of(server.0.stderr.take().unwrap());
    lines.find(|line| line.contains("listening on port").then_some(line)).await;
    let text = format!("[[mcp_servers]]\nname = \"all\"\nurl = \"http://127.0.0.1:{port}/mcp\"{EVERYTHING}");
    everything_works(world(&text).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_another_language_is_listed_and_called() {
    let Some(program) = installed("TEST_MCP_TIME") else { return };
    let server = format!("[[mcp_servers]]\nname = \"time\"\ncommand = {program:?}\ntimeout_ms = 10000\n");
    let classified = "[mcp_servers.tools.get_current_time]\neffect = \"read\"\nassurance = \"anonymous\"\n";
    let world = world(&format!("{server}{classified}")).await;
    assert_eq!(world.names(), ["time_convert_time", "time_get_current_time"]);
    let now = world.call("time_get_current_time", json!({"timezone": "Europe/Berlin"}), None).await.unwrap();
    assert_eq!((now.status, &now.result["timezone"]), (CallStatus::Done, &json!("Europe/Berlin")));
    let nowhere =
        world.call("time_get_current_time", json!({"timezone": "Nowhere/Land"}), None).await.unwrap();
    assert_eq!((nowhere.status, code(&nowhere)), (CallStatus::Refused, "refused"));
    world.stop().await;
}
