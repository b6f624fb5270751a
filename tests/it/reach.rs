//! Where others run the plugin: k9s, pre-commit and GitHub actions, by the very files that they read.

use crate::support::Ran;
use crate::support::kube::ApiServer;
use crate::support::purge::workflow;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A folder to put before the PATH: the plugin, and a pager that only passes on.
fn programs() -> TempDir {
    let folder = TempDir::new().unwrap();
    symlink(env!("CARGO_BIN_EXE_kubectl-argo_gc"), folder.path().join("kubectl-argo_gc")).unwrap();
    symlink("/bin/true", folder.path().join("cargo")).unwrap();
    let pager = folder.path().join("less");
    fs::write(&pager, "#!/bin/sh\nexec cat\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&pager, mode).unwrap();
    folder
}

fn with_programs(command: &mut Command, folder: &TempDir) {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.path().display())).env("HOME", "/nonexistent");
}

/// An argument with k9s's values. Whatever else looks like one of its variables, k9s refuses or takes for its own.
fn as_k9s(argument: &str, values: &[(&str, &str)]) -> String {
    let left = values.iter().fold(argument.to_owned(), |left, (name, _)| left.replace(name, ""));
    let variable = left
        .split('$')
        .skip(1)
        .find(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "_-!{".contains(c)));
    assert_eq!(variable, None, "{argument}");
    values.iter().fold(argument.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_k9s_runs_shows_the_selected_workflow_or_namespace_on_apiserver() {
    let server = ApiServer::start();
    server.apply(workflow("ml", "train", &["train/a"]));
    server.apply(workflow("etl", "nightly", &["nightly/a"]));
    let programs = programs();
    let plugins = yaml("docs/k9s.yaml")["plugins"].as_object().unwrap().clone();
    let context = Ran::of(server.kubectl(["config", "current-context"])).ends_with(0).out;
    let kubeconfig = server.kubeconfig().display().to_string();
    let mut shortcuts: Vec<(String, String)> = Vec::new();
    for (name, plugin) in &plugins {
        let scope = text(&plugin["scopes"][0]);
        assert!(["workflows", "namespaces"].contains(&scope) && plugin["background"] == false, "{name}");
        assert!(!text(&plugin["description"]).is_empty());
        shortcuts.push((scope.to_owned(), text(&plugin["shortCut"]).to_owned()));
        let rows: &[[&str; 2]] =
            if scope == "workflows" { &[["ml", "train"]] } else { &[["-", "ml"], ["", "all"]] };
        for [namespace, selected] in rows {
            let values = [
                ("$CONTEXT", context.trim()),
                ("$KUBECONFIG", kubeconfig.as_str()),
                // Before $NAME, of which it has the first letters.
                ("$NAMESPACE", namespace),
                ("$NAME", selected),
            ];
            let mut command = Command::new(text(&plugin["command"]));
            command.args(plugin["args"].as_array().unwrap().iter().map(|arg| as_k9s(text(arg), &values)));
            with_programs(&mut command, &programs);
            // k9s may have been started with another one.
            command.env("KUBECONFIG", "/nonexistent");
            // A purge looks into the bucket, and here there is none.
            command.env("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1");
            let ran = Ran::of(command);
            let is_all = *selected == "all";
            assert!(is_all || !ran.out.contains("nightly"), "{name}: {ran:#?}");
            let wrong = ["unexpected argument", "namespace all", "\"all\""];
            assert!(wrong.iter().all(|wrong| !ran.out.contains(wrong)), "{name}: {ran:#?}");
            let shown = |workflow| ran.out.contains(workflow) || !name.contains("inspect");
            assert!(shown("train") && (!is_all || shown("nightly")), "{name}: {ran:#?}");
            assert!(!ran.out.trim().is_empty(), "{name}: {ran:#?}");
        }
        let deletes = text(&plugin["args"][1]).contains(" purge ");
        assert!(!deletes || text(&plugin["args"][1]).contains("--dry-run"), "{name}");
    }
    let all = shortcuts.len();
    shortcuts.sort();
    shortcuts.dedup();
    assert_eq!((shortcuts.len(), all), (6, 6));
}

/// A leaking manifest and one that is fine.
fn manifests(folder: &Path) -> [PathBuf; 2] {
    let source = |folder: &str| root().join("tests/fixtures/lint").join(folder).join("1-inline.yaml");
    let (first, second) = (folder.join("leaking.yaml"), folder.join("a fine one.yaml"));
    fs::copy(source("planted"), &first).unwrap();
    fs::copy(source("clean"), &second).unwrap();
    [first, second]
}

#[test]
fn the_hook_of_pre_commit_fails_on_what_leaks_alone() {
    let hook = yaml(".pre-commit-hooks.yaml")[0].clone();
    assert_eq!((text(&hook["id"]), text(&hook["language"])), ("argo-gc-lint", "rust"));
    let (programs, folder) = (programs(), TempDir::new().unwrap());
    let [leaking, fine] = manifests(folder.path());
    let run = |files: &[&Path]| {
        // The entry is split as a shell splits it, and the files come after it.
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("exec {} \"$@\"", text(&hook["entry"]))).arg("hook").args(files);
        command.current_dir(folder.path());
        with_programs(&mut command, &programs);
        Ran::of(command)
    };
    run(&[&fine]).ends_with(0);
    let ran = run(&[&fine, &leaking]).ends_with(3);
    assert!(ran.out.contains("inline-only"), "{ran:#?}");
    // What an ordinary commit changes, each alone and beside a manifest.
    let others = [
        ("values.yaml", "replicas: 1\n"),
        ("ci.yaml", "name: ci\non: push\njobs: {}\n"),
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("deep.yaml", "metadata: {labels: {}}\nspec: {replicas: 1}\n"),
        ("cut.yaml", "apiVersion: apps/v1\nmetadata: {name: a}\n"),
        ("tags.yaml", "a: !Ref b\nc: [1\n"),
        (
            "kubevela.yaml",
            "apiVersion: core.oam.dev/v1alpha1\nkind: Workflow\nmetadata: {name: a}\nspec: [1]\n",
        ),
        ("empty.yaml", ""),
    ];
    for (name, text) in others {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        for files in [&[file.as_path()][..], &[&file, &fine]] {
            run(files).ends_with(0);
        }
    }
    for chart in ["Chart.yaml", "values.yaml", "templates/cronjob.yaml"] {
        let file = root().join("charts/argo-gc").join(chart);
        run(&[&file]).ends_with(0);
        run(&[&file, &fine]).ends_with(0);
    }
    // What says that it is Argo's has to be right.
    let broken = folder.path().join("broken.yaml");
    for text in [
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {templates: [\n",
        "apiVersion: argoproj.io/v1alpha1\nmetadata: {name: a}\nspec: {}\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: {{a}}}\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\nspec: {templates: 1}\n",
        "apiVersion: v1\nitems:\n- {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a}}\n",
    ] {
        fs::write(&broken, text).unwrap();
        for files in [&[broken.as_path()][..], &[&broken, &fine]] {
            let ran = run(files);
            assert!(
                [Some(1), Some(4)].contains(&ran.code) && ran.err.contains("error: "),
                "{text}: {ran:#?}"
            );
        }
    }
    // A chart's template is no YAML yet, and what to do is said.
    fs::create_dir(folder.path().join("templates")).unwrap();
    let template = folder.path().join("templates/workflow.yaml");
    fs::write(
        &template,
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  name: {{ .Release.Name }}\n",
    )
    .unwrap();
    let ran = run(&[&template, &fine]).ends_with(0);
    assert!(
        ran.err.contains("it is a template of a Helm chart; lint what comes of it: helm template "),
        "{ran:#?}"
    );
}

/// The step of the action with a name, in a folder as workspace, with the defaults of its inputs.
fn step(name: &str, workspace: &Path, programs: &TempDir) -> Command {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", text(&step["run"])]);
    match step["working-directory"].as_str() {
        None => command.current_dir(workspace),
        Some("${{ github.action_path }}") => command.current_dir(root()),
        Some(other) => panic!("{other}"),
    };
    with_programs(&mut command, programs);
    for (name, value) in step["env"].as_object().into_iter().flatten() {
        if let Some(input) = text(value).strip_prefix("${{ inputs.") {
            let input = input.trim_end_matches(" }}");
            command.env(name, text(&action["inputs"][input]["default"]));
        }
    }
    command
}

#[test]
fn the_github_action_annotates_and_writes_sarif() {
    let (programs, folder) = (programs(), TempDir::new().unwrap());
    manifests(folder.path());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    // A repository holds more than manifests.
    write("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    write("deployment.yaml", "kind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n");
    symlink("nowhere", folder.path().join("link.yaml")).unwrap();
    let linted = || Ran::of(step("Lint", folder.path(), &programs));
    let ran = linted().ends_with(3);
    assert!(ran.out.contains("::warning file=leaking.yaml,") && ran.out.contains("inline-only"), "{ran:#?}");
    let sarif = || {
        let text = fs::read_to_string(folder.path().join("argo-gc.sarif")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["runs"][0]["results"].clone()
    };
    let place = &sarif()[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "leaking.yaml");
    // What can't be read fails the job, and hides nothing.
    write("broken.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: [\n");
    let ran = linted().ends_with(3);
    assert!(ran.out.contains("::warning file=leaking.yaml,"), "{ran:#?}");
    assert_eq!(ran.err.matches("error: broken.yaml: line").count(), 1, "{ran:#?}");
    assert!(!sarif().as_array().unwrap().is_empty());
    let mut asks_nothing = step("Lint", folder.path(), &programs);
    asks_nothing.env("FAIL_ON", "").env("SARIF", "");
    Ran::of(asks_nothing).ends_with(4);
    // A file that can't be written is no success.
    fs::remove_file(folder.path().join("broken.yaml")).unwrap();
    let mut unwritable = step("Lint", folder.path(), &programs);
    unwritable.env("FAIL_ON", "").env("SARIF", "no/such/folder");
    assert_ne!(Ran::of(unwritable).code, Some(0));
}

/// A pull request can change everything in the workspace, so nothing there may decide what is installed.
#[test]
fn the_github_action_installs_a_release_or_itself() {
    let (programs, workspace) = (programs(), TempDir::new().unwrap());
    let write = |name: &str, text: &str| {
        let file = programs.path().join(name);
        // A link of that name leads to another program.
        let _ = fs::remove_file(&file);
        fs::write(&file, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    let at = |name: &str| workspace.path().join(name);
    write("cargo", "pwd >\"$BUILT\"; printf '%s\\n' \"$@\" >>\"$BUILT\"");
    // Hands out what lies in a folder, by the last part of each address.
    write(
        "curl",
        "for word; do case $word in https:*) cp \"$RELEASES/${word#https://*/download/}\" . || exit 22;; esac; done",
    );
    let release = at("releases/v1.2.3");
    fs::create_dir_all(&release).unwrap();
    let archive = "kubectl-argo_gc-x86_64-unknown-linux-musl.tar.gz";
    fs::write(at("kubectl-argo_gc"), "#!/bin/sh\necho released\n").unwrap();
    let made = Ran::of({
        let mut command = Command::new("bash");
        let script = "chmod +x kubectl-argo_gc; tar -czf \"$1\" kubectl-argo_gc; cd releases/v1.2.3; sha256sum *.tar.gz >SHA256SUMS";
        command.args(["-euc", script, "-"]).arg(release.join(archive)).current_dir(workspace.path());
        command
    });
    made.ends_with(0);
    let install = |reference: &str| {
        for file in ["built", "path"] {
            fs::write(at(file), "").unwrap();
        }
        let temporary = TempDir::new().unwrap();
        let mut command = step("Install", workspace.path(), &programs);
        command.env("RELEASE", reference).env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64");
        command.env("RUNNER_TEMP", temporary.path()).env("GITHUB_PATH", at("path"));
        command.env("GITHUB_ACTION_PATH", root()).env("GITHUB_WORKSPACE", workspace.path());
        command.env("RELEASES", at("releases")).env("BUILT", at("built"));
        let ran = Ran::of(command);
        let read = |file| fs::read_to_string(at(file)).unwrap();
        let on_path = read("path").trim().to_owned();
        let runs = (!on_path.is_empty())
            .then(|| Ran::of(Command::new(Path::new(&on_path).join("kubectl-argo_gc"))).ends_with(0).out);
        (ran, read("built"), runs)
    };
    // A branch, a commit, a release without archives: built from the action's own source, and there.
    for reference in ["main", "0123456789abcdef", "v1", "v9.9.9", ""] {
        let (ran, built, runs) = install(reference);
        let ran = ran.ends_with(0);
        let mut lines = built.lines();
        assert_eq!(lines.next().map(Path::new), Some(root()), "{reference}: {ran:#?}");
        assert!(lines.any(|word| word == "--locked") && runs.is_none(), "{reference}: {built}");
    }
    let (ran, built, runs) = install("v1.2.3");
    ran.ends_with(0);
    assert_eq!((built.as_str(), runs.as_deref()), ("", Some("released\n")));
    // Another archive than the one that was published is not run.
    let sums = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let other = format!("{:064}{}", 0, &sums[64..]);
    for wrong in [other.as_str(), ""] {
        fs::write(release.join("SHA256SUMS"), wrong).unwrap();
        let (ran, built, runs) = install("v1.2.3");
        assert!(ran.code != Some(0) && built.is_empty() && runs.is_none(), "{wrong}: {ran:#?}");
    }
}

/// A tag can be moved, and a job that may write packages and sign runs whatever it then leads to.
#[test]
fn workflows_use_other_actions_at_a_commit_and_name_its_release() {
    for file in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let file = file.unwrap().path();
        for line in fs::read_to_string(&file).unwrap().lines() {
            let Some((_, used)) = line.split_once("uses: ") else { continue };
            let (action, release) = used.split_once(" # v").unwrap_or((used, ""));
            let commit = action.split_once('@').unwrap_or_default().1;
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
            assert_eq!(release.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{line}");
        }
    }
}
