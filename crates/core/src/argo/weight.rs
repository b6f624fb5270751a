//! The memory that JSON takes once it is decoded, estimated from the text alone.
//!
//! Whoever may write a workflow may fill it with `{},{},`: three bytes become an artifact of hundreds, and 82 KB that
//! unpack to 64 MB become gigabytes. So a text is weighed before it is decoded, and one that is too heavy is an object
//! that can't be read, like any other malformed one.

use thiserror::Error;

/// The most memory that one object, or one compressed node tree, may take.
///
/// Honest trees weigh about ten times their text, which etcd's limit of 1.5 MiB keeps below 20 MB even if it was
/// compressed.
pub const MAX_WEIGHT: u64 = 256 << 20;

/// The most memory that a workflow may take whose nodes come from a database, where etcd's limit does not hold.
pub const MAX_WHOLE_WEIGHT: u64 = 1 << 30;

/// An object at a level where nodes and templates are, which are the largest structs.
const NODE: u64 = 1024;

/// Any other object.
const OBJECT: u64 = 256;

/// Any other value: an item of a list, or an entry of a map.
const VALUE: u64 = 64;

/// Why a text is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too large: its first {} KiB of JSON would already take {} MiB of memory", bytes.div_ceil(1024), limit >> 20)]
pub struct TooHeavy {
    /// How many bytes were looked at.
    pub bytes: u64,
    /// The most that is allowed.
    pub limit: u64,
}

/// Weighs a JSON text that comes in pieces.
#[derive(Debug)]
pub struct Scale {
    /// Objects at this many levels weigh what a node weighs.
    node_levels: u32,
    limit: u64,
    depth: u32,
    in_string: bool,
    escaped: bool,
    bytes: u64,
    weight: u64,
}

impl Scale {
    /// A scale for whole objects, whose nodes and templates are up to four levels deep
    /// (`status.storedWorkflowTemplateSpec.templates[]`).
    pub fn for_object(limit: u64) -> Self {
        Self { node_levels: 5, limit, depth: 0, in_string: false, escaped: false, bytes: 0, weight: 0 }
    }

    /// A scale for a map of nodes.
    pub fn for_nodes(limit: u64) -> Self {
        Self { node_levels: 2, ..Self::for_object(limit) }
    }

    /// Adds the next piece.
    ///
    /// # Errors
    /// The text is too heavy.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), TooHeavy> {
        self.bytes += piece.len() as u64;
        self.weight += piece.len() as u64;
        for byte in piece {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => {
                    self.weight += if self.depth < self.node_levels { NODE } else { OBJECT };
                    self.depth += 1;
                }
                b'[' => {
                    self.weight += VALUE;
                    self.depth += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' => self.weight += VALUE,
                _ => {}
            }
        }
        match self.weight > self.limit {
            true => Err(TooHeavy { bytes: self.bytes, limit: self.limit }),
            false => Ok(()),
        }
    }
}

/// Returns true if a text, or any part of it, is surely light enough. It is quick, so that ordinary texts are not looked at
/// byte by byte.
pub fn is_light(json: &[u8]) -> bool {
    let length = json.len() as u64;
    if length * NODE <= MAX_WEIGHT {
        return true;
    }
    let (mut objects, mut values) = (0, 0);
    for byte in json {
        objects += u64::from(*byte == b'{');
        values += u64::from(*byte == b',' || *byte == b'[');
    }
    length + objects * NODE + values * VALUE <= MAX_WEIGHT
}

/// Weighs the text of one object.
///
/// # Errors
/// The text is too heavy.
pub fn check(json: &[u8], limit: u64) -> Result<(), TooHeavy> {
    /// How much is weighed before the weight is compared.
    const PIECE: usize = 64 << 10;
    if is_light(json) {
        return Ok(());
    }
    let mut scale = Scale::for_object(limit);
    json.chunks(PIECE).try_for_each(|piece| scale.add(piece))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::artifact::Artifact;
    use crate::argo::node::NodeStatus;
    use crate::argo::template::{Step, Template};

    #[test]
    fn a_decoded_struct_is_no_larger_than_its_weight() {
        // Lists double as they grow, and the leaves of a map are half full.
        assert!(2 * size_of::<NodeStatus>() as u64 <= NODE + VALUE, "{}", size_of::<NodeStatus>());
        assert!(2 * size_of::<Template>() as u64 <= NODE + VALUE, "{}", size_of::<Template>());
        assert!(size_of::<Artifact>() as u64 <= OBJECT + VALUE, "{}", size_of::<Artifact>());
        // An inline template is an object within a step.
        let inline = size_of::<Step>() + size_of::<Template>();
        assert!(inline as u64 <= 2 * OBJECT + VALUE, "{inline}");
    }

    #[test]
    fn what_is_within_texts_has_no_weight_of_its_own() {
        let weight = |json: &str| {
            let mut scale = Scale::for_nodes(u64::MAX);
            scale.add(json.as_bytes()).unwrap();
            scale.weight - scale.bytes
        };
        assert_eq!(weight(r#"{"a{,\"[":"{{{,,,\\"}"#), NODE);
        assert_eq!(weight(r#"{"a":{"b":{},"c":[{}]}}"#), 2 * NODE + 2 * OBJECT + 2 * VALUE);
        // A piece may end anywhere.
        let text = r#"{"a\"{":"{\\","b":{}}"#;
        for at in 0..text.len() {
            let mut scale = Scale::for_nodes(u64::MAX);
            scale.add(&text.as_bytes()[..at]).unwrap();
            scale.add(&text.as_bytes()[at..]).unwrap();
            assert_eq!(scale.weight - scale.bytes, weight(text), "{at}");
        }
    }

    #[test]
    fn an_honest_object_of_the_largest_size_is_light() {
        // A pod's node as Argo writes it, with three artifacts.
        let artifact = r#"{"name":"main-logs","s3":{"accessKeySecret":{"key":"accesskey","name":"my-minio-cred"},"bucket":"my-bucket","endpoint":"minio:9000","insecure":true,"key":"artifacts/train-x7k2p/train-x7k2p-step-1234567890/main.log","secretKeySecret":{"key":"secretkey","name":"my-minio-cred"}}}"#;
        let node = format!(
            r#""train-x7k2p-1234567890":{{"boundaryID":"train-x7k2p","displayName":"step(0)","finishedAt":"2026-11-20T12:00:00Z","hostNodeName":"node","id":"train-x7k2p-1234567890","name":"train-x7k2p[0].step(0)","outputs":{{"artifacts":[{artifact},{artifact},{artifact}],"exitCode":"0"}},"phase":"Succeeded","resourcesDuration":{{"cpu":1,"memory":1}},"startedAt":"2026-11-20T11:00:00Z","templateName":"step","type":"Pod"}},"#
        );
        let nodes = node.repeat((20 << 20) / node.len());
        let mut scale = Scale::for_nodes(MAX_WEIGHT);
        assert_eq!(scale.add(format!("{{{nodes}").as_bytes()), Ok(()));
        assert!(is_light(format!("{{{}", &nodes[..1_500_000]).as_bytes()));
    }

    #[test]
    fn a_heavy_text_is_refused_early() {
        let text = format!("[{}]", "{},".repeat(2_000_000));
        assert!(!is_light(text.as_bytes()));
        let refused = check(text.as_bytes(), MAX_WEIGHT).unwrap_err();
        assert!(refused.bytes < 1 << 20, "{refused:?}");
        assert!(refused.to_string().starts_with("too large: its first "), "{refused}");
        // A long text that is plain is not.
        assert_eq!(check(format!("\"{}\"", "a{,".repeat(2_000_000)).as_bytes(), MAX_WEIGHT), Ok(()));
    }
}
