//! A real workflow-controller: what is said of a run is what becomes of it.

mod chain;
mod engine;
mod soak;
mod suite;
