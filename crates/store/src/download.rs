//! Reads the bytes of an object piece by piece. A lost connection is made anew, and the reading continues where
//! it ended.

use crate::api::{Answer, Connection};
use crate::http::{Streamed, Tries};
use crate::types::StoreError;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

/// A download in progress.
struct Download {
    connection: Connection,
    key: String,
    /// The bytes that were read.
    offset: u64,
    /// The ETag of the object: the rest of another object would be no rest of this one.
    tag: String,
    body: Option<Streamed>,
    tries: Tries,
}

/// The bytes of an object. The stream ends with the first error.
pub(crate) fn download(
    connection: Connection,
    key: String,
) -> BoxStream<'static, Result<Vec<u8>, StoreError>> {
    let tries = Tries::new();
    let begin = Download { connection, key, offset: 0, tag: String::new(), body: None, tries };
    stream::try_unfold(begin, |mut download| async move {
        Ok(download.next().await?.map(|piece| (piece, download)))
    })
    .boxed()
}

impl Download {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None => {
                    let Some(opened) = self.open().await? else { continue };
                    self.body.insert(opened)
                }
            };
            match body.chunk().await {
                Ok(Some(piece)) => {
                    self.offset += piece.len() as u64;
                    self.tries = Tries::new();
                    return Ok(Some(piece));
                }
                Ok(None) => return Ok(None),
                Err(why) => {
                    self.body = None;
                    self.wait(why).await?;
                }
            }
        }
    }

    /// Waits for the next try.
    ///
    /// # Errors
    /// There is none.
    async fn wait(&mut self, why: String) -> Result<(), StoreError> {
        match self.tries.again().await {
            true => Ok(()),
            false => Err(self.failed(why)),
        }
    }

    fn failed(&self, message: String) -> StoreError {
        StoreError::Failed { what: self.connection.bucket().uri(&self.key), message }
    }

    /// Asks for what was not read yet; none if that is to be tried again.
    async fn open(&mut self) -> Result<Option<Streamed>, StoreError> {
        let api = self.connection.api();
        if !api.is_addressable(&self.key) {
            return Err(StoreError::BadKey(self.key.clone()));
        }
        let mut request = api.get(&self.key);
        if self.offset > 0 {
            request = request.header("range", &format!("bytes={}-", self.offset));
        }
        let signed = self.connection.sign(&request).await?;
        let streamed = match self.connection.stream(&request, signed).await {
            Ok(streamed) => streamed,
            Err(why) => {
                self.wait(why).await?;
                return Ok(None);
            }
        };
        let header = |name: &str| streamed.headers.get(name).and_then(|value| value.to_str().ok());
        let tag = header("etag").unwrap_or_default().to_owned();
        let goes_on = header("content-range").is_some_and(|range| {
            range.strip_prefix("bytes ").is_some_and(|range| range.starts_with(&format!("{}-", self.offset)))
        });
        match (streamed.status, self.offset) {
            (200, 0) => {
                self.tag = tag;
                Ok(Some(streamed))
            }
            (206, 1..) if goes_on && !tag.is_empty() && tag == self.tag => Ok(Some(streamed)),
            (200 | 206, _) => {
                Err(self.failed("it changed while it was read, or can't be read in parts".to_owned()))
            }
            _ => self.explain(streamed).await,
        }
    }

    /// Says what an answer without the bytes means; none if there is another try.
    async fn explain(&mut self, streamed: Streamed) -> Result<Option<Streamed>, StoreError> {
        let answer = match streamed.into_error().await {
            Ok(answer) => answer,
            Err(why) => {
                self.wait(why).await?;
                return Ok(None);
            }
        };
        match self.connection.meaning(&answer) {
            Answer::Busy | Answer::Failing => {
                self.wait(self.connection.message(&answer)).await?;
                Ok(None)
            }
            Answer::NoObject => Err(self.failed("there is no such object".to_owned())),
            meaning => Err(self.connection.error(meaning, self.connection.bucket().uri(&self.key), &answer)),
        }
    }
}
