//! Buffers for response bodies, which are used again: a page has megabytes, and fresh memory is slow.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Spare buffers: as many as were ever in use at one time.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// An empty buffer.
    pub fn take(&self) -> Buffer {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { bytes: spare.unwrap_or_default(), pool: self.clone() }
    }
}

/// A response body, whose memory returns to the pool when it is dropped.
pub struct Buffer {
    pub(crate) bytes: Vec<u8>,
    pool: Pool,
}

impl From<Vec<u8>> for Buffer {
    /// A text that came in another way than as a whole body.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, pool: Pool::default() }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        /// One giant page must not keep its memory for the rest of the run.
        const MAX_SPARE: usize = 32 << 20;
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() <= MAX_SPARE {
            bytes.clear();
            self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}
