//! Which file imports which: `use` trees and paths written out in code.

use super::source::Source;
use super::strip::closing;
use std::collections::{BTreeMap, BTreeSet};

/// Every file with the files that it imports, both as indices.
pub type Graph = BTreeMap<usize, BTreeSet<usize>>;

/// Finds the imports between files. The declaration of a module (`mod a;`) is none.
pub fn graph(sources: &[Source]) -> Graph {
    let modules: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(at, source)| (&source.module[..], at)).collect();
    let mut graph = Graph::new();
    for (at, source) in sources.iter().enumerate() {
        let targets = paths(&without_macros(&source.code)).into_iter().filter_map(|path| {
            let path = absolute(&path, &source.module, &modules)?;
            (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]).copied())
        });
        graph.insert(at, targets.filter(|target| *target != at).collect());
    }
    graph
}

/// The path from the crate down; none if it does not begin at a module that is known here.
fn absolute(path: &[String], module: &[String], modules: &BTreeMap<&[String], usize>) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut base = module.to_vec();
    match first.as_str() {
        "crate" => base.truncate(1),
        "self" => {}
        "super" => {
            base.pop();
            while let Some((_, more)) = rest.split_first().filter(|(name, _)| *name == "super") {
                base.pop();
                rest = more;
            }
        }
        first => {
            let is_package = modules.contains_key(&[first.to_owned()][..]);
            let child: Vec<String> = module.iter().cloned().chain([first.to_owned()]).collect();
            match is_package {
                true => base = vec![first.to_owned()],
                false if modules.contains_key(&child[..]) => base = child,
                false => return None,
            }
        }
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Removes the definitions of macros: their paths count where the macro is used.
fn without_macros(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("macro_rules!") {
        kept.push_str(&rest[..at]);
        let end = rest[at..].find('{').map_or(rest.len(), |open| closing(rest, at + open) + 1);
        rest = &rest[end..];
    }
    kept + rest
}

/// All paths of at least two names in the code, with the trees of `use` taken apart.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            at = tree(&tokens, at + 1, &[], &mut paths);
        } else if is_name(tokens[at]) && at.checked_sub(1).is_none_or(|before| tokens[before] != "::") {
            let mut path = vec![tokens[at].to_owned()];
            while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|name| is_name(name)) {
                path.push(tokens[at + 2].to_owned());
                at += 2;
            }
            at += 1;
            if path.len() > 1 {
                paths.push(path);
            }
        } else {
            at += 1;
        }
    }
    paths
}

/// Reads one tree of a `use`; gives the position behind it.
fn tree(tokens: &[&str], mut at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match *token {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = tree(tokens, at, &path, paths);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            "as" => at += 2,
            name if is_name(name) => {
                // `a::{self}` is `a`.
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            "*" => at += 1,
            _ => break,
        }
    }
    paths.push(path);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            _ if rest.starts_with("::") => 2,
            first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::super::source::made_up;
    use super::*;

    fn imports(code: &str) -> Vec<String> {
        let sources = made_up(&[
            ("src/scan/files.rs", code),
            ("src/scan.rs", ""),
            ("crates/core/src/lib.rs", ""),
            ("src/scan/files/deep.rs", ""),
            ("src/scan/gather.rs", ""),
            ("src/error.rs", ""),
            ("src/cli/purge.rs", ""),
            ("crates/core/src/model/bucket.rs", ""),
            ("crates/core/src/verdict.rs", ""),
        ]);
        graph(&sources)[&0].iter().map(|target| sources[*target].path.clone()).collect()
    }

    #[test]
    fn every_way_to_write_an_import_is_found() {
        for (code, wanted) in [
            ("use crate::error::Error;", vec!["src/error.rs"]),
            ("use crate::{error::{self, Error}, cli::purge as p};", vec!["src/error.rs", "src/cli/purge.rs"]),
            ("pub(crate) use super::gather::*;", vec!["src/scan/gather.rs"]),
            ("use super::super::error::Error;", vec!["src/error.rs"]),
            ("fn f() { crate::error::Error::new() }", vec!["src/error.rs"]),
            ("fn f(b: &argo_gc_core::model::bucket::Bucket) {}", vec!["crates/core/src/model/bucket.rs"]),
            (
                "use argo_gc_core::{model::bucket::Bucket, verdict::Verdict};",
                vec!["crates/core/src/model/bucket.rs", "crates/core/src/verdict.rs"],
            ),
            ("mod deep; fn f() { deep::g() }", vec!["src/scan/files/deep.rs"]),
            ("use self::deep::g;", vec!["src/scan/files/deep.rs"]),
            ("macro_rules! m { () => { crate::error::Error } }", vec![]),
            ("mod deep; // crate::error", vec![]),
            ("use std::error::Error; const A: &str = \"crate::error::Error\";", vec![]),
            ("#[cfg(test)]\nmod tests { use crate::error::Error; }", vec![]),
        ] {
            assert_eq!(imports(code), wanted, "{code}");
        }
    }
}
