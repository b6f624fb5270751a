//! Manifests rewritten so that their artifacts are collected: text is edited at parsed places, never written anew.
//!
//! Each edit is checked: the new text must parse to exactly the value that was meant, or the place is refused.

pub mod beyond;
pub mod block;
pub mod checked;
pub mod defaults;
pub mod edit;
pub mod fields;
pub mod harm;
pub mod keys;
pub mod lift;
pub mod moved;
pub mod outcome;
pub mod readers;
pub mod scope;
pub mod vars;

/// Layout that edits don't dare to touch.
const LAYOUT: &str = "its layout can't be edited safely";
