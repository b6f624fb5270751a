//! Tests of the built plugin, as far as possible against real servers (see `tests/run`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::print_stdout)]

mod support;

#[path = "it/argo.rs"]
mod argo;
#[path = "it/argo_purge.rs"]
mod argo_purge;
#[path = "it/check.rs"]
mod check;
#[path = "it/clouds.rs"]
mod clouds;
#[path = "it/cluster.rs"]
mod cluster;
#[path = "it/completion.rs"]
mod completion;
#[path = "it/dangers.rs"]
mod dangers;
#[path = "it/dependencies.rs"]
mod dependencies;
#[path = "it/doctor.rs"]
mod doctor;
#[path = "it/engine.rs"]
mod engine;
#[path = "it/fix.rs"]
mod fix;
#[path = "it/fix_properties.rs"]
mod fix_properties;
#[path = "it/fixture.rs"]
mod fixture;
#[path = "it/gcs.rs"]
mod gcs;
#[path = "it/help.rs"]
mod help;
#[path = "it/house.rs"]
mod house;
#[path = "it/http.rs"]
mod http;
#[path = "it/input.rs"]
mod input;
#[path = "it/lint.rs"]
mod lint;
#[path = "it/live.rs"]
mod live;
#[path = "it/lookup.rs"]
mod lookup;
#[path = "it/lying.rs"]
mod lying;
#[path = "it/manifest.rs"]
mod manifest;
#[path = "it/newcomer.rs"]
mod newcomer;
#[path = "it/orphans.rs"]
mod orphans;
#[path = "it/package.rs"]
mod package;
#[path = "it/purge.rs"]
mod purge;
#[path = "it/report.rs"]
mod report;
#[path = "it/retention.rs"]
mod retention;
#[path = "it/rights.rs"]
mod rights;
#[path = "it/rooms.rs"]
mod rooms;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/story.rs"]
mod story;
#[path = "it/verdicts.rs"]
mod verdicts;
