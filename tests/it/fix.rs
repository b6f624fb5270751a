//! `fix`: what it changes, what it leaves, and that a fixed manifest does what it did.

use crate::support::purge::{Folder, workflow};
use crate::support::session::Transcript;
use crate::support::{COMMENTED, Ran, in_process, plugin};
use argo_gc::syntax::tree;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fix(arguments: &[&str]) -> Ran {
    let mut command = plugin(["fix"]);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    Ran::of(command)
}

/// A folder with one file in it.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.yaml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// Writes the fix; gives the new text and what was said.
fn written(text: &str, flags: &[&str]) -> (String, Ran) {
    let (_folder, path) = file(text);
    let mut arguments = vec!["-f", path.to_str().unwrap(), "--write"];
    arguments.extend(flags);
    let ran = fix(&arguments);
    (std::fs::read_to_string(&path).unwrap(), ran)
}

#[test]
fn all_but_the_body_stays_as_it_was_written() {
    let (fixed, ran) = written(COMMENTED, &[]);
    ran.assert(0, "Changed 1 place in 1 file.\n");
    let body = "                  inline:        # about its body
                      # within
                      script:
                          image: python
                          source: |
                              print('{{item}}')

                                # no comment
                      outputs: {artifacts: [{name: o, path: /o}]}   # its outputs
";
    let call = "                  template: fit        # about its body
                  arguments:
                    parameters:
                    - name: item
                      value: \"{{item}}\"
";
    let lifted = "              image:    odd
        - name: fit
          # within
          inputs:
            parameters:
            - name: item
          script:
              image: python
              source: |
                  print('{{inputs.parameters.item}}')

                    # no comment
          outputs: {artifacts: [{name: o, path: /o}]}   # its outputs
";
    let expected = COMMENTED.replace(body, call).replace("              image:    odd\n", lifted);
    assert_eq!(fixed, expected);
    // Once fixed, there is nothing more to do.
    assert_eq!(written(&fixed, &[]).0, fixed);
}

#[test]
fn line_breaks_and_the_missing_last_one_stay() {
    let dos = COMMENTED.replace('\n', "\r\n");
    let (fixed, _) = written(&dos, &[]);
    assert_eq!(fixed, written(COMMENTED, &[]).0.replace('\n', "\r\n"));
    assert!(fixed.contains("template: fit") && !fixed.replace("\r\n", "").contains('\n'));
    let cut = "kind: Workflow\nspec:\n  templates:\n  - name: m\n    steps:\n    - - name: a\n        inline:\n          container: {image: x}";
    let (fixed, _) = written(cut, &[]);
    assert_eq!(
        fixed,
        "kind: Workflow\nspec:\n  templates:\n  - name: m\n    steps:\n    - - name: a\n        template: a\n  - name: a\n    container: {image: x}"
    );
}

#[test]
fn json_stays_json() {
    let text = r#"{
  "apiVersion": "argoproj.io/v1alpha1",
  "kind": "CronWorkflow",
  "spec": {
    "workflowSpec": {
      "templates": [
        {
          "name": "main",
          "dag": { "tasks": [
            {
              "name": "a",
              "dependencies": ["b"],
              "inline": {
                "container": { "image": "x", "args": ["{{tasks.b.outputs.result}}"] },
                "outputs": { "artifacts": [{ "name": "o", "path": "/o" }] }
              }
            },
            { "name": "b", "inline": { "name": "own", "container": { "image": "y" } } }
          ] }
        }
      ]
    }
  }
}
"#;
    let (fixed, ran) = written(text, &["--strategy", "OnWorkflowCompletion"]);
    ran.assert(0, "Changed 3 places");
    let fixed: Value = serde_json::from_str(&fixed).expect("JSON");
    let spec = &fixed["spec"]["workflowSpec"];
    assert_eq!(spec["artifactGC"], json!({ "strategy": "OnWorkflowCompletion" }));
    let handed = json!({ "name": "tasks-b-outputs-result", "value": "{{tasks.b.outputs.result}}" });
    let tasks = &spec["templates"][0]["dag"]["tasks"];
    assert_eq!(
        tasks[0],
        json!({ "name": "a", "dependencies": ["b"], "template": "a", "arguments": { "parameters": [handed] } })
    );
    assert_eq!(tasks[1], json!({ "name": "b", "template": "b" }));
    assert_eq!(
        spec["templates"][1]["container"]["args"],
        json!(["{{inputs.parameters.tasks-b-outputs-result}}"])
    );
    assert_eq!(spec["templates"][2], json!({ "name": "b", "container": { "image": "y" } }));
}

#[test]
fn only_the_documents_concerned_change() {
    let other = "# first\nkind: ConfigMap\ndata: {a:   b}\n---\n";
    let (fixed, _) = written(&format!("{other}{COMMENTED}---\n{other}"), &[]);
    assert_eq!(fixed, format!("{other}{}---\n{other}", written(COMMENTED, &[]).0));
}

/// A workflow whose step `a` is inline, with what else is said of it.
fn with(body: &str, step: &str, template: &str) -> String {
    format!(
        "kind: Workflow
spec:
  templates:
  - name: main
    inputs: {{parameters: [{{name: p}}, {{name: q}}]}}
{template}    steps:
    - - {{name: b, template: b}}
    - - name: a
{step}        inline:
          container: {{image: x, args: [{body}]}}
"
    )
}

#[test]
fn what_would_change_its_meaning_is_left_with_the_reason() {
    let cases = [
        ("'{{=item.a}}'", "        withItems: [1]\n", "", "an expression uses {{item}}"),
        ("'{{=inputs.parameters.p}}'", "", "", "an expression uses inputs"),
        ("'{{=steps.b.outputs.result}}'", "", "", "an expression uses steps"),
        ("'{{inputs.parameters}}'", "", "", "list of the enclosing template's parameters"),
        ("'{{node.name}}'", "", "", "may name the enclosing node"),
        ("'{{steps.name}}'", "", "", "may name the enclosing node"),
        ("'{{retries}}'", "", "    retryStrategy: {limit: 2}\n", "may count the retries"),
        ("'{{steps.b.outputs.artifacts.o}}'", "", "", "can't be handed over as a parameter"),
        ("\"{{'run': '{{inputs.parameters.p}}'}}\"", "", "", "a variable stands inside other braces"),
        (
            "\"{{=jsonpath('{{inputs.parameters.p}}', '$.a')}}\"",
            "",
            "",
            "a variable stands inside other braces",
        ),
        ("'{{ .Values.image }}'", "", "", "render the chart first"),
        ("'{{`{{inputs.parameters.p}}`}}'", "", "", "render the chart first"),
        ("&anchor x", "", "", "anchors, aliases or tags"),
        ("x", "        template: b\n", "", "names a template as well"),
    ];
    for (body, step, template, why) in cases {
        let text = with(body, step, template);
        let (fixed, ran) = written(&text, &[]);
        assert_eq!(fixed, text, "{body}");
        let line = text.lines().position(|line| line.contains("inline:")).unwrap() + 1;
        assert!(
            ran.code == Some(4) && ran.err.contains(why) && ran.err.contains(&format!(":{line}:9: left")),
            "{body}: {ran:#?}"
        );
    }
    // The same words where they are the body's own.
    for body in [
        "'{{=workflow.name}}'",
        "'{{pod.name}}'",
        "'{{retries}}'",
        "'{{item}}'",
        "'{{steps.other.outputs.result}}'",
        "'{{inputs.parameters.r}}'",
        "\"{{'run': 1}}\"",
    ] {
        let (fixed, ran) = written(&with(body, "", ""), &[]);
        ran.assert(0, "Changed 1 place");
        assert!(fixed.contains(body) && !fixed.contains("arguments"), "{fixed}");
    }
    let text = with("'{{inputs.parameters.r}}'", "", "")
        + "          inputs: {parameters: [{name: r, value: '{{inputs.parameters.p}}'}]}\n";
    assert!(written(&text, &[]).1.err.contains("an input of the body takes it"));
    // An input of the body that has the name of the enclosing template's: which one counts is not the body's say.
    let text =
        with("'{{inputs.parameters.p}}'", "", "") + "          inputs: {parameters: [{name: p, value: 1}]}\n";
    assert!(written(&text, &[]).1.err.contains("an input of the body has the name"));
}

#[test]
fn a_nested_body_that_is_left_holds_those_around_it() {
    let text = "kind: Workflow
spec:
  templates:
  - name: main
    steps:
    - - name: a
        withItems: [1]
        inline:
          steps:
          - - name: b
              inline: {container: {image: '{{=item}}'}}
          - - name: c
              inline: {container: {image: x}}
";
    let (fixed, ran) = written(text, &[]);
    assert_eq!(ran.code, Some(4));
    assert!(
        ran.err.contains(":11:15: left the inline template of \"b\"")
            && ran.err.contains(":8:9: left the inline template of \"a\""),
        "{}",
        ran.err
    );
    assert!(
        fixed.contains("inline: {container: {image: '{{=item}}'}}") && fixed.contains("template: c"),
        "{fixed}"
    );
}

#[test]
fn names_are_free_ones() {
    let text = with("x", "", "")
        .replace("templates:\n", "entrypoint: main-a\n  templates:\n  - {name: a, container: {image: y}}\n");
    let (fixed, _) = written(&text, &[]);
    assert!(fixed.contains("template: main-a-2\n") && fixed.contains("- name: main-a-2\n"), "{fixed}");
}

#[test]
fn a_strategy_is_set_where_there_is_none() {
    let set = |text: &str| written(text, &["--strategy", "OnWorkflowDeletion"]).0;
    let plain = "kind: Workflow\nspec:\n  entrypoint: m # e\n  # about\n  templates: []\n";
    let wanted = "kind: Workflow\nspec:\n  entrypoint: m # e\n  artifactGC:\n    strategy: OnWorkflowDeletion\n  # about\n  templates: []\n";
    assert_eq!(set(plain), wanted);
    let block = "kind: WorkflowTemplate\nspec:\n  entrypoint: m\n  artifactGC:\n    serviceAccountName: gc\n  templates: []\n";
    assert_eq!(set(block), block.replace("    service", "    strategy: OnWorkflowDeletion\n    service"));
    let flow = "kind: Workflow\nspec: {artifactGC: {}, templates: []}\n";
    assert_eq!(set(flow), flow.replace("{}", "{strategy: OnWorkflowDeletion}"));
    for kept in [
        "kind: Workflow\nspec: {artifactGC: {strategy: Never}, templates: []}\n",
        "kind: Workflow\nspec: {workflowTemplateRef: {name: t}}\n",
        "kind: Deployment\nspec: {templates: []}\n",
    ] {
        assert_eq!(set(kept), kept);
    }
    fix(&["-f", "examples", "--strategy", "Never"]).assert(2, "error: invalid value 'Never'");
}

#[test]
fn keys_become_unique_unless_something_reads_them() {
    let text = "kind: Workflow
spec:
  templates:
  - name: main
    outputs:
      artifacts:
      - {name: a, gcs: {bucket: b, key: a.tgz}}   # fixed
      - {name: r, gcs: {bucket: b, key: 'shared/r.tgz'}}
      - {name: v, gcs: {bucket: b, key: '{{workflow.name}}/v.tgz'}}
---
kind: WorkflowTemplate
spec:
  templates:
  - name: t
    inputs: {artifacts: [{name: i, gcs: {bucket: b, key: shared}}]}
";
    let (fixed, ran) = written(text, &["--unique-keys"]);
    assert_eq!(fixed, text.replace("key: a.tgz", "key: \"{{workflow.uid}}/a.tgz\""));
    assert_eq!(ran.code, Some(4));
    assert!(
        ran.err.contains(":8:41: left the key \"shared/r.tgz\" as it is: a manifest reads it by that name"),
        "{}",
        ran.err
    );
}

#[test]
fn a_diff_changes_nothing_and_writing_keeps_mode_and_links() {
    let (folder, path) = file(COMMENTED);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let name = path.to_str().unwrap();
    let ran = fix(&["-f", name]).ends_with(0);
    assert!(
        ran.out.starts_with(&format!("--- {name}\n+++ {name}\n@@ ")) && ran.err.contains("--write"),
        "{ran:#?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), COMMENTED);
    let link = folder.path().join("link.yaml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fix(&["-f", link.to_str().unwrap(), "--write"]).ends_with(0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read_to_string(&path).unwrap().contains("template: fit"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    fix(&["-f", name]).assert(0, "Nothing to change.\n");
}

#[test]
fn the_diff_is_a_patch() {
    let (_folder, path) = file(COMMENTED);
    let diff = fix(&["-f", path.to_str().unwrap()]).out;
    let mut patch = std::process::Command::new("patch");
    patch.args(["-p0", "--silent"]).arg(&path);
    if std::process::Command::new("patch").arg("--version").output().is_err() {
        return;
    }
    Ran::with_input(patch, diff).ends_with(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written(COMMENTED, &[]).0);
}

#[test]
fn wrong_input_is_refused_by_name() {
    fix(&[]).assert(2, "error: the following required arguments were not provided");
    fix(&["-f", "/nonexistent"]).assert(1, "error: the path \"/nonexistent\" does not exist");
    fix(&["-f", "-", "--write"]).assert(2, "error: standard input can't be written to");
    fix(&["-f", "examples", "--write", "--diff"]).assert(2, "error: the argument '");
    let (folder, path) = file("kind: Workflow\nspec: {{ .Values.spec }}\n");
    let message = format!("error: {}: line 2 column 7: {{{{ }}}} outside quotes is no YAML", path.display());
    fix(&["-f", path.to_str().unwrap()]).assert(1, &message);
    std::fs::write(folder.path().join("good.yaml"), COMMENTED).unwrap();
    let ran = fix(&["-f", folder.path().to_str().unwrap()]);
    ran.assert(4, &message);
    assert!(ran.out.contains("+                  template: fit"), "{ran:#?}");
    let (code, out, _) =
        in_process(["x", "fix", "-f", "-"], COMMENTED, "2026-11-20T12:00:00Z".parse().unwrap());
    assert!(code == 0 && out.starts_with("--- standard input\n"), "{out}");
}

#[test]
fn defaults_say_what_they_do_not_reach() {
    let defaults = |flags: &[&str]| fix(&[&["--defaults"], flags].concat());
    let mut transcript = Transcript::new(Path::new(env!("CARGO_MANIFEST_DIR")));
    let flags = ["--strategy", "OnWorkflowCompletion", "--service-account", "gc"];
    let ran = defaults(&flags).ends_with(0);
    transcript.note(&format!("fix --defaults {}", flags.join(" ")), &ran);
    let text = ran.out;
    let map = tree::parse(&text).unwrap()[0].value();
    assert_eq!(map["kind"], "ConfigMap");
    let spec: Value = serde_saphyr::from_str(map["data"]["workflowDefaults"].as_str().unwrap()).unwrap();
    let gc = json!({ "strategy": "OnWorkflowCompletion", "serviceAccountName": "gc" });
    assert_eq!(spec, json!({ "spec": { "artifactGC": gc } }));
    for (version, code) in [("v3.4.4", 0), ("v3.5.10", 0), ("v3.5.11", 0), ("v3.3.10", 1)] {
        let ran = defaults(&["--argo-version", version]).ends_with(code);
        transcript.note(&format!("fix --defaults --argo-version {version}"), &ran);
    }
    transcript.assert("fix_defaults");
    defaults(&["-f", "examples"]).assert(2, "error: the argument '");
    fix(&["--lifecycle", "30", "--repository", "gs://b", "--service-account", "gc"]).assert(2, "error: ");
}

#[test]
fn the_example_is_found_and_mended() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/inline.yaml");
    let (fixed, ran) = written(&std::fs::read_to_string(example).unwrap(), &[]);
    ran.ends_with(0);
    let (_, out, _) = in_process(
        ["x", "lint", "-f", "-", "-o", "github", "--only", "uncovered,failing"],
        &fixed,
        "2026-11-20T12:00:00Z".parse().unwrap(),
    );
    assert_eq!(out, "");
}

/// A workflow with one named template, whose artifact lies there.
fn storing(kind: &str, head: &str, artifact: &str) -> String {
    format!(
        "kind: {kind}\nmetadata: {{name: w}}\nspec:\n  {head}\n  templates:\n  - name: m\n    container: {{image: x}}\n    \
         outputs: {{artifacts: [{{name: o, path: /o{artifact}}}]}}\n"
    )
}

#[test]
fn a_strategy_that_would_hang_the_workflow_is_not_set() {
    let flags = ["--strategy", "OnWorkflowDeletion", "--service-account", "gc"];
    for location in [
        "http: {url: 'https://x.example/o'}",
        "hdfs: {addresses: ['nn:8020'], path: /o}",
        "artifactory: {url: 'https://x.example/o', usernameSecret: {name: s, key: k}}",
        "git: {repo: 'https://x.example/o.git'}",
        "raw: {data: d}",
    ] {
        let text = storing("Workflow", "entrypoint: m", &format!(", {location}"));
        let (fixed, ran) = written(&text, &flags);
        assert_eq!(fixed, text);
        assert!(ran.code == Some(4) && ran.err.contains("(unsupported-driver)"), "{location}: {ran:#?}");
        // An artifact that keeps out of it does no harm.
        let kept =
            storing("Workflow", "entrypoint: m", &format!(", artifactGC: {{strategy: Never}}, {location}"));
        let (fixed, ran) = written(&kept, &flags);
        ran.assert(0, "Changed 1 place");
        assert!(
            fixed.contains("  artifactGC:\n    strategy: OnWorkflowDeletion\n    serviceAccountName: gc\n")
        );
    }
    // So it is where only the controller's configuration tells where artifacts go.
    let config = "---\nkind: ConfigMap\nmetadata: {name: workflow-controller-configmap}\ndata: {artifactRepository: 'hdfs: {addresses: [nn:8020]}'}\n";
    let text = storing("Workflow", "entrypoint: m", "") + config;
    let (fixed, ran) = written(&text, &flags);
    assert_eq!(fixed, text);
    assert!(ran.err.contains("the hdfs driver"), "{ran:#?}");
}

#[test]
fn a_block_is_set_only_where_it_is_read() {
    let flags = ["--strategy", "OnWorkflowDeletion", "--service-account", "gc"];
    let template = storing("WorkflowTemplate", "arguments: {}", "");
    let (fixed, ran) = written(&template, &flags);
    assert_eq!(fixed, template);
    assert!(ran.code == Some(4) && ran.err.contains("there is no entrypoint"), "{ran:#?}");
    // A workflow that runs it as a whole takes its block.
    let whole =
        format!("{template}---\nkind: Workflow\nspec: {{entrypoint: m, workflowTemplateRef: {{name: w}}}}\n");
    let (fixed, ran) = written(&whole, &flags);
    ran.assert(0, "Changed 1 place");
    assert!(fixed.contains("strategy: OnWorkflowDeletion"), "{fixed}");
    // A patch has no templates.
    let part = "kind: WorkflowTemplate\nmetadata: {name: w}\nspec:\n  entrypoint: m\n";
    assert_eq!(written(part, &flags).0, part);
}

#[test]
fn an_account_is_set_where_something_is_collected() {
    let flags = ["--service-account", "gc"];
    let own = storing("Workflow", "entrypoint: m", ", artifactGC: {strategy: OnWorkflowCompletion}");
    let (fixed, ran) = written(&own, &flags);
    ran.assert(0, "Changed 1 place");
    assert!(
        fixed.contains("  artifactGC:\n    serviceAccountName: gc\n") && !ran.err.contains("Left: "),
        "{fixed}"
    );
    let block = storing("Workflow", "artifactGC: {strategy: OnWorkflowDeletion}", "");
    let (fixed, _) = written(&block, &flags);
    assert!(fixed.contains("artifactGC: {serviceAccountName: gc, strategy: OnWorkflowDeletion}"), "{fixed}");
    for kept in [
        storing("Workflow", "artifactGC: {serviceAccountName: s, strategy: OnWorkflowDeletion}", ""),
        storing("Workflow", "artifactGC: {strategy: Never}", ""),
    ] {
        assert_eq!(written(&kept, &flags).0, kept);
    }
}

#[test]
fn what_is_left_is_said_with_the_flag_that_mends_it() {
    let (_, ran) = written(&storing("Workflow", "entrypoint: m", ""), &[]);
    ran.assert(0, "Nothing to change.\nLeft: ");
    assert!(
        ran.err.contains("uncovered (no-strategy)") && ran.err.contains("--strategy sets one"),
        "{ran:#?}"
    );
    // A leak that became a hang is named.
    let (_, ran) = written(&storing("Workflow", "entrypoint: m", ""), &["--strategy", "OnWorkflowDeletion"]);
    assert!(
        ran.err.contains("(default-service-account)") && ran.err.contains("--service-account"),
        "{ran:#?}"
    );
    // Logs alone bring no finalizer, whatever the strategy.
    let logs = "kind: Workflow\nspec:\n  entrypoint: m\n  archiveLogs: true\n  templates: [{name: m, container: {image: x}}]\n";
    let (_, ran) = written(logs, &["--strategy", "OnWorkflowDeletion"]);
    assert!(ran.err.contains("uncovered (logs-only)"), "{ran:#?}");
}

/// A body that stays would spoil the collection of those that were lifted; before, all only leaked.
#[test]
fn a_lift_that_would_turn_a_leak_into_a_hang_is_not_made() {
    let text = "kind: Workflow
metadata: {name: w}
spec:
  entrypoint: m
  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}
  templates:
  - name: m
    steps:
    - - name: a
        inline: {container: {image: x}, outputs: {artifacts: [{name: o, path: /o}]}}
    - - name: b
        inline: &tied {container: {image: x}, outputs: {artifacts: [{name: o, path: /o}]}}
";
    let (fixed, ran) = written(text, &[]);
    assert_eq!(fixed, text);
    assert!(ran.err.contains("anchors") && ran.err.contains("the result would be worse"), "{ran:#?}");
    let (fixed, ran) = written(&text.replace("&tied ", ""), &[]);
    ran.assert(0, "Changed 2 places");
    assert!(!fixed.contains("inline"), "{fixed}");
}

#[test]
fn an_argument_needs_a_dependency() {
    let text = "kind: Workflow
metadata: {name: w}
spec:
  entrypoint: m
  templates:
  - name: m
    dag:
      tasks:
      - {name: a, template: t}
      - {name: b, template: t, depends: a.Succeeded}
      - name: c
        depends: DEPENDS
        inline: {container: {image: '{{tasks.a.outputs.result}}'}}
  - {name: t, script: {image: x, source: x}}
";
    let (fixed, ran) = written(&text.replace("DEPENDS", "b && !x"), &[]);
    ran.assert(0, "Changed 1 place");
    assert!(fixed.contains("value: \"{{tasks.a.outputs.result}}\""), "{fixed}");
    let alone = text.replace("        depends: DEPENDS\n", "");
    let (fixed, ran) = written(&alone, &[]);
    assert_eq!(fixed, alone);
    assert!(ran.err.contains("add the dependency"), "{ran:#?}");
}

#[test]
fn keys_in_inline_templates_that_stay_get_no_pod_name() {
    let text = "kind: Workflow
metadata: {name: w}
spec:
  entrypoint: m
  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}
  templates:
  - name: m
    steps:
    - - name: a
        withItems: [1, 2]
        inline: TIED{container: {image: x}, outputs: {artifacts: [{name: o, path: /o, gcs: {bucket: b, key: k}}]}}
";
    let tied = text.replace("TIED", "&tied ");
    let (fixed, ran) = written(&tied, &["--unique-keys"]);
    assert_eq!(fixed, tied);
    assert!(ran.err.contains("in an inline template"), "{ran:#?}");
    let (fixed, _) = written(&text.replace("TIED", ""), &["--unique-keys"]);
    assert!(
        fixed.contains("key: \"{{workflow.uid}}/{{pod.name}}/k\"") && !fixed.contains("inline"),
        "{fixed}"
    );
}

/// What the manifests alone don't settle is said: the account that GC pods need, and where a manifest came from.
#[test]
fn what_is_still_to_be_done_elsewhere_is_said() {
    let block = "  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}\n";
    let live = COMMENTED.replacen("{generateName: x-}", "{generateName: x-, uid: 0a1b}", 1);
    let (_, ran) = written(&live, &[]);
    assert!(
        ran.err.contains("was read from a cluster. Change the manifest that it was applied from too"),
        "{}",
        ran.err
    );
    let (_, ran) = written(COMMENTED, &[]);
    assert!(!ran.err.contains("read from a cluster"), "{}", ran.err);
    let named = format!("kind: Workflow\nspec:\n{block}  templates: []\n");
    let (_, ran) = written(&named, &[]);
    assert!(ran.err.contains("GC pods run as service account gc, not among the files"), "{}", ran.err);
    let (_, ran) = written(&format!("{named}---\nkind: ServiceAccount\nmetadata: {{name: gc}}\n"), &[]);
    assert!(!ran.err.contains("service account gc"), "{}", ran.err);
}

const COLLECT: [&str; 4] = ["--strategy", "OnWorkflowDeletion", "--service-account", "gc"];

/// A template that reads an object by its key.
const READER: &str = "---
kind: WorkflowTemplate
metadata: {name: serve}
spec:
  entrypoint: m
  templates:
  - name: m
    inputs: {artifacts: [{name: i, path: /i, s3: {bucket: b, key: models/latest.pkl}}]}
    container: {image: y}
";

/// Argo would delete what another run, a cache or a given manifest needs: neither a strategy nor a lift is made.
#[test]
fn nothing_is_collected_that_something_else_needs() {
    let latest = ", s3: {bucket: b, key: models/latest.pkl}";
    let writer = storing("Workflow", "entrypoint: m", latest);
    let keeper = storing("Workflow", "entrypoint: m", &format!("{latest}, artifactGC: {{strategy: Never}}"));
    let memo = storing("WorkflowTemplate", "entrypoint: m", "").replace(
        "    container:",
        "    memoize: {key: k, maxAge: 30d, cache: {configMap: {name: c}}}\n    container:",
    );
    let never = "keep it with artifactGC: {strategy: Never} on the artifact";
    let keys = "or let --unique-keys give each run a key of its own";
    for (text, reasons) in [
        (format!("{writer}{READER}"), vec!["a given manifest reads \"models/latest.pkl\"", never, keys]),
        (format!("{writer}---\n{keeper}"), vec!["(endangered)", never, keys]),
        (writer.clone(), vec!["(shared-key)", never, keys]),
        (memo, vec!["(endangered)", never]),
    ] {
        let (fixed, ran) = written(&text, &COLLECT);
        let first = text.split("---").next().unwrap();
        assert!(ran.code == Some(4) && fixed.starts_with(first), "{fixed}\n{ran:#?}");
        for reason in reasons {
            assert!(ran.err.contains(reason), "{reason}: {}", ran.err);
        }
    }
    // An artifact that keeps out of it does no harm, nor does one whose key is its run's.
    written(&keeper, &COLLECT).1.assert(0, "Changed 1 place");
    let (fixed, ran) = written(&writer, &[&COLLECT[..], &["--unique-keys"]].concat());
    ran.assert(0, "Changed 2 places");
    assert!(fixed.contains("key: \"{{workflow.uid}}/models/latest.pkl\""), "{fixed}");
    // With a reader there is no key of its own.
    let (_, ran) = written(&format!("{writer}{READER}"), &[&COLLECT[..], &["--unique-keys"]].concat());
    assert!(ran.code == Some(4) && ran.err.contains(never) && !ran.err.contains("or let"), "{}", ran.err);
    // A lift has the same effect where the block is there already.
    let inline = format!(
        "kind: Workflow
metadata: {{name: w}}
spec:
  entrypoint: m
  artifactGC: {{strategy: OnWorkflowDeletion, serviceAccountName: gc}}
  templates:
  - name: m
    steps:
    - - name: a
        inline:
          container: {{image: x}}
          outputs: {{artifacts: [{{name: o, path: /o{latest}}}]}}
{READER}"
    );
    let (fixed, ran) = written(&inline, &[]);
    assert_eq!(fixed, inline);
    assert!(ran.code == Some(4) && ran.err.contains("a given manifest reads"), "{}", ran.err);
    // What was so before is named, with the flag that mends it.
    let block = "artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}";
    let (_, ran) = written(&storing("Workflow", block, latest), &[]);
    ran.assert(0, "Nothing to change.\n");
    assert!(
        ran.err.contains("(shared-key)") && ran.err.contains("--unique-keys tells them apart"),
        "{}",
        ran.err
    );
}

/// A strategy that lets a template of another document lose its object is left out where it leads there, and only there.
#[test]
fn only_what_leads_to_the_harm_is_left() {
    let template = storing("WorkflowTemplate", "arguments: {}", ", s3: {bucket: b, key: models/latest.pkl}");
    let caller = "---
kind: Workflow
metadata: {name: caller}
spec:
  entrypoint: m
  templates:
  - name: m
    steps: [[{name: a, templateRef: {name: w, template: m}}]]
";
    let other = format!("---\n{}", storing("Workflow", "entrypoint: m", ""));
    let (fixed, ran) = written(&format!("{template}{caller}{other}"), &COLLECT);
    assert!(fixed.starts_with(&format!("{template}{caller}")), "{fixed}");
    assert!(ran.code == Some(4) && ran.err.contains("(shared-key)"), "{}", ran.err);
    assert!(fixed[template.len() + caller.len()..].contains("strategy: OnWorkflowDeletion"), "{fixed}");
}

/// A reader may have the key from a parameter, from its arguments or from its environment.
#[test]
fn keys_that_something_may_read_stay() {
    let text = |arguments: &str, key: &str, more: &str| {
        format!(
            "kind: WorkflowTemplate
metadata: {{name: t}}
spec:
  entrypoint: m
  arguments: {arguments}
  templates:
  - name: m
    steps:
    - - {{name: w, template: w}}
    - - {{name: r, template: r}}
  - name: w
    container: {{image: x, args: [--out, /tmp/model.pkl]}}
    outputs: {{artifacts: [{{name: o, path: /tmp/model.pkl, s3: {{key: {key}}}}}]}}
  - name: r
    container: {{image: x}}
{more}"
        )
    };
    let with_input =
        |key: &str| format!("    inputs: {{artifacts: [{{name: i, path: /i, s3: {{key: {key}}}}}]}}\n");
    let parameter = "{parameters: [{name: k, value: models/model.pkl}]}";
    let serve = "---\nkind: Deployment\nspec: {args: [--model, models/model.pkl]}\n";
    let other = "---\nkind: ConfigMap\ndata: {conf: 'model = s3-models/model.pkl'}\n";
    let may = "a text that may be used to read it";
    for (text, why) in [
        (text(parameter, "models/model.pkl", &with_input("'{{workflow.parameters.k}}'")), may),
        (text("{}", "models/model.pkl", serve), may),
        (text("{}", "model.pkl", &with_input("'{{inputs.parameters.k}}'")), "a variable for its key"),
        (text("{parameters: [{name: k, value: '--from=model.pkl'}]}", "model.pkl", ""), may),
    ] {
        let (fixed, ran) = written(&text, &["--unique-keys"]);
        assert_eq!(fixed, text);
        assert!(ran.code == Some(4) && ran.err.contains(why), "{text}: {}", ran.err);
    }
    // A file of the name in the container is none of the bucket's, and a longer name is another.
    for text in [text("{}", "model.pkl", ""), text("{}", "models/model.pkl", other)] {
        let (fixed, ran) = written(&text, &["--unique-keys"]);
        ran.assert(0, "Changed 1 place");
        assert!(fixed.contains("{{workflow.uid}}/"), "{fixed}");
    }
}

#[test]
fn a_file_that_cant_be_written_is_named_and_the_others_are_written() {
    let (folder, path) = file(COMMENTED);
    // A file that is gone by its name, but still open here.
    let gone = folder.path().join("gone.yaml");
    std::fs::write(&gone, COMMENTED).unwrap();
    let open = std::fs::File::open(&gone).unwrap();
    std::fs::remove_file(&gone).unwrap();
    let by_number = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&open));
    let ran = fix(&["-f", &by_number, "-f", path.to_str().unwrap(), "--write"]);
    ran.assert(4, &format!("error: writing {by_number}: "));
    assert!(ran.err.contains("Changed 1 place in 1 file.\n"), "{}", ran.err);
    assert!(std::fs::read_to_string(&path).unwrap().contains("template: fit"));
}

#[test]
fn a_file_that_is_named_twice_is_fixed_once() {
    let (folder, path) = file(COMMENTED);
    let link = folder.path().join("link.yaml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let name = path.to_str().unwrap();
    let ran = fix(&["-f", name, "-f", link.to_str().unwrap(), "-f", name, "--write"]);
    ran.assert(0, "Changed 1 place in 1 file.\n");
}

#[test]
fn new_lines_break_as_those_beside_them() {
    let mixed = format!("# made elsewhere\r\n{COMMENTED}");
    let (fixed, _) = written(&mixed, &[]);
    assert_eq!(fixed, format!("# made elsewhere\r\n{}", written(COMMENTED, &[]).0));
    let plain = "# made elsewhere\r\nkind: Workflow\nspec:\n  entrypoint: m\n  templates: []\n";
    let (fixed, _) = written(plain, &["--strategy", "OnWorkflowDeletion"]);
    assert!(fixed.contains("artifactGC:\n") && fixed.matches('\r').count() == 1, "{fixed:?}");
}

#[test]
fn a_comment_beside_the_name_of_a_body_stays() {
    let text = "kind: Workflow
spec:
  templates:
  - name: m
    steps:
    - - name: a
        inline:
          # first
          name: own   # why it is there
          container: {image: x}
";
    let (fixed, ran) = written(text, &[]);
    ran.assert(0, "Changed 1 place");
    assert!(
        fixed.contains("  - name: a\n    # first\n    # why it is there\n    container: {image: x}\n"),
        "{fixed}"
    );
}

#[test]
fn names_are_those_that_argo_and_kubernetes_take() {
    let name = "a".repeat(129);
    let text = with("x", "", "").replace("name: a\n", &format!("name: {name}\n"));
    let (fixed, ran) = written(&text, &[]);
    assert_eq!(fixed, text);
    assert!(ran.code == Some(4) && ran.err.contains("more than the 128 characters"), "{}", ran.err);
    for name in ["", "Gc", "gc x", "gc\n", "{{x}}", "-gc"] {
        let flag = format!("--service-account={name}");
        let ran = fix(&["-f", "examples", &flag]);
        assert!(
            ran.code == Some(2) && ran.err.contains("the name of a service account"),
            "{name:?}: {ran:#?}"
        );
    }
}

/// What was not read may need any of the objects.
#[test]
fn a_lifecycle_rule_is_not_called_harmless_if_not_all_was_read() {
    let mut folder = Folder::new();
    let mut unread = workflow("ml", "far", &[]);
    unread["status"]["nodes"] = json!({});
    unread["status"]["offloadNodeStatusVersion"] = json!("fnv:1");
    folder.add(unread);
    folder.put_at("ml-artifacts", "argo/gone/1/a.tgz", jiff::SignedDuration::from_hours(24 * 40));
    let repository = "gs://ml-artifacts/argo";
    let ran = folder.run("fix", &["--lifecycle", "30", "--repository", repository]).ends_with(4);
    assert!(
        ran.err.contains("is unknown, because not all could be read:\nWarning: more may be needed: "),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("Nothing of it"), "{}", ran.err);
}
