//! The README and the pages that it leads to, done as a new user does it: every command of every block in its order, as it
//! stands there, from a built archive, through the real kubectl, against real servers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::archives::archives;
use crate::support::gcs::Gcs;
use crate::support::kube::ApiServer;
use crate::support::page::{Block, blocks, matches};
use crate::support::pod::Pod;
use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, program, stdout};

const ARCHIVE: &str = "kubectl-argo_gc-x86_64-unknown-linux-musl.tar.gz";

/// What a new user's machine has besides kubectl.
const TOOLS: &str = "bash cat chmod cp date dirname env grep gzip head install ln ls mkdir mktemp mv pwd rm sh \
                     sha256sum sleep sort tail tar touch uname wc";

/// Blocks with `<!-- not run -->` before them, by their first lines: what needs a network, a cloud or a checkout.
const NOT_RUN: [&str; 4] = [
    "cargo run -- inspect -f examples/cluster",
    "kubectl krew install argo-gc",
    "tests/run",
    "docker build -t registry.example.com/argo-gc:1 .",
];

/// What only a cluster with nodes can answer; here it is answered by the pod that the applied CronJob makes.
const LOGS: &str = "kubectl logs -n argo job/argo-gc-now";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages that a new user follows, in this order.
const PAGES: [&str; 4] = ["README.md", "docs/tour.md", "docs/prevent.md", "docs/reports.md"];

fn readme() -> String {
    PAGES.map(|page| fs::read_to_string(root().join(page)).unwrap()).concat()
}

/// A program of this machine.
fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut paths = std::env::split_paths(&path).map(|folder| folder.join(program));
    paths.find(|path| path.is_file()).unwrap_or_else(|| panic!("no {program} on the PATH"))
}

/// A shell of someone who has nothing yet: where it is and what it exported stays from command to command.
struct Shell {
    home: TempDir,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
}

/// Keeps the folder and the environment for the next command.
const REMEMBER: &str =
    r#"trap 'code=$?; pwd >"$MEMORY/folder"; env -0 >"$MEMORY/variables"; exit $code' EXIT"#;

impl Shell {
    /// With a home that holds an archive and the list of its checksum, as just downloaded.
    fn new(kubectl: &Path) -> Self {
        let home = TempDir::new().unwrap();
        let within = |name: &str| home.path().join(name);
        for folder in ["tools", "memory", "home", "home/Downloads"] {
            fs::create_dir(within(folder)).unwrap();
        }
        for tool in TOOLS.split_whitespace() {
            symlink(found(tool), within("tools").join(tool)).unwrap();
        }
        symlink(kubectl, within("tools/kubectl")).unwrap();
        let downloads = within("home/Downloads");
        let mut sums = String::new();
        for entry in fs::read_dir(archives()).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            match path.extension().and_then(|extension| extension.to_str()) {
                // A release has one list for all its archives.
                Some("sha256") => sums += &fs::read_to_string(&path).unwrap(),
                _ if name == ARCHIVE => drop(fs::copy(&path, downloads.join(name)).unwrap()),
                _ => {}
            }
        }
        fs::write(downloads.join("SHA256SUMS"), sums).unwrap();
        let variables = [
            ("HOME", within("home").display().to_string()),
            ("MEMORY", within("memory").display().to_string()),
            ("PATH", within("tools").display().to_string()),
            ("SHELL", "/bin/sh".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { folder: downloads, home, variables }
    }

    fn set(&mut self, name: &str, value: String) {
        self.variables.insert(name.to_owned(), value);
    }

    fn home(&self) -> PathBuf {
        self.home.path().join("home")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(found(program));
        command.env_clear().envs(&self.variables).current_dir(&self.folder);
        command
    }

    fn remember(&mut self) {
        let memory = self.home.path().join("memory");
        self.folder = fs::read_to_string(memory.join("folder")).unwrap().trim_end().into();
        let variables = fs::read_to_string(memory.join("variables")).unwrap();
        let pairs = variables.split('\0').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.filter(|(name, _)| !["_", "SHLVL", "PWD", "OLDPWD"].contains(name));
        self.variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    }

    /// Runs a command or several without a terminal.
    fn run(&mut self, text: &str) -> Ran {
        let mut command = self.command("bash");
        command.args(["-euo", "pipefail", "-c", &format!("{REMEMBER}\n{text}")]);
        let ran = Ran::of(command);
        self.remember();
        ran
    }

    /// Runs a command at a terminal, and answers its question; gives all that the terminal showed.
    fn ask(&mut self, text: &str, question: &str, answer: &str) -> Ran {
        let script = format!("{REMEMBER}\n{text}");
        self.set("SCRIPT", script);
        let mut command = self.command("script");
        // The terminal is this machine's; what runs in it has the user's PATH.
        command.args(["-qec", r#"exec bash -euo pipefail -c "$SCRIPT""#, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        let mut part = [0; 4096];
        let mut answered = false;
        while let Ok(length @ 1..) = output.read(&mut part) {
            shown.extend_from_slice(&part[..length]);
            if !answered && String::from_utf8_lossy(&shown).contains(question) {
                input.write_all(format!("{answer}\n").as_bytes()).unwrap();
                answered = true;
            }
        }
        let code = child.wait().unwrap().code();
        self.remember();
        self.variables.remove("SCRIPT");
        let text = String::from_utf8(shown).unwrap();
        let lines =
            text.lines().map(|line| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default());
        // What a progress bar leaves until it is wiped out.
        let lines = lines.map(|line| line.trim_start_matches("\u{1b}[2K"));
        let lines = lines.filter(|line| !line.starts_with("[█") && !line.starts_with("[░"));
        let lines = lines.map(|line| format!("{line}\n"));
        Ran { code, out: lines.collect(), err: String::new() }
    }

    /// Runs a command of the page, and holds what it prints against what the page shows.
    fn follow(&mut self, command: &str, shown: Option<&str>) -> Result<(Option<i32>, String), String> {
        let question = shown.and_then(|shown| {
            let line = shown.lines().find(|line| line.starts_with("Type the name of the bucket"))?;
            line.rsplit_once(": ")
        });
        let mut ran = match question {
            Some((question, answer)) => self.ask(command, &format!("{question}: "), answer),
            None => self.run(command),
        };
        // A server that other tests keep busy may answer too late for a person, too.
        for _ in 0..5 {
            if command.contains("__complete") && matches(command, ran.code, &ran.out, shown).is_err() {
                ran = self.run(command);
            }
        }
        matches(command, ran.code, &ran.out, shown).map_err(|why| format!("{why}\n{}", ran.err))?;
        Ok((ran.code, ran.out))
    }
}

/// The example's objects in the API server, its buckets in the object store, each object as old as its file.
fn fill(server: &ApiServer, gcs: &Gcs) {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("examples/cluster")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    server.apply(&texts.join("\n---\n"));
    let folder = TempDir::new().unwrap();
    let mut make = Command::new(root().join("examples/make-buckets"));
    make.arg(folder.path());
    stdout(make);
    for bucket in fs::read_dir(folder.path()).unwrap() {
        let bucket = bucket.unwrap();
        let name = bucket.file_name().into_string().unwrap();
        gcs.bucket(&name);
        put(gcs, &name, &bucket.path(), "");
    }
}

fn put(gcs: &Gcs, bucket: &str, folder: &Path, key: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let key = format!("{key}{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            put(gcs, bucket, &entry.path(), &format!("{key}/"));
            continue;
        }
        gcs.put(bucket, &key, fs::read(entry.path()).unwrap());
        let modified = entry.metadata().unwrap().modified().unwrap();
        gcs.created(bucket, &key, &jiff::Timestamp::try_from(modified).unwrap().to_string());
    }
}

/// The pod of what was applied, run as its account, in the kubelet's place.
fn report(server: &ApiServer, gcs: &Gcs) -> String {
    let applied = |path: &str| server.get(path).unwrap();
    let job = applied("/apis/batch/v1/namespaces/argo/jobs/argo-gc-now");
    let mut cron = applied("/apis/batch/v1/namespaces/argo/cronjobs/argo-gc");
    assert_eq!(job["spec"]["template"]["spec"], cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
    let mut config = applied("/api/v1/namespaces/argo/configmaps/argo-gc");
    // A single object does not tell its kind.
    cron["kind"] = "CronJob".into();
    config["kind"] = "ConfigMap".into();
    // The authorizer hears of roles through a watch.
    let may = "auth can-i list workflows.argoproj.io -A --as system:serviceaccount:argo:argo-gc";
    let may = || Ran::of(server.kubectl(may.split(' '))).out.trim() == "yes";
    assert!((0..100).any(|_| may()), "the account may not list workflows");
    let ran = Pod::of(server, &[config, cron]).run(gcs).ends_with(0);
    assert!(!ran.err.contains("forbidden"), "{ran:#?}");
    ran.out
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_readme_is_followed_from_an_archive_to_the_cronjob_on_apiserver_and_fake_gcs_and_unshare() {
    let kubectl = program("ARGO_GC_TEST_KUBECTL");
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    fill(&server, &gcs);
    let mut shell = Shell::new(&kubectl);
    shell.set("STORAGE_EMULATOR_HOST", gcs.url());
    let chat = Stub::start([("/hook".to_owned(), vec![Reply::text(200, "text/plain", "ok")])]);
    for name in ["SLACK_URL", "TEAMS_URL"] {
        shell.set(name, format!("http://{}/hook", chat.address));
    }
    fs::create_dir(shell.home().join(".kube")).unwrap();
    fs::copy(server.kubeconfig(), shell.home().join(".kube/config")).unwrap();
    let readme = readme();
    let mut planned = String::new();
    let mut run: BTreeMap<&str, usize> = BTreeMap::new();
    for block in blocks(&readme).iter().filter(|block| block.runs) {
        for (command, shown) in block.commands() {
            let command = match command.split_once(LOGS) {
                Some((before, "\n")) => before.to_owned(),
                Some(_) => panic!("{LOGS} is not the last of its block"),
                None => command.clone(),
            };
            shell
                .follow(&command, shown.as_deref())
                .unwrap_or_else(|why| panic!("## {}\n{why}", block.section));
            if command.contains("--policy policy.yaml") && command.contains("--dry-run") {
                planned = shown.unwrap();
            } else if command.contains("--from=cronjob/argo-gc") {
                let printed = report(&server, &gcs);
                matches(LOGS, Some(0), &printed, Some(&planned)).unwrap();
            }
            *run.entry(block.section).or_default() += 1;
        }
    }
    // What docs/install.md adds for the unpacked folder.
    let page = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let pages = page.split("<!-- manual pages -->\n```sh\n").nth(1).unwrap().split("```").next().unwrap();
    shell.follow(pages, None).unwrap();
    assert!(shell.home().join(".local/share/man/man1/kubectl-argo-gc-purge.1").is_file());
    assert!(run["Install"] == 1 && run["A tour in five minutes"] > 8, "{run:?}");
    assert!(run["A purge"] == 2 && run["A retention policy"] == 2 && run["On a schedule"] > 2, "{run:?}");
    assert!(!planned.is_empty() && gcs.unpinned().is_empty());
    assert_eq!(chat.requests().len(), 2, "a report and a dry run are posted");
    // What the tour says is gone is gone, and nothing else.
    let gone: Vec<String> = gcs.deletes().into_iter().filter_map(|entry| entry.key).collect();
    assert_eq!(gone.len(), 5, "{gone:?}");
    assert!(gone.iter().all(|key| key.starts_with("ingest-clicks-7hj4n/") || key.starts_with("eval-k5r3v/")));
}

/// Were the README or the plugin to say something else, the test above would fail.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_changed_word_is_noticed_on_kubectl() {
    let kubectl = program("ARGO_GC_TEST_KUBECTL");
    let readme = readme();
    let mut shell = Shell::new(&kubectl);
    let mut noticed = 0;
    // What comes before the reader's own cluster needs none.
    for block in blocks(readme.split("### On your cluster").next().unwrap()).iter().filter(|block| block.runs)
    {
        for (command, shown) in block.commands() {
            let (code, out) = shell.follow(&command, shown.as_deref()).unwrap();
            let Some(shown) = shown.filter(|shown| !shown.is_empty()) else { continue };
            for (at, _) in shown.match_indices("ml") {
                let changed = format!("{}lm{}", &shown[..at], &shown[at + 2..]);
                matches(&command, code, &out, Some(&changed)).unwrap_err();
                noticed += 1;
            }
            for changed in [format!("{shown}more\n"), format!("more\n{shown}"), String::new()] {
                matches(&command, code, &out, Some(&changed)).unwrap_err();
            }
            matches(&command, Some(1), &out, Some(&shown)).unwrap_err();
        }
    }
    assert!(noticed > 10, "{noticed}");
    shell.follow("kubectl argo-gc inspect --no-such-flag", None).unwrap_err();
    shell.follow("false | cat\ntrue", None).unwrap_err();
    shell.follow("exit 3 # exit status 3", None).unwrap();
}

#[test]
fn only_what_needs_a_network_is_not_run() {
    let readme = readme();
    let first = |block: &Block<'_>| block.text.lines().next().unwrap_or_default().to_owned();
    let marked: Vec<String> = blocks(&readme).iter().filter(|block| !block.runs).map(first).collect();
    let starts = marked.iter().zip(NOT_RUN).all(|(line, begin)| line.starts_with(begin));
    assert!(marked.len() == NOT_RUN.len() && starts, "{marked:#?}");
    assert_eq!(readme.matches("<!--").count(), NOT_RUN.len(), "a comment that marks no block");
    assert_eq!(readme.matches("\n```").count(), 2 * blocks(&readme).len(), "a fence that is no block's");
}

/// The first screen has the two commands for a fresh clone, and CI runs the tests by the second.
#[test]
fn the_two_commands_for_a_clone_are_on_the_first_screen() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let first_screen: Vec<&str> = readme.lines().take(30).collect();
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    for command in ["cargo run -- inspect -f examples/cluster", "tests/run"] {
        assert!(first_screen.iter().any(|line| line.starts_with(command)), "{command} in README.md");
    }
    assert!(ci.lines().any(|line| line == "tests/run"), "tests/run in .ci/run");
}

/// Who has the archive has what its README links to.
#[test]
fn links_lead_to_what_the_archive_holds() {
    let mut pages = vec![root().join("README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    let mut count = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") {
                continue;
            }
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let Ok(target) = target.canonicalize() else {
                panic!("{}: {link} leads nowhere", page.display())
            };
            let inside = target.strip_prefix(root().canonicalize().unwrap()).unwrap();
            let top = inside.iter().next().unwrap().to_str().unwrap();
            let packed = ["Dockerfile", "LICENSE", "README.md", "docs", "examples", "krew"];
            assert!(packed.contains(&top), "{}: {link} is not in the archive", page.display());
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let titles = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = titles.map(|title| {
                    let title = title.trim_start_matches('#').trim().to_lowercase();
                    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
                });
                let is_known = anchors.any(|known| known == anchor);
                assert!(is_known, "{}: {link} is no section", page.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
