//! What the records of manifests have in common.

use bytes::Bytes;

use super::avro::{Container, Encoder, Field, Program, Record, Records, Shape, Slot};
use crate::{BinaryRow, Error, Result, SimpleStats, limits};

/// Fields of statistics: three slots.
pub(super) const STATS: Shape = Shape::Record(&[
    Field::required("_MIN_VALUES", Shape::Bytes),
    Field::required("_MAX_VALUES", Shape::Bytes),
    Field::optional("_NULL_COUNTS", Shape::Array(&Shape::Number)),
]);

/// Blocks of more bytes are not shared by what is read from them. The usual writers make blocks of 64 kB or less.
const MAX_SHARED_BLOCK: usize = 1 << 18;

/// The first field of every record, in slot 0.
pub(super) const VERSION: Field = Field::required("_VERSION", Shape::Number);

/// A record, and the block it is in.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) program: &'a Program,
    pub(super) record: &'a Record<'a>,
    pub(super) block: &'a Bytes,
}

/// What a file may decode to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) records: u64,
}

impl Bounds {
    /// Of a file whose records are kept.
    pub(super) const LIST: Self = Self { bytes: limits::MANIFEST_LIST_BYTES, records: limits::MANIFEST_LIST_ENTRIES };
}

/// Calls `visit` with every record of a manifest, manifest list or index manifest.
pub(super) fn decode_records(
    avro: &[u8],
    fields: &'static [Field],
    version: i64,
    bounds: Bounds,
    visit: &mut dyn FnMut(Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut container = Container::open(avro)?.with_budget(bounds.bytes);
    let program = Program::compile(container.schema(), fields)?;
    let mut total = 0_u64;
    while let Some((count, block)) = container.next_block()? {
        total = total.saturating_add(count);
        if total > bounds.records {
            return Err(Error::corrupt(format!("expected at most {} entries, found {total}", bounds.records)));
        }
        let mut records = Records::new(&block, count);
        let mut record = Record::new(&block);
        while records.next(&program, &mut record)? {
            check_version(record.number(0), version)?;
            visit(Row { program: &program, record: &record, block: &block })?;
        }
    }
    Ok(())
}

/// `_VERSION` names the format of the records for good; it does not count revisions of the schema.
fn check_version(found: i64, wanted: i64) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "_VERSION {found} of manifests is not supported, only {wanted}: recreate the table"
    )))
}

impl Row<'_> {
    pub(super) fn long(&self, slot: Slot) -> i64 {
        self.record.number(slot)
    }

    pub(super) fn int(&self, slot: Slot) -> Result<i32> {
        self.optional_int(slot).map(Option::unwrap_or_default)
    }

    pub(super) fn optional_int(&self, slot: Slot) -> Result<Option<i32>> {
        self.record.optional_number(slot).map(|value| self.to_int(slot, value)).transpose()
    }

    pub(super) fn string(&self, slot: Slot) -> Result<String> {
        self.text(slot, self.record.bytes(slot)).map(str::to_owned)
    }

    pub(super) fn optional_string(&self, slot: Slot) -> Result<Option<String>> {
        self.record.is_present(slot).then(|| self.string(slot)).transpose()
    }

    pub(super) fn optional_blob(&self, slot: Slot) -> Option<Bytes> {
        self.record.is_present(slot).then(|| self.shared(slot))
    }

    /// Bytes that share the memory of the block, unless a few of them would keep too much of it.
    fn shared(&self, slot: Slot) -> Bytes {
        let bytes = self.block.slice(self.record.span(slot));
        if self.block.len() <= MAX_SHARED_BLOCK { bytes } else { Bytes::copy_from_slice(&bytes) }
    }

    /// A row in metadata form.
    pub(super) fn row(&self, slot: Slot) -> Result<BinaryRow> {
        let bytes = self.record.bytes(slot);
        // Most keys are of no fields.
        if bytes == BinaryRow::EMPTY_METADATA {
            return Ok(BinaryRow::empty());
        }
        BinaryRow::from_metadata_bytes(self.shared(slot))
            .map_err(|error| error.with_context("field", self.program.name(slot)))
    }

    /// Statistics in three slots from `slot`.
    pub(super) fn stats(&self, slot: Slot) -> Result<SimpleStats> {
        let mut null_counts = Vec::new();
        self.optional_longs(slot + 2, &mut null_counts)?;
        Ok(SimpleStats { min_values: self.row(slot)?, max_values: self.row(slot + 1)?, null_counts })
    }

    /// A list of numbers that may be null; empty when the list is.
    pub(super) fn optional_longs(&self, slot: Slot, into: &mut Vec<Option<i64>>) -> Result<()> {
        into.clear();
        self.program.for_each_item(self.record, slot, |item| {
            into.push(item.optional_number(0));
            Ok(())
        })
    }

    /// A list of numbers that are not null; `None` when the list is.
    pub(super) fn longs(&self, slot: Slot) -> Result<Option<Vec<i64>>> {
        self.list(slot, |item| {
            item.optional_number(0)
                .ok_or_else(|| Error::corrupt(format!("expected a number in {}, found null", self.program.name(slot))))
        })
    }

    pub(super) fn strings(&self, slot: Slot) -> Result<Option<Vec<String>>> {
        self.list(slot, |item| self.text(slot, item.bytes(0)).map(str::to_owned))
    }

    /// Whatever the items of a list are; `None` when the list is null.
    pub(super) fn list<T>(&self, slot: Slot, mut item: impl FnMut(&Record<'_>) -> Result<T>) -> Result<Option<Vec<T>>> {
        if !self.record.is_present(slot) {
            return Ok(None);
        }
        let mut items = Vec::new();
        self.program.for_each_item(self.record, slot, |record| {
            items.push(item(record)?);
            Ok(())
        })?;
        Ok(Some(items))
    }

    pub(super) fn text<'b>(&self, slot: Slot, bytes: &'b [u8]) -> Result<&'b str> {
        std::str::from_utf8(bytes).map_err(|error| {
            let name = self.program.name(slot);
            Error::corrupt(format!("expected text as {name}, found bytes that are not UTF-8")).with_source(error)
        })
    }

    pub(super) fn to_int(&self, slot: Slot, value: i64) -> Result<i32> {
        i32::try_from(value).map_err(|_| {
            Error::corrupt(format!("expected a number of 32 bits as {}, found {value}", self.program.name(slot)))
        })
    }
}

pub(super) fn encode_stats(out: &mut Encoder, stats: &SimpleStats) {
    out.bytes(stats.min_values.as_metadata());
    out.bytes(stats.max_values.as_metadata());
    out.nullable(Some(&stats.null_counts), |out, counts| {
        out.array(counts, |out, count| out.nullable(*count, Encoder::long));
    });
}

pub(super) fn encode_strings(out: &mut Encoder, strings: &[String]) {
    out.array(strings, |out, string| out.bytes(string.as_bytes()));
}

pub(super) fn encode_optional_long(out: &mut Encoder, value: Option<i64>) {
    out.nullable(value, Encoder::long);
}

pub(super) fn encode_optional_int(out: &mut Encoder, value: Option<i32>) {
    out.nullable(value.map(i64::from), Encoder::long);
}

pub(super) fn encode_optional_string(out: &mut Encoder, value: Option<&String>) {
    out.nullable(value, |out, value| out.bytes(value.as_bytes()));
}

pub(super) fn encode_optional_blob(out: &mut Encoder, value: Option<&Bytes>) {
    out.nullable(value, |out, value| out.bytes(value));
}
