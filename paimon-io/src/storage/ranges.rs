//! Parts of an object, near ones fetched together.

use std::{io, ops::Range};

use bytes::Bytes;
use object_store::{
    Error, OBJECT_STORE_COALESCE_DEFAULT, ObjectStore, ObjectStoreExt, Result, coalesce_ranges, path::Path,
};

/// Parts of an object by one request for each group of near ones. A group that comes short is an error, not a panic:
/// `object_store` cuts the parts out of what came as if all had come.
pub(crate) async fn fetch_near_together(
    store: &dyn ObjectStore,
    location: &Path,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>> {
    let fetch = |range: Range<u64>| async move {
        let bytes = store.get_range(location, range.clone()).await?;
        if bytes.len() as u64 == range.end.saturating_sub(range.start) {
            return Ok(bytes);
        }
        let text = format!("wanted bytes {}..{} of {location}, found {}", range.start, range.end, bytes.len());
        Err(Error::Generic { store: "storage", source: io::Error::new(io::ErrorKind::UnexpectedEof, text).into() })
    };
    coalesce_ranges(ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await
}
