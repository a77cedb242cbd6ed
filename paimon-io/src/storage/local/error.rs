//! What a call on a local file meets, and whether it may have taken effect.

use std::{fmt, io, path::Path};

use object_store::Error;

/// What a call on a local file met.
#[derive(Debug)]
pub(crate) struct LocalError {
    action: &'static str,
    source: io::Error,
    /// The action may have taken effect, or may on the next try.
    pub(crate) outcome_unknown: bool,
}

impl LocalError {
    /// An error before anything could be seen by others: it did not happen. Worth another try only if the system says so.
    pub(super) fn before(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Error {
        move |source| {
            let again = matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::StaleNetworkFileHandle
            );
            Self::convert(path, Self { action, source, outcome_unknown: again })
        }
    }

    /// An error of the step that others can see: unless its kind says that it was refused, it may have happened.
    pub(super) fn after(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Error {
        move |source| {
            use io::ErrorKind::{
                CrossesDevices, InvalidFilename, IsADirectory, QuotaExceeded, StorageFull, TooManyLinks,
            };
            let refused = matches!(
                source.kind(),
                CrossesDevices | InvalidFilename | IsADirectory | QuotaExceeded | StorageFull | TooManyLinks
            );
            Self::convert(path, Self { action, source, outcome_unknown: !refused })
        }
    }

    /// An error after the file appeared: it is there, but may not outlive a loss of power.
    pub(super) fn published(source: io::Error) -> Error {
        Error::Generic { store: "local", source: Self { action: "make durable", source, outcome_unknown: true }.into() }
    }

    fn convert(path: &Path, error: Self) -> Error {
        let path = path.to_string_lossy().into_owned();
        match error.source.kind() {
            _ if is_absent(&error.source) => Error::NotFound { path, source: error.into() },
            io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: error.into() },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::PermissionDenied { path, source: error.into() }
            }
            _ => Error::Generic { store: "local", source: error.into() },
        }
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the file: {}", self.action, self.source)
    }
}

impl std::error::Error for LocalError {}

/// A file below a file is as absent as one in a folder that is not there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
