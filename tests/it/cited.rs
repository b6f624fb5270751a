//! What docs/dangers.md cites as a guard's test is there.

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One danger's line of tests, as parts of names and the files they are in.
fn cited(line: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let parts = line.trim_end_matches('.').split("; ");
    let part = |part: &str| {
        let names = part.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let words = part.split(|c: char| c.is_whitespace() || c == ',');
        let files = words.filter(|word| word.ends_with(".rs")).map(str::to_owned).collect();
        (names, files)
    };
    parts.map(part).collect()
}

/// Whether a file has the test. A name with `*` at its end stands for all that begin so, and the server that a test
/// needs may be left out.
fn has(text: &str, name: &str) -> bool {
    let (start, any) = name.strip_suffix('*').map_or((name, false), |start| (start, true));
    text.split("fn ").skip(1).filter_map(|rest| rest.split_once('(')).any(|(found, _)| {
        let rest = found.strip_prefix(start);
        rest.is_some_and(|rest| {
            any || rest.is_empty() || rest.starts_with("_on_") || rest.starts_with("_in_")
        })
    })
}

/// What is cited and isn't there, with the danger's heading.
fn missing(page: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut missing, mut heading) = (Vec::new(), "");
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name;
        }
        let Some(line) = line.strip_prefix("- Test: ") else { continue };
        for (names, files) in cited(line) {
            let texts: Vec<String> = files.iter().filter_map(|file| read(file)).collect();
            if names.is_empty() || files.is_empty() || texts.len() < files.len() {
                missing.push(format!("{heading}: a file of {files:?} or a name of {names:?}"));
            }
            // Every name is in one of the files, and every file has one of the names.
            let absent = names.iter().filter(|name| !texts.iter().any(|text| has(text, name)));
            missing.extend(absent.map(|name| format!("{heading}: {name}")));
            let idle = files.iter().zip(&texts).filter(|(_, text)| !names.iter().any(|name| has(text, name)));
            missing.extend(idle.map(|(file, _)| format!("{heading}: none of the tests is in {file}")));
        }
    }
    missing
}

#[test]
fn every_danger_names_tests_that_are_there() {
    let page = std::fs::read_to_string(root().join("docs/dangers.md")).unwrap();
    let read = |file: &str| std::fs::read_to_string(root().join(file)).ok();
    let missing = missing(&page, &read);
    assert!(missing.is_empty(), "docs/dangers.md cites what isn't there:\n{}", missing.join("\n"));
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    let read = |file: &str| (file == "a.rs").then(|| "fn danger_1_x_on_moto() {} fn b() {}".to_owned());
    for (line, missed) in [
        ("`danger_1_x` in a.rs; `danger_*` and `b` in a.rs.", 0),
        ("`danger_1` in a.rs.", 2),
        ("`b` and `c` in a.rs.", 1),
        ("`b` in a.rs and b.rs.", 1),
        ("no test yet.", 1),
    ] {
        let page = format!("## Danger 1\n- Test: {line}\n");
        assert_eq!(missing(&page, &read).len(), missed, "{line}: {:?}", missing(&page, &read));
    }
}
