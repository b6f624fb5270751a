//! Checks how the source files are arranged: which room imports which, circles of imports, and sizes.
//!
//! A room is a package or a top-level module of the plugin. The checks read text and compile nothing. Test modules are
//! left out.

pub mod circles;
pub mod imports;
pub mod order;
pub mod packages;
pub mod sizes;
pub mod source;
pub mod strip;
