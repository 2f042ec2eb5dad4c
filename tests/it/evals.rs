//! The scenarios of `evals/`, played by the built program and compared with `evals/baseline.json`.

use std::path::Path;
use std::process::Command;

#[test]
fn no_scenario_that_passed_in_the_baseline_fails_now() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let baseline = root.join("evals/baseline.json");
    assert!(
        baseline.is_file(),
        "evals/baseline.json is missing; `firstline eval --update-baseline` writes it"
    );
    // A run without a baseline passes, so the file is named: then a missing one could not be overlooked.
    let output = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["eval", "--baseline"])
        .arg(&baseline)
        .current_dir(root)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the evals fell below the baseline\n{said}\n{complained}");
}
