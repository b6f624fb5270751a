//! One file (or standard input) with its objects, those in lists included.

use crate::syntax::tree;
use crate::syntax::tree::{Node, Shape, SyntaxError};
use argo_gc_core::lint::path::{FieldPath, Part};
use serde_json::Value;

/// How deep lists may lie in one another.
const LISTS: usize = 4;

/// How the apiVersion of an object of Argo's begins.
const ARGO: &str = "argoproj.io/";

/// A text with its objects.
#[derive(Debug)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    pub text: String,
    pub documents: Vec<Document>,
    /// The value that is no Kubernetes object: directories of manifests hold other tools' files as well. Of several the
    /// one that looks most as if it should be one.
    pub foreign: Option<Foreign>,
}

/// A value that is no Kubernetes object.
#[derive(Debug, Clone)]
pub struct Foreign {
    pub fault: SyntaxError,
    pub looks: Looks,
}

/// What a value looks as if it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looks {
    /// Another tool's file, such as a chart's Chart.yaml.
    Foreign,
    /// Perhaps a Kubernetes object.
    Perhaps,
    /// An object of Argo's API, for it says so.
    Argo,
}

/// One Kubernetes object.
#[derive(Debug)]
pub struct Document {
    pub node: Node,
    pub value: Value,
    pub kind: String,
}

impl Source {
    /// Reads a text.
    ///
    /// # Errors
    /// It is no YAML or JSON.
    pub fn parse(name: String, text: String) -> Result<Self, SyntaxError> {
        let mut objects = Objects::default();
        tree::parse(&text)?.into_iter().for_each(|node| objects.unfold(node, Lists::default()));
        let Objects { documents, foreign } = objects;
        Ok(Self { name, text, documents, foreign })
    }
}

impl Document {
    /// The node at a path, or the last node that exists on the way to it.
    pub fn at(&self, path: &FieldPath) -> &Node {
        reach(&self.node, path).0
    }
}

/// The node at a path below another one, or the last node that exists on the way to it, and what is left of the path.
pub(crate) fn reach<'n>(from: &'n Node, path: &FieldPath) -> (&'n Node, FieldPath) {
    let mut node = from;
    for (at, part) in path.0.iter().enumerate() {
        let next = match part {
            Part::Key(key) => node.get(key),
            Part::Index(at) => node.item(*at),
        };
        match next {
            Some(next) => node = next,
            None => return (node, FieldPath(path.0[at..].to_vec())),
        }
    }
    (node, FieldPath::default())
}

/// The objects of a text, and what is none.
#[derive(Default)]
struct Objects {
    documents: Vec<Document>,
    foreign: Option<Foreign>,
}

/// The lists that an object is in.
#[derive(Debug, Clone, Copy, Default)]
struct Lists<'l> {
    depth: usize,
    /// The kind of the innermost one; its items may leave out their kind. Empty where it is a mere array.
    kind: &'l str,
}

impl Objects {
    fn unfold(&mut self, node: Node, lists: Lists<'_>) {
        let Lists { depth, kind: list_kind } = lists;
        let kind = match (&node.shape, node.get("kind")) {
            (Shape::Map { .. }, kind) => kind.and_then(Node::text).unwrap_or_default().to_owned(),
            (Shape::Seq { .. }, _) if depth == 0 => return self.items(&node, Lists { depth: 1, kind: "" }),
            _ => return self.leave_out(&node, lists, "not a Kubernetes object"),
        };
        if let Some(items) = node.get("items").filter(|_| kind.ends_with("List") && depth < LISTS) {
            return self.items(items, Lists { depth: depth + 1, kind: &kind });
        }
        let kind = match list_kind.strip_suffix("List") {
            Some(of_list) if kind.is_empty() => of_list.to_owned(),
            _ => kind,
        };
        if kind.is_empty() {
            return self.leave_out(&node, lists, "this object has no kind");
        }
        self.documents.push(Document { value: node.value(), kind, node });
    }

    fn items(&mut self, list: &Node, lists: Lists<'_>) {
        list.items().iter().for_each(|item| self.unfold(item.clone(), lists));
    }

    fn leave_out(&mut self, node: &Node, lists: Lists<'_>, message: &str) {
        // Only Kubernetes has lists of a kind.
        let least = if lists.kind.is_empty() { Looks::Foreign } else { Looks::Perhaps };
        let looks = looks(node, lists.depth).max(least);
        if self.foreign.as_ref().is_none_or(|known| known.looks < looks) {
            let fault = SyntaxError { line: node.line, column: node.column, message: message.to_owned() };
            self.foreign = Some(Foreign { fault, looks });
        }
    }
}

/// What a value that is no object looks as if it should be.
fn looks(node: &Node, depth: usize) -> Looks {
    let has = |field| node.get(field).is_some();
    // A chart's Chart.yaml has an apiVersion as well, without a group.
    let own = match node.get("apiVersion").and_then(Node::text) {
        Some(api) if api.starts_with(ARGO) => Looks::Argo,
        Some(api) if api.contains('/') || has("items") => Looks::Perhaps,
        _ if has("metadata") || has("spec") => Looks::Perhaps,
        _ => Looks::Foreign,
    };
    // The kind of a list follows its items, so what was cut off has none.
    let items = node.get("items").filter(|_| depth < LISTS).into_iter().flat_map(Node::items);
    items.map(|item| looks(item, depth + 1)).fold(own, Looks::max)
}
