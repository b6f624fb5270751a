//! One file (or standard input) with its documents, lists unfolded.

use super::tree::{self, Fault, Node};
use crate::gc::lint::{FieldPath, Part};
use serde_json::Value;

/// A text with the objects in it.
#[derive(Debug)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    pub text: String,
    pub documents: Vec<Document>,
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
    /// It is no YAML or JSON, or something in it is no Kubernetes object.
    pub fn parse(name: String, text: String) -> Result<Self, Fault> {
        let mut documents = Vec::new();
        // Positions are those of the file, so the mark before the text is left to the parser.
        for node in tree::parse(&text)? {
            unfold(node, &mut documents, 0)?;
        }
        Ok(Self { name, text, documents })
    }
}

impl Document {
    /// The node at a path, or the last one there is on the way to it.
    pub fn at(&self, path: &FieldPath) -> &Node {
        let mut node = &self.node;
        for part in &path.0 {
            let next = match part {
                Part::Key(key) => node.get(key),
                Part::Index(at) => node.item(*at),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

fn unfold(node: Node, into: &mut Vec<Document>, depth: usize) -> Result<(), Fault> {
    let fault = |message: &str| {
        Err(Fault { line: node.line, column: node.column, message: message.to_owned() })
    };
    let kind = match (&node.shape, node.get("kind")) {
        (tree::Shape::Map { .. }, kind) => kind.and_then(Node::text).unwrap_or_default().to_owned(),
        (tree::Shape::Seq { .. }, _) if depth == 0 => {
            return node.items().iter().try_for_each(|item| unfold(item.clone(), into, depth + 1));
        }
        _ => return fault("not a Kubernetes object"),
    };
    if let Some(items) = node.get("items").filter(|_| kind.ends_with("List") && depth < 4) {
        return items.items().iter().try_for_each(|item| unfold(item.clone(), into, depth + 1));
    }
    if kind.is_empty() {
        return fault("this object has no kind");
    }
    into.push(Document { value: node.value(), kind, node });
    Ok(())
}
