//! Tests of the built plugin, as far as possible against real servers (see `tests/run`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::print_stdout)]

mod support;

#[path = "it/argo.rs"]
mod argo;
#[path = "it/argo_purge.rs"]
mod argo_purge;
#[path = "it/check.rs"]
mod check;
#[path = "it/cluster.rs"]
mod cluster;
#[path = "it/dangers.rs"]
mod dangers;
#[path = "it/fixture.rs"]
mod fixture;
#[path = "it/gcs.rs"]
mod gcs;
#[path = "it/house.rs"]
mod house;
#[path = "it/http.rs"]
mod http;
#[path = "it/input.rs"]
mod input;
#[path = "it/live.rs"]
mod live;
#[path = "it/orphans.rs"]
mod orphans;
#[path = "it/purge.rs"]
mod purge;
#[path = "it/story.rs"]
mod story;
#[path = "it/verdicts.rs"]
mod verdicts;
