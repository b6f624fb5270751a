//! A container of a pod: its command as a process in a file system of its own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-argo_gc");

/// The file system has the machine's programs, the plugin at its root, and nothing else of the machine.
const ROOT: &str = r#"
root=$1; plugin=$2; shift 2
for folder in usr lib lib64 bin sbin; do
  if [ -L "/$folder" ]; then cp -P "/$folder" "$root/"; elif [ -d "/$folder" ]; then
    mkdir -p "$root/$folder"; mount --rbind "/$folder" "$root/$folder"
  fi
done
mkdir -p "$root/dev" "$root/tmp" "$root/etc/ssl/certs"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi
: > "$root/dev/null"; mount --bind /dev/null "$root/dev/null"
: > "$root/kubectl-argo_gc"; mount --bind "$plugin" "$root/kubectl-argo_gc"
exec chroot "$root" "$@"
"#;

/// The files of a pod's main container, before, while and after it runs.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        Self(TempDir::with_prefix("argo-gc-pod-").expect("a temporary directory"))
    }

    /// Where a path of the container is on this machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    /// The file's bytes under an empty name, or a directory's files by their relative names; None if nothing is there.
    pub fn read(&self, path: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let path = self.path(path);
        if path.is_file() {
            return Some(vec![(String::new(), fs::read(path).expect("a file"))]);
        }
        let mut files = Vec::new();
        path.is_dir().then(|| collect(&path, "", &mut files)).map(|()| files)
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push((name, fs::read(entry.path()).expect("a file")));
        }
    }
}

/// Where a container says itself how it ended.
const MESSAGE: &str = "/dev/termination-log";

/// What the kubelet tells of how a container ended: its own words, or, if it failed without, the last line it wrote.
pub fn message(files: &Files, ended: &Ended) -> String {
    let own = files.read(MESSAGE).and_then(|files| files.into_iter().next());
    let own = own.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let last = ended.err.lines().chain(ended.out.lines()).next_back().unwrap_or_default();
    match own.is_empty() && ended.code != 0 {
        true => last.to_owned(),
        false => own,
    }
}

/// How a container ended.
pub struct Ended {
    /// 137 if it was killed.
    pub code: i64,
    pub out: String,
    pub err: String,
}

/// Runs a container's command, and kills it after that time.
///
/// `env` are variables besides its own. Blocks.
pub fn run(container: &Value, files: &Files, env: &[(String, String)], limit: Duration) -> Ended {
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let path = mount["mountPath"].as_str().expect("a path");
        // What Argo mounts for itself, or the kubelet for the account, may hold files already.
        if !files.path(path).exists() {
            fs::create_dir_all(files.path(path)).expect("a folder");
        }
    }
    files.write(MESSAGE, b"");
    // Where this thread has to wait for a processor, a command that is to be killed at once might be over before.
    if limit.is_zero() {
        return Ended { code: 137, out: String::new(), err: String::new() };
    }
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "--fork",
        "--kill-child",
        "--",
        "sh",
        "-euc",
        ROOT,
        "pod",
    ]);
    command.arg(files.path("/")).arg(PLUGIN).args(words(container));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for variable in container["env"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
            command.env(name, value);
        }
    }
    command.envs(env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("unshare starts");
    let out = reader(child.stdout.take().expect("a pipe"));
    let err = reader(child.stderr.take().expect("a pipe"));
    let start = Instant::now();
    let code = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break i64::from(status.code().unwrap_or(137)),
            None if start.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                break 137;
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("a reader");
    Ended { code, out: text(out), err: text(err) }
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The user's command and its arguments: the controller puts Argo's own before them. Without a command it is the image's
/// entry point, and only the plugin's image has one here.
pub fn words(container: &Value) -> Vec<String> {
    let list = |name: &str| -> Vec<String> {
        let words = container[name].as_array().into_iter().flatten();
        words.map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let command = list("command");
    let own = match command.iter().position(|word| word == "--") {
        None if command.is_empty() => vec!["/kubectl-argo_gc".to_owned()],
        Some(at) if command.iter().any(|word| word == "emissary") => command[at + 1..].to_vec(),
        _ => command,
    };
    own.into_iter().chain(list("args")).collect()
}
