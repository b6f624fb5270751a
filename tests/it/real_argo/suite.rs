//! What is said of a run at its end is what becomes of its objects: some seventy workflows in one real Argo, each with the
//! answer that is right for it in `cases/`.

mod after;
mod case;
mod stage;

use self::case::Case;
use self::stage::Stage;

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_said_at_the_end_is_what_becomes_of_it_on_argo() {
    let mut stage = Stage::start();
    stage.lint();
    stage.run();
    stage.inspect();
    stage.delete();
    stage.diagnose();
    stage.fix();
    stage.cure();
    stage.purge();
    assert!(
        stage.wrong.is_empty(),
        "{} of {} cases:\n{}",
        stage.wrong.len(),
        stage.cases.len(),
        stage.wrong.join("\n")
    );
}

/// All that have a list, by their names.
fn named<'c>(cases: &'c [Case], name: &str) -> Option<&'c Case> {
    cases.iter().find(|case| case.name == name)
}
