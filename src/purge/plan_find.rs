//! Knows a saved plan by its first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How every saved plan begins; what follows may be long.
const BEGIN: &[u8] = br#"{"apiVersion":"argo-gc/v1","kind":"PurgePlan","#;

/// Whether a file begins like a saved plan. Only ordinary files are opened: a pipe would wait for its writer.
pub fn is_plan(path: &Path) -> bool {
    let mut begin = [0; BEGIN.len()];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == BEGIN
}
