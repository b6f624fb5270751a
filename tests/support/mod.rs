//! What the tests share: real servers, brought by `tests/run`, and the built plugin.

use argo_gc::cli::streams::Streams;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub mod amazon;
pub mod api_proxy;
pub mod archives;
pub mod argo;
pub mod chart;
pub mod clouds;
mod etcd;
pub mod faulty_storage;
pub mod fixture;
pub mod gcs;
pub mod inventory;
pub mod kube;
mod objects;
pub mod page;
pub mod pod;
pub mod prometheus;
pub mod purge;
pub mod real_argo;
pub mod rooms;
mod server;
pub mod session;
pub mod svg;
pub use server::free_port;
pub mod stores;
pub mod stub;
pub mod tls;

/// The program that `tests/run` names in an environment variable.
///
/// # Panics
/// When the variable is missing: a test that can't run must not count as passed. Such tests are ignored by a plain
/// `cargo test`, and `tests/run` leaves out those whose server it can't bring, by the end of their names.
pub fn program(variable: &str) -> PathBuf {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty());
    named.unwrap_or_else(|| panic!("{variable} is not set: run this test with tests/run")).into()
}

/// The stdout of a command that must succeed within a minute.
pub fn stdout(command: Command) -> String {
    let assert = assert_cmd::Command::from_std(command).timeout(Duration::from_secs(300)).assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("stdout is UTF-8")
}

/// The built plugin without a cluster, ready to run.
pub fn plugin<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-argo_gc"));
    command.args(arguments).env("HOME", "/nonexistent");
    for variable in ["KUBECONFIG", "RUST_LOG", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(variable);
    }
    without_argo_server(&mut command);
    command
}

/// Whoever runs the tests may have an Argo server of their own.
fn without_argo_server(command: &mut Command) {
    for variable in
        ["ARGO_SERVER", "ARGO_TOKEN", "ARGO_SECURE", "ARGO_INSECURE_SKIP_VERIFY", "ARGO_BASE_HREF"]
    {
        command.env_remove(variable);
    }
}

/// A stream's end that can be looked at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("UTF-8")
    }
}

/// Runs a command line in this process, at any time; gives the exit code, stdout and stderr.
pub fn in_process<S: Into<OsString>>(
    arguments: impl IntoIterator<Item = S>,
    input: &str,
    now: Timestamp,
) -> (u8, String, String) {
    run_in_process(arguments, input, now, None)
}

/// As [`in_process`], with standard output on a terminal of so many columns.
pub fn in_terminal<S: Into<OsString>>(
    arguments: impl IntoIterator<Item = S>,
    now: Timestamp,
    columns: usize,
) -> (u8, String, String) {
    run_in_process(arguments, "", now, Some(columns))
}

fn run_in_process<S: Into<OsString>>(
    arguments: impl IntoIterator<Item = S>,
    input: &str,
    now: Timestamp,
    columns: Option<usize>,
) -> (u8, String, String) {
    let (out, err) = (Written::default(), Written::default());
    let mut streams = Streams {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(io::Cursor::new(input.to_owned())),
        out_is_terminal: columns.is_some(),
        err_is_terminal: false,
        in_is_terminal: false,
        progress: Default::default(),
        stop: Default::default(),
        log: Box::new(|_| ()),
        width: columns,
        err_width: columns,
        no_color: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let code =
        runtime.block_on(argo_gc::cli::app::run(arguments.into_iter().map(Into::into), &mut streams, now));
    drop(streams);
    (code, out.text(), err.text())
}

/// A manifest with comments, odd indentation and one inline template.
pub const COMMENTED: &str = include_str!("../manifests/commented.yaml");

/// A finished workflow with one artifact that nobody will delete.
pub fn workflow(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name, "namespace": "ml", "uid": format!("uid-{name}"), "resourceVersion": "1",
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {},
        "status": {
            "phase": "Succeeded",
            "finishedAt": "2026-11-01T01:00:00Z",
            "nodes": { name: {
                "id": name, "name": name, "displayName": name, "type": "Pod", "templateName": "main",
                "outputs": { "artifacts": [
                    { "name": "model", "gcs": { "bucket": "b", "key": format!("{name}/model.tgz") } },
                ] },
            } },
        },
    })
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs a command for two minutes at most; it must end by itself and without a panic.
    pub fn of(command: Command) -> Self {
        Self::with_input(command, Vec::new())
    }

    /// As [`Self::of`], with something on its standard input.
    pub fn with_input(command: Command, input: impl Into<Vec<u8>>) -> Self {
        let mut command = assert_cmd::Command::from_std(command);
        let ran = command.timeout(Duration::from_secs(300)).write_stdin(input).output().expect("it starts");
        Self::from_output(&ran)
    }

    /// Requires an exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub fn from_output(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        let ran = Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(ran.code.is_some_and(|code| code != 101), "{ran:#?}");
        assert!(!ran.err.contains("panicked"), "{ran:#?}");
        ran
    }

    /// The exit code is this, and the first line on stderr begins so.
    #[track_caller]
    pub fn assert(&self, code: i32, error: &str) -> &Self {
        assert!(self.code == Some(code) && self.err.starts_with(error), "{code}, {error}: {self:#?}");
        self
    }

    /// The document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Files that the code includes.
pub fn included(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a file of the code") {
        let path = entry.expect("a file of the code").path();
        if path.is_dir() {
            found.extend(included(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a file of the code");
            let names =
                text.split("include_str!(\"").skip(1).map(|rest| rest.split('"').next().expect("a name"));
            found.extend(names.map(|name| {
                fs::canonicalize(path.parent().expect("a file of the code").join(name))
                    .expect("a file of the code")
            }));
        }
    }
    found
}
