//! What is handed on: the page, the comparison of two inspections, and metrics.

use crate::support::purge::{Folder, workflow as leaky};
use crate::support::session::Transcript;
use crate::support::{Ran, plugin, workflow};
use base64::Engine;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

/// A directory to inspect files in, and to keep inspections.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    fn objects(&self, name: &str, objects: &[Value]) {
        self.put(name, json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string());
    }

    fn run(&self, arguments: &str) -> Ran {
        self.run_with("", arguments)
    }

    fn transcript(&self) -> Transcript {
        Transcript::new(self.0.path())
    }

    fn run_with(&self, input: &str, arguments: &str) -> Ran {
        let mut command = plugin(arguments.split_whitespace());
        command.current_dir(self.0.path());
        Ran::with_input(command, input)
    }

    /// Inspects objects into a document.
    fn inspect(&self, name: &str, objects: &[Value]) {
        self.objects("source.json", objects);
        let ran = self.run("inspect -f source.json -o json").ends_with(0);
        self.put(name, ran.out);
    }
}

fn set(mut workflow: Value, pointer: &str, value: Value) -> Value {
    *workflow.pointer_mut(pointer).unwrap() = value;
    workflow
}

/// The only artifact is recorded as deleted.
fn collected(name: &str) -> Value {
    let mut workflow = workflow(name);
    workflow["status"]["nodes"][name]["outputs"]["artifacts"][0]["deleted"] = json!(true);
    workflow
}

/// Its nodes are in a database.
fn offloaded(name: &str) -> Value {
    let mut workflow = workflow(name);
    workflow["status"]["offloadNodeStatusVersion"] = json!("fnv:1");
    workflow["status"]["nodes"] = json!({});
    workflow
}

fn week(desk: &Desk) {
    desk.inspect(
        "old.json",
        &[workflow("stays"), workflow("purged"), workflow("vanished"), workflow("hidden")],
    );
    desk.inspect(
        "new.json",
        &[workflow("stays"), collected("purged"), offloaded("hidden"), workflow("fresh")],
    );
}

#[test]
fn diff_says_what_is_new_changed_and_gone() {
    let desk = Desk::new();
    week(&desk);
    let mut transcript = desk.transcript();
    for arguments in [
        "diff old.json new.json",
        "diff old.json new.json --no-headers",
        "diff new.json new.json --fail-on new,changed,gone",
    ] {
        transcript.note(arguments, &desk.run(arguments).ends_with(0));
    }
    transcript.assert("diff_changes");
}

#[test]
fn diff_fails_on_what_it_is_asked_to() {
    let desk = Desk::new();
    week(&desk);
    let old = std::fs::read_to_string(desk.0.path().join("old.json")).unwrap();
    for (change, code) in [("new", 3), ("changed", 3), ("gone", 3)] {
        let ran = desk.run_with(&old, &format!("diff - new.json --fail-on {change}")).ends_with(code);
        assert!(ran.out.contains("vanished"), "it is shown all the same: {}", ran.out);
    }
    desk.inspect("less.json", &[workflow("stays")]);
    desk.run("diff old.json less.json --fail-on new,changed").ends_with(0);
    desk.run("diff old.json less.json --fail-on gone").ends_with(3);
    desk.run("diff old.json new.json --fail-on worse").ends_with(2);
}

#[test]
fn diff_is_a_document_of_its_schema() {
    let desk = Desk::new();
    week(&desk);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read_to_string(root.join("docs/schema/inspection-diff.v1.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let fixtures = plugin(["inspect", "-R", "-o", "json", "-f"]).arg(root.join("tests/fixtures")).output();
    desk.put("fixtures.json", fixtures.unwrap().stdout);
    for names in ["old.json new.json", "new.json new.json", "old.json fixtures.json"] {
        let document = desk.run(&format!("diff {names} -o json")).json();
        let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).take(3).collect();
        assert!(errors.is_empty(), "{names}: {errors:#?}");
        let yaml = desk.run(&format!("diff {names} -o yaml")).out;
        let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert!(yaml == document, "{names}: the YAML differs from the JSON");
        for kind in ["new", "changed", "gone"] {
            let changes = document["changes"].as_array().unwrap();
            let count = changes.iter().filter(|change| change["change"] == kind).count();
            assert_eq!(document["summary"][kind]["findings"], count, "{names} {kind}");
        }
    }
    let document = desk.run("diff old.json new.json -o json").json();
    assert_eq!(document["summary"]["same"], 1);
    assert_eq!(document["changes"][0]["workflow"], "fresh");
    assert_eq!(document["changes"][0]["now"]["reason"], "no-strategy");
}

#[test]
fn diff_sums_up_bytes() {
    let mut folder = Folder::new();
    folder.add(leaky("ml", "one", &["one/a.tgz", "one/b.tgz"]));
    folder.put_at("ml-artifacts", "one/a.tgz", SignedDuration::from_hours(49));
    let desk = Desk::new();
    desk.put("old.json", folder.run("inspect", &["--check", "-o", "json", "-n", "none"]).out);
    desk.put("new.json", folder.run("inspect", &["--check", "-o", "json", "-n", "ml"]).out);
    // Of namespaces that have nothing in common nothing is compared, and that is said.
    let mut transcript = desk.transcript();
    transcript.note("diff old.json new.json", &desk.run("diff old.json new.json").ends_with(0));
    desk.put("old.json", folder.run("inspect", &["--check", "-o", "json", "one", "-n", "none"]).out);
    desk.inspect("all.json", &[]);
    transcript.note("diff all.json new.json", &desk.run("diff all.json new.json").ends_with(0));
    transcript.assert("diff_bytes");
}

#[test]
fn diff_warns_of_documents_that_say_less_than_they_seem() {
    let desk = Desk::new();
    week(&desk);
    desk.objects("objects.json", &[workflow("stays"), workflow("fresh")]);
    let less = desk.run("inspect -f objects.json -o json --verdict failing").out;
    desk.put("less.json", less);
    let mut transcript = desk.transcript();
    transcript.note("diff old.json less.json", &desk.run("diff old.json less.json").ends_with(0));
    desk.put("some.json", desk.run("inspect -f objects.json -o json --prefix st").out);
    transcript.note("diff old.json some.json", &desk.run("diff old.json some.json").ends_with(0));
    desk.put(
        "cut.json",
        "{\"apiVersion\": \"argoproj.io/v1alpha1\", \"kind\": \"Workflow\", \"metadata\": 1}",
    );
    desk.put("gap.json", desk.run("inspect -f objects.json -f cut.json -o json").ends_with(4).out);
    transcript.note("diff gap.json new.json", &desk.run("diff gap.json new.json").ends_with(0));
    transcript.note("diff new.json old.json", &desk.run("diff new.json old.json").ends_with(0));
    transcript.assert("diff_warnings");
}

#[test]
fn diff_refuses_what_is_no_whole_inspection() {
    let desk = Desk::new();
    week(&desk);
    let old = std::fs::read_to_string(desk.0.path().join("old.json")).unwrap();
    for at in (0..old.trim_end().len()).step_by(61) {
        let ran = desk.run_with(&old[..at], "diff - new.json");
        ran.assert(1, "error: standard input is not a complete Inspection document: ");
        assert!(ran.out.is_empty() && ran.err.contains("\nhint: "), "{ran:#?}");
    }
    desk.objects("list.json", &[workflow("a")]);
    desk.put("more.json", format!("{old}{old}"));
    desk.put("later.json", old.replace("\"uncovered\"", "\"forgotten\""));
    let mut transcript = desk.transcript();
    for (arguments, code) in [
        ("diff list.json new.json", 1),
        ("diff old.json nowhere.json", 1),
        ("diff old.json more.json", 1),
        ("diff later.json new.json", 1),
        ("diff - -", 2),
    ] {
        transcript.note(arguments, &desk.run(arguments).ends_with(code));
    }
    transcript.assert("diff_refuses");
}

/// The start tags of a page with their attributes.
fn tags(page: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with(['/', '!']) {
            continue;
        }
        let (tag, after) = rest.split_once('>').unwrap();
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut found = BTreeMap::new();
        while !attributes.trim_start().is_empty() {
            attributes = attributes.trim_start();
            let end = attributes.find(['=', ' ']).unwrap_or(attributes.len());
            let (key, value) = attributes.split_at(end);
            let (value, left) = match value.strip_prefix("=\"") {
                Some(value) => value.split_once('"').unwrap(),
                None => ("", value.trim_start()),
            };
            assert!(found.insert(key.to_owned(), value.to_owned()).is_none(), "{tag}");
            attributes = left;
        }
        tags.push((name.to_owned(), found));
        // What a script or style says is no markup.
        rest = match name {
            "script" | "style" => &after[after.find(&format!("</{name}>")).unwrap()..],
            _ => after,
        };
    }
    tags
}

fn within<'p>(page: &'p str, element: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("<{element}>")).unwrap();
    rest.split_once(&format!("</{element}>")).unwrap().0
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

#[test]
fn the_page_takes_text_from_the_cluster_for_text() {
    let plain = Desk::new();
    plain.objects("objects.json", &[workflow("plain")]);
    plain.inspect("old.json", &[]);
    let plain = plain.run("inspect -f objects.json -o html --since old.json").ends_with(0).out;
    let desk = Desk::new();
    let evil = "</script><img onerror=alert(1)>\"'`{{js}}\u{202e}<!--";
    let mut hostile = workflow("plain");
    hostile["metadata"]["name"] = json!(evil);
    hostile["metadata"]["namespace"] = json!(format!("</svg>{evil}"));
    let node = &mut hostile["status"]["nodes"]["plain"];
    node["templateName"] = json!(format!("</title>{evil}"));
    node["outputs"]["artifacts"][0]["gcs"] = json!({ "bucket": evil, "key": format!("</td>{evil}") });
    desk.inspect("old.json", &[]);
    desk.objects("objects.json", &[hostile]);
    let ran = desk.run("inspect -f objects.json -o html --since old.json").ends_with(0);
    let elements = |page: &str| tags(page).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(elements(&ran.out), elements(&plain), "{}", ran.out);
    let shown = evil.replace('\u{202e}', "\\u{202e}");
    assert!(unescaped(&ran.out).contains(&format!("<th scope=\"row\">{shown}</th>")), "{}", ran.out);
    assert!(!ran.out.contains('\u{202e}') && !ran.out.contains("<img"), "{}", ran.out);
    let attributes = tags(&ran.out).into_iter().flat_map(|(_, attributes)| attributes);
    for (name, _) in attributes {
        assert!(!name.starts_with("on") && name != "style" && name != "src", "{name}");
    }
}

#[test]
fn the_page_loads_nothing_and_says_so_to_the_browser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = plugin(["inspect", "-f", "examples/cluster", "-o", "html"]);
    command.current_dir(root);
    let page = Ran::of(command).ends_with(0).out;
    let tags = tags(&page);
    let policy = tags.iter().find(|(_, a)| a.get("http-equiv").is_some()).unwrap().1["content"].clone();
    let hash = |text: &str| base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(text));
    for (directive, element) in [("style-src", "style"), ("script-src", "script")] {
        let want = format!("{directive} 'sha256-{}';", hash(within(&page, element)));
        assert!(unescaped(&policy).contains(&want), "{policy}");
    }
    assert!(unescaped(&policy).starts_with("default-src 'none';"), "{policy}");
    let known = [
        "a",
        "article",
        "body",
        "caption",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "head",
        "header",
        "html",
        "input",
        "label",
        "li",
        "main",
        "meta",
        "nav",
        "output",
        "p",
        "rect",
        "script",
        "section",
        "small",
        "span",
        "style",
        "summary",
        "svg",
        "table",
        "tbody",
        "td",
        "text",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "ul",
    ];
    let mut ids = BTreeSet::new();
    for (name, attributes) in &tags {
        assert!(known.contains(&name.as_str()), "{name}");
        assert!(attributes.get("href").is_none_or(|to| to.starts_with('#')), "{attributes:?}");
        if let Some(id) = attributes.get("id") {
            assert!(ids.insert(id.clone()), "{id} is there twice");
        }
    }
    // What one part says of another is there; so are landmarks, a caption for each table, a row's header.
    for (_, attributes) in &tags {
        for name in ["aria-labelledby", "aria-describedby", "for", "href"] {
            let named = attributes.get(name).map_or("", String::as_str).split(' ');
            for id in named.filter(|id| !id.is_empty()).map(|id| id.trim_start_matches('#')) {
                assert!(ids.contains(id), "{name}={id} leads nowhere");
            }
        }
    }
    let count = |name: &str| tags.iter().filter(|(other, _)| other == name).count();
    assert_eq!((count("main"), count("h1"), count("header"), count("footer"), count("nav")), (1, 1, 1, 1, 1));
    assert_eq!(count("table"), count("caption"));
    let headers = tags.iter().filter(|(name, _)| name == "th");
    assert!(headers.clone().all(|(_, attributes)| attributes.contains_key("scope")));
    let map = tags.iter().find(|(name, _)| name == "svg").unwrap();
    assert!(map.1["role"] == "img" && !map.1["aria-label"].is_empty());
    // The map's text says what its areas do.
    for (namespace, template, reason, count) in
        [("ml", "&lt;inline&gt;", "inline-only", 7), ("etl", "extract", "logs-only", 2)]
    {
        let row = format!(
            "<tr><td>{namespace}</td><th scope=\"row\">{template}</th><td>{reason}</td>\
             <td class=\"number\" data-v=\"{count}\">"
        );
        assert!(page.contains(&row), "{row}");
        assert!(page.contains(&format!("<title>{namespace} / {template} / {reason}: ")), "{template}");
    }
    assert!(page.contains("8 of 14 workflows leave artifacts behind"));
}

#[test]
fn the_page_is_bounded_and_says_what_it_leaves_out() {
    let desk = Desk::new();
    let mut objects: Vec<Value> = (0..4500).map(|at| workflow(&format!("wf-{at}"))).collect();
    // The largest comes last.
    let mut large = workflow("large");
    let artifacts = &mut large["status"]["nodes"]["large"]["outputs"]["artifacts"];
    *artifacts = (0..3)
        .map(|at| json!({ "name": format!("a{at}"), "gcs": { "bucket": "b", "key": format!("large/{at}") } }))
        .collect();
    objects.push(large);
    desk.objects("objects.json", &objects);
    desk.inspect("old.json", &[]);
    let page = desk.run("inspect -f objects.json -o html --since old.json").ends_with(0).out;
    assert!(page.contains("Only the 2,000 largest of 4,501 rows"), "{}", &page[..6000]);
    assert!(page.contains("The others hold 2501 artifacts"));
    assert!(page.contains("The first 2,000 of 4,501 changes"));
    assert!(page.contains("4,503"), "totals are of everything");
    let list = page.split_once("<table id=\"list\"").unwrap().1;
    assert_eq!(list.matches("<th scope=\"row\">").count(), 2000);
    assert!(list.contains("<th scope=\"row\">large</th>"));
    assert!(page.len() < 2 << 20, "{}", page.len());
}

#[test]
fn the_page_shows_what_changed_and_sizes() {
    let mut folder = Folder::new();
    folder.add(leaky("ml", "one", &["one/a.tgz", "one/b.tgz"])).add(leaky("ci", "two", &["two/a.tgz"]));
    for key in ["one/a.tgz", "one/b.tgz", "two/a.tgz"] {
        folder.put_at("ml-artifacts", key, SignedDuration::from_hours(49));
    }
    let desk = Desk::new();
    desk.objects(
        "objects.json",
        &[leaky("ci", "two", &["two/a.tgz"]), leaky("ci", "three", &["three/a.tgz"])],
    );
    desk.put("old.json", desk.run("inspect -f objects.json -o json").out);
    let old = desk.0.path().join("old.json");
    let since = ["--check", "-o", "html", "--since", old.to_str().unwrap()];
    let page = folder.run("inspect", &since).ends_with(0).out;
    let changes = page.split_once("<h2 id=\"changes\">").unwrap().1.split_once("</section>").unwrap().0;
    assert!(changes.contains("2 findings are new (18B), 1 is gone since "), "{changes}");
    assert!(page.contains(">only one was made with --check, which finds more</li>"), "{changes}");
    let changed = page.split_once("<table id=\"changed\"").unwrap().1.split_once("</table>").unwrap().0;
    let rows: Vec<&str> = changed.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 2, "{changed}");
    assert!(rows[0].contains(">new<") && rows[0].contains(">one<") && rows[0].contains("data-v=\"18\">18B<"));
    assert!(rows[1].contains(">gone<") && rows[1].contains(">three<"), "{}", rows[1]);
    assert!(page.contains("<title>ml / &lt;inline&gt; / inline-only: 18B</title>"), "the map is of bytes");
    // Elsewhere it has no place.
    folder
        .run("inspect", &["--since", old.to_str().unwrap()])
        .assert(2, "error: --since needs -o html\nhint: ");
    folder.run("inspect", &["-o", "html", "--since", "nowhere"]).assert(1, "error: cannot read nowhere: ");
}

type Labels = BTreeMap<String, String>;

/// Reads the text format as strictly as promtool does: each metric once and whole, with help and type before its
/// samples, no sample twice.
fn metrics(text: &str) -> BTreeMap<String, Vec<(Labels, f64)>> {
    let mut metrics: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    let (mut helped, mut current) = (String::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            name.clone_into(&mut helped);
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert_eq!(kind, format!("{helped} gauge"));
            assert!(metrics.insert(helped.clone(), Vec::new()).is_none(), "{helped} is there twice");
            current.clone_from(&helped);
            continue;
        }
        let end = line.find(['{', ' ']).unwrap();
        assert_eq!(line[..end], current, "{line}");
        let name_is_good =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(name_is_good(&current));
        let mut labels = Labels::new();
        let mut rest = &line[end..];
        if let Some(mut inner) = rest.strip_prefix('{') {
            loop {
                let (name, after) = inner.split_once("=\"").unwrap();
                assert!(name_is_good(name), "{line}");
                let mut value = String::new();
                let mut chars = after.char_indices();
                let close = loop {
                    match chars.next().unwrap_or_else(|| panic!("{line}")) {
                        (at, '"') => break at,
                        (_, '\\') => value.push(match chars.next().unwrap().1 {
                            'n' => '\n',
                            c @ ('\\' | '"') => c,
                            c => panic!("\\{c} in {line}"),
                        }),
                        (_, c) => value.push(c),
                    }
                };
                assert!(labels.insert(name.to_owned(), value).is_none(), "{line}");
                inner = &after[close + 1..];
                match inner.strip_prefix(',') {
                    Some(more) => inner = more,
                    None => break,
                }
            }
            rest = inner.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
        }
        let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
        let samples = metrics.get_mut(&current).unwrap();
        assert!(samples.iter().all(|(other, _)| *other != labels), "twice: {line}");
        samples.push((labels, value));
    }
    metrics
}

fn sum(samples: &[(Labels, f64)], label: &str, value: &str) -> f64 {
    samples.iter().filter(|(labels, _)| labels[label] == value).map(|(_, count)| count).sum()
}

#[test]
fn metrics_add_up_to_the_summary_and_name_no_workflow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inspect = |source: &str, format: &str| {
        let mut command = plugin(["inspect", "-R", "-f", source, "-o", format]);
        command.current_dir(root);
        Ran::of(command)
    };
    for source in ["tests/fixtures", "examples/cluster"] {
        let text = inspect(source, "prometheus").out;
        let metrics = metrics(&text);
        let document = inspect(source, "json").json();
        let summary = &document["summary"];
        for (verdict, count) in summary["artifacts"].as_object().unwrap() {
            assert_eq!(
                sum(&metrics["argo_gc_artifacts"], "verdict", verdict),
                count.as_f64().unwrap(),
                "{verdict}"
            );
        }
        for (reason, count) in summary["reasons"].as_object().unwrap() {
            let found = sum(&metrics["argo_gc_artifacts"], "reason", reason)
                + sum(&metrics["argo_gc_workflow_findings"], "reason", reason);
            assert_eq!(found, count.as_f64().unwrap(), "{reason}");
        }
        let total = |name: &str| metrics[name].iter().map(|(_, count)| count).sum::<f64>();
        assert_eq!(total("argo_gc_workflows"), summary["workflows"].as_f64().unwrap());
        assert_eq!(total("argo_gc_workflows_leaking"), summary["leakingWorkflows"].as_f64().unwrap());
        assert_eq!(total("argo_gc_finalizers_stuck"), summary["stuckFinalizers"].as_f64().unwrap());
        assert!(total("argo_gc_workflows_hanging") > 0.0);
        // Since when is known where one hangs, and nowhere else.
        let hang = metrics["argo_gc_workflows_hanging"].iter().filter(|(_, count)| *count > 0.0);
        let since = &metrics["argo_gc_workflows_hanging_since_timestamp_seconds"];
        assert!(since.iter().all(|(_, at)| *at > 1.7e9 && *at < jiff::Timestamp::now().as_second() as f64));
        assert!(hang.map(|(labels, _)| labels).eq(since.iter().map(|(labels, _)| labels)));
        assert_eq!(total("argo_gc_gaps"), document["gaps"].as_array().unwrap().len() as f64);
        let made: jiff::Timestamp = document["generatedAt"].as_str().unwrap().parse().unwrap();
        assert!((total("argo_gc_inspection_timestamp_seconds") - made.as_second() as f64).abs() < 300.0);
        assert!(!metrics.contains_key("argo_gc_bytes"), "nothing was looked up");
        let labels: BTreeSet<&String> =
            metrics.values().flatten().flat_map(|(labels, _)| labels.keys()).collect();
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["namespace", "reason", "verdict"]);
    }
}

#[test]
fn metrics_have_bytes_where_storage_was_looked_up() {
    let mut folder = Folder::new();
    folder.add(leaky("ml", "one", &["all/a.tgz", "one/b.tgz"])).add(leaky("ci", "two", &["all/a.tgz"]));
    folder.put_at("ml-artifacts", "all/a.tgz", SignedDuration::from_hours(49));
    let text = folder.run("inspect", &["--check", "-o", "prometheus"]).ends_with(0).out;
    let metrics = metrics(&text);
    // The object of both is there once.
    let total = |name: &str| metrics[name].iter().map(|(_, count)| count).sum::<f64>();
    assert_eq!(
        (total("argo_gc_artifacts"), total("argo_gc_objects"), total("argo_gc_bytes")),
        (3.0, 1.0, 9.0)
    );
}

#[test]
fn metrics_escape_labels_and_stay_few() {
    let desk = Desk::new();
    let evil = "a\"b\\c\nd{x=\"y\"} 1\u{1b}";
    let mut objects: Vec<Value> = (0..1100)
        .map(|at| set(workflow(&format!("wf-{at}")), "/metadata/namespace", json!(format!("ns-{at}"))))
        .collect();
    objects.push(set(workflow("evil"), "/metadata/namespace", json!(evil)));
    desk.objects("one.json", &objects[1100..]);
    let one = metrics(&desk.run("inspect -f one.json -o prometheus").ends_with(0).out);
    assert_eq!(one["argo_gc_artifacts"][0].0["namespace"], "a\"b\\c\\nd{x=\"y\"} 1\\u{1b}");
    desk.objects("many.json", &objects);
    let many = metrics(&desk.run("inspect -f many.json -o prometheus").ends_with(0).out);
    let artifacts = &many["argo_gc_artifacts"];
    assert_eq!(artifacts.len(), 1001);
    assert_eq!(sum(artifacts, "namespace", "_others"), 101.0);
    assert_eq!(sum(artifacts, "verdict", "uncovered"), 1101.0);
}
