//! A server process that can't outlive the tests.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::{io, thread};

/// Starts the server, waits for the end of stdin, ends the server and removes the data (`$1`).
///
/// The kernel closes our end of that pipe however the test process ends, so this also holds for servers
/// in statics, which are never dropped. The shell is the server's parent and waits for it only after
/// `kill`, so the process id can't be another's by then.
const KEEPER: &str = r#"
data=$1; shift
"$@" </dev/null &
server=$!
exec >/dev/null 2>&1
read -r _
kill -9 "$server"
wait "$server"
rm -rf "$data"
"#;

pub struct Server {
    keeper: Child,
    running: JoinHandle<()>,
    log: PathBuf,
}

impl Server {
    /// Starts a program with its stderr in `log`; `data` is removed after its end.
    pub fn start(program: &Path, arguments: &[String], log: PathBuf, data: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(data).arg(program).args(arguments);
        // Ctrl-C at a terminal goes to the whole process group: the keeper has to live on, and clear up.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("the log file"));
        let mut keeper = command.spawn().expect("sh starts");
        let mut output = keeper.stdout.take().expect("stdout is a pipe");
        // Once the keeper has closed its own, only the server holds the other end.
        let running = thread::spawn(move || drop(io::copy(&mut output, &mut io::sink())));
        Self { keeper, running, log }
    }

    /// It ended by itself.
    pub fn has_ended(&self) -> bool {
        self.running.is_finished()
    }

    /// What it last wrote.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
