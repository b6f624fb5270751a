//! Which room may import which.

use super::imports::Graph;
use super::source::Source;

/// The rooms from the bottom up, each with the rooms that it may import.
pub const ROOMS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("store", &["core"]),
    ("duration", &[]),
    ("interrupt", &[]),
    ("progress", &[]),
    ("error", &["core", "store", "duration", "interrupt"]),
    ("disk_queue", &["error"]),
    ("delivery", &["store"]),
    ("push", &["delivery"]),
    ("webhook", &["delivery"]),
    ("syntax", &["core", "error"]),
    ("files", &["core", "syntax", "duration", "error", "interrupt"]),
    ("cluster", &["core", "duration", "error", "interrupt", "progress", "disk_queue"]),
    ("fix", &["core", "syntax", "error"]),
    (
        "scan",
        &["core", "store", "cluster", "files", "duration", "error", "interrupt", "progress", "disk_queue"],
    ),
    (
        "purge",
        &[
            "core",
            "store",
            "cluster",
            "files",
            "scan",
            "duration",
            "error",
            "interrupt",
            "progress",
            "disk_queue",
        ],
    ),
    // The shapes of what is printed come from the rooms that make it.
    ("output", &["core", "store", "syntax", "purge", "duration", "error", "progress", "disk_queue"]),
    (
        "cli",
        &[
            "core",
            "store",
            "syntax",
            "files",
            "cluster",
            "fix",
            "scan",
            "purge",
            "push",
            "webhook",
            "delivery",
            "output",
            "duration",
            "error",
            "interrupt",
            "progress",
            "disk_queue",
        ],
    ),
    ("main", &["lib", "cli", "error", "interrupt"]),
    ("lib", &[]),
];

/// Names every import that the order does not allow, and every file in no known room.
pub fn check(sources: &[Source], graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (file, targets) in graph {
        let source = &sources[*file];
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room()) else {
            found.push(format!("order: {} is in no room", source.path));
            continue;
        };
        let up = targets.iter().map(|target| &sources[*target]);
        let up = up.filter(|target| target.room() != source.room() && !allowed.contains(&target.room()));
        found.extend(up.map(|target| format!("order: {} imports {}", source.path, target.path)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::imports::graph;
    use super::super::source::made_up;
    use super::*;

    #[test]
    fn an_import_up_fails_and_one_down_does_not() {
        for (path, code, wanted) in [
            ("src/cli/inspect.rs", "use crate::scan::Scan;", ""),
            ("src/output/table.rs", "use argo_gc_core::verdict::Verdict;", ""),
            ("src/scan.rs", "use crate::cli::inspect::A;", "order: src/scan.rs imports src/cli/inspect.rs"),
            (
                "crates/core/src/verdict.rs",
                "fn f() { argo_gc_store::g() }",
                "order: crates/core/src/verdict.rs imports crates/store/src/lib.rs",
            ),
            ("src/attic.rs", "", "order: src/attic.rs is in no room"),
        ] {
            let mut files = vec![
                ("src/cli/inspect.rs", ""),
                ("src/scan.rs", ""),
                ("crates/core/src/verdict.rs", ""),
                ("crates/store/src/lib.rs", ""),
            ];
            files.retain(|(other, _)| *other != path);
            files.push((path, code));
            let sources = made_up(&files);
            assert_eq!(check(&sources, &graph(&sources)).join("\n"), wanted);
        }
    }

    #[test]
    fn the_order_itself_has_no_arrow_up() {
        for (at, (room, allowed)) in ROOMS.iter().enumerate() {
            let below: Vec<&str> = ROOMS[..at].iter().map(|(room, _)| *room).collect();
            let up: Vec<_> =
                allowed.iter().filter(|other| !below.contains(other) && **other != "lib").collect();
            assert!(up.is_empty(), "{room} may import {up:?}");
        }
    }
}
