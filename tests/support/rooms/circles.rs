//! No two files import each other, directly or through others.

use super::imports::Graph;
use super::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Names every group of files in which each one imports every other, directly or through others.
pub fn check(sources: &[Source], graph: &Graph) -> Vec<String> {
    let reached: BTreeMap<usize, BTreeSet<usize>> =
        graph.keys().map(|file| (*file, reach(graph, *file))).collect();
    let groups: BTreeSet<Vec<usize>> = graph
        .keys()
        .filter(|file| reached[file].contains(file))
        .map(|file| reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect())
        .collect();
    let names = |group: &Vec<usize>| {
        let names: Vec<&str> = group.iter().map(|file| sources[*file].path.as_str()).collect();
        format!("circle: {}", names.join(", "))
    };
    groups.iter().map(names).collect()
}

/// All files that a file imports, directly or through others.
fn reach(graph: &Graph, from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        open.extend(graph[&file].iter().filter(|next| seen.insert(**next)));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::imports::graph;
    use super::super::source::made_up;

    #[test]
    fn a_circle_fails_and_a_line_does_not() {
        let check = |last: &str| {
            let sources = made_up(&[
                ("src/a.rs", "use crate::b::B;"),
                ("src/b.rs", "use crate::c::C;"),
                ("src/c.rs", last),
            ]);
            super::check(&sources, &graph(&sources))
        };
        assert_eq!(check(""), [""; 0]);
        assert_eq!(check("use crate::b::B;"), ["circle: src/b.rs, src/c.rs"]);
        assert_eq!(check("fn f() { crate::a::A }"), ["circle: src/a.rs, src/b.rs, src/c.rs"]);
        assert_eq!(check("#[cfg(test)]\nmod tests { use crate::a::A; }"), [""; 0]);
    }
}
