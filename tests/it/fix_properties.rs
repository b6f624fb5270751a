//! A fixed manifest does what it did, whatever its layout; whatever a file holds, there is no panic.

use crate::support::{COMMENTED, in_process};
use argo_gc::fix::block::{Block, set_block};
use argo_gc::fix::keys::{Keys, unique_keys};
use argo_gc::fix::lift::lift;
use argo_gc::fix::outcome::{Barred, Fixed};
use argo_gc::syntax::tree;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

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
    // Braces that are no variable's, such as those of a Python f-string.
    let braces = prop_oneof![Just("{"), Just("}"), Just("{{"), Just("}}"), Just("{{'a': '")];
    let part = prop_oneof![
        4 => tag.prop_map(str::to_owned),
        4 => "[a-z:#'\" ]{1,6}",
        1 => braces.prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
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

/// Replaces tags in the JSON text, as Argo does: of a tag that has braces in it the innermost.
fn substituted(value: &Value, with: &dyn Fn(&str) -> Option<String>) -> Value {
    let text = value.to_string();
    let mut out = String::new();
    let mut rest = text.as_str();
    let quoted = |new: String| {
        let quoted = Value::from(new).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((tag, after)) = after.split_once("}}") else { break };
        out += before;
        let nested = || {
            let (around, tag) = tag.rsplit_once("{{").filter(|(around, _)| !around.is_empty())?;
            Some(format!("{{{{{around}{}", quoted(with(tag)?)))
        };
        out += &with(tag).map(quoted).or_else(nested).unwrap_or_else(|| format!("{{{{{tag}}}}}"));
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
        let Fixed { text: fixed, changed, refused } = lift(&text, &Barred::new()).unwrap();
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
        if let Ok(fixed) = lift(&text, &Barred::new()) {
            prop_assert!(tree::parse(&fixed.text).is_ok());
            prop_assert!(fixed.changed > 0 || fixed.text == text);
        }
        let (unread, readers, repeated) = Default::default();
        let strategy = argo_gc_core::argo::artifact::Strategy::OnWorkflowDeletion;
        let block = Block { strategy: Some(&strategy), account: Some("gc"), unread: &unread };
        let keys = Keys { readers: &readers, repeated: &repeated, inline_stays: false };
        if let Ok(fixed) = set_block(&text, &block, &Barred::new()) {
            prop_assert!(tree::parse(&fixed.text).is_ok());
        }
        let _ = unique_keys(&text, &keys);
        in_process(["x", "lint", "-f", "-"], &text, "2026-11-20T12:00:00Z".parse().unwrap());
    }
}
