//! The node tree as Argo stores it: plain, compressed, or offloaded to SQL (`docs/argo-gc.md#large-workflows`).

use crate::argo::names;
use crate::argo::node::NodeStatus;
use crate::argo::uses::Uses;
use crate::argo::weight::{MAX_WEIGHT, Scale, TooHeavy};
use crate::argo::workflow::Workflow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::io::Read;
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
    #[error("the record holds no nodes, though {0}: an archive's list leaves them out, or it was cut")]
    Absent(&'static str),
    #[error("the record was cut off: {0}")]
    Cut(&'static str),
    #[error("status.compressedNodes is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("status.compressedNodes unpacks to more than {} MiB", MAX_UNPACKED >> 20)]
    TooLarge,
    #[error("status.compressedNodes is {0}")]
    TooHeavy(#[from] TooHeavy),
    #[error("status.compressedNodes ({format}) holds no readable node tree: {source}")]
    Content { format: &'static str, source: serde_json::Error },
}

impl Workflow {
    /// Unpacks `status.compressedNodes` into `status.nodes`; does nothing where nodes are plain.
    ///
    /// # Errors
    /// The nodes are offloaded, left out or cut off, or the compressed form is damaged or larger than
    /// [`MAX_UNPACKED`], or it would take more than [`MAX_WEIGHT`] of memory.
    pub fn hydrate(&mut self) -> Result<(), NodesError> {
        let status = &mut self.status;
        if !status.compressed_nodes.is_empty() {
            status.nodes = unpack(&status.compressed_nodes)?;
            status.compressed_nodes = String::new();
        }
        self.lacks_nodes().map_or(Ok(()), Err)
    }

    /// Returns why the nodes can't be seen although the run had some: they are offloaded, or the record holds none in
    /// any form, or not all of them. Rows of an archive's list hold none (persist/sqldb/workflow_archive.go@v4.1.2).
    pub fn lacks_nodes(&self) -> Option<NodesError> {
        let (meta, status) = (&self.metadata, &self.status);
        if !status.nodes.is_empty() || !status.compressed_nodes.is_empty() {
            return self.cut().map(NodesError::Cut);
        }
        if self.is_offloaded() {
            return Some(NodesError::Offloaded(status.offload_node_status_version.clone()));
        }
        let phase = if status.phase.is_empty() { meta.label(names::PHASE) } else { &status.phase };
        let bare = self.spec.templates.is_empty() && self.spec.workflow_template_ref.is_none();
        let recouped =
            status.artifact_gc_status.as_ref().is_some_and(|status| !status.pods_recouped.is_empty());
        // A run that fails before its first node has none.
        let sign = match phase {
            "Succeeded" => "its run succeeded",
            "Failed" | "Error" if bare => "its run is finished, and it has no templates either",
            "Failed" | "Error" if status.progress.split_once('/').is_some_and(|(_, all)| all != "0") => {
                "its progress counts some"
            }
            "Failed" | "Error" if recouped || !status.task_results_completion_status.is_empty() => {
                "its status mentions their pods"
            }
            _ => return self.cut().map(NodesError::Cut),
        };
        Some(NodesError::Absent(sign))
    }

    /// Returns what shows that the end of the record is missing, as of a YAML file that was cut off: such a file often
    /// still is YAML. Tools sort the fields, so the nodes stand before the phase, and a node ends with its type.
    fn cut(&self) -> Option<&'static str> {
        let Self { metadata, status, .. } = self;
        // The controller writes both at once (markWorkflowPhase, workflow/controller/operator.go@v4.1.2).
        if status.phase.is_empty() && !metadata.label(names::PHASE).is_empty() {
            return Some("a label has its phase, and its status has none");
        }
        // Argo writes no node without a type.
        status.nodes.values().any(|node| node.kind.is_empty()).then_some("one of its nodes has no type")
    }
}

/// Returns the locations that `status.compressedNodes` names.
///
/// # Errors
/// The same as those of [`Workflow::hydrate`].
pub fn uses(compressed: &str) -> Result<Uses, NodesError> {
    unpack(compressed)
}

/// Returns `status.compressedNodes` as JSON text.
///
/// # Errors
/// The same as those of [`Workflow::hydrate`].
pub fn text(compressed: &str) -> Result<Box<RawValue>, NodesError> {
    unpack(compressed)
}

/// Detects the algorithm by its magic bytes as Argo does, and assumes brotli for anything else (util/file
/// DecompressContent@v4.1.2).
fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, NodesError> {
    /// Argo's windows have 32 MiB at most. A frame may ask for more than its content will ever need.
    const ZSTD_WINDOW_LOG: u32 = 26;
    /// The first bits of a brotli stream with windows of up to 1 GiB, which Argo does not write.
    const BROTLI_LARGE_WINDOW: u8 = 0x11;
    let packed = STANDARD.decode(text)?;
    let (format, mut reader): (_, Box<dyn Read + '_>) = match packed.as_slice() {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::Decoder::new(packed.as_slice()).and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Ok(decoder)
            });
            ("zstd", Box::new(decoder.map_err(|error| content("zstd", error))?))
        }
        [0x1f, 0x8b, ..] => ("gzip", Box::new(flate2::read::MultiGzDecoder::new(packed.as_slice()))),
        [first, ..] if first & 0x7f == BROTLI_LARGE_WINDOW => return Err(NodesError::TooLarge),
        _ => ("brotli", Box::new(brotli::Decompressor::new(packed.as_slice(), 4096))),
    };
    let json = weighed(&mut reader, format)?;
    serde_json::from_slice(&json).map_err(|source| NodesError::Content { format, source })
}

/// Reads all that is unpacked, until it is too much: what follows is not even unpacked.
fn weighed(reader: &mut dyn Read, format: &'static str) -> Result<Vec<u8>, NodesError> {
    let mut scale = Scale::for_nodes(MAX_WEIGHT);
    let mut json = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = reader.read(&mut piece).map_err(|error| content(format, error))?;
        if read == 0 {
            return Ok(json);
        }
        scale.add(&piece[..read])?;
        json.extend_from_slice(&piece[..read]);
        if json.len() as u64 > MAX_UNPACKED {
            return Err(NodesError::TooLarge);
        }
    }
}

fn content(format: &'static str, error: io::Error) -> NodesError {
    NodesError::Content { format, source: serde_json::Error::io(error) }
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
    fn a_record_without_its_end_is_unread_and_a_run_without_its_first_node_is_not() {
        let sign = |labelled: &str, phase: &str, nodes: &str| {
            let mut workflow = Workflow::default();
            workflow.metadata.labels.insert(names::PHASE.to_owned(), labelled.to_owned());
            workflow.status.phase = phase.to_owned();
            workflow.status.nodes = serde_json::from_str(nodes).unwrap();
            match workflow.hydrate() {
                Ok(()) => "",
                Err(NodesError::Cut(sign)) => sign,
                Err(other) => panic!("{other}"),
            }
        };
        let whole = r#"{"n": {"type": "Pod"}}"#;
        for labelled in ["Running", "Failed", "Succeeded"] {
            assert_eq!(sign(labelled, "", whole), "a label has its phase, and its status has none");
        }
        assert_eq!(sign("Running", "", "{}"), "a label has its phase, and its status has none");
        let cut = r#"{"m": {"type": "DAG"}, "n": {"id": "n"}}"#;
        assert_eq!(sign("Running", "Running", cut), "one of its nodes has no type");
        assert_eq!(sign("", "", cut), "one of its nodes has no type");
        // One that waits for its controller has no label; a resubmitted one brings nodes.
        for (labelled, phase, nodes) in
            [("", "", "{}"), ("", "", whole), ("Running", "Running", "{}"), ("Running", "Running", whole)]
        {
            assert_eq!(sign(labelled, phase, nodes), "", "{labelled} {phase} {nodes}");
        }
    }

    #[test]
    fn a_bomb_is_bounded() {
        let bomb = vec![b' '; (MAX_UNPACKED + 10) as usize];
        assert!(matches!(hydrated(&gzip(&bomb)), Err(NodesError::TooLarge)));
        // 4 MB of them would take 700 MB of memory, and pack to 5 KB.
        let artifacts = "{},".repeat(4_000_000 / 3);
        let bomb = format!(r#"{{"n":{{"outputs":{{"artifacts":[{artifacts}{{}}]}}}}}}"#);
        for packed in
            [gzip(bomb.as_bytes()), zstd::encode_all(bomb.as_bytes(), 0).unwrap(), brotli(bomb.as_bytes())]
        {
            let refused = hydrated(&packed).unwrap_err();
            assert!(matches!(refused, NodesError::TooHeavy(_)), "{refused}");
            assert!(refused.to_string().starts_with("status.compressedNodes is too large: its first "));
            assert!(matches!(uses(&STANDARD.encode(&packed)), Err(NodesError::TooHeavy(_))));
        }
    }

    #[test]
    fn a_window_is_no_larger_than_argos() {
        // A frame whose header asks for 128 MiB (window descriptor 0x88), and one raw last block of two bytes.
        let frame = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, window, 0x11, 0x00, 0x00, b'{', b'}'];
        assert!(hydrated(&frame(0x80)).is_ok());
        assert!(matches!(hydrated(&frame(0x88)), Err(NodesError::Content { format: "zstd", .. })));
        assert!(matches!(hydrated(&[0x11, 0x1e, 0]), Err(NodesError::TooLarge)));
        assert!(matches!(hydrated(&[0x91, 0x1e, 0]), Err(NodesError::TooLarge)));
    }
}
