//! A file whose bytes are counted and hashed while they are written.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::io::{BufWriter, Write};

/// Counts and hashes what is written.
pub(crate) struct Hashing {
    pub inner: BufWriter<File>,
    pub hasher: Sha256,
    pub length: u64,
}

impl Hashing {
    pub fn new(file: File) -> Self {
        Self { inner: BufWriter::with_capacity(1 << 16, file), hasher: Sha256::new(), length: 0 }
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

pub(crate) fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
