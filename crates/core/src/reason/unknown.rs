//! Workflows for which the evidence is not sufficient.

use crate::reason::entry::{BASE, Entry, Group, Link};
use crate::verdict::Verdict;

const UNKNOWN: Entry =
    Entry { group: Group::Unknown, verdicts: &[Verdict::Unknown], link: Link::Record, ..BASE };

pub(crate) static NODES_OFFLOADED: Entry = Entry {
    code: "nodes-offloaded",
    title: "The nodes are in the controller's database",
    why: "With `nodeStatusOffLoad` the controller keeps large node trees in SQL; the Workflow object holds only a \
          version. Its artifacts can't be seen through the Kubernetes API.",
    evidence: &["status.offloadNodeStatusVersion", "no status.nodes and no status.compressedNodes"],
    remedy: "Name the Argo server, which adds the nodes: `--argo-server HOST:PORT`, or ARGO_SERVER as for \
             the argo CLI. For files, save the workflow through it with `argo get -o json`.",
    upstream: &["argo-workflows#16599 (open)", "docs/offloading-large-workflows.md@v4.1.2"],
    ..UNKNOWN
};

pub(crate) static NODES_UNREADABLE: Entry = Entry {
    code: "nodes-unreadable",
    title: "The compressed nodes can't be unpacked",
    why: "`status.compressedNodes` is not base64 of a gzip, zstd or brotli stream of JSON, or unpacks to more than \
          64 MiB.",
    evidence: &["status.compressedNodes"],
    remedy: "Look at the workflow with `argo get`. If Argo can read it and this plugin can't, please report it.",
    upstream: &["workflow/packer/packer.go@v4.1.2", "argo-workflows#16261 (v4.1.0: zstd, brotli)"],
    ..UNKNOWN
};

pub(crate) static NODES_UNSEEN: Entry = Entry {
    code: "nodes-unseen",
    title: "The record does not hold the nodes that the run had",
    why: "A run that succeeded has at least one node. A record of it without any was made by something that \
          leaves them out, as the list of the workflow archive does (`argo archive list -o json`, and \
          archived rows of `argo list`), or it was cut off. A YAML file that was cut off in the middle is \
          often still valid YAML: the phase is in the label and missing from the status, or a node has no \
          type. The artifacts can't all be seen, so the workflow counts as unread, not as clean.",
    evidence: &[
        "no status.nodes, status.compressedNodes or status.offloadNodeStatusVersion",
        "status.phase",
        "the label workflows.argoproj.io/phase",
        "status.nodes[*].type",
    ],
    remedy: "Read the complete workflow: from the cluster, with `argo get -o json`, or `argo archive get UID \
             -o json` for an archived one. `--argo-server` also reads complete workflows from the archive.",
    upstream: &["persist/sqldb/workflow_archive.go@v4.1.2"],
    false_positives: "A run that failed before its first node has none; it is not counted while its record holds its \
                      templates.",
    ..UNKNOWN
};

pub(crate) static GC_OBJECTS_UNREAD: Entry = Entry {
    code: "gc-objects-unread",
    title: "GC tasks and pods were not read",
    why: "The strategy was processed less than an hour ago and the artifact is not recorded as deleted. A GC \
          pod may be running, or the attempt may have failed; the objects that would show this were not \
          given or not readable.",
    evidence: &["status.artifactGCStatus.strategiesProcessed", "the gaps of the inspection"],
    remedy: "Grant list on workflowartifactgctasks and pods, or give the tasks and pods along with the workflows, or \
             look again in an hour.",
    upstream: &["workflow/controller/artifact_gc.go@v4.1.2"],
    ..UNKNOWN
};
