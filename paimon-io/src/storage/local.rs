//! Local files as an [`ObjectStore`].
//!
//! `object_store` has a `LocalFileSystem`, but it hides and refuses every file whose name ends in `#1`, leaves
//! `name#1` behind after a crash, replaces a file at the end of a multipart upload and needs two trips to the thread
//! pool for a read. This one keeps names as they are, byte for byte, stages in hidden files, never replaces a file
//! unless told to, and reads in one trip.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    path::Path,
};
use rustix::{
    fs::{CWD, OFlags, RenameFlags, renameat_with},
    io::Errno,
};

pub(crate) use self::error::LocalError;
use self::{
    error::is_absent,
    staged::{LocalUpload, Publish, Staged, create_dirs, sync_parent},
};
use super::parts::{FilePart, read_parts};
use crate::Clock;

mod error;
pub(super) mod staged;

/// A `get` of at most this many bytes is answered from memory, in the same trip to the thread pool that opens the file.
const EAGER_READ_BYTES: u64 = 8 << 20;

/// Ranges closer than this are read as one: reading the gap costs less than another call.
const COALESCE_BYTES: u64 = 16 << 10;

/// The files under one folder.
///
/// * A file appears under its name whole or not at all: it is written as `.<name>.<unique>.tmp` beside its place, then
///   hard-linked there (exclusive) or renamed over it. A crash may leave the hidden file.
/// * [`PutMode::Create`] has one winner among any number of processes. Where the file system has no hard links, an
///   exclusive rename takes their place; where it has neither, the put is refused.
/// * Folders are made on demand. Deleting the last file of a folder leaves the folder.
/// * A symbolic link in place of a file is read through only if it stays under the root, and never written through. No
///   file is created, renamed or deleted in a folder that a link takes out of the root.
#[derive(Debug, Clone)]
pub(crate) struct LocalStore {
    root: Arc<FilePath>,
    clock: Arc<dyn Clock>,
    fsync: bool,
}

impl LocalStore {
    /// `root` is absolute; it need not exist.
    pub(crate) fn new(root: PathBuf, clock: Arc<dyn Clock>, fsync: bool) -> Self {
        Self { root: root.into(), clock, fsync }
    }

    /// Makes a folder and those above it.
    pub(crate) async fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (store, dir) = (self.clone(), self.file(path));
        blocking(move || {
            store.check_inside(&dir)?;
            create_dirs(&dir, store.fsync)
        })
        .await
    }

    /// Whether there is a folder.
    pub(crate) async fn dir_exists(&self, path: &Path) -> io::Result<bool> {
        let dir = self.file(path);
        blocking(move || match fs::metadata(&dir) {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    /// Whether a file lies in a folder after all links were followed.
    pub(crate) async fn is_inside(&self, folder: &Path, file: &Path) -> io::Result<bool> {
        let (folder, file) = (self.file(folder), self.file(file));
        blocking(move || Ok(fs::canonicalize(file)?.starts_with(fs::canonicalize(folder)?))).await
    }

    /// Fills parts of a file; see [`super::Storage::read_into`].
    pub(crate) async fn read_into(&self, location: &Path, mut parts: Vec<FilePart>) -> Result<Vec<FilePart>> {
        let (store, path) = (self.clone(), self.file(location));
        blocking(move || {
            let file = store.open(&path).map_err(LocalError::before(&path, "open"))?;
            read_parts(&file, &mut parts).map_err(LocalError::before(&path, "read"))?;
            Ok(parts)
        })
        .await
    }

    /// Deletes a folder and what is in it, following no link; an absent one is fine.
    pub(crate) async fn delete_dir(&self, path: &Path) -> io::Result<()> {
        let (store, dir) = (self.clone(), self.file(path));
        blocking(move || {
            store.check_inside(&dir)?;
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        })
        .await
    }

    /// Renames a folder; `AlreadyExists` when there is something at `to`.
    pub(crate) async fn rename_dir(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (store, from, to, fsync) = (self.clone(), self.file(from), self.file(to), self.fsync);
        blocking(move || {
            store.check_inside(&from)?;
            store.check_inside(&to)?;
            if let Some(parent) = to.parent() {
                create_dirs(parent, fsync)?;
            }
            match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
                // Not every file system has the exclusive form. A plain rename replaces an empty folder at most.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if fs::symlink_metadata(&to).is_err() => {
                    fs::rename(&from, &to)?
                }
                other => other?,
            }
            if fsync { sync_parent(&from).and_then(|()| sync_parent(&to)) } else { Ok(()) }
        })
        .await
    }

    /// The file of a location: the location is the name, byte for byte.
    fn file(&self, location: &Path) -> PathBuf {
        match location.as_ref() {
            "" => self.root.to_path_buf(),
            path => self.root.join(path),
        }
    }

    fn location(&self, file: &FilePath) -> Option<Path> {
        Path::parse(file.strip_prefix(&self.root).ok()?.to_str()?).ok()
    }

    /// Opens a file for reading; a link only where it stays under the root.
    fn open(&self, file: &FilePath) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        match options.open(file) {
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => options.open(self.follow(file)?),
            other => other,
        }
    }

    fn follow(&self, link: &FilePath) -> io::Result<PathBuf> {
        let target = fs::canonicalize(link)?;
        if target.starts_with(fs::canonicalize(&self.root)?) {
            return Ok(target);
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the symbolic link leads out of the storage"))
    }

    /// Refuses to change what lies in a folder that a link takes out of the root. The last name may be a link itself.
    fn check_inside(&self, file: &FilePath) -> io::Result<()> {
        // Without a root there is nothing in it yet, so no link either.
        let Ok(root) = fs::canonicalize(&self.root) else { return Ok(()) };
        for dir in file.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.root)) {
            match fs::canonicalize(dir) {
                Ok(dir) if dir.starts_with(&root) => return Ok(()),
                Ok(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::PermissionDenied,
                        "a symbolic link leads out of the storage",
                    ));
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn stage(&self, target: PathBuf) -> Result<Staged> {
        self.check_inside(&target).map_err(LocalError::before(&target, "create"))?;
        Staged::create(target, self.clock.as_ref(), self.fsync)
    }

    fn list_dir(&self, dir: &FilePath) -> Result<ListResult> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => {
                return Ok(ListResult { common_prefixes: vec![], objects: vec![], extensions: Default::default() });
            }
            Err(error) => return Err(LocalError::before(dir, "list")(error)),
        };
        let (mut common_prefixes, mut objects) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry.map_err(LocalError::before(dir, "list"))?;
            let path = entry.path();
            // A name that is not UTF-8 or holds a control character is nobody's of ours.
            let Some(location) = self.location(&path) else { continue };
            // Follows links. What has vanished meanwhile, or leads nowhere, is not there.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                common_prefixes.push(location);
            } else {
                objects.push(object_meta(location, &metadata));
            }
        }
        Ok(ListResult { common_prefixes, objects, extensions: Default::default() })
    }

    /// All files under a folder; linked folders are left out, so that it ends.
    fn walk(&self, dir: PathBuf) -> Result<Vec<ObjectMeta>> {
        let (mut found, mut todo) = (Vec::new(), vec![dir]);
        while let Some(dir) = todo.pop() {
            let listed = self.list_dir(&dir)?;
            found.extend(listed.objects);
            let folders = listed.common_prefixes.iter().map(|folder| self.file(folder));
            todo.extend(folders.filter(|folder| fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir())));
        }
        Ok(found)
    }

    fn delete_file(&self, location: &Path) -> Result<()> {
        let file = self.file(location);
        self.check_inside(&file).map_err(LocalError::before(&file, "delete"))?;
        fs::remove_file(&file).map_err(LocalError::after(&file, "delete"))
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local files under {}", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let mode = match opts.mode {
            PutMode::Create => Publish::New,
            PutMode::Overwrite => Publish::Replace,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "conditional update".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let (store, target) = (self.clone(), self.file(location));
        blocking(move || {
            let mut staged = store.stage(target)?;
            for chunk in &payload {
                staged.file.write_all(chunk).map_err(LocalError::before(&staged.target, "write"))?;
            }
            staged.publish(mode)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (store, target) = (self.clone(), self.file(location));
        let staged = blocking(move || store.stage(target)).await?;
        Ok(Box::new(LocalUpload::new(staged)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, location) = (self.clone(), location.clone());
        blocking(move || {
            let path = store.file(&location);
            let mut file = store.open(&path).map_err(LocalError::before(&path, "open"))?;
            let metadata = file.metadata().map_err(LocalError::before(&path, "open"))?;
            if metadata.is_dir() {
                return Err(LocalError::before(&path, "open")(io::Error::new(
                    io::ErrorKind::NotFound,
                    "it is a folder",
                )));
            }
            let meta = object_meta(location, &metadata);
            options.check_preconditions(&meta)?;
            let range = match options.range {
                None => 0..meta.size,
                Some(GetRange::Bounded(range)) if range.start >= meta.size => {
                    return Err(LocalError::before(&path, "read")(past_end(&range, meta.size)));
                }
                Some(GetRange::Bounded(range)) => range.start..range.end.min(meta.size).max(range.start),
                Some(GetRange::Offset(start)) => start.min(meta.size)..meta.size,
                Some(GetRange::Suffix(count)) => meta.size.saturating_sub(count)..meta.size,
            };
            let payload = if options.head {
                GetResultPayload::Stream(stream::empty().boxed())
            } else if range.end.saturating_sub(range.start) <= EAGER_READ_BYTES {
                if range.start > 0 {
                    file.seek(SeekFrom::Start(range.start)).map_err(LocalError::before(&path, "read"))?;
                }
                let mut bytes = Vec::with_capacity(usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0));
                // A file that grows meanwhile gives its first bytes, a file that shrinks gives fewer.
                let wanted = range.end.saturating_sub(range.start);
                file.take(wanted).read_to_end(&mut bytes).map_err(LocalError::before(&path, "read"))?;
                GetResultPayload::Stream(stream::once(async { Ok(Bytes::from(bytes)) }).boxed())
            } else {
                GetResultPayload::File(file, path)
            };
            Ok(GetResult { payload, meta, range, attributes: Attributes::default(), extensions: Default::default() })
        })
        .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (store, path, ranges) = (self.clone(), self.file(location), ranges.to_vec());
        blocking(move || {
            let file = store.open(&path).map_err(LocalError::before(&path, "open"))?;
            let size = file.metadata().map_err(LocalError::before(&path, "open"))?.len();
            read_ranges(&file, size, &ranges).map_err(LocalError::before(&path, "read"))
        })
        .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Path| {
            let store = store.clone();
            blocking(move || store.delete_file(&location).map(|()| location))
        };
        locations.map_ok(delete).try_buffered(8).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let dir = self.file(&prefix.cloned().unwrap_or_default());
        stream::once(blocking(move || store.walk(dir)))
            .map_ok(|found| stream::iter(found.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let store = self.clone();
        let dir = self.file(&prefix.cloned().unwrap_or_default());
        blocking(move || store.list_dir(&dir)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Create => Publish::New,
            CopyMode::Overwrite => Publish::Replace,
        };
        let (store, from, target) = (self.clone(), self.file(from), self.file(to));
        blocking(move || {
            let mut source = store.open(&from).map_err(LocalError::before(&from, "open"))?;
            let mut staged = store.stage(target)?;
            io::copy(&mut source, &mut staged.file).map_err(LocalError::before(&staged.target, "write"))?;
            staged.publish(mode).map(drop)
        })
        .await
    }
}

fn object_meta(location: Path, metadata: &fs::Metadata) -> ObjectMeta {
    let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
    let e_tag = format!("{:x}-{:x}-{:x}.{:x}", metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    ObjectMeta { location, last_modified: modified.into(), size: metadata.len(), e_tag: Some(e_tag), version: None }
}

fn read_ranges(file: &File, size: u64, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
    for range in ranges {
        if range.start > range.end || range.end > size {
            return Err(past_end(range, size));
        }
    }
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_unstable_by_key(|&index| ranges[index].start);
    let mut parts = vec![Bytes::new(); ranges.len()];
    let mut group = order.as_slice();
    while let Some(&first) = group.first() {
        let (start, mut end, mut count) = (ranges[first].start, ranges[first].end, 1);
        while let Some(&next) = group.get(count) {
            if ranges[next].start > end.saturating_add(COALESCE_BYTES) {
                break;
            }
            end = end.max(ranges[next].end);
            count += 1;
        }
        let bytes = read_at(file, start..end)?;
        let (members, rest) = group.split_at(count);
        for &index in members {
            // Inside `bytes` because the group covers the range, and `bytes` is as long as the group.
            let (from, to) = (ranges[index].start - start, ranges[index].end - start);
            parts[index] = bytes.slice(from as usize..to as usize);
        }
        group = rest;
    }
    Ok(parts)
}

fn past_end(range: &Range<u64>, size: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("wanted bytes {}..{}, the file has {size}", range.start, range.end),
    )
}

/// Exactly the bytes of a range that lies in the file; reads into uninitialised memory.
fn read_at(mut file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let wanted = range.end - range.start;
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).map_err(io::Error::other)?);
    file.seek(SeekFrom::Start(range.start))?;
    Read::by_ref(&mut file).take(wanted).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < wanted {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
    }
    Ok(bytes.into())
}

/// Runs on the thread pool of the surrounding tokio runtime; without one, right here.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> std::result::Result<T, E> + Send + 'static,
) -> std::result::Result<T, E>
where
    T: Send + 'static,
    E: From<tokio::task::JoinError> + Send + 'static,
{
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}
