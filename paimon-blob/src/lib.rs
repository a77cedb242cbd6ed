//! Large values of Apache Paimon tables: blob files, descriptors, and fetching what they point at.
//!
//! A `BLOB` column is kept apart from the others, in `.blob` files. What is read of it are *descriptors*: the URL of such
//! a file, an offset, a length. Filters, projections and joins move descriptors and read no byte of a blob; whoever wants
//! the bytes fetches those of all rows that are left, at once.
//!
//! ```
//! # use std::{collections::BTreeMap, sync::Arc};
//! # use arrow::array::{ArrayRef, AsArray, LargeBinaryArray, RecordBatch};
//! # use futures::TryStreamExt;
//! # use paimon_io::{FileRead, FileTarget, Storage, arrow_schema, testkit};
//! # use paimon_spec::{DataFileMeta, Schema};
//! use paimon_blob::{BlobReferences, BlobSource, FetchLimits, Trust, fetch, register};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! // Tables of this context have `.blob` files among their formats.
//! let context = register(testkit::context());
//! # let storage = Storage::open("memory://warehouse/pictures", &BTreeMap::new(), &context)?;
//! # let json = r#"{"fields": [{"name": "id", "type": "INT"}, {"name": "picture", "type": "BLOB"}],
//! #     "options": {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}}"#;
//! # let table = testkit::create_table_at(storage, Schema::from_json(json)?, context).await;
//! # let picture = table.schema().fields[1].clone();
//! # let file_name = "data-9c6ad41c-1.blob".to_owned();
//! # let bucket_path = "bucket-0".to_owned();
//! # let target = FileTarget { bucket_path, file_name, fields: vec![picture.clone()], schema: table.schema().clone() };
//!
//! // Three rows: bytes, NULL, and a row that is left to an older file.
//! let bytes: ArrayRef = Arc::new(LargeBinaryArray::from_iter([Some("\u{89}PNG.."), None]));
//! let rows = RecordBatch::try_new(arrow_schema(&target.fields)?, vec![bytes]).unwrap();
//! let mut writer = table.create_file(&target).await?;
//! writer.write(&rows).await?;
//! writer.leave_open(1).await?;
//! let written = writer.finish().await?;
//! # let file = DataFileMeta {
//! #     write_cols: Some(vec!["picture".to_owned()]),
//! #     ..testkit::data_file(&target.file_name, written.size as i64, written.rows as i64)
//! # };
//! # let read = FileRead {
//! #     columns: vec![picture], predicate: None, deletions: None, rows: None, limit: None, batch_rows: 1024,
//! #     held_bytes: None,
//! # };
//!
//! // What is read are descriptors; only the index of the file was asked for.
//! let batches: Vec<RecordBatch> = table.open_file("bucket-0", &file, &read).await?.try_collect().await?;
//! let references = BlobReferences::from_array(batches[0].column(0))?;
//! let descriptor = references.get(0).unwrap();
//! assert!(descriptor.url.ends_with("/pictures/bucket-0/data-9c6ad41c-1.blob"));
//! assert_eq!((descriptor.position, descriptor.size), (4, Some(7)));
//! assert_eq!(table.rows_left_open("bucket-0", &file).await?.positions().collect::<Vec<_>>(), [2]);
//!
//! // Fetching verifies each value. The table's data may point into the table, and nowhere else.
//! let source = BlobSource::of(&table)?;
//! let mut blobs = fetch(&source, references, Trust::Data, FetchLimits::default());
//! let blobs = blobs.try_next().await?.unwrap();
//! assert_eq!(blobs.iter().collect::<Vec<_>>(), [Some("\u{89}PNG..".as_bytes()), None, None]);
//! # Ok::<(), paimon_spec::Error>(())
//! # }).unwrap();
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `file` | `.blob` files: [`BlobIndex`], the reader that gives descriptors, the writer; [`register`] |
//! | `descriptor`, `view` | [`BlobDescriptor`] and [`BlobView`] as bytes |
//! | `references` | [`BlobReferences`]: descriptors and `daft.File` values as columns |
//! | `source` | [`BlobSource`]: where a reference may lead, and who opens it |
//! | `fetch` | [`fetch()`]: many blobs at once, near ones together |
//! | `stream` | [`BlobStream`]: one blob, a part at a time |
//! | `present` | [`Presenter`]: BLOB columns as bytes, descriptors or `daft.File` values |
//!
//! Invariants: a whole value is verified before anybody gets it; reading a row costs no byte of its blob; bytes of a table
//! never lead out of it, unless the caller allows the place; nothing is held whole that can be passed on in pieces.
//! Not here: which file has the newest value of a row (`paimon-merge`), which rows there are (`paimon-scan`), when a file
//! is large enough (`paimon-write`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod descriptor;
mod fetch;
mod fields;
mod file;
mod present;
mod references;
mod source;
mod stream;
#[cfg(test)]
mod testing;
mod view;

pub use self::{
    descriptor::BlobDescriptor,
    fetch::{FetchLimits, fetch},
    file::{BlobIndex, check_record, register},
    present::{BlobForm, Presenter, ViewResolver},
    references::{BlobReference, BlobReferences},
    source::{ALLOWED_PREFIXES, BlobSource, Trust},
    stream::BlobStream,
    view::BlobView,
};
