//! What a release hands out: archives, krew's manifest, and where cargo binstall looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::archives::{PLATFORMS, archives};
use crate::support::{Ran, included, plugin, program, stdout};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The files of an archive, unpacked.
fn unpack(archive: &Path, into: &Path) -> BTreeSet<String> {
    fs::create_dir_all(into).unwrap();
    let mut command = Command::new("tar");
    command.arg("-xzf").arg(archive).arg("-C").arg(into);
    stdout(command);
    fs::read_dir(into).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn sha256(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The template as krew-release-bot fills it in: the tag, and for each `addURIAndSha` two lines, the second of
/// them indented by four.
fn render(template: &str, tag: &str, sha256_of: impl Fn(&str) -> String) -> String {
    let mut manifest = String::new();
    for line in template.lines() {
        match line.split_once("{{addURIAndSha \"") {
            Some((indentation, call)) => {
                let (url, end) = call.split_once('"').unwrap();
                assert_eq!(end, " .TagName }}", "{line}");
                let url = url.replace("{{ .TagName }}", tag);
                manifest += &format!("{indentation}uri: {url}\n    sha256: {}\n", sha256_of(&url));
            }
            None => manifest += &format!("{}\n", line.replace("{{ .TagName }}", tag)),
        }
    }
    assert!(!manifest.contains("{{"), "{manifest}");
    manifest
}

fn manifest() -> Value {
    let rendered = render(&text("krew/argo-gc.yaml"), &format!("v{VERSION}"), |url| {
        sha256(&archives().join(url.rsplit('/').next().unwrap()))
    });
    serde_saphyr::from_str(&rendered).unwrap_or_else(|error| panic!("{error}\n{rendered}"))
}

fn is_version(text: &str) -> bool {
    let Some(text) = text.strip_prefix('v') else { return false };
    let numbers: Vec<&str> = text.split(['-', '+']).next().unwrap().split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u64>().is_ok())
}

/// What krew's validation, its naming guide and its index's reviewers would say: an empty list.
///
/// Sources: krew.sigs.k8s.io, developer guide (plugin manifest, naming guide, submitting), and the checks of
/// `validate-krew-manifest`.
fn faults(file: &str, manifest: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut want = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let (name, spec) = (manifest["metadata"]["name"].as_str().unwrap_or_default(), &manifest["spec"]);
    let texts = |field: &str| spec[field].as_str().unwrap_or_default();
    want(manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2", "apiVersion");
    want(manifest["kind"] == "Plugin", "kind");
    want(format!("{name}.yaml") == file, "the file is named after the plugin");
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    want(!name.is_empty() && name.chars().all(kebab) && !name.starts_with("kube"), "name");
    want(is_version(texts("version")), "version");
    want(texts("homepage").starts_with("https://"), "homepage");
    let short = texts("shortDescription");
    want(
        !short.is_empty() && short.len() <= 50 && !short.contains('\n') && !short.ends_with('.'),
        "shortDescription",
    );
    want(!short.to_lowercase().contains("kubectl") && !short.contains("plugin"), "redundant words");
    for field in ["description", "caveats"] {
        want(texts(field).lines().all(|line| line.len() <= 80), field);
    }
    want(!texts("description").is_empty(), "description");
    let mut selected = BTreeMap::new();
    let platforms = spec["platforms"].as_array().cloned().unwrap_or_default();
    for platform in &platforms {
        let selector = platform["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
        want(!selector.is_empty() && selector.keys().all(|key| key == "os" || key == "arch"), "selector");
        let matches = |os: &str, arch: &str| {
            selector.get("os").is_none_or(|wanted| wanted == os)
                && selector.get("arch").is_none_or(|wanted| wanted == arch)
        };
        let found: Vec<_> = PLATFORMS.iter().filter(|(os, arch, _)| matches(os, arch)).collect();
        want(!found.is_empty(), "a selector for no platform");
        found.iter().for_each(|(os, arch, _)| *selected.entry((*os, *arch)).or_insert(0) += 1);
        let uri = platform["uri"].as_str().unwrap_or_default();
        want(uri.starts_with("https://") && uri.ends_with(".tar.gz"), "uri");
        let sum = platform["sha256"].as_str().unwrap_or_default();
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        want(sum.len() == 64 && sum.chars().all(hex), "sha256");
        let archive = archives().join(uri.rsplit('/').next().unwrap_or_default());
        if !archive.is_file() {
            want(false, "no such archive");
            continue;
        }
        want(sha256(&archive) == sum, "the archive has another sha256");
        let folder = TempDir::new().unwrap();
        let all = unpack(&archive, folder.path());
        // All files are installed where none are chosen, which the guide prefers.
        want(platform["files"].as_array().is_none_or(|files| !files.is_empty()), "files");
        let installed: BTreeSet<String> = match platform["files"].as_array() {
            None => all,
            Some(files) => {
                let from: Vec<&str> = files.iter().filter_map(|file| file["from"].as_str()).collect();
                all.into_iter().filter(|name| from.contains(&name.as_str())).collect()
            }
        };
        want(installed.contains("LICENSE"), "no licence is installed");
        let bin = platform["bin"].as_str().unwrap_or_default();
        let is_windows = selector.get("os").is_some_and(|os| os == "windows");
        want(installed.contains(bin) && bin.ends_with(".exe") == is_windows, "bin");
        let mode = fs::metadata(folder.path().join(bin)).map_or(0, |metadata| metadata.permissions().mode());
        want(mode & 0o111 == 0o111, "bin is not executable");
    }
    want(selected.len() == PLATFORMS.len(), "a platform is missing");
    want(selected.values().all(|count| *count == 1), "selectors overlap");
    faults
}

#[test]
fn the_manifest_keeps_krews_rules() {
    assert_eq!(faults("argo-gc.yaml", &manifest()), [""; 0]);
}

#[test]
fn krews_rules_can_be_broken() {
    let good = manifest();
    let broken = |path: &str, value: Value| {
        let mut manifest = good.clone();
        *manifest.pointer_mut(path).unwrap() = value;
        faults("argo-gc.yaml", &manifest)
    };
    assert_eq!(faults("other.yaml", &good), ["the file is named after the plugin"]);
    assert_eq!(broken("/spec/version", json!("0.1.0")), ["version"]);
    assert_eq!(broken("/spec/shortDescription", json!("x".repeat(51))), ["shortDescription"]);
    assert_eq!(broken("/spec/platforms/0/sha256", json!("0".repeat(64))), ["the archive has another sha256"]);
    assert_eq!(
        broken("/spec/platforms/1/bin", json!("kubectl-argo_gc.exe")),
        ["bin", "bin is not executable"]
    );
    assert_eq!(
        broken("/spec/platforms/1/selector/matchLabels/arch", json!("amd64")),
        ["a platform is missing", "selectors overlap"]
    );
    let only = json!([{ "from": "kubectl-argo_gc", "to": "." }]);
    let mut manifest = good.clone();
    manifest["spec"]["platforms"][0]["files"] = only;
    assert_eq!(faults("argo-gc.yaml", &manifest), ["no licence is installed"]);
}

#[test]
fn every_archive_has_manual_pages_and_its_checksum() {
    for (os, _, target) in PLATFORMS {
        let archive = archives().join(format!("kubectl-argo_gc-{target}.tar.gz"));
        let folder = TempDir::new().unwrap();
        let files = unpack(&archive, folder.path());
        let (program, helper) = match os {
            "windows" => ("kubectl-argo_gc.exe", "kubectl_complete-argo_gc.cmd"),
            _ => ("kubectl-argo_gc", "kubectl_complete-argo_gc"),
        };
        let all: BTreeSet<String> =
            ["Dockerfile", "LICENSE", "README.md", "docs", "examples", "krew", "man", program, helper]
                .map(str::to_owned)
                .into();
        assert_eq!(files, all, "{target}");
        let sum = fs::read_to_string(archive.with_extension("gz.sha256")).unwrap();
        assert_eq!(sum, format!("{}  kubectl-argo_gc-{target}.tar.gz\n", sha256(&archive)));

        let page = |name: &str| fs::read_to_string(folder.path().join("man").join(name)).unwrap();
        let help = Ran::of(plugin(["__complete", ""])).out;
        for verb in help.lines().filter_map(|line| line.split('\t').next()) {
            if !verb.starts_with(':') && verb != "help" {
                let verb = page(&format!("kubectl-argo-gc-{verb}.1"));
                assert!(verb.contains(".SH SYNOPSIS") && verb.contains("kubectl argo\\-gc "), "{verb}");
            }
        }
        assert!(page("kubectl-argo-gc-inspect.1").contains("\\-\\-fail\\-on"));
        assert!(page("kubectl-argo-gc.1").contains(VERSION));
    }
}

/// What krew does: the archive below its store, and a link named after the plugin, dashes as underscores.
fn install_as_krew_does(home: &Path) -> PathBuf {
    let manifest = manifest();
    let platform = &manifest["spec"]["platforms"][0];
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let store = home.join("store").join(name).join(manifest["spec"]["version"].as_str().unwrap());
    let archive = platform["uri"].as_str().unwrap().rsplit('/').next().unwrap();
    unpack(&archives().join(archive), &store);
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let link = bin.join(format!("kubectl-{}", name.replace('-', "_")));
    symlink(store.join(platform["bin"].as_str().unwrap()), link).unwrap();
    bin
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn installed_as_krew_does_it_runs_through_kubectl_and_completes_on_kubectl() {
    let kubectl = program("ARGO_GC_TEST_KUBECTL");
    let home = TempDir::new().unwrap();
    let bin = install_as_krew_does(home.path());
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", &path).env("HOME", home.path()).env_remove("KUBECONFIG");
        Ran::of(command).ends_with(0)
    };
    assert_eq!(run(&kubectl, &["argo-gc", "--version"]).out, format!("kubectl argo-gc {VERSION}\n"));
    // krew makes no link for the helper: docs/install.md says how, in these words.
    let page = text("docs/install.md");
    let (_, script) = page.split_once("<!-- completion with krew -->\n```sh\n").unwrap();
    let script = script.split("```").next().unwrap();
    let kubectl_folder = kubectl.parent().unwrap().display().to_string();
    // kubectl has to have that name on the PATH for the script.
    let tools = home.path().join("tools");
    fs::create_dir(&tools).unwrap();
    symlink(&kubectl, tools.join("kubectl")).unwrap();
    let mut command = Command::new("sh");
    let path_with_kubectl = format!("{}:{path}:{kubectl_folder}", tools.display());
    command.args(["-euc", script]).env("PATH", path_with_kubectl).env("KREW_ROOT", home.path());
    Ran::of(command).ends_with(0);
    let ran = run(&kubectl, &["__complete", "argo-gc", "insp"]);
    assert!(ran.out.starts_with("inspect\t"), "{ran:#?}");
}

/// This package, as cargo sees it.
fn package() -> Value {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let metadata: Value = serde_json::from_str(&stdout(command)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().find(|package| package["name"] == "kubectl-argo-gc").unwrap().clone()
}

#[test]
fn cargo_binstall_and_krew_look_in_the_same_places() {
    let (package, manifest) = (package(), manifest());
    let binstall = &package["metadata"]["binstall"];
    assert_eq!(package["repository"], manifest["spec"]["homepage"]);
    assert_eq!(binstall["pkg-fmt"], "tgz");
    assert_eq!(binstall["bin-dir"], "{ bin }{ binary-ext }");
    let url = binstall["pkg-url"].as_str().unwrap();
    let url =
        url.replace("{ repo }", package["repository"].as_str().unwrap()).replace("{ version }", VERSION);
    let urls: Vec<String> = PLATFORMS.map(|(_, _, target)| url.replace("{ target }", target)).into();
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    let uris: Vec<&str> = platforms.iter().map(|platform| platform["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, urls);
}

#[test]
fn the_release_builds_every_platform_and_ci_runs_everything() {
    let workflow =
        |name: &str| serde_saphyr::from_str::<Value>(&text(&format!(".github/workflows/{name}"))).unwrap();
    let release = workflow("release.yaml");
    let built = release["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let built: Vec<&str> = built.iter().map(|entry| entry["target"].as_str().unwrap()).collect();
    assert_eq!(built, PLATFORMS.map(|(_, _, target)| target));
    let steps = |job: &Value| job["steps"].as_array().unwrap().clone();
    let bot = steps(&release["jobs"]["krew"]).pop().unwrap();
    assert_eq!(bot["with"]["krew_template_file"], "krew/argo-gc.yaml");
    // A release is written by one job alone, and only after it was built. The other writes a branch with the formula.
    let writes = release["jobs"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, job)| job["permissions"]["contents"] == "write");
    assert_eq!(writes.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["homebrew", "release"]);
    assert_eq!(release["permissions"], json!({ "contents": "read" }));
    assert_eq!(release["jobs"]["release"]["needs"], "build");
    let images = &release["jobs"]["image"];
    let platforms = images["strategy"]["matrix"]["include"].as_array().unwrap();
    let platforms: Vec<&Value> = platforms.iter().map(|entry| &entry["platform"]).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let build = steps(images).into_iter().find(|step| step["id"] == "build").unwrap();
    assert_eq!((&build["with"]["sbom"], &build["with"]["provenance"]), (&json!(true), &json!("mode=max")));
    assert_eq!(release["jobs"]["tags"]["needs"], json!(["release", "image"]));
    assert_eq!(release["jobs"]["chart"]["needs"], "tags");
    // What the jobs run is shell.
    for (name, job) in release["jobs"].as_object().unwrap() {
        for script in steps(job).iter().filter_map(|step| step["run"].as_str()) {
            let mut command = Command::new("bash");
            command.args(["-n", "-c", script]);
            assert_eq!(Ran::of(command).ends_with(0).err, "", "{name}: {script}");
        }
    }
    let ci = workflow("ci.yaml");
    assert!(steps(&ci["jobs"]["everything"]).iter().any(|step| step["run"] == ".ci/run"));
}

/// What the pages tell to install is there after a release.
#[test]
fn the_release_publishes_the_crates_that_the_pages_install() {
    let page = text("docs/install.md");
    for page in [&page, &text("README.md")] {
        for command in ["cargo binstall kubectl-argo-gc", "cargo install --locked kubectl-argo-gc"] {
            assert!(page.contains(command), "{command}");
        }
    }
    let release: Value = serde_saphyr::from_str(&text(".github/workflows/release.yaml")).unwrap();
    let job = &release["jobs"]["crates"];
    assert_eq!((&job["needs"], &job["permissions"]["id-token"]), (&json!("release"), &json!("write")));
    let steps = job["steps"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!(last["run"], "cargo publish --workspace --locked");
    // Trusted publishing works from the second version on.
    let by_hand = page.split_once("What remains by hand:").unwrap().1;
    assert!(by_hand.contains("`cargo publish --workspace --locked`"), "{by_hand}");
    // A version that was published by hand is not published again.
    let look = steps.iter().find(|step| step["id"] == "there").unwrap()["run"].as_str().unwrap();
    let folder = TempDir::new().unwrap();
    let curl = folder.path().join("curl");
    fs::write(&curl, "#!/bin/sh\necho '{\"name\":\"kubectl-argo-gc\",\"vers\":\"1.2.3\",\"deps\":[]}'\n")
        .unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    for (tag, told) in [("v1.2.3", "published=true\n"), ("v1.2.4", ""), ("v1.2", "")] {
        let output = folder.path().join(tag);
        fs::write(&output, "").unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-eo", "pipefail", "-c", look])
            .env("GITHUB_REF_NAME", tag)
            .env("GITHUB_OUTPUT", &output);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path);
        Ran::of(command).ends_with(0);
        assert_eq!(fs::read_to_string(&output).unwrap(), told, "{tag}");
    }
    // What crates.io gets can be built: files that the code includes are in it.
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let metadata: Value = serde_json::from_str(&stdout(command)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 3);
    for package in packages {
        let at = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.args(["package", "--list", "--offline", "--allow-dirty"]).current_dir(at);
        let packed = stdout(command);
        let packed: BTreeSet<&str> = packed.lines().collect();
        for file in included(&at.join("src")) {
            let file = file.strip_prefix(at).unwrap().to_str().unwrap();
            assert!(packed.contains(file), "{}: {file} is not published", package["name"]);
        }
    }
}

/// A copy of what git would hand out, without its history.
fn copy(into: &Path) {
    for name in [".ci", ".github", "docs", "krew"] {
        let mut command = Command::new("cp");
        command.arg("-R").arg(root().join(name)).arg(into);
        stdout(command);
    }
    for name in ["Cargo.toml", "action.yml", "README.md"] {
        fs::copy(root().join(name), into.join(name)).unwrap();
    }
}

fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(folder.join(program));
    command.args(arguments).current_dir(folder);
    Ran::of(command)
}

#[test]
fn one_script_writes_the_projects_address_and_the_release_finds_it() {
    let folder = TempDir::new().unwrap();
    copy(folder.path());
    let at = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    // Put together here, or the script would change this file.
    let unset = concat!("OWNER", "/REPO");
    for wrong in [&[][..], &["acme"], &["acme/gc/x"], &["a b/c"], &["acme/gc", "x"]] {
        let ran = run_in(folder.path(), ".ci/repository", wrong).ends_with(2);
        assert!(ran.err.contains(unset), "{ran:#?}");
    }
    assert!(at("krew/argo-gc.yaml").contains(unset));
    let ran = run_in(folder.path(), ".ci/repository", &["Acme/argo-gc"]).ends_with(0);
    let mut changed: Vec<&str> = ran.out.lines().collect();
    changed.sort_unstable();
    let files = ["./Cargo.toml", "./action.yml", "./docs/install.md", "./krew/argo-gc.yaml"];
    assert_eq!(changed, files, "{ran:#?}");
    let page = at("docs/install.md");
    assert!(
        page.contains("docker run --rm ghcr.io/acme/argo-gc --version")
            && page.contains("--repo Acme/argo-gc")
    );
    assert!(fs::metadata(folder.path().join(".ci/repository")).unwrap().permissions().mode() & 0o111 != 0);
    // The release's own look at it.
    let release: Value = serde_saphyr::from_str(&at(".github/workflows/release.yaml")).unwrap();
    let check = release["jobs"]["check"]["steps"][1]["run"].as_str().unwrap().to_owned();
    let greps: Vec<&str> = check.lines().filter(|line| line.starts_with("grep ")).collect();
    assert_eq!(greps.len(), 2);
    for (repository, code) in [("Acme/argo-gc", 0), ("acme/other", 1)] {
        let mut command = Command::new("bash");
        let script = greps.join(" && ");
        command.args(["-euc", &script]).env("GITHUB_REPOSITORY", repository).current_dir(folder.path());
        Ran::of(command).ends_with(code);
    }
}

#[test]
fn the_homebrew_formula_has_the_releases_checksums() {
    let folder = TempDir::new().unwrap();
    copy(folder.path());
    let mut sums = String::new();
    for (_, _, target) in PLATFORMS {
        let archive = format!("kubectl-argo_gc-{target}.tar.gz");
        sums += &format!("{}  {archive}\n", sha256(&archives().join(&archive)));
    }
    fs::write(folder.path().join("SHA256SUMS"), &sums).unwrap();
    let formula = run_in(folder.path(), ".ci/formula", &["1.2.3", "SHA256SUMS"]).ends_with(0).out;
    for (os, _, target) in PLATFORMS {
        let (archive, sum) = (
            format!("v1.2.3/kubectl-argo_gc-{target}.tar.gz\""),
            sums.lines().find(|line| line.contains(target)),
        );
        let place = formula.find(&archive);
        assert_eq!(place.is_some(), os != "windows", "{formula}");
        let Some(place) = place else { continue };
        let after = &formula[place + archive.len()..];
        let sum = &sum.unwrap()[..64];
        assert!(after.trim_start().starts_with(&format!("sha256 \"{sum}\"")), "{formula}");
        // Under its own system and processor.
        let before = |name: &str| formula[..place].rfind(name).unwrap();
        let (mac, arm) = (target.contains("darwin"), target.starts_with("aarch64"));
        assert_eq!(formula[..place].contains("on_linux do"), !mac, "{target}");
        assert_eq!(
            formula[..place].contains("on_intel do") && before("on_intel do") > before("on_arm do"),
            !arm,
            "{target}"
        );
    }
    // What it installs is in the archives.
    let unpacked = folder.path().join("unpacked");
    let files = unpack(&archives().join("kubectl-argo_gc-x86_64-unknown-linux-musl.tar.gz"), &unpacked);
    assert!(["kubectl-argo_gc", "kubectl_complete-argo_gc", "man"].iter().all(|name| files.contains(*name)));
    assert!(formula.contains("bin.install \"kubectl-argo_gc\", \"kubectl_complete-argo_gc\""), "{formula}");

    fs::write(folder.path().join("SHA256SUMS"), sums.lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    let ran = run_in(folder.path(), ".ci/formula", &["1.2.3", "SHA256SUMS"]).ends_with(1);
    assert!(ran.out.is_empty() && ran.err.contains("has no checksum of kubectl-argo_gc-"), "{ran:#?}");
}
