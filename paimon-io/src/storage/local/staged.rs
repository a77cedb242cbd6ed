//! Files on their way to their names.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::{Errno, pwritev},
};

use super::{LocalError, blocking};
use crate::Clock;

/// The longest part of a name that a temporary name repeats, so that the whole stays under the usual limit of 255 bytes.
const STAGED_NAME_BYTES: usize = 150;

/// Chunks that one call may take (`IOV_MAX`).
const CHUNKS_OF_A_CALL: usize = 1024;

#[derive(Clone, Copy)]
pub(super) enum Publish {
    New,
    Replace,
}

/// A hidden file on its way to its name; dropping it deletes it.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) file: File,
    hidden: PathBuf,
    pub(super) target: PathBuf,
    fsync: bool,
}

impl Staged {
    pub(super) fn create(target: PathBuf, clock: &dyn Clock, fsync: bool) -> Result<Self> {
        let dir = target.parent().unwrap_or(Path::new("/"));
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.char_indices().take_while(|(at, _)| *at < STAGED_NAME_BYTES).map(|(_, c)| c).collect();
        let mut parents_made = false;
        loop {
            let hidden = dir.join(format!(".{name}.{}.tmp", clock.unique_id()));
            match OpenOptions::new().write(true).create_new(true).open(&hidden) {
                Ok(file) => return Ok(Self { file, hidden, target, fsync }),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !parents_made => {
                    create_dirs(dir, fsync).map_err(LocalError::before(&target, "create the folder"))?;
                    parents_made = true;
                }
                // Another process with the same idea of unique: the next identifier is another one.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LocalError::before(&target, "create")(error)),
            }
        }
    }

    pub(super) fn publish(&self, mode: Publish) -> Result<PutResult> {
        if self.fsync {
            self.file.sync_all().map_err(LocalError::before(&self.target, "sync"))?;
        }
        match mode {
            Publish::New => self.publish_new()?,
            Publish::Replace => {
                fs::rename(&self.hidden, &self.target).map_err(LocalError::after(&self.target, "rename"))?
            }
        }
        if self.fsync {
            sync_parent(&self.target).map_err(LocalError::published)?;
        }
        Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
    }

    fn publish_new(&self) -> Result<()> {
        match fs::hard_link(&self.hidden, &self.target) {
            Ok(()) => Ok(()),
            // A network file system may repeat a request whose answer got lost: then the file is there because it is ours.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.is_published() => Ok(()),
            Err(error) if lacks_hard_links(&error) => rename_new(&self.hidden, &self.target),
            Err(error) => Err(LocalError::after(&self.target, "link")(error)),
        }
    }

    fn is_published(&self) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(&self.target)) {
            (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
            _ => false,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; a file that stays is hidden and harmless.
        let _ = fs::remove_file(&self.hidden);
    }
}

fn lacks_hard_links(error: &io::Error) -> bool {
    let lacking = [Errno::PERM, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::MLINK];
    lacking.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Renames unless there is a file already, in one step of the kernel.
pub(in crate::storage) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(Error::NotSupported {
            source: format!(
                "the file system of {} has neither hard links nor an exclusive rename, so that two writers could overwrite each other",
                to.display()
            )
            .into(),
        }),
        Err(error) => Err(LocalError::after(to, "rename")(error.into())),
    }
}

#[derive(Debug)]
pub(super) struct LocalUpload {
    staged: Option<Arc<Staged>>,
    offset: u64,
}

impl LocalUpload {
    pub(super) fn new(staged: Staged) -> Self {
        Self { staged: Some(Arc::new(staged)), offset: 0 }
    }

    fn ended() -> Error {
        Error::Generic { store: "local", source: "the upload has ended already".into() }
    }
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(staged) = self.staged.clone() else {
            return Box::pin(async { Err(Self::ended()) });
        };
        let offset = self.offset;
        self.offset += data.content_length() as u64;
        Box::pin(blocking(move || {
            write_all_at(&staged.file, &data, offset).map_err(LocalError::before(&staged.target, "write"))
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(Self::ended)?;
        blocking(move || staged.publish(Publish::New)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged = None;
        Ok(())
    }
}

/// Writes all chunks one behind the other, in as few calls as may be.
fn write_all_at(file: &File, data: &PutPayload, mut offset: u64) -> io::Result<()> {
    let mut chunks: Vec<IoSlice<'_>> = data.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = chunks.as_mut_slice();
    // Takes empty chunks away, which no call ever would.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let most = rest.len().min(CHUNKS_OF_A_CALL);
        let written = match pwritev(file, &rest[..most], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        offset += written as u64;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

/// Makes a folder and those above it; with `fsync`, down to the disk.
pub(super) fn create_dirs(dir: &Path, fsync: bool) -> io::Result<()> {
    match fs::create_dir(dir) {
        Ok(()) if fsync => sync_parent(dir),
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = dir.parent() else { return Err(error) };
            create_dirs(parent, fsync)?;
            create_dirs(dir, fsync)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
