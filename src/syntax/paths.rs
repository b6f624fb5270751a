//! How files are named.

use std::path::{Component, Path, PathBuf};

/// A path without `.`: who knows a file as `a/b` does not find `./a/b`, as GitHub with an annotation's file.
pub fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
