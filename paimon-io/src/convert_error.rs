//! From the errors of `object_store` to ours. A converter wants the path, so `?` cannot lose it.

use std::{error::Error as StdError, io};

use object_store::Error as StoreError;
use paimon_spec::{Error, ErrorKind};

use crate::storage::local::LocalError;

/// Converts an error of the file at `url`.
///
/// Kinds: an absent file is `NotFound`, an existing one `AlreadyExists`, a refused one `PermissionDenied`, a name that
/// the store cannot hold `InvalidInput`, an operation that it does not have `Unsupported`. The rest is `Storage`, and
/// retryable unless it is known that nothing happened and that nothing will on the next try.
pub(crate) fn storage_error(url: &str) -> impl FnOnce(StoreError) -> Error {
    move |error| {
        let converted = match &error {
            StoreError::NotFound { .. } => Error::not_found("file not found"),
            StoreError::AlreadyExists { .. } => Error::new(ErrorKind::AlreadyExists, "file exists already"),
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                Error::new(ErrorKind::PermissionDenied, "the storage refused access")
            }
            StoreError::InvalidPath { .. } => Error::invalid("not a path that this storage can hold"),
            StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
                Error::unsupported("the storage does not support this operation")
            }
            StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
                Error::new(ErrorKind::Storage, "the file changed while it was used").retryable()
            }
            StoreError::Generic { source, .. } => generic(source.as_ref()),
            _ => Error::new(ErrorKind::Storage, "the storage failed").retryable(),
        };
        converted.with_context("file", url).with_source(error)
    }
}

/// Converts an error of a call on the local file or folder at `url` that did not go through a store.
pub(crate) fn file_error(url: &str) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let converted = match error.kind() {
            io::ErrorKind::NotFound => Error::not_found("file not found"),
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
                Error::new(ErrorKind::AlreadyExists, "file exists already")
            }
            io::ErrorKind::PermissionDenied => Error::new(ErrorKind::PermissionDenied, "the storage refused access"),
            _ => Error::new(ErrorKind::Storage, "the storage failed"),
        };
        converted.with_context("file", url).with_source(error)
    }
}

fn generic(source: &(dyn StdError + Send + Sync + 'static)) -> Error {
    #[cfg(feature = "s3")]
    if let Some(failure) = crate::storage::s3::S3Failure::among_causes(source) {
        return failure.to_error();
    }
    let Some(local) = source.downcast_ref::<LocalError>() else {
        return Error::new(ErrorKind::Storage, "the storage failed").retryable();
    };
    let error = Error::new(ErrorKind::Storage, "the file system failed");
    if local.outcome_unknown { error.retryable() } else { error }
}
