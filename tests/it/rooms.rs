//! The source files keep to the arrangement that docs/architecture.md describes.

use crate::support::rooms::{circles, imports, order, packages, sizes, source};
use std::path::Path;

#[test]
fn the_sources_keep_to_their_rooms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = source::read(root);
    assert!(sources.len() > 150, "only {} files were found", sources.len());
    let graph = imports::graph(&sources);
    let mut found = order::check(&sources, &graph);
    found.extend(circles::check(&sources, &graph));
    for package in ["crates/core", "crates/store"] {
        let manifest = std::fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
        found.extend(packages::check_manifest(package, &manifest));
    }
    for source in &sources {
        found.extend(packages::check_pure(source));
        found.extend(packages::check_words(source));
        found.extend(sizes::check(source));
    }
    assert!(found.is_empty(), "These break a rule of docs/architecture.md:\n{}", found.join("\n"));
}
