//! `firstline audit` over every pair of channels that the program can play.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_channel_knows_what_every_other_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("audit.html");
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["audit", "--json", "--html"])
        .arg(&page)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    let channels = report["channels"].as_array().unwrap().len();
    let failed: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["failures"].as_array().is_some_and(|failures| !failures.is_empty()))
        .collect();
    assert_eq!(failed, Vec::<&Value>::new());
    assert!(ended.status.success());
    assert!(channels >= 9, "{channels} channels");
    assert_eq!(report["pairs"], channels * (channels - 1));
    assert!(std::fs::read_to_string(page).unwrap().contains("all as they should be"));
}

#[test]
fn a_channel_that_nobody_plays_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["audit", "--channels", "fax,web_chat"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("there is no channel `fax`"));
}
