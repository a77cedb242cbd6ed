//! One blob, read piece by piece.

use std::io::SeekFrom;

use bytes::Bytes;
use paimon_spec::{Error, Result};

use crate::{BlobReference, BlobReferences, BlobSource, FetchLimits, Trust, fetch::Ranges, source::Object};

/// How far small reads look ahead at first: headers of files are read in a few small pieces.
const LOCAL_AHEAD_BYTES: u64 = 16 << 10;
const DISTANT_AHEAD_BYTES: u64 = 128 << 10;

/// How far reads that follow one another look ahead at last.
const LOCAL_MOST_AHEAD_BYTES: u64 = 256 << 10;
const DISTANT_MOST_AHEAD_BYTES: u64 = 8 << 20;

/// A seekable reader of one blob. Opening it reads nothing.
///
/// Small reads are served from a window, which grows while reads follow one another; large ones go straight to the
/// storage. A read that takes the whole value of a `.blob` file of the table is verified as [`crate::fetch()`] does; a part
/// has no checksum.
#[derive(Debug)]
pub struct BlobStream {
    source: BlobSource,
    trust: Trust,
    url: String,
    object: Object,
    start: u64,
    /// `None`: up to the end of the object, which has not been asked yet.
    size: Option<u64>,
    position: u64,
    window: Window,
    /// How far the next window reaches.
    ahead: u64,
}

/// Bytes of the blob that are at hand.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn part(&self, start: u64, end: u64) -> Option<Bytes> {
        let from = start.checked_sub(self.start).filter(|_| end <= self.end())?;
        // Inside, because the window has both ends.
        Some(self.bytes.slice(from as usize..(end - self.start) as usize))
    }
}

impl BlobStream {
    /// A reader at the first byte.
    ///
    /// # Errors
    /// As [`BlobSource::open`]; `CorruptData` when the reference ends after the largest offset.
    pub async fn open(source: &BlobSource, reference: BlobReference<'_>, trust: Trust) -> Result<Self> {
        let BlobReference { url, position: start, size } = reference;
        let object = source.object(url, trust).await?;
        if i64::try_from(start.saturating_add(size.unwrap_or(0))).is_err() {
            let message = format!("wanted {} bytes at {start}, which no object has", size.unwrap_or(0));
            return Err(Error::corrupt(message).with_context("file", object.url()));
        }
        let ahead = if object.storage.is_local() { LOCAL_AHEAD_BYTES } else { DISTANT_AHEAD_BYTES };
        let (source, url) = (source.clone(), url.to_owned());
        Ok(Self { source, trust, url, object, start, size, position: 0, window: Window::default(), ahead })
    }

    /// Whether it reads from this machine, so that no read waits for a network.
    pub fn is_local(&self) -> bool {
        self.object.storage.is_local()
    }

    /// Where the next read begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes the blob has. A reference without a size asks its object, once.
    ///
    /// # Errors
    /// `NotFound` when the object is absent, `CorruptData` when it ends before the blob begins.
    pub async fn size(&mut self) -> Result<u64> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let object_bytes = self.object.size().await?;
        let size = object_bytes.checked_sub(self.start).ok_or_else(|| {
            let message = format!("wanted bytes from {} on, but the object has {object_bytes}", self.start);
            Error::corrupt(message).with_context("file", self.object.url())
        })?;
        self.size = Some(size);
        Ok(size)
    }

    /// Moves to a byte of the blob, which may lie after its end; nothing is read.
    ///
    /// # Errors
    /// `InvalidInput` when it lies before the first byte; as [`Self::size`] when it is counted from the end.
    pub async fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size().await?.checked_add_signed(by),
        };
        self.position =
            target.ok_or_else(|| Error::invalid(format!("cannot move before the first byte of a blob: {to:?}")))?;
        Ok(self.position)
    }

    /// The next `most` bytes, or as many as are left.
    ///
    /// # Errors
    /// * `NotFound` when the object is absent.
    /// * `CorruptData` when the blob ends after its object, or a whole value is damaged.
    pub async fn read(&mut self, most: u64) -> Result<Bytes> {
        let size = self.size().await?;
        let start = self.position.min(size);
        let end = start.saturating_add(most).min(size);
        if start == end {
            // Whoever stands after the end stays there.
            return Ok(Bytes::new());
        }
        let bytes = match self.window.part(start, end) {
            Some(bytes) => bytes,
            None => self.fetch(start, end, size).await?,
        };
        self.position = end;
        Ok(bytes)
    }

    /// All bytes that are left.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_to_end(&mut self) -> Result<Bytes> {
        self.read(u64::MAX).await
    }

    /// Bytes that are not in the window.
    async fn fetch(&mut self, start: u64, end: u64, size: u64) -> Result<Bytes> {
        let (first, most) = match self.is_local() {
            true => (LOCAL_AHEAD_BYTES, LOCAL_MOST_AHEAD_BYTES),
            false => (DISTANT_AHEAD_BYTES, DISTANT_MOST_AHEAD_BYTES),
        };
        let goes_on = self.window.start <= start && start <= self.window.end() && self.window.end() > 0;
        self.ahead = if goes_on { (self.ahead * 2).min(most) } else { first };
        // A small blob is had at once, and then it is a whole value.
        let (from, to) = if size <= first { (0, size) } else { (start, end.max(start + self.ahead).min(size)) };
        if end - start >= self.ahead {
            return self.get(start, end, size).await;
        }
        self.window = Window { start: from, bytes: self.get(from, to, size).await? };
        let part = self.window.part(start, end);
        part.ok_or_else(|| Error::internal("paimon-blob", "a window does not hold what it was read for"))
    }

    async fn get(&self, start: u64, end: u64, size: u64) -> Result<Bytes> {
        if (start, end) == (0, size) {
            let whole = BlobReference { url: &self.url, position: self.start, size: Some(size) };
            let references = BlobReferences::from_iter([Some(whole)]);
            let limits = FetchLimits::default();
            return Ranges::of(&self.source, &references, self.trust, limits).await?.read_bytes(limits).await;
        }
        let range = self.start + start..self.start + end;
        let mut parts = self.object.storage.read_ranges(&self.object.path, &[range]).await?;
        Ok(parts.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
