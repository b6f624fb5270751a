//! The node tree as Argo stores it: plain, compressed, or offloaded to SQL (`docs/argo-gc.md#large-workflows`).

use crate::argo::node::NodeStatus;
use crate::argo::uses::Uses;
use crate::argo::workflow::Workflow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::io::{BufReader, Read};
use thiserror::Error;

/// Node trees by node ID.
pub type Nodes = BTreeMap<String, NodeStatus>;

/// The most bytes of JSON that one compressed node tree may unpack to.
///
/// Argo compresses above 1 MiB and etcd holds 1.5 MiB at most, so an honest tree stays far below.
pub const MAX_UNPACKED: u64 = 64 << 20;

/// The reason why a workflow's nodes cannot be seen.
#[derive(Debug, Error)]
pub enum NodesError {
    #[error("node status is offloaded to the controller's database (version {0})")]
    Offloaded(String),
    #[error("status.compressedNodes is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("status.compressedNodes unpacks to more than {} MiB", MAX_UNPACKED >> 20)]
    TooLarge,
    #[error("status.compressedNodes ({format}) holds no readable node tree: {source}")]
    Content { format: &'static str, source: serde_json::Error },
}

impl Workflow {
    /// Unpacks `status.compressedNodes` into `status.nodes`; does nothing where nodes are plain.
    ///
    /// # Errors
    /// The nodes are offloaded, or the compressed form is damaged or larger than [`MAX_UNPACKED`].
    pub fn hydrate(&mut self) -> Result<(), NodesError> {
        let status = &mut self.status;
        if !status.compressed_nodes.is_empty() {
            status.nodes = unpack(&status.compressed_nodes)?;
            status.compressed_nodes = String::new();
        } else if status.nodes.is_empty() && !status.offload_node_status_version.is_empty() {
            return Err(NodesError::Offloaded(status.offload_node_status_version.clone()));
        }
        Ok(())
    }
}

/// Returns the locations that `status.compressedNodes` names.
///
/// # Errors
/// The same as those of [`Workflow::hydrate`].
pub fn uses(compressed: &str) -> Result<Uses, NodesError> {
    unpack(compressed)
}

/// Returns the node tree of `status.compressedNodes` as text.
///
/// # Errors
/// The same as those of [`Workflow::hydrate`].
pub fn text(compressed: &str) -> Result<String, NodesError> {
    unpack::<serde_json::Value>(compressed).map(|nodes| nodes.to_string())
}

/// Detects the algorithm by its magic bytes as Argo does, and assumes brotli for anything else (util/file
/// DecompressContent@v4.1.2).
fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, NodesError> {
    let packed = STANDARD.decode(text)?;
    let (format, reader): (_, Box<dyn Read + '_>) = match packed.as_slice() {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => match zstd::Decoder::new(packed.as_slice()) {
            Ok(decoder) => ("zstd", Box::new(decoder)),
            Err(error) => return Err(content("zstd", error)),
        },
        [0x1f, 0x8b, ..] => ("gzip", Box::new(flate2::read::MultiGzDecoder::new(packed.as_slice()))),
        _ => ("brotli", Box::new(brotli::Decompressor::new(packed.as_slice(), 4096))),
    };
    let mut bounded = Bounded { inner: reader, left: MAX_UNPACKED, exceeded: false };
    let parsed = serde_json::from_reader(BufReader::new(&mut bounded));
    match parsed {
        Ok(nodes) => Ok(nodes),
        Err(_) if bounded.exceeded => Err(NodesError::TooLarge),
        Err(source) => Err(NodesError::Content { format, source }),
    }
}

fn content(format: &'static str, error: io::Error) -> NodesError {
    NodesError::Content { format, source: serde_json::Error::io(error) }
}

/// A reader that fails after a number of bytes, which bounds the cost of a decompression bomb.
struct Bounded<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded = true;
                return Err(io::Error::other("too large"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::workflow::Workflow;
    use base64::engine::general_purpose::STANDARD;
    use std::io::Write;

    const TREE: &[u8] = br#"{"wf-1":{"id":"wf-1","name":"wf","type":"Pod","startedAt":null}}"#;

    fn hydrated(packed: &[u8]) -> Result<Workflow, NodesError> {
        let mut workflow = Workflow::default();
        workflow.status.compressed_nodes = STANDARD.encode(packed);
        workflow.hydrate().map(|()| workflow)
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(content: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        brotli::CompressorWriter::new(&mut packed, 4096, 5, 22).write_all(content).unwrap();
        packed
    }

    #[test]
    fn reads_every_compression_argo_writes() {
        for packed in [gzip(TREE), zstd::encode_all(TREE, 0).unwrap(), brotli(TREE)] {
            assert!(hydrated(&packed).unwrap().status.nodes["wf-1"].is_pod());
        }
    }

    #[test]
    fn refuses_damage_and_offloading_with_the_reason() {
        assert!(matches!(hydrated(b"\x1f\x8b nonsense"), Err(NodesError::Content { format: "gzip", .. })));
        assert!(matches!(hydrated(b"nonsense"), Err(NodesError::Content { format: "brotli", .. })));
        let cut = &gzip(TREE)[..20];
        assert!(matches!(hydrated(cut), Err(NodesError::Content { .. })));
        let mut workflow = Workflow::default();
        workflow.status.compressed_nodes = "%".into();
        assert!(matches!(workflow.hydrate(), Err(NodesError::Base64(_))));
        let mut workflow = Workflow::default();
        workflow.status.offload_node_status_version = "fnv:1".into();
        assert!(matches!(workflow.hydrate(), Err(NodesError::Offloaded(_))));
    }

    #[test]
    fn a_bomb_is_bounded() {
        let bomb = vec![b' '; (MAX_UNPACKED + 10) as usize];
        assert!(matches!(hydrated(&gzip(&bomb)), Err(NodesError::TooLarge)));
    }
}
