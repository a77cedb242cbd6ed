//! Data evolution: rows whose columns are in several files, of which the newest that has a column counts.
//!
//! What one file says of a column may have been overwritten in another one. So files are judged by row group, when all
//! files of the group are known.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use paimon_spec::{
    ColumnSource, ColumnStats, DataFileMeta, Datum, EntryHead, Error, FieldId, ManifestEntry, Predicate, ROW_ID_ID,
    Result, RowGroup, SEQUENCE_NUMBER_ID, TableSchema, Verdict, row_groups,
};

use crate::splits::Planned;
use crate::{DeletionIndex, ScanRequest};

/// How files of a data-evolution table are planned (Java `DataEvolutionFileStoreScan`).
#[derive(Debug)]
pub(crate) struct Evolution {
    schema: Arc<TableSchema>,
    /// On rows as they are now.
    condition: Option<Predicate>,
    /// What `condition` names.
    condition_fields: Vec<FieldId>,
    /// The columns that are read, those of the condition among them; `None`: all.
    wanted: Option<Vec<FieldId>>,
    counts_rows: bool,
    /// Files are of an increment, which must have all columns of the rows that it has.
    needs_all_columns: bool,
    wanted_blobs: Mutex<Vec<WantedBlob>>,
}

/// Whether `.blob` files of a schema and a list of columns, as stored, are read.
#[derive(Debug)]
struct WantedBlob {
    schema_id: i64,
    columns: Box<[u8]>,
    wanted: bool,
}

/// The schemas that files were written with.
pub(crate) type Schemas = HashMap<i64, Arc<TableSchema>>;

/// Row ids that an increment adds: from this one on; `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewRows(pub(crate) Option<i64>);

/// What is left of some row groups.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Whole groups by row id, each in reading order.
    pub(crate) files: Vec<Planned>,
    /// Rows that are certainly wanted.
    pub(crate) certain_rows: u64,
}

impl Settled {
    /// All files, groups by row id. Files of a group stay in their order: `.blob` files start no earlier than the others.
    pub(crate) fn in_order(mut self) -> Vec<Planned> {
        self.files.sort_by_key(|file| file.entry.file.first_row_id);
        self.files
    }
}

impl Evolution {
    /// `None` for other tables. `condition` is what the request asks of rows in wanted partitions.
    ///
    /// # Errors
    /// `InvalidInput` when an option of the table cannot be parsed.
    pub(crate) fn find(
        schema: &Arc<TableSchema>,
        request: &ScanRequest,
        condition: Option<&Predicate>,
    ) -> Result<Option<Self>> {
        if !schema.table_options().data_evolution_enabled()? {
            return Ok(None);
        }
        let condition_fields = condition.map(Predicate::fields).unwrap_or_default();
        let wanted = request.fields.as_ref().map(|fields| {
            let mut wanted = [fields.as_slice(), condition_fields.as_slice()].concat();
            // Whichever file it is in, a row's id is its place.
            wanted.retain(|field| *field != ROW_ID_ID);
            wanted.sort_unstable();
            wanted.dedup();
            wanted
        });
        Ok(Some(Self {
            schema: Arc::clone(schema),
            condition: condition.cloned(),
            condition_fields,
            wanted,
            counts_rows: request.limit.is_some(),
            needs_all_columns: request.increment.is_some(),
            wanted_blobs: Mutex::default(),
        }))
    }

    /// Whether files can only be judged under their own schemas.
    pub(crate) fn needs_schemas(&self) -> bool {
        self.condition.is_some() || self.wanted.is_some() || self.needs_all_columns
    }

    /// Whether the file of a head may be read at all: not a `.blob` file of a column that nobody asked for.
    pub(crate) fn wants_columns(&self, head: &EntryHead<'_>, schema: &TableSchema) -> Result<bool> {
        let may_go = head.is_blob() && !self.needs_all_columns;
        let Some(wanted) = self.wanted.as_ref().filter(|_| may_go) else { return Ok(true) };
        // A panic while the lock is held leaves at most an answer out.
        let mut known = self.wanted_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |blob: &&WantedBlob| blob.schema_id == head.schema_id && *blob.columns == *head.write_cols;
        if let Some(blob) = known.iter().find(same) {
            return Ok(blob.wanted);
        }
        let column = |name: &String| schema.field(name).is_some_and(|field| wanted.contains(&field.id));
        let wanted = head.write_cols()?.is_none_or(|columns| columns.iter().any(column));
        known.push(WantedBlob { schema_id: head.schema_id, columns: head.write_cols.into(), wanted });
        Ok(wanted)
    }

    /// What a file itself says of the columns of the condition; nothing where it has another type than the table now.
    pub(crate) fn column_stats(&self, entry: &ManifestEntry, schema: &TableSchema) -> Box<[ColumnStats]> {
        let stats = |field: &FieldId| {
            let kind = |schema: &TableSchema| schema.field_by_id(*field).map(|field| field.data_type.kind.clone());
            let same_type = schema.id == self.schema.id || kind(schema) == kind(&self.schema);
            if same_type { entry.file.column_stats(schema, *field) } else { ColumnStats::default() }
        };
        if entry.file.is_blob() { Box::default() } else { self.condition_fields.iter().map(stats).collect() }
    }

    /// Judges files that are all there is of their row groups: groups without wanted rows go, and so do files without
    /// wanted columns. Of a group that stays one file of columns does, which is the anchor if rows of it are deleted.
    ///
    /// # Errors
    /// As [`row_groups`], `CorruptData` also when files of several buckets share row ids; `Unsupported` when an increment
    /// has columns of older rows without the others.
    pub(crate) fn settle(
        &self,
        mut files: Vec<Planned>,
        schemas: &Schemas,
        deletions: &DeletionIndex,
        new_rows: Option<NewRows>,
    ) -> Result<Settled> {
        let schema_of = |id: i64| schemas.get(&id).map(Arc::as_ref);
        if new_rows.is_some() {
            check_blobs_are_of_new_files(&files)?;
        }
        let mut certain_rows = 0_u64;
        // The order in which files are kept.
        let mut order = Vec::new();
        for group in row_groups(&files)? {
            check_one_bucket(&group, &files)?;
            if let Some(new_rows) = new_rows {
                self.check_whole(&group, &files, new_rows, &schema_of)?;
            }
            let verdict = self.verdict(&group, &files, &schema_of)?;
            if verdict == Verdict::None {
                continue;
            }
            let kept = self.wanted_files(&group, &files, deletions, &schema_of)?;
            if self.counts_rows && verdict == Verdict::All {
                certain_rows = certain_rows.saturating_add(rows_left(&group, &files, deletions));
                kept.iter().for_each(|at| files[*at].is_certain = true);
            }
            order.extend(kept);
        }
        let mut files: Vec<Option<Planned>> = files.into_iter().map(Some).collect();
        let files = order.into_iter().filter_map(|at| files.get_mut(at)?.take()).collect();
        Ok(Settled { files, certain_rows })
    }

    /// What the statistics of the files that rows have their values from say of the rows of a group.
    fn verdict<'s>(
        &self,
        group: &RowGroup,
        files: &[Planned],
        schema_of: &dyn Fn(i64) -> Option<&'s TableSchema>,
    ) -> Result<Verdict> {
        let Some(condition) = &self.condition else { return Ok(Verdict::All) };
        let mut stats = Vec::with_capacity(self.condition_fields.len());
        for (place, field) in self.condition_fields.iter().enumerate() {
            stats.push(self.stats_of(group, files, (place, *field), schema_of)?);
        }
        let known = |id: FieldId| {
            let place = self.condition_fields.iter().position(|field| *field == id);
            place.and_then(|place| stats.get(place).cloned()).unwrap_or_default()
        };
        Ok(condition.verdict(group.row_count(), &known))
    }

    fn stats_of<'s>(
        &self,
        group: &RowGroup,
        files: &[Planned],
        (place, field): (usize, FieldId),
        schema_of: &dyn Fn(i64) -> Option<&'s TableSchema>,
    ) -> Result<ColumnStats> {
        match field {
            ROW_ID_ID if !group.data.iter().any(|at| files[*at].entry.file.stores_row_ids()) => {
                return Ok(stats_of_ids(&group.rows));
            }
            ROW_ID_ID | SEQUENCE_NUMBER_ID => return Ok(ColumnStats::default()),
            _ => {}
        }
        let Some(column) = self.schema.field_by_id(field) else { return Ok(ColumnStats::default()) };
        if column.data_type.holds_blob() {
            return Ok(ColumnStats::default());
        }
        if let Some(place) = self.schema.partition_keys.iter().position(|key| *key == column.name)
            && let Some(file) = group.data.first()
        {
            let value = files[*file].entry.partition.get(place, &column.data_type)?;
            let null_count = if value.is_some() { 0 } else { group.row_count() };
            return Ok(ColumnStats { min: value.clone(), max: value, null_count: Some(null_count) });
        }
        Ok(match group.source(files, field, schema_of)? {
            ColumnSource::File(at) => files[at].stats.get(place).cloned().unwrap_or_default(),
            ColumnSource::Blobs(_) => ColumnStats::default(),
            ColumnSource::Nowhere => ColumnStats { min: None, max: None, null_count: Some(group.row_count()) },
        })
    }

    /// The files of a group that are read, in reading order.
    fn wanted_files<'s>(
        &self,
        group: &RowGroup,
        files: &[Planned],
        deletions: &DeletionIndex,
        schema_of: &dyn Fn(i64) -> Option<&'s TableSchema>,
    ) -> Result<Vec<usize>> {
        let Some(wanted) = &self.wanted else { return Ok(group.files().collect()) };
        let mut kept = Vec::new();
        for field in wanted {
            match group.source(files, *field, schema_of)? {
                ColumnSource::File(at) => kept.push(at),
                ColumnSource::Blobs(blobs) => kept.extend(blobs),
                ColumnSource::Nowhere => {}
            }
        }
        let has_deletions =
            !deletions.is_empty() && group.data.iter().any(|at| deletions.of(&files[*at].entry).is_some());
        if has_deletions || !group.data.iter().any(|at| kept.contains(at)) {
            kept.extend(group.anchor(files));
        }
        kept.sort_unstable();
        Ok(group.files().filter(|at| kept.binary_search(at).is_ok()).collect())
    }

    /// Refuses a group of an increment that updates columns of older rows: what is in the others is not in it.
    fn check_whole<'s>(
        &self,
        group: &RowGroup,
        files: &[Planned],
        new_rows: NewRows,
        schema_of: &dyn Fn(i64) -> Option<&'s TableSchema>,
    ) -> Result<()> {
        if new_rows.0.is_some_and(|first| group.rows.start >= first) {
            return Ok(());
        }
        let newest = group.files().max_by_key(|at| files[*at].entry.file.schema_id);
        let Some(newest) = newest.map(|at| &files[at].entry.file) else { return Ok(()) };
        for field in schema_of(newest.schema_id).map(|schema| schema.fields.as_slice()).unwrap_or_default() {
            if group.source(files, field.id, schema_of)? == ColumnSource::Nowhere {
                return Err(update_of_older_rows(&group.rows, &newest.file_name));
            }
        }
        Ok(())
    }
}

/// Refuses `.blob` files of an increment that are not of one of its other files.
fn check_blobs_are_of_new_files(files: &[Planned]) -> Result<()> {
    let (blobs, data): (Vec<_>, Vec<_>) = files.iter().map(|file| &file.entry.file).partition(|file| file.is_blob());
    let mut ranges: Vec<Range<i64>> = data.into_iter().filter_map(DataFileMeta::row_ids).collect();
    ranges.sort_unstable_by_key(|rows| rows.start);
    for (file, rows) in blobs.into_iter().filter_map(|file| Some((file, file.row_ids()?))) {
        let place = ranges.partition_point(|range| range.end <= rows.start);
        if ranges.get(place).is_none_or(|range| rows.start < range.start) {
            return Err(update_of_older_rows(&rows, &file.file_name));
        }
    }
    Ok(())
}

fn update_of_older_rows(rows: &Range<i64>, file_name: &str) -> Error {
    let message = format!(
        "reading what came in between is not supported yet where columns of older rows were updated, as those of row ids \
         {} to {} were",
        rows.start,
        rows.end.saturating_sub(1)
    );
    Error::unsupported(message).with_context("file", file_name)
}

/// Refuses files of different buckets that share row ids.
fn check_one_bucket(group: &RowGroup, files: &[Planned]) -> Result<()> {
    let entry = |at: usize| &files[at].entry;
    let mut others = group.files().map(entry);
    let Some(first) = others.next() else { return Ok(()) };
    match others.find(|entry| (entry.bucket, &entry.partition) != (first.bucket, &first.partition)) {
        None => Ok(()),
        Some(other) => {
            let message = format!(
                "expected files that share row ids {} to {} in one bucket, found {} and {} in several",
                group.rows.start,
                group.rows.end - 1,
                first.file.file_name,
                other.file.file_name
            );
            Err(Error::corrupt(message))
        }
    }
}

/// Rows of a group, if its deletions are counted.
fn rows_left(group: &RowGroup, files: &[Planned], deletions: &DeletionIndex) -> u64 {
    let anchor = group.anchor(files).map(|at| &files[at].entry);
    let rows = match anchor.and_then(|anchor| deletions.of(anchor)) {
        None => Some(group.row_count()),
        Some(deletion) => deletion.cardinality.map(|deleted| group.row_count().saturating_sub(deleted)),
    };
    rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
}

fn stats_of_ids(rows: &Range<i64>) -> ColumnStats {
    let bound = |id: i64| Some(Datum::BigInt(id));
    ColumnStats { min: bound(rows.start), max: bound(rows.end - 1), null_count: Some(0) }
}
