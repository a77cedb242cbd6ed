//! Amazon S3, and the stores that speak its protocol.
//!
//! [`S3Store`] is the client of `object_store` and three promises more:
//!
//! * **A lost answer is no lost race.** Each exclusive creation writes an identifier beside the bytes. When the object is
//!   there at a second attempt, the identifier tells whether it is that of the first.
//! * **No exclusive creation where it is not exclusive.** A store that passes over the condition would let commits
//!   replace each other. So before the first creation, a store other than Amazon's must refuse to create an object that
//!   is there; one small request a process, and none for those who only read.
//! * **Folders are what other tools take for one**: an empty object whose key ends in a slash.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, lock::Mutex, stream, stream::BoxStream};
use object_store::{
    Attribute, CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, aws::AmazonS3,
    path::Path,
};

use self::http::Attempts;
use super::{FOLDER_MARKER, ranges::fetch_near_together};
use crate::Clock;

mod client;
mod credentials;
mod given;
mod http;
mod profile;
mod settings;

#[cfg(test)]
mod tests;

pub(crate) use self::http::S3Failure;
pub use self::{
    credentials::{Credentials, Origin},
    settings::S3Settings,
};

/// Metadata of an object: which creation made it.
const CREATION: &str = "paimon-creation";

/// The object that an exclusive creation is tried out on, in the folder that was opened first.
const PROBE: &str = ".exclusive-creation";
const PROBE_TEXT: &[u8] =
    b"Paimon writers try to create this file to learn whether the store keeps existing ones. Leave it.";

/// An object up to this size is copied by reading and creating it, which is exclusive.
const COPIED_BYTES: u64 = 4 << 20;

/// One bucket.
#[derive(Debug, Clone)]
pub(crate) struct S3Store {
    inner: AmazonS3,
    clock: Arc<dyn Clock>,
    exclusive: Arc<Exclusive>,
}

/// What is known of exclusive creation.
#[derive(Debug)]
struct Exclusive {
    proven: AtomicBool,
    /// Held while it is tried out.
    trial: Mutex<()>,
    probe: Path,
}

impl S3Store {
    /// The store of a bucket; `folder` is where it may try out what the store can.
    ///
    /// # Errors
    /// `InvalidInput` when the settings make no client.
    pub(crate) fn connect(
        bucket: &str,
        folder: &str,
        settings: &S3Settings,
        clock: Arc<dyn Clock>,
    ) -> paimon_spec::Result<Self> {
        let exclusive = Exclusive {
            proven: AtomicBool::new(!settings.is_custom()),
            trial: Mutex::new(()),
            probe: Path::parse(folder).unwrap_or_default().join(PROBE),
        };
        Ok(Self { inner: client::connect(bucket, settings)?, clock, exclusive: Arc::new(exclusive) })
    }

    /// Makes sure that the store creates exclusively.
    ///
    /// # Errors
    /// `NotSupported` when it does not.
    async fn prove_exclusive(&self) -> Result<()> {
        if self.exclusive.proven.load(Ordering::Acquire) {
            return Ok(());
        }
        let _trial = self.exclusive.trial.lock().await;
        // The first creation of all may succeed. The second must not.
        for _ in 0..2 {
            if self.exclusive.proven.load(Ordering::Acquire) {
                return Ok(());
            }
            let payload = PutPayload::from_static(PROBE_TEXT);
            match self.inner.put_opts(&self.exclusive.probe, payload, PutMode::Create.into()).await {
                Ok(_) => {}
                Err(Error::AlreadyExists { .. }) => self.exclusive.proven.store(true, Ordering::Release),
                Err(error) => return Err(error),
            }
        }
        if self.exclusive.proven.load(Ordering::Acquire) {
            return Ok(());
        }
        let text = "this store replaces objects that it was asked to create only if they are absent (If-None-Match: *), so \
                    that commits could replace each other; writing to it is refused";
        Err(Error::NotSupported { source: text.into() })
    }

    async fn create(&self, key: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        self.prove_exclusive().await?;
        let (attempts, creation) = (Attempts::default(), self.clock.unique_id());
        options.extensions.insert(attempts.clone());
        options.attributes.insert(Attribute::Metadata(CREATION.into()), creation.clone().into());
        match self.inner.put_opts(key, payload, options).await {
            Err(Error::AlreadyExists { .. }) if attempts.are_many() && self.is_creation(key, &creation).await? => {
                Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
            }
            other => other,
        }
    }

    /// Whether the object is there, and that creation made it.
    async fn is_creation(&self, key: &Path, creation: &str) -> Result<bool> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.inner.get_opts(key, options).await {
            Ok(found) => {
                let found = found.attributes.get(&Attribute::Metadata(CREATION.into()));
                Ok(found.is_some_and(|found| found.as_ref() == creation))
            }
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let key = key_of(location);
        match options.mode {
            PutMode::Create => self.create(&key, payload, options).await,
            _ => self.inner.put_opts(&key, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        mut options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.prove_exclusive().await?;
        let creation = self.clock.unique_id();
        options.attributes.insert(Attribute::Metadata(CREATION.into()), creation.clone().into());
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { inner, store: self.clone(), location: location.clone(), creation }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(&key_of(location), options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        fetch_near_together(&self.inner, location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations.map_ok(|location| key_of(&location)).boxed())
    }

    /// An empty object may be a folder further down, whose key `object_store` gives without the slash. So it is listed
    /// as both; the one that it is not is absent to whoever looks for it.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.cloned();
        let listed = self.inner.list(prefix).map_ok(move |meta| {
            let is_folder = folder.as_ref() == Some(&meta.location);
            let marker = (meta.size == 0).then(|| marker_of(meta.clone()));
            stream::iter([(!is_folder).then_some(meta), marker].into_iter().flatten().map(Ok))
        });
        listed.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        for meta in &mut listed.objects {
            if prefix == Some(&meta.location) {
                *meta = marker_of(meta.clone());
            }
        }
        Ok(listed)
    }

    /// Exclusive for small objects. Large ones are data files, whose names nobody else chooses.
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            let source = self.get_opts(from, GetOptions::default()).await?;
            if source.meta.size <= COPIED_BYTES {
                let bytes = source.bytes().await?;
                return self.put_opts(to, bytes.into(), PutMode::Create.into()).await.map(drop);
            }
        }
        self.inner.copy_opts(from, to, CopyOptions { mode: CopyMode::Overwrite, ..options }).await
    }
}

/// A file sent in parts.
#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    store: S3Store,
    location: Path,
    creation: String,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.inner.complete().await {
            // An upload that is complete is forgotten: a second attempt does not find it.
            Err(Error::NotFound { .. }) if self.store.is_creation(&self.location, &self.creation).await? => {
                Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
            }
            other => other,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// The key of a location: a folder's marker has the folder's name and a slash.
fn key_of(location: &Path) -> Path {
    let folder = location.as_ref().strip_suffix(FOLDER_MARKER).and_then(|folder| folder.strip_suffix('/'));
    match folder.map(Path::parse) {
        Some(Ok(folder)) => folder.join(""),
        _ => location.clone(),
    }
}

/// What a folder's marker is listed as.
fn marker_of(meta: ObjectMeta) -> ObjectMeta {
    ObjectMeta { location: meta.location.join(FOLDER_MARKER), ..meta }
}
