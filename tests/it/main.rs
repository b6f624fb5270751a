//! Tests of the built plugin, as far as possible against real servers (see `tests/run`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod argo;
mod argo_purge;
mod bounds;
mod cases;
mod check;
mod cited;
mod clouds;
mod cluster;
mod completion;
mod dangers;
mod dependencies;
mod doctor;
mod end_to_end;
mod endangered;
mod engine;
mod explain_location;
mod faulty_storage;
mod fix;
mod fix_properties;
mod gcs;
mod help;
mod house;
mod http;
mod input;
mod lint;
mod lint_context;
mod live;
mod lookup;
mod manifest;
mod newcomer;
mod odd_servers;
mod orphan_shapes;
mod orphans;
mod other_clusters;
mod package;
mod plans;
mod purge;
mod real_argo;
mod repairs;
mod report;
mod retention;
mod rights;
mod rooms;
mod snapshot_help;
mod snapshot_inspect;
mod snapshot_manifests;
mod snapshot_purge;
mod stores;
mod texts;
mod trust;
mod verdicts;
mod watch;
