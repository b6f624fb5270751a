//! `fix`: what it changes, what it leaves, and that a fixed manifest does what it did.

use crate::support::{Ran, in_process, plugin};
use argo_gc::fix::{Fixed, lift};
use argo_gc::lint::tree;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
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

const COMMENTED: &str = "\
# what this is
apiVersion: argoproj.io/v1alpha1
kind: Workflow   # the kind
metadata: {generateName: x-}   # flow
spec:
    entrypoint: main

    # about the templates
    templates:
        # about main
        - name: main
          steps:
              - - name: fit      # about fit
                  inline:        # about its body
                      # within
                      script:
                          image: python
                          source: |
                              print('{{item}}')

                                # no comment
                      outputs: {artifacts: [{name: o, path: /o}]}   # its outputs
                  withItems: [1,   2]
        # about last
        - name: last
          container:
              image:    odd
# the end
";

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
    assert_eq!(tasks[0], json!({ "name": "a", "template": "a", "arguments": { "parameters": [handed] } }));
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
    let block = "kind: WorkflowTemplate\nspec:\n  artifactGC:\n    serviceAccountName: gc\n  templates: []\n";
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
    let text = defaults(&["--strategy", "OnWorkflowCompletion", "--service-account", "gc"]).ends_with(0).out;
    let map = tree::parse(&text).unwrap()[0].value();
    assert_eq!(map["kind"], "ConfigMap");
    let spec: Value = serde_saphyr::from_str(map["data"]["workflowDefaults"].as_str().unwrap()).unwrap();
    let gc = json!({ "strategy": "OnWorkflowCompletion", "serviceAccountName": "gc" });
    assert_eq!(spec, json!({ "spec": { "artifactGC": gc } }));
    assert!(text.contains("inline templates") && text.contains("archived logs") && !text.contains("Warning"));
    let old = defaults(&["--argo-version", "v3.4.4"]).ends_with(0).out;
    assert!(old.contains("even one without any artifact") && !old.contains("archived logs"));
    let between = defaults(&["--argo-version", "v3.5.10"]).ends_with(0).out;
    assert!(between.contains("before it wrote any of its artifacts"));
    assert!(!defaults(&["--argo-version", "v3.5.11"]).out.contains("Warning"));
    defaults(&["--argo-version", "v3.3.10"])
        .assert(1, "error: Argo v3.3.10 has no artifact garbage collection");
    defaults(&["-f", "examples"]).assert(2, "error: the argument '");
    fix(&["-f", "examples", "--service-account", "gc"]).assert(2, "error: ");
}

// Properties.

/// What a body says: variables of all kinds.
fn words() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        Just("{{workflow.name}}"),
        Just("{{item}}"),
        Just("{{item.k}}"),
        Just("{{inputs.parameters.p}}"),
        Just("{{inputs.parameters.own}}"),
        Just("{{steps.s0.outputs.result}}"),
        Just("{{tasks.t1.outputs.parameters.x}}"),
        Just("{{pod.name}}"),
    ];
    proptest::collection::vec(prop_oneof![tag.prop_map(str::to_owned), "[a-z:#'\" ]{1,6}"], 1..4)
        .prop_map(|parts| parts.concat())
}

fn leaf() -> impl Strategy<Value = Value> {
    let own = proptest::option::of(prop_oneof![4 => Just("1".to_owned()), 1 => words()]);
    (words(), "[ a-z\n]{0,12}", own, any::<bool>()).prop_map(|(text, script, own, named)| {
        let mut body = json!({
            "container": { "image": "x", "args": [text, script], "env": [] },
            "outputs": { "artifacts": [{ "name": "o", "path": "/o" }] },
        });
        if let Some(value) = own {
            body["inputs"] = json!({ "parameters": [{ "name": "own", "value": value }] });
        }
        if named {
            body["name"] = json!("ignored");
        }
        body
    })
}

/// A graph of one to three steps or tasks, each inline or by name.
fn graph(inner: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    let step = (proptest::option::weighted(0.8, inner), 0..3u8, words());
    (proptest::collection::vec(step, 1..4), any::<bool>()).prop_map(|(steps, dag)| {
        let steps: Vec<Value> = steps
            .into_iter()
            .enumerate()
            .map(|(at, (inline, with, text))| {
                let mut step = json!({ "name": format!("{}{at}", if dag { "t" } else { "s" }) });
                match inline {
                    Some(body) => step["inline"] = body,
                    None => step["template"] = json!("named"),
                }
                match with {
                    0 => step["withItems"] = json!([1, { "k": "v" }]),
                    1 => step["arguments"] = json!({ "parameters": [{ "name": "given", "value": text }] }),
                    _ => {}
                }
                if dag { step } else { json!([step]) }
            })
            .collect();
        if dag { json!({ "dag": { "tasks": steps } }) } else { json!({ "steps": steps }) }
    })
}

fn manifest() -> impl Strategy<Value = Value> {
    let body = leaf().prop_recursive(3, 12, 3, |inner| graph(inner.boxed()));
    (graph(body.boxed()), any::<bool>()).prop_map(|(mut main, inputs)| {
        main["name"] = json!("main");
        if inputs {
            main["inputs"] = json!({ "parameters": [{ "name": "p", "value": "1" }] });
        }
        let named = json!({ "name": "named", "container": { "image": "y" } });
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": { "name": "w" },
            "spec": {
                "entrypoint": "main",
                "artifactGC": { "strategy": "OnWorkflowDeletion", "serviceAccountName": "gc" },
                "templates": [main, named],
            },
        })
    })
}

/// How a manifest is written down.
#[derive(Debug, Clone, Copy)]
struct Style {
    indent: usize,
    /// Lists stand deeper than their key.
    deep: bool,
    /// From this depth on all is flow.
    flow_from: usize,
    dos: bool,
    json: Option<bool>,
    comments: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let json = proptest::option::weighted(0.2, any::<bool>());
    (2..5usize, any::<bool>(), 2..14usize, any::<bool>(), json, any::<bool>()).prop_map(
        |(indent, deep, flow_from, dos, json, comments)| Style {
            indent,
            deep,
            flow_from,
            dos,
            json,
            comments,
        },
    )
}

fn write_down(value: &Value, style: Style) -> String {
    let text = match style.json {
        Some(true) => serde_json::to_string_pretty(value).unwrap(),
        Some(false) => value.to_string(),
        None => {
            let mut out = String::new();
            emit(value, style, 0, 0, &mut out);
            out
        }
    };
    if style.dos { text.replace('\n', "\r\n") } else { text }
}

/// Block style down to some depth, then flow; the cursor stands where the value begins.
fn emit(value: &Value, style: Style, depth: usize, column: usize, out: &mut String) {
    let pad = |column: usize| " ".repeat(column);
    match value {
        Value::Object(map) if !map.is_empty() && depth < style.flow_from => {
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad(column));
                }
                if style.comments && at > 0 && depth % 3 == 1 {
                    out.push_str(&format!("# about {key}\n{}", pad(column)));
                }
                out.push_str(&format!("{key}:"));
                let next = match value {
                    Value::Array(_) if !style.deep => column,
                    _ => column + style.indent,
                };
                below(value, style, depth + 1, next, out);
            }
        }
        Value::Array(items) if !items.is_empty() && depth < style.flow_from => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad(column));
                }
                out.push_str("- ");
                emit(item, style, depth + 1, column + 2, out);
            }
        }
        // JSON is YAML's flow style.
        other => out.push_str(&format!("{other}\n")),
    }
}

fn below(value: &Value, style: Style, depth: usize, column: usize, out: &mut String) {
    let block = depth < style.flow_from
        && match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(items) => !items.is_empty(),
            // A block scalar where the text has lines and none of them is white space alone.
            Value::String(text) => {
                let literal = text.contains('\n')
                    && !text.starts_with([' ', '\n'])
                    && text.lines().all(|l| !l.trim().is_empty() || l.is_empty());
                if literal && !style.dos && !text.ends_with('\n') {
                    out.push_str(" |-\n");
                    text.lines().for_each(|line| match line {
                        "" => out.push('\n'),
                        line => out.push_str(&format!("{}{line}\n", " ".repeat(column))),
                    });
                    return;
                }
                false
            }
            _ => false,
        };
    if block {
        out.push_str(&format!("\n{}", " ".repeat(column)));
    } else {
        out.push(' ');
    }
    emit(value, style, depth, column, out);
}

/// Puts lifted templates back where they are named; the opposite of the fix, written without it.
fn put_back(fixed: &Value) -> Value {
    let mut value = fixed.clone();
    let templates = value["spec"]["templates"].as_array().unwrap().clone();
    let (own, lifted) = templates.split_at(2);
    let lifted: Map<String, Value> = lifted
        .iter()
        .map(|template| (template["name"].as_str().unwrap().to_owned(), template.clone()))
        .collect();
    let mut own = own.to_vec();
    own.iter_mut().for_each(|template| unlift(template, &lifted));
    value["spec"]["templates"] = json!(own);
    value
}

fn unlift(template: &mut Value, lifted: &Map<String, Value>) {
    let (steps, tasks) = (template["steps"].take(), template["dag"]["tasks"].take());
    let unlift_step = |step: &mut Value| {
        let Some(body) = step["template"].as_str().and_then(|name| lifted.get(name)) else {
            if step["inline"].is_object() {
                unlift(&mut step["inline"], lifted);
            }
            return;
        };
        let mut body = body.clone();
        unlift(&mut body, lifted);
        let own = |parameter: &Value| matches!(parameter["name"].as_str(), Some("own" | "given"));
        let handed: Vec<Value> = step["arguments"]["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| !own(p))
            .cloned()
            .collect();
        let mut text = body.to_string();
        for parameter in &handed {
            let name = parameter["name"].as_str().unwrap();
            text = text
                .replace(&format!("{{{{inputs.parameters.{name}}}}}"), parameter["value"].as_str().unwrap());
        }
        body = serde_json::from_str(&text).unwrap();
        for list in [&mut body["inputs"]["parameters"], &mut step["arguments"]["parameters"]] {
            if let Value::Array(items) = list {
                items.retain(own);
            }
        }
        body.as_object_mut().unwrap().remove("name");
        step.as_object_mut().unwrap().remove("template");
        step["inline"] = body;
    };
    let mut steps = steps;
    steps
        .as_array_mut()
        .into_iter()
        .flatten()
        .flat_map(|group| group.as_array_mut().unwrap())
        .for_each(unlift_step);
    let mut tasks = tasks;
    tasks.as_array_mut().into_iter().flatten().for_each(unlift_step);
    template["steps"] = steps;
    template["dag"]["tasks"] = tasks;
}

/// Without what says nothing: nulls, empty maps and lists, names of inline bodies.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let mut value = normal(value);
                if key == "inline" && value.is_object() {
                    value.as_object_mut().unwrap().remove("name");
                }
                (key.clone(), value)
            });
            let empty = |value: &Value| *value == Value::Null || *value == json!({}) || *value == json!([]);
            Value::Object(entries.filter(|(_, value)| !empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(normal).collect()),
        other => other.clone(),
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| usize::from(key == "inline") + count(value)).sum()
        }
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// What Argo makes of a workflow, as far as variables go: the texts of all pods, with a symbol for each value
/// that only a run has. A template's JSON gets its inputs, then each step what its siblings and loop give.
fn texts(manifest: &Value) -> Vec<String> {
    let templates = manifest["spec"]["templates"].as_array().unwrap();
    let mut texts = Vec::new();
    run(&templates[0], templates, &Value::Null, "", &mut texts);
    texts
}

fn run(template: &Value, templates: &[Value], arguments: &Value, path: &str, texts: &mut Vec<String>) {
    let inputs = template["inputs"]["parameters"].as_array().cloned().unwrap_or_default();
    let template = substituted(template, &|tag| {
        let name = tag.strip_prefix("inputs.parameters.")?;
        let input = inputs.iter().find(|input| input["name"] == name)?;
        let given =
            arguments["parameters"].as_array().into_iter().flatten().find(|given| given["name"] == name);
        Some(given.unwrap_or(input)["value"].as_str().expect("every input has a value").to_owned())
    });
    let dag = template["dag"]["tasks"].as_array();
    let steps: Vec<&Value> = match (dag, template["steps"].as_array()) {
        (Some(tasks), _) => tasks.iter().collect(),
        (_, Some(groups)) => groups.iter().flat_map(|group| group.as_array().unwrap()).collect(),
        _ => {
            texts.push(format!("{path}: {}", template["container"]));
            return;
        }
    };
    let prefix = if dag.is_some() { "tasks." } else { "steps." };
    for step in &steps {
        let path = format!("{path}/{}", step["name"].as_str().unwrap());
        let step = substituted(step, &|tag| {
            let sibling = tag.strip_prefix(prefix)?.split('.').next()?;
            steps.iter().any(|step| step["name"] == sibling).then(|| format!("<{tag} beside {path}>"))
        });
        let step = substituted(&step, &|tag| {
            let item = tag == "item" || tag.starts_with("item.");
            (item && step["withItems"].is_array()).then(|| format!("<{tag} of {path}>"))
        });
        let named = || templates.iter().find(|template| template["name"] == step["template"]).unwrap();
        let next = if step["inline"].is_object() { &step["inline"] } else { named() };
        run(next, templates, &step["arguments"], &path, texts);
    }
}

/// Replaces tags in the JSON text, as Argo does.
fn substituted(value: &Value, with: &dyn Fn(&str) -> Option<String>) -> Value {
    let text = value.to_string();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (tag, after) = after.split_once("}}").unwrap();
        out += before;
        match with(tag) {
            Some(new) => {
                let quoted = Value::from(new).to_string();
                out += &quoted[1..quoted.len() - 1];
            }
            None => out += &format!("{{{{{tag}}}}}"),
        }
        rest = after;
    }
    serde_json::from_str(&(out + rest)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fixed_manifest_is_the_same_but_for_the_lift(value in manifest(), style in style()) {
        let text = write_down(&value, style);
        let read = tree::parse(&text).unwrap();
        prop_assert_eq!(&read[0].value(), &value, "the test's own writer is wrong:\n{}", text);
        let Fixed { text: fixed, changed, refused } = lift(&text).unwrap();
        let all = tree::parse(&fixed).unwrap();
        prop_assert_eq!(all.len(), 1);
        let after = all[0].value();
        prop_assert_eq!(count(&after), refused.len(), "{}", fixed);
        prop_assert_eq!(changed + refused.len(), count(&value));
        prop_assert!(refused.iter().all(|refusal| !refusal.why.contains("layout")), "{:?}\n{}", refused, text);
        prop_assert_eq!(texts(&after), texts(&value), "{}\n{}", text, fixed);
        prop_assert_eq!(normal(&put_back(&after)), normal(&value), "{}", fixed);
        // The other reader agrees that it is YAML, and JSON stays JSON.
        let other: Value = serde_saphyr::from_str(&fixed).unwrap();
        prop_assert_eq!(&other, &after);
        prop_assert!(style.json.is_none() || serde_json::from_str::<Value>(&fixed).is_ok());
        let comments = |text: &str| text.lines().filter(|line| line.trim_start().starts_with("# about")).count();
        // The body's `inline` has no comment of its own to keep; all others are still there.
        prop_assert!(comments(&fixed) + count(&value) >= comments(&text), "{}\n{}", text, fixed);
        if refused.is_empty() {
            let now = "2026-11-20T12:00:00Z".parse().unwrap();
            let arguments = ["x", "lint", "-f", "-", "-o", "json", "--only", "inline-only,inline-poison"];
            let (code, out, err) = in_process(arguments, &fixed, now);
            prop_assert_eq!(code, 0, "{}", err);
            let report: Value = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(&report["findings"], &json!([]), "{}", fixed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file holds: no panic, and what comes out means what it meant or is refused.
    #[test]
    fn damaged_files_are_refused_or_fixed(
        cuts in proptest::collection::vec((0..2000usize, 0..12usize, "[ -~\n\r\tä]{0,4}"), 1..4),
    ) {
        let mut text = COMMENTED.to_owned();
        for (at, length, new) in cuts {
            let at = at % (text.len() + 1);
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &new);
            }
        }
        if let Ok(fixed) = lift(&text) {
            prop_assert!(tree::parse(&fixed.text).is_ok());
            prop_assert!(fixed.changed > 0 || fixed.text == text);
        }
        let strategy = argo_gc::argo::Strategy::OnWorkflowDeletion;
        if let Ok(fixed) = argo_gc::fix::set_strategy(&text, &strategy) {
            prop_assert!(tree::parse(&fixed.text).is_ok());
        }
        let _ = argo_gc::fix::unique_keys(&text, &Default::default());
        in_process(["x", "lint", "-f", "-"], &text, "2026-11-20T12:00:00Z".parse().unwrap());
    }
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
