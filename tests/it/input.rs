//! `inspect -f` with files that are cut off, something else, enormous, or made to do harm.

use crate::support::fixture::Fixture;
use crate::support::{Ran, in_process, plugin, workflow};
use argo_gc::files;
use argo_gc::files::Object;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::verdict::Verdict;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::sync::LazyLock;
use tempfile::TempDir;

const FORMATS: [&str; 9] =
    ["table", "wide", "json", "yaml", "name", "markdown", "tree", "html", "prometheus"];

/// A directory of files to inspect.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn of(name: &str, content: impl AsRef<[u8]>) -> Self {
        Self::new().with(name, content)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.0.path().join(name), content).unwrap();
        self
    }

    /// Runs `inspect` in the directory, with more arguments separated by white space.
    fn inspect(&self, arguments: &str) -> Ran {
        self.inspect_with("", arguments)
    }

    fn inspect_with(&self, input: impl Into<Vec<u8>>, arguments: &str) -> Ran {
        let mut command = plugin(["inspect"]);
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        Ran::with_input(command, input)
    }
}

fn list(items: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// The workflow `name` with a node for each of these.
fn with_nodes(name: &str, nodes: impl IntoIterator<Item = Value>) -> Value {
    let mut workflow = workflow(name);
    let nodes = nodes.into_iter().map(|node| (node["id"].as_str().unwrap().to_owned(), node));
    workflow["status"]["nodes"] = nodes.collect::<serde_json::Map<_, _>>().into();
    workflow
}

/// A workflow with an artifact for each key.
fn with_keys(keys: &[&str]) -> Value {
    let nodes = keys.iter().enumerate().map(|(number, key)| {
        let id = format!("n-{number}");
        json!({
            "id": id, "name": id, "displayName": id, "type": "Pod", "templateName": "main",
            "outputs": { "artifacts": [{ "name": "model", "gcs": { "bucket": "b", "key": key } }] },
        })
    });
    with_nodes("keys", nodes)
}

#[track_caller]
fn assert_harmless(text: &str) {
    let harmful = text.chars().find(|c| {
        c.is_control() && *c != '\n' || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert!(harmful.is_none(), "{harmful:?} in {text}");
}

// Damage.

#[test]
fn what_stands_before_the_cut_in_json_is_shown() {
    let whole = list(&[workflow("a"), workflow("b")]);
    let cut = &whole[..whole.len() - 200];
    let files = Files::of("cut.json", cut).with("whole.json", workflow("c").to_string());
    let ran = files.inspect("-o name -f cut.json -f whole.json");
    ran.assert(4, "Warning: cannot read the rest of the input (cut.json: line ");
    assert!(
        ran.err.contains(&format!("line 1 column {}: it is cut off); it was left out\n", cut.len())),
        "{ran:#?}"
    );
    assert_eq!(ran.err.lines().count(), 1);
    assert_eq!(ran.out, "workflow.argoproj.io/ml/a\nworkflow.argoproj.io/ml/c\n");
}

#[test]
fn what_stands_before_the_cut_in_yaml_is_shown() {
    let text = format!("{}\n---\nkind: Workflow\nmetadata:\n  name: \"b", workflow("a"));
    let text = format!("# a list of two\n---\n{text}");
    let files = Files::of("cut.yaml", text).with("whole.json", workflow("c").to_string());
    let ran = files.inspect("-o name -f cut.yaml -f whole.json");
    ran.assert(4, "Warning: cannot read the rest of the input (cut.yaml: document 2, line 7 column 9: unclosed quote); it was left out\n");
    assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
    assert_eq!(ran.out, "workflow.argoproj.io/ml/a\nworkflow.argoproj.io/ml/c\n");
}

#[test]
fn every_cut_of_a_file_ends_in_a_message() {
    let text = list(&[workflow("a"), workflow("b")]);
    let yaml = serde_saphyr::to_string(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    for (name, text) in [("cut.json", &text), ("cut.yaml", &yaml)] {
        for at in (0..text.len()).step_by(97) {
            let ran = Files::of(name, &text[..at]).inspect(&format!("-o json -f {name}"));
            assert!(matches!(ran.code, Some(0 | 4)), "{at}: {ran:#?}");
            assert!(name.ends_with("yaml") || at == 0 || ran.code == Some(4), "{at}: {ran:#?}");
            assert_eq!(ran.json()["kind"], "Inspection");
        }
    }
}

#[test]
fn what_is_no_workflow_is_told_and_the_rest_is_read() {
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" } }).to_string();
    let utf16: Vec<u8> = "\u{feff}kind: Workflow\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let garbage: Vec<u8> = (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let rest = "Warning: cannot read the rest of the input (odd.yaml: ";
    let cases: [(&[u8], i32, String); 14] = [
        (pod.as_bytes(), 0, String::new()),
        (b"", 0, String::new()),
        (b"\n\n# nothing\n---\n", 0, String::new()),
        (b"42", 4, format!("{rest}document 1, line 1: not a Kubernetes object")),
        (b"just words", 4, format!("{rest}document 1, line 1: not a Kubernetes object")),
        (
            b"- words\n",
            4,
            "Warning: cannot read <object> in odd.yaml (the text \"words\" is not a Kubernetes object"
                .to_owned(),
        ),
        (b"{}", 0, "Note: left out 1 of kind Workflow that has not run".to_owned()),
        (b"{\"kind\": 7}", 4, "Warning: cannot read <object> in odd.yaml (".to_owned()),
        (b"{\"kind\": \"List\", \"items\": 7}", 4, rest.to_owned()),
        (b"kind: CronWorkflow", 0, "Note: left out 1 of kind CronWorkflow; ".to_owned()),
        (b"kind: \"Cron\\e[2J\"", 0, "Note: left out 1 of kind Cron\\u{1b}[2J; ".to_owned()),
        (&garbage, 4, rest.to_owned()),
        (&utf16, 4, format!("{rest}this is UTF-16 text; convert it to UTF-8")),
        (b"{\"a\": \xff\xfe}", 4, rest.to_owned()),
    ];
    for (content, code, message) in cases {
        let files = Files::of("odd.yaml", content).with("whole.json", workflow("a").to_string());
        let ran = files.inspect("-o name -f odd.yaml -f whole.json");
        ran.assert(code, &message);
        assert_eq!(ran.err.lines().count(), usize::from(!message.is_empty()), "{ran:#?}");
        assert_eq!(ran.out, "workflow.argoproj.io/ml/a\n");
        assert_harmless(&ran.err);
        let alone = files.inspect("-f odd.yaml");
        alone.assert(code, &message);
        assert!(alone.err.ends_with("No workflows found in odd.yaml.\n"), "{alone:#?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_damage() {
    let yaml = "\u{feff}kind: Workflow\nmetadata: {name: a, uid: u}\nspec: {}\n";
    let files = Files::of("a.yaml", yaml).with("b.json", format!("\u{feff}{}", workflow("b")));
    let ran = files.inspect("-o json -f .");
    ran.assert(0, "");
    assert_eq!(ran.json()["summary"]["workflows"], 2);
}

#[test]
fn a_path_that_is_not_there_is_an_error_before_anything_is_read() {
    let files = Files::of("a.json", workflow("a").to_string());
    let ran = files.inspect("-o name -f a.json -f missing.json");
    ran.assert(1, "error: the path \"missing.json\" does not exist\n");
    assert_eq!(ran.out, "");
    std::fs::create_dir(files.0.path().join("empty")).unwrap();
    files.inspect("-f empty").assert(1, "error: there is no .json, .yaml or .yml file in \"empty\"\n");
}

#[test]
fn an_entry_that_cannot_be_read_costs_itself_alone() {
    let files = Files::of("a.json", workflow("a").to_string()).with("c.json", workflow("c").to_string());
    std::os::unix::fs::symlink("nowhere", files.0.path().join("b.json")).unwrap();
    let ran = files.inspect("-o name -f .");
    ran.assert(4, "Warning: cannot read b.json (No such file or directory");
    assert_eq!(ran.out, "workflow.argoproj.io/ml/a\nworkflow.argoproj.io/ml/c\n");
}

// Pipes and repetitions.

#[test]
fn a_pipe_named_as_a_file_is_read_once() {
    for path in ["-", "/dev/stdin"] {
        let ran = Files::new().inspect_with(workflow("a").to_string(), &format!("-o name -f {path}"));
        ran.assert(0, "");
        assert_eq!(ran.out, "workflow.argoproj.io/ml/a\n", "{path}");
    }
}

#[test]
fn an_object_that_comes_twice_counts_once() {
    let mut older = workflow("a");
    older["metadata"]["resourceVersion"] = json!("0");
    let items = [workflow("a"), workflow("b"), workflow("a"), older];
    let ran = Files::of("a.json", list(&items)).inspect("-o json -f a.json -f .");
    ran.assert(0, "Note: left out 5 workflows that came a second time\n");
    // An older state of an object is another thing to look at.
    assert_eq!(ran.json()["summary"]["workflows"], 3);
    assert_eq!(ran.json()["workflows"].as_array().unwrap().len(), 3);
    // Without an identity nothing can be told to be the same.
    let mut nameless = workflow("a");
    nameless["metadata"]["uid"] = json!("");
    let ran = Files::of("a.json", list(&[nameless.clone(), nameless])).inspect("-o json -f a.json");
    assert_eq!(ran.json()["summary"]["workflows"], 2);
}

// Size and depth.

#[test]
fn an_object_of_fifty_megabytes_is_read() {
    let mut large = workflow("large");
    large["metadata"]["annotations"]["text"] = "x".repeat(50 << 20).into();
    let files = Files::of("large.json", large.to_string());
    for file in ["large.json", "large.yaml"] {
        if file == "large.yaml" {
            std::fs::write(files.0.path().join(file), format!("# YAML\n{large}")).unwrap();
        }
        let ran = files.inspect(&format!("-o json -f {file}"));
        ran.assert(0, "");
        assert_eq!(ran.json()["summary"]["artifacts"]["uncovered"], 1);
    }
}

fn node(id: usize, children: &[usize], boundary: usize) -> Value {
    let name = |id: usize| format!("n-{id}");
    json!({
        "id": name(id), "name": format!("chain.{id}"), "displayName": id.to_string(),
        "type": if id.is_multiple_of(100) { "Pod" } else { "Steps" },
        "children": children.iter().map(|child| name(*child)).collect::<Vec<_>>(),
        "boundaryID": name(boundary),
        "outputs": { "artifacts": [{ "name": "a", "gcs": { "bucket": "b", "key": format!("chain/{id}") } }] },
    })
}

#[test]
fn nodes_that_are_each_other_s_children_end() {
    let nodes = [node(0, &[1], 1), node(1, &[0], 0), node(2, &[2], 2)];
    let files = Files::of("cycle.json", with_nodes("cycle", nodes).to_string());
    for format in FORMATS {
        files.inspect(&format!("-o {format} -f cycle.json")).assert(0, "");
    }
    assert_eq!(files.inspect("-o json -f cycle.json").json()["summary"]["artifacts"]["uncovered"], 3);
}

#[test]
fn a_chain_of_ten_thousand_nodes_is_shown() {
    let nodes = (0..10_000).map(|id| node(id, &[id + 1], id.saturating_sub(1)));
    let files = Files::of("chain.json", with_nodes("chain", nodes).to_string());
    for format in ["tree", "table", "json"] {
        let ran = files.inspect(&format!("-o {format} -f chain.json"));
        ran.assert(0, "");
        assert!(ran.out.contains("chain"), "{format}");
    }
    let ran = files.inspect("-o json -f chain.json");
    assert_eq!(ran.json()["summary"]["artifacts"]["uncovered"], 10_000);
}

/// Inline templates within each other.
fn inline(depth: usize) -> String {
    format!("{}null{}", r#"{"steps":[[{"inline":"#.repeat(depth), "}]]}".repeat(depth))
}

fn with_inline(name: &str, depth: usize) -> String {
    let nodes = workflow(name)["status"].to_string();
    let templates = inline(depth);
    format!(
        r#"{{"kind":"Workflow","metadata":{{"name":"{name}","uid":"{name}"}},"spec":{{"templates":[{templates}]}},"status":{nodes}}}"#
    )
}

#[test]
fn nesting_beyond_reason_is_told_and_the_rest_is_read() {
    let deep = with_inline("deep", 10_000);
    let json = format!(r#"{{"kind":"List","items":[{deep},{}]}}"#, workflow("a"));
    let flow = format!("# YAML\n{deep}\n");
    let block = format!("kind: Workflow\nspec:\n  {}x\n", "- ".repeat(10_000));
    let mut indented = String::from("kind: Workflow\nspec:\n");
    (1..2000).for_each(|depth| indented += &format!("{}a:\n", " ".repeat(depth)));
    for (name, text) in
        [("deep.json", json), ("flow.yaml", flow), ("block.yaml", block), ("indented.yaml", indented)]
    {
        let files = Files::of(name, text).with("whole.json", workflow("b").to_string());
        let ran = files.inspect(&format!("-o name -f {name} -f whole.json"));
        ran.assert(4, "Warning: cannot read ");
        assert!(ran.out.ends_with("workflow.argoproj.io/ml/b\n"), "{ran:#?}");
        assert!(name != "deep.json" || ran.out.starts_with("workflow.argoproj.io/ml/a\n"), "{ran:#?}");
        assert!(ran.err.len() < 1000, "{ran:#?}");
    }
}

#[test]
fn nesting_at_the_limit_fits_the_stack() {
    // JSON's 128 levels end within.
    for depth in 25..35 {
        for name in ["deep.json", "deep.yaml"] {
            let comment = if name == "deep.yaml" { "# YAML\n" } else { "" };
            let files = Files::of(name, format!("{comment}{}", with_inline("deep", depth)));
            let ran = files.inspect(&format!("-o json -f {name}"));
            assert!(matches!(ran.code, Some(0 | 4)), "{depth} {name}: {ran:#?}");
            assert_eq!(ran.code == Some(0), depth < 32, "{depth} {name}: {ran:#?}");
        }
    }
}

#[test]
fn aliases_that_multiply_are_bounded() {
    let mut bomb = String::from(
        "kind: Workflow\nmetadata: {name: bomb, uid: bomb}\na0: &a0 [x, x, x, x, x, x, x, x, x]\n",
    );
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let mut wide = format!("kind: Workflow\na0: &a {:?}\nb:\n", "x".repeat(1 << 20));
    (0..20_000).for_each(|_| wide += "- *a\n");
    for text in [bomb, wide] {
        let files = Files::of("bomb.yaml", text).with("whole.json", workflow("a").to_string());
        let ran = files.inspect("-o name -f bomb.yaml -f whole.json");
        ran.assert(4, "Warning: cannot read the rest of the input (bomb.yaml: document 1, line ");
        assert!(ran.err.contains(": nested or repeated more than is reasonable)"), "{ran:#?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
        assert_eq!(ran.out, "workflow.argoproj.io/ml/a\n");
    }
}

#[test]
fn ordinary_aliases_are_followed() {
    let text = "kind: Workflow\nmetadata: {name: a, uid: u, labels: {x: z}}\nstatus:\n  nodes:\n    a-1: &one {id: a-1, type: Pod}\n    a-2: *one\n";
    Files::of("a.yaml", text).inspect("-f a.yaml").assert(0, "");
}

// Text made to do harm.

const KEYS: [&str; 16] = [
    "a\u{1b}[2Jb",
    "a\u{1b}]0;title\u{7}",
    "two\nlines",
    "  leading\n   and ragged\n",
    "tab\tand\rreturn",
    "null\u{0}",
    "delete\u{7f}",
    "c1\u{9b}2J\u{85}x",
    "\u{202e}txt.exe",
    "line\u{2028}separator\u{feff}",
    "{{workflow.name}}/a",
    "..",
    "../../etc",
    "",
    "größe/模型/🦀",
    "a|b`c*d<e>[f](g)",
];

#[test]
fn text_from_objects_reaches_no_terminal_raw() {
    let mut workflow = with_keys(&KEYS);
    for field in ["name", "namespace"] {
        workflow["metadata"][field] = json!(format!("{field}\u{1b}[2J\u{9b}\nx"));
    }
    workflow["status"]["phase"] = json!("Failed\u{1b}c\u{85}");
    workflow["spec"]["artifactGC"] = json!({ "strategy": "On\u{1b}[31mNothing\n" });
    workflow["status"]["nodes"]["n-0"]["displayName"] = json!("node\u{1b}[2J\u{9d}");
    workflow["status"]["nodes"]["n-1"]["outputs"]["artifacts"][0]["name"] = json!("a\u{8}\nb");
    let mut damaged = workflow.clone();
    damaged["status"]["finishedAt"] = json!("yesterday\u{1b}[2J");
    let files = Files::of("harm.json", list(&[workflow, damaged]));
    for format in FORMATS {
        let ran = files.inspect(&format!("--verdict all -o {format} -f harm.json"));
        ran.assert(4, "Warning: cannot read ");
        assert_harmless(&ran.out);
        assert_harmless(&ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
    }
    for format in ["table", "wide"] {
        // One line for each row, whatever a name holds.
        let ran = files.inspect(&format!("--no-headers -o {format} -f harm.json"));
        assert!(ran.out.lines().all(|line| line.contains("name\\u{1b}[2J\\u{9b}\\nx")), "{}", ran.out);
    }
}

#[test]
fn documents_give_every_key_as_it_is() {
    let files = Files::of("keys.json", with_keys(&KEYS).to_string());
    let json = files.inspect("-o json -f keys.json").json();
    let mut yaml: Value = serde_saphyr::from_str(&files.inspect("-o yaml -f keys.json").out).unwrap();
    yaml["generatedAt"] = json["generatedAt"].clone();
    assert_eq!(yaml, json);
    let artifacts = json["workflows"][0]["artifacts"].as_array().unwrap();
    let of = |node: &str| artifacts.iter().find(|artifact| artifact["nodeId"] == node).unwrap();
    // Without a key nothing was saved.
    for (number, key) in KEYS.iter().enumerate().filter(|(_, key)| !key.is_empty()) {
        let artifact = of(&format!("n-{number}"));
        let told = artifact["locationProblem"].as_str().unwrap_or_default();
        match artifact["location"]["key"].as_str() {
            Some(shown) => assert_eq!(shown, *key),
            None => {
                assert!(matches!(*key, ".." | "../../etc" | "{{workflow.name}}/a") && !told.is_empty())
            }
        }
    }
}

// Whatever is changed in an object.

/// A change somewhere in a tree of values.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index),
    Replace(Index, Value),
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}])),
        Just(json!({ "": "" })),
        prop::sample::select(vec![
            "OnWorkflowCompletion",
            "OnWorkflowDeletion",
            "Never",
            "Pod",
            "Steps",
            "Retry",
            "Succeeded",
            "Running",
            "0000-01-01T00:00:00Z",
            "9999-12-30T22:00:00Z",
            "-009999-01-02T01:59:59Z",
            "H4sI",
            "a/../../b",
            "/",
            "{{x}}",
            "(0)",
        ])
        .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), odd_value()).prop_map(|(at, value)| Change::Replace(at, value)),
    ];
    prop::collection::vec(change, 1..6)
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// Applies a change at a place counted in document order; gives whether it was there.
fn change(value: &mut Value, at: &mut usize, change_to: Option<&Value>) -> bool {
    fn hit(at: &mut usize) -> bool {
        *at = at.wrapping_sub(1);
        *at == usize::MAX
    }
    match value {
        Value::Array(values) => {
            for place in 0..values.len() {
                if hit(at) {
                    match change_to {
                        Some(new) => values[place] = new.clone(),
                        None => drop(values.remove(place)),
                    }
                    return true;
                }
                if change(&mut values[place], at, change_to) {
                    return true;
                }
            }
            false
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                if hit(at) {
                    match change_to {
                        Some(new) => drop(fields.insert(name, new.clone())),
                        None => drop(fields.remove(&name)),
                    }
                    return true;
                }
                if change(&mut fields[&name], at, change_to) {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

fn mutated(mut objects: Value, changes: &[Change]) -> Value {
    for one in changes {
        // The root itself stays.
        let count = size(&objects) - 1;
        if count == 0 {
            break;
        }
        match one {
            Change::Remove(at) => change(&mut objects, &mut at.index(count), None),
            Change::Replace(at, value) => change(&mut objects, &mut at.index(count), Some(value)),
        };
    }
    objects
}

/// The objects of every fixture.
static FIXTURES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let objects = |fixture: &Fixture| {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&fixture.text).unwrap();
        Value::from(documents)
    };
    Fixture::all().iter().map(objects).collect()
});

/// Inspects standard input in this process; gives the exit code, stdout and stderr.
fn inspected(input: &str, format: &str) -> (u8, String, String) {
    let mut arguments = vec!["kubectl-argo_gc", "inspect", "-f", "-", "-o", format];
    if format != "json" {
        arguments.extend(["--verdict", "all"]);
    }
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    in_process(arguments, input, now)
}

/// The counts of a document equal what it lists.
fn assert_adds_up(document: &Value) {
    let workflows = document["workflows"].as_array().unwrap();
    let summary = &document["summary"];
    let artifacts = || workflows.iter().flat_map(|workflow| workflow["artifacts"].as_array().unwrap());
    assert_eq!(summary["workflows"], workflows.len());
    for verdict in Verdict::ALL {
        let listed = artifacts().filter(|artifact| artifact["verdict"] == verdict.as_str()).count();
        assert_eq!(summary["artifacts"][verdict.as_str()].as_u64().unwrap_or_default(), listed as u64);
    }
    let reasons = summary["reasons"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
    let findings = workflows.iter().flat_map(|workflow| workflow["findings"].as_array().unwrap());
    let given = artifacts().chain(findings).filter(|one| !one["reason"].is_null()).count();
    assert_eq!(reasons.sum::<u64>(), given as u64);
    for artifact in artifacts() {
        let explained = matches!(artifact["verdict"].as_str(), Some("covered" | "collected"));
        assert!(explained || !artifact["reason"].is_null(), "{artifact}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_workflow_changed_anywhere_is_assessed_or_malformed(which in any::<Index>(), changes in changes()) {
        let objects = mutated(which.get(&FIXTURES).clone(), &changes);
        let context = Context {
            now: "2026-12-01T00:00:00Z".parse().unwrap(),
            controllers: Controllers::default(),
            related: Related::default(),
        };
        for object in objects.as_array().into_iter().flatten() {
            let Ok(mut workflow) = serde_json::from_value::<Workflow>(object.clone()) else { continue };
            let mut same = workflow.clone();
            let assessment = assess(&mut workflow, &context);
            prop_assert_eq!(format!("{:?}", assessment), format!("{:?}", assess(&mut same, &context)));
            let (artifacts, stuck) = (assessment.artifacts.len() as u64, assessment.finalizer);
            let mut inspection = Inspection::default();
            inspection.add(assessment);
            inspection.finish();
            prop_assert_eq!(inspection.summary.workflows, 1);
            prop_assert_eq!(inspection.summary.artifacts.values().sum::<u64>(), artifacts);
            prop_assert_eq!(inspection.summary.stuck_finalizers, u64::from(stuck == argo_gc_core::verdict::Finalizer::Stuck));
        }
    }

    #[test]
    fn objects_changed_anywhere_give_a_document_that_adds_up(which in any::<Index>(), changes in changes()) {
        let objects = mutated(which.get(&FIXTURES).clone(), &changes).to_string();
        let (code, out, err) = inspected(&objects, "json");
        prop_assert!(matches!(code, 0 | 4), "{} {}", code, err);
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_adds_up(&document);
        prop_assert_eq!(code == 4, document["gaps"].as_array().unwrap().iter().any(|gap| gap["effect"] == "it was left out"));
        prop_assert_eq!(&inspected(&objects, "json"), &(code, out.clone(), err.clone()));
        let mut read = 0_usize;
        files::read_from("test", &mut objects.as_bytes(), &mut |object, _| {
            read += usize::from(matches!(object, Object::Workflow(_)));
            true
        })
        .unwrap();
        prop_assert!(document["workflows"].as_array().unwrap().len() <= read);
        assert_harmless(&out);
        assert_harmless(&err);
    }

    #[test]
    fn objects_changed_anywhere_are_shown_in_every_format(which in any::<Index>(), changes in changes()) {
        let objects = mutated(which.get(&FIXTURES).clone(), &changes).to_string();
        for format in FORMATS {
            let (code, out, err) = inspected(&objects, format);
            prop_assert!(matches!(code, 0 | 4), "{} {} {}", format, code, err);
            assert_harmless(&out);
            assert_harmless(&err);
        }
    }
}
