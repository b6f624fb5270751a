//! The archives of a release.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::stdout;

const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-argo_gc");

/// Krew's names of the platforms, and Rust's.
pub const PLATFORMS: [(&str, &str, &str); 6] = [
    ("linux", "amd64", "x86_64-unknown-linux-musl"),
    ("linux", "arm64", "aarch64-unknown-linux-musl"),
    ("darwin", "amd64", "x86_64-apple-darwin"),
    ("darwin", "arm64", "aarch64-apple-darwin"),
    ("windows", "amd64", "x86_64-pc-windows-msvc"),
    ("windows", "arm64", "aarch64-pc-windows-msvc"),
];

/// A directory with an archive for each platform, as `.ci/package` makes them. Only Linux's has the plugin: the
/// others hold a script in its place.
pub fn archives() -> &'static Path {
    static ARCHIVES: LazyLock<TempDir> = LazyLock::new(|| {
        let directory = TempDir::new().unwrap();
        let stand_in = directory.path().join("stand-in");
        fs::write(&stand_in, format!("#!/bin/sh\nexec '{PLUGIN}' \"$@\"\n")).unwrap();
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        for (at, (_, _, target)) in PLATFORMS.iter().enumerate() {
            let binary = if at == 0 { Path::new(PLUGIN) } else { &stand_in };
            let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/package"));
            command.arg(binary).arg(target).arg(directory.path());
            stdout(command);
        }
        directory
    });
    ARCHIVES.path()
}
