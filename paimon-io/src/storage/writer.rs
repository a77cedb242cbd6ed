//! Files written piece by piece.

use std::{fmt, mem, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use object_store::{
    MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutPayload, PutPayloadMut, UploadPart, path::Path,
};
use paimon_spec::{Error, ErrorKind, Result};

use crate::convert_error::storage_error;

/// Bytes collected before they are sent. A file below this is one exclusive put.
const PART_BYTES: usize = 8 << 20;

/// Parts on their way at one time.
const PARTS_IN_FLIGHT: usize = 4;

/// The same on local files: the file system takes one after the other anyway, because it locks a file that is written.
const LOCAL_PARTS_IN_FLIGHT: usize = 1;

/// A file in the making, from [`crate::Storage::writer`].
///
/// It appears under its name when [`Self::finish`] returns, whole. One that is dropped before leaves nothing on local
/// files and in memory; on object stores, [`Self::abort`] also frees the parts already sent.
pub struct StorageWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    url: String,
    buffer: PutPayloadMut,
    upload: Option<Box<dyn MultipartUpload>>,
    in_flight: FuturesUnordered<UploadPart>,
    most_in_flight: usize,
    written: u64,
}

impl StorageWriter {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, url: String, is_local: bool) -> Self {
        Self {
            store,
            path,
            url,
            buffer: PutPayloadMut::new(),
            upload: None,
            in_flight: FuturesUnordered::new(),
            most_in_flight: if is_local { LOCAL_PARTS_IN_FLIGHT } else { PARTS_IN_FLIGHT },
            written: 0,
        }
    }

    /// The absolute URL of the file.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Bytes taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes held in memory, at most: what is not yet sent and what is on its way.
    pub fn memory(&self) -> u64 {
        (self.buffer.content_length() + self.in_flight.len() * PART_BYTES) as u64
    }

    /// Appends. `bytes` is kept until it is written, and never copied.
    ///
    /// # Errors
    /// As the storage gives them; after one the file cannot be finished.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.written += bytes.len() as u64;
        while self.buffer.content_length() + bytes.len() >= PART_BYTES {
            self.buffer.push(bytes.split_to(PART_BYTES - self.buffer.content_length()));
            self.send().await?;
        }
        if !bytes.is_empty() {
            self.buffer.push(bytes);
        }
        Ok(())
    }

    /// Makes the file appear. Returns its size in bytes.
    ///
    /// # Errors
    /// `AlreadyExists` when there is a file of that name; it is not replaced where the store can help it (object
    /// stores can for files below 8 MiB: choose names that nobody else chooses).
    pub async fn finish(mut self) -> Result<u64> {
        let url = self.url.clone();
        if self.upload.is_none() {
            let payload = mem::take(&mut self.buffer).freeze();
            let put = self.store.put_opts(&self.path, payload, PutMode::Create.into()).await;
            put.map_err(storage_error(&url))?;
            return Ok(self.written);
        }
        if !self.buffer.is_empty() {
            self.send().await?;
        }
        while let Some(part) = self.in_flight.next().await {
            part.map_err(storage_error(&url))?;
        }
        match &mut self.upload {
            Some(upload) => upload.complete().await.map(drop).map_err(storage_error(&url))?,
            None => {
                return Err(Error::new(ErrorKind::Storage, "the upload has ended already").with_context("file", url));
            }
        }
        Ok(self.written)
    }

    /// Drops what was written.
    ///
    /// # Errors
    /// As the storage gives them; the file does not appear in any case.
    pub async fn abort(mut self) -> Result<()> {
        self.in_flight.clear();
        match &mut self.upload {
            Some(upload) => upload.abort().await.map_err(storage_error(&self.url)),
            None => Ok(()),
        }
    }

    /// Sends the buffer as one part, once there is room among those on their way.
    async fn send(&mut self) -> Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let started = self.store.put_multipart_opts(&self.path, PutMultipartOptions::default()).await;
                self.upload.insert(started.map_err(storage_error(&self.url))?)
            }
        };
        let part: PutPayload = mem::take(&mut self.buffer).freeze();
        self.in_flight.push(upload.put_part(part));
        while self.in_flight.len() >= self.most_in_flight {
            if let Some(part) = self.in_flight.next().await {
                part.map_err(storage_error(&self.url))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for StorageWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageWriter").field("url", &self.url).field("written", &self.written).finish_non_exhaustive()
    }
}
