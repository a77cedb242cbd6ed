//! One folder of a store: whole files, ranges, exclusive creation, listing.

use std::{collections::BTreeMap, fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    path::Path,
};
use paimon_spec::{Error, ErrorKind, Result};

use self::{local::LocalStore, location::Location};
use crate::{
    IoContext,
    convert_error::{file_error, storage_error},
};

mod into;
pub(crate) mod local;
pub(crate) mod location;
mod parts;
#[cfg(any(feature = "s3", test, feature = "testkit"))]
pub(crate) mod ranges;
#[cfg(feature = "s3")]
pub(crate) mod s3;
mod writer;

#[cfg(test)]
mod tests;

pub use self::{
    location::{path_below, redact},
    parts::FilePart,
    writer::StorageWriter,
};

/// An object store knows no folders, so an empty one is kept by this object in it. Listings leave it out.
const FOLDER_MARKER: &str = ".folder";

/// Files of a folder that are copied at one time, where a folder cannot be renamed.
const COPIES_IN_FLIGHT: usize = 16;

/// What an exclusive creation came to. Losing the race is a value, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PutOutcome {
    /// The file is there now, with these bytes.
    Created,
    /// There was a file of that name already; nothing was changed.
    AlreadyExists,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_dir: bool,
    /// Bytes of a file; 0 for a folder.
    pub size: u64,
    /// When a file was last written, milliseconds since 1970; 0 for a folder.
    pub modified_millis: i64,
}

/// One folder of a store. Cheap to clone.
///
/// Paths are relative to the folder ("" is the folder itself), `/`-separated, never with `.` or `..`, and literal: the
/// local file has exactly the name that the path spells, whatever `%`, `#`, `=` or blanks are in it.
///
/// Every error carries the URL of its file as context `file`.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
    /// Below the store's root; "" is the root.
    base: String,
}

struct Shared {
    store: Arc<dyn ObjectStore>,
    /// The same store again, for what object stores cannot do: folders.
    local: Option<LocalStore>,
    /// URL of the store's root, without a slash at its end.
    root_url: String,
    options: BTreeMap<String, String>,
    context: IoContext,
}

impl Storage {
    /// Opens the folder at `url`, which need not exist: `/path`, `relative/path`, `file:/path`, `file:///path`,
    /// `s3://bucket/path` (also `s3a://`, `s3n://`; see [`crate::S3Settings`] for the options), or `memory://name/path`
    /// (shared by all who hold a clone of `context`). URLs are literal: `%20` is three characters. Nothing is sent yet.
    ///
    /// # Errors
    /// `Unsupported` naming the scheme when it is another one, `InvalidInput` when `url` is no path and no URL, or the
    /// options of its storage are wrong.
    pub fn open(url: &str, options: &BTreeMap<String, String>, context: &IoContext) -> Result<Self> {
        let (store, local, root_url, base): (Arc<dyn ObjectStore>, _, _, _) = match Location::parse(url)? {
            Location::Local(root) => {
                let root_url = format!("file://{}", root.display().to_string().trim_end_matches('/'));
                let store = LocalStore::new(root, Arc::clone(&context.clock), context.fsync);
                (Arc::new(store.clone()), Some(store), root_url, String::new())
            }
            Location::Memory { name, path } => (context.memory_store(&name), None, format!("memory://{name}"), path),
            #[cfg(feature = "s3")]
            Location::S3 { bucket, path } => {
                let store = context.s3_store(&bucket, &path, options)?;
                (Arc::new(store), None, format!("s3://{bucket}"), path)
            }
            #[cfg(not(feature = "s3"))]
            Location::S3 { bucket, .. } => {
                return Err(Error::unsupported("scheme 's3' is not in this build: it was made without feature 's3'")
                    .with_context("bucket", bucket));
            }
        };
        let shared = Shared { store, local, root_url, options: options.clone(), context: context.clone() };
        Ok(Self { shared: Arc::new(shared), base })
    }

    /// A storage on any store, whose root is said to be at `url`. Two stores in one context need two URLs, because the
    /// cache goes by URL.
    pub fn from_store(store: Arc<dyn ObjectStore>, url: &str, context: &IoContext) -> Self {
        let shared = Shared {
            store,
            local: None,
            root_url: url.trim_end_matches('/').to_owned(),
            options: BTreeMap::new(),
            context: context.clone(),
        };
        Self { shared: Arc::new(shared), base: String::new() }
    }

    /// The storage and the path in it of one file, wherever it lies; see [`Self::open`] for URLs and options. A local one
    /// may be a symbolic link to anywhere.
    ///
    /// # Errors
    /// As [`Self::open`], and `InvalidInput` when `url` names a whole store.
    pub fn open_file(url: &str, options: &BTreeMap<String, String>, context: &IoContext) -> Result<(Self, String)> {
        let (folder, path) = match Location::parse(url)? {
            Location::Local(path) => ("/".to_owned(), path.to_string_lossy().trim_start_matches('/').to_owned()),
            Location::Memory { name, path } => (format!("memory://{name}"), path),
            Location::S3 { bucket, path } => (format!("s3://{bucket}"), path),
        };
        if path.is_empty() {
            return Err(Error::invalid("expected the URL of a file, found that of a store").with_context("url", url));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if folder == "/" {
            return Ok((Self::open(&folder, options, context)?, path));
        }
        Ok((Self::open(&format!("{folder}/{parent}"), options, context)?, name.to_owned()))
    }

    /// Opens another folder with the options and the context of this one.
    pub(crate) fn open_other(&self, url: &str) -> Result<Self> {
        Self::open(url, &self.shared.options, &self.shared.context)
    }

    /// A sub-folder as a storage of its own; it need not exist.
    ///
    /// # Errors
    /// `InvalidInput` when the path leads out of this folder.
    pub fn at(&self, path: &str) -> Result<Self> {
        Ok(Self { shared: Arc::clone(&self.shared), base: self.path(path)?.into() })
    }

    /// The absolute URL of the folder, without a slash at its end.
    pub fn root_url(&self) -> String {
        self.url("")
    }

    /// The absolute URL of a path: for local files `file://` and the absolute path, literally. Daft's readers take it
    /// as it is (unless the path has one of `*?[]{}\`, which they take for a pattern); pyarrow wants the part after
    /// `file://`.
    pub fn url(&self, path: &str) -> String {
        let mut url = self.shared.root_url.clone();
        for part in [self.base.as_str(), path].into_iter().filter(|part| !part.is_empty()) {
            url.push('/');
            url.push_str(part);
        }
        // The root of the local file system.
        if url == "file://" {
            url.push('/');
        }
        url
    }

    /// The path in this folder of what `url` names; see [`path_below`].
    pub fn relative(&self, url: &str) -> Option<String> {
        path_below(&self.root_url(), url).unwrap_or_else(|_| {
            // A store of the caller's own, whose URL says nothing to us.
            let path = url.strip_prefix(&self.root_url())?.strip_prefix('/')?;
            (!path.split('/').any(|part| matches!(part, "" | "." | ".."))).then(|| path.to_owned())
        })
    }

    /// Whether a path stays in this folder when symbolic links are followed. Object stores have none.
    ///
    /// # Errors
    /// `NotFound` when a local file is absent.
    pub async fn stays_inside(&self, path: &str) -> Result<bool> {
        let Some(local) = &self.shared.local else { return Ok(true) };
        let inside = local.is_inside(&self.path("")?, &self.path(path)?).await;
        inside.map_err(file_error(&self.url(path)))
    }

    /// What the storage was opened with. Credentials may be among it.
    pub fn options(&self) -> &BTreeMap<String, String> {
        &self.shared.options
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound` when it is absent.
    pub async fn read(&self, path: &str) -> Result<Bytes> {
        let location = self.path(path)?;
        let read = async { self.shared.store.get_opts(&location, GetOptions::default()).await?.bytes().await };
        read.await.map_err(storage_error(&self.url(path)))
    }

    /// The bytes of a file; `None` when it is absent.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn read_if_exists(&self, path: &str) -> Result<Option<Bytes>> {
        absent_as_none(self.read(path).await)
    }

    /// The bytes of a file that has no more than `most`; `None` when it is absent. A larger one is not read.
    ///
    /// # Errors
    /// `CorruptData` when it has more.
    pub(crate) async fn read_at_most(&self, path: &str, most: u64) -> Result<Option<Bytes>> {
        let location = self.path(path)?;
        let found = self.shared.store.get_opts(&location, GetOptions::default()).await;
        let Some(found) = absent_as_none(found.map_err(storage_error(&self.url(path))))? else { return Ok(None) };
        if found.meta.size > most {
            let message = format!("expected a file of at most {most} bytes, found {}", found.meta.size);
            return Err(Error::corrupt(message).with_context("file", self.url(path)));
        }
        found.bytes().await.map(Some).map_err(storage_error(&self.url(path)))
    }

    /// Parts of a file, in the order asked for. Near parts are fetched together.
    ///
    /// # Errors
    /// `NotFound` when the file is absent, `CorruptData` when a range ends after the file: ranges come from footers.
    pub async fn read_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let location = self.path(path)?;
        // Not every store takes an empty range, and none is needed for it.
        let asked: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        let parts = match self.shared.store.get_ranges(&location, &asked).await {
            Ok(parts) if parts.iter().zip(&asked).all(|(part, range)| part.len() as u64 == range.end - range.start) => {
                parts
            }
            Ok(_) => {
                return Err(self.outside(path, &asked).await.unwrap_or_else(|| {
                    Error::new(ErrorKind::Storage, "the storage gave fewer bytes than the file has").retryable()
                }));
            }
            Err(error @ object_store::Error::Generic { .. }) => {
                return Err(self.outside(path, &asked).await.unwrap_or_else(|| storage_error(&self.url(path))(error)));
            }
            Err(error) => return Err(storage_error(&self.url(path))(error)),
        };
        if parts.len() == ranges.len() {
            return Ok(parts);
        }
        let mut parts = parts.into_iter();
        Ok(ranges
            .iter()
            .map(|range| if range.is_empty() { Bytes::new() } else { parts.next().unwrap_or_default() })
            .collect())
    }

    /// The part of `range` that the file has.
    pub(crate) async fn read_within(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let location = self.path(path)?;
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let read = async { self.shared.store.get_opts(&location, options).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(bytes),
            Err(error @ object_store::Error::Generic { .. }) => {
                let start = range.start..range.start.saturating_add(1);
                Err(self.outside(path, &[start]).await.unwrap_or_else(|| storage_error(&self.url(path))(error)))
            }
            Err(error) => Err(storage_error(&self.url(path))(error)),
        }
    }

    /// The size of a file in bytes; `None` when it is absent (a folder is no file).
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn size(&self, path: &str) -> Result<Option<u64>> {
        let location = self.path(path)?;
        let head = self.shared.store.head(&location).await.map_err(storage_error(&self.url(path)));
        absent_as_none(head.map(|meta| meta.size))
    }

    /// Whether there is a file of that name; a folder is none, see [`Self::dir_exists`].
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.size(path).await?.is_some())
    }

    /// Whether the files are on this machine. Elsewhere each request takes its time, whatever it asks for.
    pub fn is_local(&self) -> bool {
        self.shared.local.is_some()
    }

    /// Whether there is a folder, which may be empty.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn dir_exists(&self, path: &str) -> Result<bool> {
        let location = self.path(path)?;
        if let Some(local) = &self.shared.local {
            return local.dir_exists(&location).await.map_err(file_error(&self.url(path)));
        }
        let listed = self.shared.store.list_with_delimiter(Some(&location)).await;
        let listed = listed.map_err(storage_error(&self.url(path)))?;
        Ok(!(listed.objects.is_empty() && listed.common_prefixes.is_empty()))
    }

    /// Creates a file unless there is one of that name: of any number of writers, in any processes, one wins. Readers
    /// see the whole file or none. Folders above it are made on demand.
    ///
    /// # Errors
    /// When the error is retryable ([`Error::is_retryable`]) the outcome is unknown: the file may be there, or may not.
    /// `Unsupported` where the storage cannot create exclusively.
    pub async fn put_new(&self, path: &str, bytes: Bytes) -> Result<PutOutcome> {
        let location = self.path(path)?;
        match self.shared.store.put_opts(&location, PutPayload::from(bytes), PutMode::Create.into()).await {
            Ok(_) => Ok(PutOutcome::Created),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(PutOutcome::AlreadyExists)
            }
            Err(error) => Err(storage_error(&self.url(path))(error)),
        }
    }

    /// Creates or replaces a file, in one step for its readers. Only for files that say what can be found out otherwise.
    ///
    /// # Errors
    /// As the storage gives them; a retryable one leaves the outcome unknown.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let location = self.path(path)?;
        let put = self.shared.store.put_opts(&location, PutPayload::from(bytes), PutMode::Overwrite.into()).await;
        put.map(drop).map_err(storage_error(&self.url(path)))
    }

    /// Starts a file that is written piece by piece and appears at the end.
    ///
    /// # Errors
    /// `InvalidInput` when the path leads out of the folder. Nothing is written yet.
    pub fn writer(&self, path: &str) -> Result<StorageWriter> {
        Ok(StorageWriter::new(Arc::clone(&self.shared.store), self.path(path)?, self.url(path), self.is_local()))
    }

    /// The direct children of a folder, by name; none when it is absent.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn list(&self, dir: &str) -> Result<Vec<Listed>> {
        let location = self.path(dir)?;
        let prefix = (!location.is_root()).then_some(&location);
        let listed = self.shared.store.list_with_delimiter(prefix).await.map_err(storage_error(&self.url(dir)))?;
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        let folders = listed.common_prefixes.iter().map(|path| Listed {
            name: name(path),
            is_dir: true,
            size: 0,
            modified_millis: 0,
        });
        let files = listed.objects.iter().map(|meta| Listed {
            name: name(&meta.location),
            is_dir: false,
            size: meta.size,
            modified_millis: meta.last_modified.timestamp_millis(),
        });
        let mut children: Vec<Listed> = folders.chain(files).filter(|child| child.name != FOLDER_MARKER).collect();
        children.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(children)
    }

    /// Deletes a file; an absent one is fine.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let location = self.path(path)?;
        let deleted = self.shared.store.delete(&location).await.map_err(storage_error(&self.url(path)));
        absent_as_none(deleted).map(drop)
    }

    /// Makes a folder, and those above it; an existing one is fine.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn create_dir(&self, path: &str) -> Result<()> {
        let location = self.path(path)?;
        if let Some(local) = &self.shared.local {
            return local.create_dir(&location).await.map_err(file_error(&self.url(path)));
        }
        let marker = location.join(FOLDER_MARKER);
        let put = self.shared.store.put_opts(&marker, PutPayload::default(), PutMode::Overwrite.into()).await;
        put.map(drop).map_err(storage_error(&self.url(path)))
    }

    /// Deletes a folder and what is in it; an absent one is fine. Links are deleted, not followed. Not in one step:
    /// an error may leave a part of it.
    ///
    /// # Errors
    /// `InvalidInput` for the root of the store.
    pub async fn delete_dir(&self, path: &str) -> Result<()> {
        let location = self.folder(path)?;
        if let Some(local) = &self.shared.local {
            return local.delete_dir(&location).await.map_err(file_error(&self.url(path)));
        }
        let found = self.shared.store.list(Some(&location)).map_ok(|meta| meta.location).boxed();
        let deleted = self.shared.store.delete_stream(found).filter(|deleted| {
            let absent = matches!(deleted, Err(object_store::Error::NotFound { .. }));
            futures::future::ready(!absent)
        });
        deleted.try_for_each(|_| futures::future::ok(())).await.map_err(storage_error(&self.url(path)))
    }

    /// Renames a folder: in one step on local files; on object stores by copying and deleting file after file.
    ///
    /// # Errors
    /// `NotFound` when there is none at `from`, `AlreadyExists` when there is something at `to`, `InvalidInput` for the
    /// root of the store.
    pub async fn rename_dir(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.folder(from)?, self.folder(to)?);
        if let Some(local) = &self.shared.local {
            return local.rename_dir(&source, &target).await.map_err(file_error(&self.url(from)));
        }
        if self.dir_exists(to).await? || self.exists(to).await? {
            return Err(Error::new(ErrorKind::AlreadyExists, "cannot rename: the target exists already")
                .with_context("file", self.url(to)));
        }
        let store = &self.shared.store;
        let found: Vec<ObjectMeta> =
            store.list(Some(&source)).try_collect().await.map_err(storage_error(&self.url(from)))?;
        if found.is_empty() {
            return Err(Error::not_found("cannot rename: folder not found").with_context("file", self.url(from)));
        }
        let copies = found.iter().map(|meta| {
            let rest = meta.location.prefix_match(&source).into_iter().flatten();
            let copy = rest.fold(target.clone(), Path::join);
            async move {
                let options = CopyOptions::new().with_mode(CopyMode::Create);
                match store.copy_opts(&meta.location, &copy, options).await {
                    // An empty file and the marker of a folder are listed as both.
                    Err(object_store::Error::NotFound { .. }) if meta.size == 0 => Ok(()),
                    copied => copied,
                }
            }
        });
        let copies: Vec<_> = copies.collect();
        let copied = stream::iter(copies).buffer_unordered(COPIES_IN_FLIGHT).try_collect::<()>().await;
        copied.map_err(storage_error(&self.url(from)))?;
        self.delete_dir(from).await
    }

    /// The location of a path in the store.
    fn path(&self, path: &str) -> Result<Path> {
        let parsed = match (self.base.as_str(), path) {
            (_, rooted) if rooted.starts_with('/') => None,
            ("", path) | (path, "") => Path::parse(path).ok(),
            (base, path) => Path::parse(format!("{base}/{path}")).ok(),
        };
        parsed.ok_or_else(|| {
            Error::invalid(format!("expected a relative path of plain names, found {path:?}"))
                .with_context("folder", self.root_url())
        })
    }

    /// Like [`Self::path`], but never the root of the store, which is nobody's to delete or to move.
    fn folder(&self, path: &str) -> Result<Path> {
        let location = self.path(path)?;
        if location.is_root() {
            return Err(Error::invalid("the root of a storage can be neither deleted nor renamed")
                .with_context("folder", self.root_url()));
        }
        Ok(location)
    }

    /// The error to give when a range ends after the file.
    async fn outside(&self, path: &str, ranges: &[Range<u64>]) -> Option<Error> {
        let size = self.size(path).await.ok()??;
        let range = ranges.iter().find(|range| range.end > size)?;
        let message = format!("wanted bytes {}..{}, but the file has {size}", range.start, range.end);
        Some(Error::corrupt(message).with_context("file", self.url(path)))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may hold credentials.
        f.debug_tuple("Storage").field(&self.root_url()).finish()
    }
}

fn absent_as_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
