//! A queue of values in a temporary file, for values that are read back in order once all are known.

pub(crate) mod sort;

use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::marker::PhantomData;

/// A queue on disk.
pub struct DiskQueue<T> {
    /// None until a value is pushed.
    writer: Option<BufWriter<File>>,
    length: u64,
    values: PhantomData<fn() -> T>,
}

impl<T> Default for DiskQueue<T> {
    fn default() -> Self {
        Self { writer: None, length: 0, values: PhantomData }
    }
}

impl<T: Serialize + DeserializeOwned> DiskQueue<T> {
    /// Appends a value.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn push(&mut self, value: &T) -> Result<(), Error> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = tempfile::tempfile().map_err(failed)?;
                self.writer.insert(BufWriter::with_capacity(1 << 16, file))
            }
        };
        serde_json::to_writer(&mut *writer, value).map_err(|error| failed(error.into()))?;
        self.length += 1;
        writer.write_all(b"\n").map_err(failed)
    }

    /// The number of values.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes what no value can be read from.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write_all(b"{\n"))
    }

    /// Reads all values, in the order in which they were pushed.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn into_values(self) -> Result<impl Iterator<Item = Result<T, Error>>, Error> {
        let file = match self.writer {
            None => None,
            Some(writer) => {
                let mut file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                file.seek(SeekFrom::Start(0)).map_err(failed)?;
                Some(file)
            }
        };
        let lines = file.into_iter().flat_map(|file| BufReader::with_capacity(1 << 16, file).lines());
        Ok(until_error(lines.map(|line| serde_json::from_str(&line.map_err(failed)?).map_err(Error::new))))
    }
}

/// Ends with the first error: a file that can't be read any more fails at every line, for ever.
pub(crate) fn until_error<T, E>(
    values: impl Iterator<Item = Result<T, E>>,
) -> impl Iterator<Item = Result<T, E>> {
    values.scan(false, |failed, value| {
        if *failed {
            return None;
        }
        *failed = value.is_err();
        Some(value)
    })
}

fn failed(error: io::Error) -> Error {
    Error::new(format!("a temporary file: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::disk_queue::{DiskQueue, until_error};

    #[test]
    fn gives_back_what_was_put_aside() {
        let mut spill = DiskQueue::default();
        for text in ["a", "b\n", ""] {
            spill.push(&text.to_owned()).unwrap();
        }
        let values: Vec<String> = spill.into_values().unwrap().map(Result::unwrap).collect();
        assert_eq!(values, ["a", "b\n", ""]);
        assert_eq!(DiskQueue::<u8>::default().into_values().unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_fails_at_every_line_ends() {
        let lines = [Ok(1), Ok(2), Err("broken")].into_iter().chain(std::iter::repeat(Err("broken")));
        assert_eq!(until_error(lines).collect::<Vec<_>>(), [Ok(1), Ok(2), Err("broken")]);
    }
}
