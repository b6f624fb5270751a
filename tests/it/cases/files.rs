//! The forms in which people hold their workflows: read alike, or refused with a reason and what to do.

use super::Case;

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
