//! `lint`: each planted gap is found at its very place, by version, and nothing where there is none.

use crate::dependencies::crates;
use crate::lint_context::let_collect;
use crate::support::fixture::Fixture;
use crate::support::kube::{ALICE, ApiServer};
use crate::support::{Ran, in_process, plugin};
use argo_gc_core::reason::Reason;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const PLANTED: &str = "tests/fixtures/lint/planted";
const CLEAN: &str = "tests/fixtures/lint/clean";

fn lint(arguments: &str) -> Ran {
    let mut command = plugin(["lint"]);
    command.args(arguments.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR"));
    Ran::of(command)
}

/// Lints a text; gives `line:column severity code artifact` of each finding.
pub fn of(text: &str, arguments: &[&str]) -> Vec<String> {
    let all = ["kubectl-argo_gc", "lint", "-f", "-", "-o", "json"].iter().chain(arguments).copied();
    let (code, out, err) = in_process(all, text, "2026-11-20T12:00:00Z".parse().unwrap());
    assert!(code == 0 && !err.contains("error:"), "{code}: {err}");
    rows(&serde_json::from_str(&out).unwrap())
}

pub fn rows(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().unwrap_or("-").to_owned();
            let file = text("file");
            let file = file.rsplit('/').next().unwrap().split('.').next().unwrap();
            let place = format!("{file}:{}:{}", finding["line"], finding["column"]);
            format!("{place} {} {} {}", text("severity"), text("code"), text("artifact"))
        })
        .map(|row| row.replace("standard input:", ""))
        .collect()
}

#[test]
fn each_planted_gap_is_found_at_its_place() {
    let ran = lint(&format!("-f {PLANTED} -o json")).ends_with(0);
    let expected = [
        "1-inline:22:21 uncovered inline-only model",
        "2-nested:25:21 failing inline-poison report",
        "2-nested:30:9 failing inline-poison binary",
        "3-dynamic:21:11 uncovered dynamic-templateref -",
        "4-hook:33:9 uncovered hook-templateref summary",
        "5-level:32:9 uncovered wftmpl-level-ignored model",
        "6-logs:11:18 uncovered logs-only -",
        "7-keys:14:86 failing gcs-unclean-key table",
        "7-keys:15:88 note shared-key latest",
        "7-keys:19:36 note gcs-directory parts",
        "8-storage:10:5 note default-service-account -",
        "8-storage:20:11 failing unsupported-driver page",
        "8-storage:21:9 uncovered unknown-strategy log",
    ];
    assert_eq!(rows(&ran.json()), expected);
    assert_eq!(
        ran.json()["summary"],
        json!({ "manifests": 10, "findings": { "uncovered": 6, "failing": 4, "note": 3 } })
    );
    assert_eq!(ran.json()["findings"][4]["reachedFrom"], json!(["Workflow/report-"]));
}

#[test]
fn the_place_is_where_the_word_stands() {
    // What stands at each place, so that the numbers above are no mere echo of the plugin.
    let words = [
        ("1-inline.yaml", 22, 21, "name: model"),
        ("2-nested.yaml", 25, 21, "name: report"),
        ("3-dynamic.yaml", 21, 11, "name: \"load-{{"),
        ("6-logs.yaml", 11, 18, "true"),
        ("7-keys.json", 14, 86, "\"{{workflow.uid}}//table"),
        ("8-storage.yaml", 20, 11, "url: https"),
    ];
    for (file, line, column, word) in words {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PLANTED).join(file)).unwrap();
        let found = &text.lines().nth(line - 1).unwrap()[column - 1..];
        assert!(found.starts_with(word) || found.starts_with(&format!("{{{word}")), "{file}: {found}");
    }
}

#[test]
fn the_clean_copies_have_no_finding() {
    let ran = lint(&format!("-f {CLEAN} --fail-on uncovered,failing,unknown,note")).ends_with(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "No findings in 10 manifests for Argo v4.1.2.\n"));
    // The very same files but for the gap: no planted one is clean by being another file.
    for number in 1..=8 {
        let name = |folder: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            files.find(|name| name.to_str().unwrap().starts_with(&number.to_string())).unwrap()
        };
        assert_eq!(name(PLANTED), name(CLEAN));
    }
}

pub const HEAD: &str =
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w, namespace: ml}\n";
const INLINE: &str = "spec:
  entrypoint: main
  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}
  templates:
  - name: main
    steps:
    - - {name: a, inline: {container: {image: x}, outputs: {artifacts: [{name: o, path: /o}]}}}
";

#[test]
fn what_was_not_given_may_bring_the_finalizer() {
    let logs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PLANTED).join("6-logs.yaml"))
            .unwrap();
    let unseen = logs.replace("      container:\n        image: alpine:3.22\n", "      steps: [[{name: a, template: b}, {name: c, templateRef: {name: d, template: e}}]]\n    - {name: b, container: {image: x}}\n");
    assert_eq!(of(&unseen, &[]), ["11:18 unknown logs-only -", "17:63 unknown template-unseen -"]);
    let seen = format!(
        "{unseen}---\nkind: WorkflowTemplate\nmetadata: {{name: d, namespace: ops}}\nspec: {{templates: [{{name: e, container: {{image: x}}}}]}}\n"
    );
    assert_eq!(of(&seen, &[]), ["11:18 uncovered logs-only -"]);
}

#[test]
fn the_version_decides() {
    let text = format!("{HEAD}{INLINE}");
    for (version, row) in [
        ("v3.3.10", "10:73 uncovered controller-too-old o"),
        ("v3.4.4", "10:73 failing inline-poison o"),
        ("v3.4.5", "10:73 uncovered inline-only o"),
        ("v3.5.5", "10:73 uncovered inline-only o"),
        ("v4.1.2", "10:73 uncovered inline-only o"),
    ] {
        assert_eq!(of(&text, &["--argo-version", version]), [row], "{version}");
    }
    let oss = format!(
        "{HEAD}spec:
  artifactGC: {{strategy: OnWorkflowDeletion, serviceAccountName: gc}}
  templates:
  - name: main
    container: {{image: x}}
    outputs:
      artifacts:
      - name: o
        path: /o
        oss: {{endpoint: e, bucket: b, key: '{{{{workflow.uid}}}}/o'}}
"
    );
    assert_eq!(of(&oss, &["--argo-version", "v3.5.15"]), ["13:14 failing unsupported-driver o"]);
    assert_eq!(of(&oss, &["--argo-version", "v3.6.0"]), Vec::<String>::new());
    let s3 = oss.replace("oss:", "archive: {none: {}}\n        s3:").replace("/o'}", "/o/'}");
    assert_eq!(of(&s3, &["--argo-version", "v3.4.18"]), ["13:25 failing s3-directory o"]);
    assert_eq!(of(&s3, &["--argo-version", "v3.5.9"]), Vec::<String>::new());
}

#[test]
fn what_one_level_sets_counts_as_argo_counts_it() {
    let spec = |gc: &str, artifact: &str| {
        format!(
            "{HEAD}spec:\n  {gc}\n  templates:\n  - name: main\n    container: {{image: x}}\n    outputs: {{artifacts: [{{name: o, path: /o{artifact}}}]}}\n"
        )
    };
    let none = "entrypoint: main";
    assert_eq!(of(&spec(none, ""), &[]), ["9:27 uncovered no-strategy o"]);
    let block = ", artifactGC: {serviceAccountName: gc}";
    assert_eq!(of(&spec(none, block), &[]), ["9:27 uncovered artifact-block-without-strategy o"]);
    assert_eq!(of(&spec(none, ", artifactGC: {strategy: Never}"), &[]), Vec::<String>::new());
    assert_eq!(of(&spec("artifactGC: {strategy: Never}", ""), &[]), Vec::<String>::new());
    let own = ", artifactGC: {strategy: OnWorkflowDeletion}";
    assert_eq!(of(&spec(none, own), &[]), ["9:59 note default-service-account -"]);
    // The patch of the GC pod may name its account.
    let patched = "artifactGC: {podSpecPatch: 'serviceAccountName: gc'}";
    assert_eq!(of(&spec(patched, own), &[]), Vec::<String>::new());
    let wrong = of(&spec("artifactGC: {strategy: Never!, serviceAccountName: gc}", ""), &[]);
    assert_eq!(wrong, ["5:26 uncovered unknown-strategy -"]);
}

#[test]
fn an_inline_body_behind_a_workflow_template_spoils_the_workflow() {
    let template = format!("{HEAD}{INLINE}")
        .replace("kind: Workflow", "kind: WorkflowTemplate")
        .replace("name: w,", "name: t,");
    let workflow = format!("{HEAD}spec: {{workflowTemplateRef: {{name: t}}}}\n");
    let both = format!("{template}---\n{workflow}");
    assert_eq!(of(&both, &[]), ["10:73 failing inline-poison o"]);
    assert_eq!(of(&workflow, &[]), ["4:29 unknown template-unseen -"]);
    // Its logs do it, too, where it has no artifact.
    let logs = format!("{HEAD}{INLINE}")
        .replace("[{name: o, path: /o}]", "[]")
        .replace("spec:\n", "spec:\n  archiveLogs: true\n");
    let named = "  - {name: b, container: {image: x}, outputs: {artifacts: [{name: p, path: /p}]}}\n";
    let logs = logs.replace("    - - {name: a", "    - - {name: n, template: b}\n    - - {name: a") + named;
    assert_eq!(of(&logs, &[]), ["12:27 failing inline-poison main-logs", "13:60 failing inline-poison p"]);
    assert_eq!(of(&logs.replace("archiveLogs: true", "archiveLogs: false"), &[]), Vec::<String>::new());
}

#[test]
fn a_name_beside_an_inline_body_saves_its_pod_and_not_what_its_own_steps_run() {
    let workflow = |inline: &str| {
        format!(
            "{HEAD}spec:\n  entrypoint: main\n  artifactGC: {{strategy: OnWorkflowDeletion, serviceAccountName: gc}}\n  templates:\n  - name: main\n    \
             steps:\n    - - name: a\n        template: b\n        inline: {inline}\n  - {{name: b, container: {{image: x}}}}\n"
        )
    };
    let pod = "{container: {image: x}, outputs: {artifacts: [{name: o, path: /o}]}}";
    assert_eq!(of(&workflow(pod), &[]), Vec::<String>::new());
    let within = workflow(&format!("{{steps: [[{{name: c, inline: {pod}}}]]}}"));
    assert_eq!(of(&within, &[]), ["12:91 uncovered inline-only o"]);
}

/// The fixtures of `inspect` are what became of manifests: their specs alone let the same be predicted.
#[test]
fn predictions_agree_with_what_is_found_afterwards() {
    // What these show (the repository, the attempts) only the run knows.
    const FROM_STATUS: [&str; 3] =
        ["unsupported-driver/hit.yaml", "inline-poison/hit-i9-logs.yaml", "retry-attempts/miss-untried.yaml"];
    let codes = "inline-only inline-poison dynamic-templateref hook-templateref no-strategy unknown-strategy \
                 unsupported-driver gcs-unclean-key artifact-block-without-strategy wftmpl-level-ignored \
                 template-defaults non-pod-node wftref-3.4 controller-too-old shared-key param-archive-location \
                 retry-attempts";
    let mut seen = 0;
    for fixture in Fixture::all() {
        let name = format!("{}/{}", fixture.code(), fixture.path.file_name().unwrap().to_str().unwrap());
        if !codes.split_whitespace().any(|code| code == fixture.code())
            || FROM_STATUS.contains(&name.as_str())
        {
            continue;
        }
        let version = fixture.lines("argo-version");
        let found = of(&fixture.text, &["--argo-version", version[0]]);
        let has = found.iter().any(|row| row.split(' ').nth(2) == Some(fixture.code()));
        assert_eq!(has, fixture.is_hit(), "{name}: {found:?}");
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn the_documents_keep_to_their_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/lint-report.v1.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for folder in [PLANTED, CLEAN, "examples"] {
        let json = lint(&format!("-f {folder} -o json")).json();
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{folder}: {errors:#?}");
        let yaml: Value = serde_saphyr::from_str(&lint(&format!("-f {folder} -o yaml")).out).unwrap();
        assert!(yaml == json, "{folder}: the YAML differs from the JSON");
    }
}

/// The schema of the standard, as a package of others carries it.
#[test]
fn sarif_keeps_to_the_schema_of_the_standard() {
    let crates = crates();
    let sarif = crates.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let schema =
        Path::new(sarif["manifest_path"].as_str().unwrap()).with_file_name("src").join("schema.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    // These patterns close a bracket twice.
    for place in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][place]["properties"]["language"];
        assert!(language.as_object_mut().unwrap().remove("pattern").is_some());
    }
    assert!(schema["title"].as_str().unwrap().contains("(SARIF) Version 2.1.0"), "{}", schema["title"]);
    let validator = jsonschema::validator_for(&schema).unwrap();
    for folder in [PLANTED, CLEAN, "examples", "tests/fixtures"] {
        let log = lint(&format!("-f {folder} -R -o sarif")).json();
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| error.to_string()).take(3).collect();
        assert!(errors.is_empty(), "{folder}: {errors:#?}");
        let mut other = log.clone();
        other["runs"][0]["tool"]["driver"]["madeUp"] = json!(1);
        assert!(!validator.is_valid(&other));
    }
}

#[test]
fn sarif_has_the_shape_that_scanners_read() {
    let log = lint(&format!("-f {PLANTED} -o sarif")).ends_with(0).json();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&json!("2.1.0"), 1));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(run["tool"]["driver"]["name"].is_string());
    assert_eq!(run["tool"]["driver"]["informationUri"], env!("CARGO_PKG_REPOSITORY"));
    let reasons =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.md")).unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 13);
    let fingerprints = |results: &[Value]| -> BTreeSet<String> {
        results
            .iter()
            .map(|result| result["partialFingerprints"]["argoGc/v1"].as_str().unwrap().to_owned())
            .collect()
    };
    let told = fingerprints(results);
    assert_eq!(told.len(), 13);
    // A scanner knows a finding again in a file that only grew above it.
    let folder = tempfile::TempDir::new().unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(PLANTED)).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        std::fs::write(folder.path().join(entry.file_name()), format!("# A comment.\n\n{text}")).unwrap();
    }
    let moved = lint(&format!("-f {} -o sarif", folder.path().display())).ends_with(0).json();
    assert_eq!(fingerprints(moved["runs"][0]["results"].as_array().unwrap()), told);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(Reason::from_code(rule["id"].as_str().unwrap()).is_some());
        assert!(rule["shortDescription"]["text"].is_string() && rule["help"]["text"].is_string());
        let (page, anchor) = rule["helpUri"].as_str().unwrap().split_once('#').unwrap();
        assert!(
            page.ends_with("/blob/main/docs/reasons.md") && reasons.contains(&format!("\n### {anchor}\n"))
        );
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(uri).is_file(), "{uri}");
        assert!(
            place["region"]["startLine"].as_u64().unwrap() > 0
                && place["region"]["startColumn"].as_u64().unwrap() > 0
        );
    }
}

#[test]
fn annotations_markdown_and_table_name_each_place() {
    let github = lint(&format!("-f {PLANTED} -o github")).ends_with(0).out;
    assert_eq!(github.lines().count(), 13);
    let first = format!(
        "::warning file={PLANTED}/1-inline.yaml,line=22,col=21,title=inline-only in Workflow/train-::artifact model: "
    );
    assert!(github.starts_with(&first), "{github}");
    assert_eq!(github.lines().filter(|line| line.starts_with("::notice ")).count(), 3);
    let markdown = lint(&format!("-f {PLANTED} -o markdown")).ends_with(0).out;
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| tests/")).count(), 13);
    assert_eq!(markdown.matches("\n### `inline-poison`").count(), 1);
    let table = lint(&format!("-f {PLANTED} --no-headers --only inline-only,note")).ends_with(0).out;
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn fail_on_takes_severities_and_codes() {
    let cases =
        [("uncovered", 3), ("inline-only", 3), ("no-strategy", 0), ("unknown", 0), ("note,failing", 3)];
    for (wanted, code) in cases {
        // What is shown does not decide what is failed on.
        lint(&format!("-f {PLANTED} --only unknown --fail-on {wanted}")).ends_with(code);
    }
    lint(&format!("-f {PLANTED} --fail-on nothing")).assert(2, "error: invalid value 'nothing'");
}

#[test]
fn what_cannot_be_read_is_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let helm = file("helm.yaml", "kind: Workflow\nmetadata:\n  name: {{ .Release.Name }}\n");
    let message = format!(
        "error: {helm}: line 3 column 9: {{{{ }}}} outside quotes is no YAML: render the chart first"
    );
    lint(&format!("-f {helm}")).assert(1, &message);
    let shape = file(
        "shape.yaml",
        &format!("{HEAD}spec:\n  templates:\n  - name: a\n    outputs: {{artifacts: x}}\n"),
    );
    lint(&format!("-f {shape}")).assert(
        4,
        &format!("error: {shape}: line 7 column 26: spec.templates[0].outputs.artifacts: expected a list"),
    );
    file("good.yaml", &format!("{HEAD}{INLINE}"));
    let ran = lint(&format!("-f {} -o json", folder.path().display())).ends_with(4);
    assert_eq!(ran.json()["findings"].as_array().unwrap().len(), 1, "the good one is still looked at");
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("error: ")).count(), 2, "{}", ran.err);
    lint("-f /nonexistent.yaml").assert(1, "error: the path \"/nonexistent.yaml\" does not exist");
    let words = file("words.yaml", "just words\n");
    lint(&format!("-f {words}"))
        .assert(1, &format!("error: {words}: line 1 column 1: not a Kubernetes object"));
    let kindless = file("kindless.yaml", "metadata: {name: a}\n");
    lint(&format!("-f {kindless}"))
        .assert(1, &format!("error: {kindless}: line 1 column 1: this object has no kind"));
    let named = file("named.yaml", "metadata: {name: a}\n");
    lint(&format!("-f {named} -f {kindless}")).ends_with(4);
    // Other tools' files lie among manifests.
    let (first, second) = (file("values.yaml", "replicas: 1\n"), format!("{PLANTED}/1-inline.yaml"));
    let ran = lint(&format!("-f {first} -f {second}")).ends_with(0);
    assert!(
        ran.err.starts_with(&format!("Note: {first}: line 1 column 1"))
            && ran.err.contains("no Kubernetes object"),
        "{}",
        ran.err
    );
    let binary = folder.path().join("binary.yaml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    lint(&format!("-f {}", binary.display()))
        .assert(1, &format!("error: {}: this is UTF-16 text", binary.display()));
    lint("-f x -A").assert(2, "error: the argument '");
    lint("--connected").assert(2, "error: ");
    lint(&format!("-f {PLANTED} --argo-version latest")).assert(2, "error: invalid value 'latest'");
}

/// A repository holds other tools' files, and other tools have workflows.
#[test]
fn what_is_not_argos_is_left_out_and_what_is_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let leaking = format!("{PLANTED}/1-inline.yaml");
    let values = file("values.yaml", "metadata: {labels: {}}\nspec: {replicas: 1}\n");
    let chart = file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    let kustomization =
        file("kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nresources: []\n");
    lint(&format!("-f {chart} -f {kustomization} -f {leaking} --fail-on uncovered")).ends_with(3);
    // Only who asks for it may lose what could be a manifest.
    lint(&format!("-f {values} -f {leaking}")).ends_with(4);
    lint(&format!("-f {values} -f {leaking} --skip-foreign --fail-on uncovered")).ends_with(3);
    lint("--skip-foreign").assert(2, "error: ");
    // However many files: a sentence for a sort of them, in the report as well.
    let bent = [1, 2].map(|n| file(&format!("bent{n}.yaml"), "a: [\n"));
    file("ci.yaml", "on: push\n");
    let ran = lint(&format!("-f {} --skip-foreign -o json", folder.path().display())).ends_with(0);
    let gaps = ran.json()["gaps"].as_array().unwrap().clone();
    assert_eq!(gaps[0]["what"], format!("{chart}, {} and {values}", folder.path().join("ci.yaml").display()));
    assert_eq!(gaps[0]["why"], "they hold no Kubernetes objects");
    assert_eq!(gaps[1]["what"], bent.join(" and "));
    assert_eq!((gaps.len(), ran.err.lines().filter(|line| line.starts_with("Note: ")).count()), (2, 2));
    assert!(ran.err.ends_with("No workflow manifests found.\n"), "{}", ran.err);
    // What follows another tool's value is looked at.
    let workflow = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": { "name": "w" },
        "spec": { "entrypoint": "a", "templates": [
            { "name": "a", "container": { "image": "x" }, "outputs": { "artifacts": [{ "name": "o", "path": "/o" }] } },
        ] },
    });
    let list = file("list.json", &json!([{ "a": 1 }, workflow, 7, workflow]).to_string());
    assert_eq!(
        rows(&lint(&format!("-f {list} -f {leaking} --only no-strategy -o json")).ends_with(0).json()).len(),
        2
    );
    // The same kind of another API.
    let other =
        file("other.json", &workflow.to_string().replace("argoproj.io/v1alpha1", "core.oam.dev/v1alpha1"));
    assert!(lint(&format!("-f {other}")).ends_with(0).err.contains("No workflow manifests found."));
    let fixed = Ran::of(crate::support::plugin(["fix", "-f", &other, "--strategy", "OnWorkflowDeletion"]));
    assert_eq!(fixed.ends_with(0).err, "Nothing to change.\n");
    // As others know the file.
    let mut here = crate::support::plugin([
        "lint",
        "-f",
        "./list.json",
        "-f",
        ".",
        "-o",
        "github",
        "--only",
        "no-strategy",
        "--skip-foreign",
    ]);
    here.current_dir(folder.path());
    let here = Ran::of(here).ends_with(0).out;
    assert!(
        here.lines().count() > 2 && here.lines().all(|line| line.starts_with("::warning file=list.json,")),
        "{here}"
    );
}

#[test]
fn long_chains_and_rings_of_templates_come_to_an_end() {
    let chain: String = (0..20_000)
        .map(|n| format!("  - {{name: t{n}, steps: [[{{name: s, template: t{}}}]]}}\n", (n + 1) % 20_000))
        .collect();
    let text = format!("{HEAD}spec:\n  entrypoint: t0\n  templates:\n{chain}");
    assert_eq!(of(&text, &[]), Vec::<String>::new());
    let deep =
        format!("{HEAD}spec: {{templates: [{}{}]}}\n", "{steps: [[{inline: ".repeat(60), "}]]}".repeat(60));
    let (code, _, err) = in_process(["x", "lint", "-f", "-"], &deep, "2026-11-20T12:00:00Z".parse().unwrap());
    assert!(code == 1 && err.starts_with("error: standard input: line 4 column "), "{err}");
}

#[test]
fn what_would_act_on_a_terminal_is_shown_instead() {
    let text = format!("{HEAD}{INLINE}").replace("name: o,", "name: \"o\\e[2J\\u202E\",");
    for format in ["table", "json", "yaml", "markdown", "sarif", "github"] {
        let arguments = ["x", "lint", "-f", "-", "-o", format];
        let (_, out, _) = in_process(arguments, &text, "2026-11-20T12:00:00Z".parse().unwrap());
        assert!(out.contains("2J") && !out.contains(['\u{1b}', '\u{202e}']), "{format}: {out}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_cluster_is_linted_and_completes_what_files_refer_to_on_apiserver() {
    let server = ApiServer::shared();
    let template = format!("{HEAD}{INLINE}").replace("kind: Workflow", "kind: WorkflowTemplate");
    server.apply(
        template
            .replace("namespace: ml", "namespace: lint-cluster")
            .replace("name: w,", "name: shared,")
            .as_str(),
    );
    let_collect(server, "lint-cluster");
    let run = |command| Ran::of(command).ends_with(0);
    let ran = run(server.kubectl([
        "argo-gc",
        "lint",
        "-n",
        "lint-cluster",
        "-o",
        "json",
        "--argo-version",
        "v3.7.0",
    ]));
    assert_eq!(rows(&ran.json()), ["-:null:null failing inline-poison o"]);
    assert_eq!(
        ran.json()["findings"][0]["field"],
        "spec.templates[0].steps[0][0].inline.outputs.artifacts[0]"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.yaml");
    let workflow = format!("{HEAD}spec: {{workflowTemplateRef: {{name: shared}}}}\n")
        .replace("namespace: ml", "namespace: lint-cluster");
    std::fs::write(&file, workflow).unwrap();
    let file = file.to_str().unwrap();
    let alone = run(server.kubectl(["argo-gc", "lint", "-f", file, "-o", "json"]));
    assert_eq!(rows(&alone.json()), ["w:4:29 unknown template-unseen -"]);
    let arguments = [
        "argo-gc",
        "lint",
        "-f",
        file,
        "--connected",
        "-n",
        "lint-cluster",
        "-o",
        "json",
        "--argo-version",
        "v3.7.0",
    ];
    let ran = run(server.kubectl(arguments));
    assert_eq!(rows(&ran.json()), ["-:null:null failing inline-poison o"]);
    assert_eq!(ran.json()["findings"][0]["reachedFrom"], json!(["Workflow/w"]));
    assert_eq!(ran.json()["summary"]["manifests"], 1);
    // One who may read nothing is told so, and nothing looks clean.
    let denied = Ran::of(server.kubectl_as(ALICE, ["argo-gc", "lint", "-n", "lint-cluster"]));
    denied.assert(1, "Error from server (Forbidden): ");
}

/// The default repository is that of the ConfigMap which the controller itself reads, in either form.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_controllers_own_configuration_counts_on_apiserver() {
    let server = ApiServer::start();
    server.let_manage("lint-own");
    let_collect(&server, "lint-own");
    server.apply(
        "
apiVersion: apps/v1
kind: Deployment
metadata: { name: workflow-controller, namespace: lint-own }
spec:
  selector: { matchLabels: { app: workflow-controller } }
  template:
    metadata: { labels: { app: workflow-controller } }
    spec:
      containers:
      - name: workflow-controller
        image: quay.io/argoproj/workflow-controller:v3.7.18
        args: [--configmap, settings]
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: { name: t, namespace: lint-own }
spec:
  entrypoint: a
  artifactGC: { strategy: OnWorkflowDeletion, serviceAccountName: gc }
  templates:
  - name: a
    container: { image: i }
    outputs: { artifacts: [{ name: o, path: /o }] }
",
    );
    let lint = || {
        let arguments = ["argo-gc", "lint", "-n", "lint-own", "-o", "json"];
        rows(&Ran::of(server.kubectl(arguments)).ends_with(0).json())
    };
    let configured = |data: &Value| {
        let metadata = json!({ "name": "settings", "namespace": "lint-own" });
        server.apply(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data }));
        lint()
    };
    assert_eq!(lint(), Vec::<String>::new());
    let unsupported = ["-:null:null failing unsupported-driver o"];
    let own = json!({ "artifactRepository": "hdfs:\n  addresses: [nn:8020]\n" });
    assert_eq!(configured(&own), unsupported);
    assert_eq!(configured(&json!({ "artifactRepository": "gcs: {bucket: b}" })), Vec::<String>::new());
    let arguments = ["delete", "configmap", "settings", "-n", "lint-own"];
    Ran::of(server.kubectl(arguments)).ends_with(0);
    let block = json!({ "config": "instanceID: x\nartifactRepository:\n  hdfs: { addresses: [nn:8020] }\n" });
    assert_eq!(configured(&block), ["-:null:null failing instanceid -", unsupported[0]]);
}
