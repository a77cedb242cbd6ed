//! A format of BLOB files as small as can be: a value is its text, rows may be left open.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arrow::array::{ArrayRef, LargeBinaryArray, RecordBatch};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use paimon_io::{
    BatchStream, FileFormat, FileRead, FileTarget, FileWriter, Formats, IoContext, Storage, TableStore, arrow_schema,
};
use paimon_spec::{DataFileMeta, Error, Result, RowSet};

/// What is there of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Toy {
    Value(String),
    Null,
    /// Older files are asked.
    Open,
}

/// Reads such files, and counts what it was asked.
#[derive(Debug, Default)]
pub(super) struct ToyBlobs {
    pub(super) indexes: AtomicUsize,
    /// Rows that were taken.
    pub(super) rows: Arc<AtomicUsize>,
}

/// The bytes of a file.
pub(super) fn toy_file(rows: &[Toy]) -> Vec<u8> {
    let line = |row: &Toy| match row {
        Toy::Value(value) => format!("={value}\n"),
        Toy::Null => "-\n".to_owned(),
        Toy::Open => "?\n".to_owned(),
    };
    rows.iter().map(line).collect::<String>().into_bytes()
}

async fn rows_of(storage: &Storage, path: &str) -> Result<Vec<Toy>> {
    let bytes = storage.read(path).await?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| Error::corrupt("no text"))?;
    let row = |line: &str| match line.split_at(1) {
        ("=", value) => Toy::Value(value.to_owned()),
        ("-", _) => Toy::Null,
        _ => Toy::Open,
    };
    Ok(text.lines().map(row).collect())
}

impl ToyBlobs {
    /// A context that knows the format.
    pub(super) fn register(mut context: IoContext) -> (IoContext, Arc<Self>) {
        let format = Arc::new(Self::default());
        context.formats = Formats::default().with(Arc::clone(&format) as Arc<dyn FileFormat>);
        (context, format)
    }
}

#[async_trait]
impl FileFormat for ToyBlobs {
    fn extension(&self) -> &'static str {
        "blob"
    }

    async fn open(
        &self,
        _: &TableStore,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
        read: &FileRead,
    ) -> Result<BatchStream> {
        let all = rows_of(storage, path).await?;
        if all.len() as i64 != file.row_count {
            return Err(Error::corrupt(format!("expected {} rows, found {}", file.row_count, all.len())));
        }
        let wanted = read.wanted_rows(0..all.len() as u64);
        let rows: Vec<_> = wanted.into_iter().flatten().map(|row| all[row as usize].clone()).collect();
        let schema = arrow_schema(&read.columns)?;
        let counted = Arc::clone(&self.rows);
        let chunks: Vec<_> = rows.chunks(read.batch_rows).map(<[Toy]>::to_vec).collect();
        let batches = stream::iter(chunks).map(move |rows| {
            counted.fetch_add(rows.len(), Ordering::Relaxed);
            let value = |row: &Toy| if let Toy::Value(value) = row { Some(value.clone()) } else { None };
            let values: ArrayRef = Arc::new(rows.iter().map(value).collect::<LargeBinaryArray>());
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap())
        });
        Ok(batches.boxed())
    }

    async fn rows_left_open(&self, _: &TableStore, storage: &Storage, path: &str, _: &DataFileMeta) -> Result<RowSet> {
        self.indexes.fetch_add(1, Ordering::Relaxed);
        let rows = rows_of(storage, path).await?;
        Ok(RowSet::from_positions((0_u32..).zip(rows).filter(|(_, row)| *row == Toy::Open).map(|(at, _)| at)))
    }

    fn create(&self, _: &TableStore, _: &str, _: &FileTarget) -> Result<Box<dyn FileWriter>> {
        Err(Error::unsupported("toys are not written"))
    }
}
