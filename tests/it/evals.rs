//! The scenarios of `evals/`, played by the built program and compared with `evals/baseline.json`.

use std::path::Path;
use std::process::Command;

fn eval(arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        root.join("evals/baseline.json").is_file(),
        "evals/baseline.json is missing; `firstline eval --update-baseline` writes it"
    );
    // A run without a baseline passes, so the file is named: then a missing one could not be overlooked.
    let output = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["eval", "--baseline", "evals/baseline.json"])
        .args(arguments)
        .current_dir(root)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the evals fell below the baseline\n{said}\n{complained}");
}

#[test]
fn no_scenario_that_passed_in_the_baseline_fails_now() {
    eval(&[]);
}

#[test]
fn the_same_holds_when_a_model_answers_as_it_was_recorded() {
    eval(&["--replay", "evals/recordings"]);
}
