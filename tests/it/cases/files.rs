//! The forms in which people hold their workflows: read alike, or refused with a reason and what to do.

use super::Case;
use crate::support::fixture::Fixture;
use argo_gc::files;
use argo_gc::files::Object;
use argo_gc_core::assess::assess;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;

#[test]
fn files_are_read_whatever_their_form() {
    let case = Case::new("36-file-forms");
    let all = "01-managed.yaml 16-lastapplied.yaml 02-argo-get.json 02-argo-get-notype.json 03-argo-list.json 03-argo-list-notype.json \
               03-argo-list.yaml 04-api-list.json 04-archived-list.json 05-list.json 05-workflowlist.json 07-bom.json 07-bom.yaml \
               07-bom-crlf.yaml 07-crlf.yaml 08.jsonl 08-concat.json 09-directive.yaml 09-multi.yaml 13-tabs-json-in-yaml.yaml \
               14-err.txt 15-compressed.yaml";
    for file in all.split_whitespace() {
        let found = case.run(&format!("inspect -A -f {file} -o json"));
        assert_eq!(found.json()["summary"]["artifacts"]["uncovered"], 1, "{file}: {found:#?}");
    }
    let found = case.run("inspect -A -R -f must-gather -o json").ends_with(0).json();
    assert_eq!(found["summary"]["artifacts"]["uncovered"], 1);
}

#[test]
fn what_is_refused_says_where_and_what_to_do() {
    let case = Case::new("36-file-forms");
    let refused = [
        ("06.yaml.gz", "gzip; unpack it first", "gzip; unpack it first"),
        ("06.json.gz", "gzip", "gzip"),
        (
            "07-latin1.yaml",
            "not UTF-8 text; convert the file, as with iconv",
            "convert the file, as with iconv",
        ),
        ("07-utf16.yaml", "UTF-16 text; convert it", "UTF-16 text; convert it"),
        ("11-helm.yaml", "line 4 column 17: {{ }} outside quotes", "line 4 column 17: {{ }} outside quotes"),
        (
            "13-dup.yaml",
            "line 8 column 3: the key \"generation\" appears twice",
            "the key \"generation\" appears twice",
        ),
        ("13-dup.json", "the key \"generation\" appears twice", "the key \"generation\" appears twice"),
        ("13-tabs.yaml", "line 7 column 2: there is a tab", "line 7 column 2: there is a tab"),
        ("14-trunc.json", "line 1 column 900: it is cut off", "line 1 column 900"),
        (
            "14-warn-prefix.json",
            "no part of the JSON that begins on line 2",
            "no part of the JSON that begins on line 2",
        ),
        ("14-bin.yaml", "this is no text", "this is no text"),
        ("must-gather", "hint: -R descends into folders", "hint: -R descends into folders"),
    ];
    for (file, inspected, linted) in refused {
        let ran = case.run(&format!("inspect -A -f {file}"));
        assert!(
            ran.code != Some(0) && ran.err.contains(inspected) && ran.err.contains(file),
            "{file}: {ran:#?}"
        );
        let ran = case.run(&format!("lint -f {file}"));
        assert!(
            ran.code != Some(0) && ran.err.contains(linted) && ran.err.contains(file),
            "{file}: {ran:#?}"
        );
        for word in ["DuplicateKeyPolicy", "utf-8 sequence", "EOF", "simple key"] {
            assert!(!ran.err.contains(word), "{file}: {}", ran.err);
        }
    }
}

#[test]
fn what_holds_nothing_is_no_error() {
    let case = Case::new("36-file-forms");
    for file in
        "14-empty.yaml 14-comment.yaml 14-null.json 14-nullitems.json 14-emptylist.json".split_whitespace()
    {
        let ran = case.run(&format!("inspect -A -f {file}")).ends_with(0);
        assert!(ran.err.contains("No workflows found"), "{file}: {}", ran.err);
    }
}

#[test]
fn a_workflow_that_was_cut_off_is_unread_and_never_clean() {
    let case = Case::new("36-file-forms");
    let said = case.run("inspect -A -f 14-trunc.yaml").ends_with(0);
    assert!(
        said.out.starts_with("As far as could be read, no artifact is left behind; the nodes of 1 workflow")
    );
    assert!(said.err.contains("Warning: cannot read the nodes of 1 workflow"), "{said:#?}");
    let found = case.run("inspect -A -f 14-trunc.yaml -o json").ends_with(0).json();
    assert_eq!(found["summary"]["reasons"]["nodes-unseen"], 1);
    assert_eq!(found["workflows"][0]["findings"][0]["verdict"], "unknown");
    assert_eq!(found["gaps"][0]["what"], "the nodes of 1 workflow");
    let said = case.run("doctor -A -f 14-trunc.yaml").ends_with(0).out;
    assert!(
        !said.contains("healthy") && said.contains("but the nodes of 1 workflow can't be seen"),
        "{said}"
    );
    // What it refers to is unknown, for its own artifacts as for those of others.
    for more in ["", "-f 01-managed.yaml", "-f 09-multi.yaml"] {
        let said = case.run(&format!("purge -A -f 14-trunc.yaml {more} --dry-run"));
        assert!(said.code == Some(5) && said.err.contains("nodes: workflow team-a/relay-7k2mx"), "{said:#?}");
    }
    let said = case.run("doctor -A -f 14-trunc.json").ends_with(4);
    assert!(!said.out.contains("healthy") && said.err.contains("it is cut off"), "{said:#?}");
    let said = case.run("purge -A -f 14-trunc.json -f 01-managed.yaml --dry-run").ends_with(5);
    assert!(said.err.contains("14-trunc.json: line 1 column 900: it is cut off"), "{said:#?}");
}

#[test]
fn a_list_that_was_cut_off_lacks_its_end() {
    let case = Case::new("36-file-forms");
    let one: String = case.read("01-managed.yaml").lines().map(|line| format!("  {line}\n")).collect();
    let items = format!("apiVersion: v1\nitems:\n-{}", &one[1..]);
    case.write("list.yaml", &format!("{items}kind: List\nmetadata: {{}}\n"));
    assert_eq!(case.run("inspect -A -f list.yaml").ends_with(0).err, "");
    case.write("cut.yaml", &items);
    let said = case.run("inspect -A -f cut.yaml").ends_with(4);
    let why = "cut.yaml: document 1, line 1: the list has no kind: it was cut off";
    assert!(said.err.contains(why) && said.out.contains("inline-only"), "{said:#?}");
    assert!(case.run("purge -A -f cut.yaml --dry-run").ends_with(5).err.contains(why));
    for (text, why) in [
        ("apiVersion: argoproj.io/v1alpha1\n", "it has no kind: it was cut off"),
        (
            "apiVersion: v1\nkind: Workflow\nmetadata:\n  name: w\n",
            "cannot read w in begun.yaml (it has no spec",
        ),
    ] {
        case.write("begun.yaml", text);
        assert!(case.run("inspect -A -f begun.yaml").ends_with(4).err.contains(why), "{text}");
        case.run("purge -A -f begun.yaml -f 01-managed.yaml --dry-run").ends_with(5);
    }
}

/// The assessment of one workflow; none if its text is refused, or is that of a workflow that has not run.
fn assessed(text: &str) -> Option<Assessment> {
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let context = Context { now, controllers: Controllers::default(), related: Related::default() };
    let mut found = None;
    let end = files::read_from("test", &mut text.as_bytes(), &mut |object, _| {
        if let Object::Workflow(mut workflow) = object {
            let has_run = !workflow.status.phase.is_empty() || !workflow.metadata.uid.is_empty();
            found = has_run.then(|| assess(&mut workflow, &context));
        }
        true
    });
    end.ok().and(found)
}

#[test]
fn a_leak_that_is_cut_off_at_any_line_is_never_clean() {
    let is_leak = |artifact: &&ArtifactReport| artifact.verdict <= Verdict::Failing;
    let mut cuts = 0;
    for fixture in Fixture::all().iter().filter(|fixture| fixture.is_hit()) {
        let is_workflow = |text: &&str| text.lines().any(|line| line == "kind: Workflow");
        let workflow = fixture.text.split("\n---\n").find(is_workflow);
        let Some((text, whole)) = workflow.and_then(|text| Some((text, assessed(text)?))) else { continue };
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let leaks: Vec<_> = whole.artifacts.iter().filter(is_leak).collect();
        for end in (1..lines.len()).filter(|_| !leaks.is_empty()) {
            cuts += 1;
            let Some(cut) = assessed(&lines[..end].concat()) else { continue };
            if cut.findings.iter().any(|finding| Reason::UNSEEN.contains(&finding.reason)) {
                continue;
            }
            for leak in &leaks {
                let same = |found: &&ArtifactReport| found.node_id == leak.node_id && found.name == leak.name;
                let found = cut.artifacts.iter().find(same);
                let is_told = found.is_some_and(|found| found.verdict <= Verdict::Unknown);
                assert!(is_told, "{}, cut after line {end}: {found:?}", fixture.path.display());
            }
        }
    }
    assert!(cuts > 1000, "{cuts}");
}
