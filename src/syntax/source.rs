//! One file (or standard input) with its objects, those in lists included.

use crate::syntax::tree;
use crate::syntax::tree::{Node, SyntaxError};
use argo_gc_core::lint::path::{FieldPath, Part};
use serde_json::Value;

/// A text with its objects.
#[derive(Debug)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    pub text: String,
    pub documents: Vec<Document>,
    /// The first value that is no Kubernetes object and doesn't look as if it should be one: directories of
    /// manifests hold other tools' files as well.
    pub foreign: Option<SyntaxError>,
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
    /// It is no YAML or JSON, or holds a value that is no Kubernetes object.
    pub fn parse(name: String, text: String) -> Result<Self, SyntaxError> {
        let (mut documents, mut foreign) = (Vec::new(), None);
        for node in tree::parse(&text)? {
            let ours = ["apiVersion", "metadata", "spec"].iter().any(|field| node.get(field).is_some());
            match unfold(node, &mut documents, "", 0) {
                Err(fault) if !ours && foreign.is_none() => foreign = Some(fault),
                Err(fault) if ours => return Err(fault),
                _ => {}
            }
        }
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

/// `list_kind` is the kind of the list that holds the object; items of a list may leave out their kind.
fn unfold(node: Node, into: &mut Vec<Document>, list_kind: &str, depth: usize) -> Result<(), SyntaxError> {
    let fault = |message: &str| {
        Err(SyntaxError { line: node.line, column: node.column, message: message.to_owned() })
    };
    let kind = match (&node.shape, node.get("kind")) {
        (tree::Shape::Map { .. }, kind) => kind.and_then(Node::text).unwrap_or_default().to_owned(),
        (tree::Shape::Seq { .. }, _) if depth == 0 => {
            return node.items().iter().try_for_each(|item| unfold(item.clone(), into, "", depth + 1));
        }
        _ => return fault("not a Kubernetes object"),
    };
    if let Some(items) = node.get("items").filter(|_| kind.ends_with("List") && depth < 4) {
        return items.items().iter().try_for_each(|item| unfold(item.clone(), into, &kind, depth + 1));
    }
    let kind = match list_kind.strip_suffix("List") {
        Some(of_list) if kind.is_empty() => of_list.to_owned(),
        _ => kind,
    };
    if kind.is_empty() {
        return fault("this object has no kind");
    }
    into.push(Document { value: node.value(), kind, node });
    Ok(())
}
