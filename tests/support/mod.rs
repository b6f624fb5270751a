//! What the tests share: real servers, brought by `tests/run`, and the built plugin.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub mod gcs;
pub mod kube;
mod objects;
pub mod purge;
mod server;

/// The program that `tests/run` named in an environment variable.
pub fn program(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Says that a part is skipped, on the real stderr (the test runner holds back what passing tests print).
///
/// # Panics
/// With `CI=true`, where nothing may be skipped.
pub fn skipped(part: &str) {
    let message = format!("skipped: {part} (tests/run brings it)");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// The stdout of a command that must succeed within a minute.
pub fn stdout(command: Command) -> String {
    let assert = assert_cmd::Command::from_std(command).timeout(Duration::from_secs(60)).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("stdout is UTF-8")
}

/// The built plugin without a cluster, ready to run.
pub fn plugin<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-argo_gc"));
    command.args(arguments).env_remove("KUBECONFIG").env("HOME", "/nonexistent").env_remove("RUST_LOG");
    command
}
