//! Which files make which rows, and how those are read: file by file where one file has all that is asked for, and
//! otherwise [stitched](crate::stitch) together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use paimon_io::TableStore;
use paimon_spec::{
    ColumnSource, DataField, DataSplit, Datum, DeletionFile, Error, FieldId, Predicate, ROW_ID_ID, Result, RowGroup,
    RowSet, SEQUENCE_NUMBER_ID, TableSchema, is_row_tracking_field, row_groups,
};

use crate::{
    ReadRequest,
    blobs::BlobColumn,
    files::Unopened,
    lanes::Lane,
    opening::{Opening, SplitFile, split_file},
    plan::{FilePlan, Target},
    row_ids::{may_store_row_ids, may_store_sequence_numbers, rows_wanted, stored_field, without_row_ids},
    stitch::{Origin, Stage, Stitch},
};

/// The row groups of a split, in reading order. Where the table has no column groups, each file is one.
///
/// # Errors
/// As [`row_groups`].
pub(crate) fn groups_of(split: &DataSplit, column_groups: bool) -> Result<Vec<RowGroup>> {
    if column_groups {
        return row_groups(&split.files);
    }
    let alone = |(position, file): (usize, &paimon_spec::DataFileMeta)| {
        // Without row ids, positions.
        let rows = file.row_ids().unwrap_or(0..file.row_count);
        RowGroup { rows, data: vec![position], blobs: Vec::new() }
    };
    Ok(split.files.iter().enumerate().map(alone).collect())
}

/// A row group, and its files.
pub(crate) struct Group<'a> {
    store: &'a TableStore,
    split: &'a DataSplit,
    group: RowGroup,
    /// In reading order: the newest data file first. There is one at least.
    files: Vec<SplitFile>,
}

impl<'a> Group<'a> {
    /// # Errors
    /// As [`TableStore::schema_at`].
    pub(crate) async fn load(store: &'a TableStore, split: &'a DataSplit, group: RowGroup) -> Result<Self> {
        let mut files = Vec::with_capacity(group.data.len() + group.blobs.len());
        for position in group.files() {
            files.extend(split_file(store, split, position).await?);
        }
        if group.data.is_empty() || files.len() < group.data.len() + group.blobs.len() {
            return Err(Error::internal("paimon-merge", "a row group without its data files"));
        }
        Ok(Self { store, split, group, files })
    }

    /// How the group's rows are read; `None` when none of them can be wanted.
    ///
    /// # Errors
    /// `CorruptData` when no file has a column that is NOT NULL; `InvalidInput` when the split contradicts itself.
    pub(crate) fn plan(mut self, target: &Arc<Target>, request: &ReadRequest) -> Result<Option<Unopened>> {
        if self.files.len() == 1 && !target.tracks_rows() {
            let file = self.files.remove(0);
            let Some(plan) = FilePlan::new(target, &file.written, &file.file, &[])? else { return Ok(None) };
            return self.one_file(file, plan, request).map(Some);
        }
        let sources = self.sources(target)?;
        match only_file(&sources).filter(|_| !target.tracks_rows()) {
            Some(position) => {
                let (own, file): (Vec<FieldId>, _) = match position {
                    Some(position) => (sources.keys().copied().collect(), self.file(position)?),
                    None => (Vec::new(), self.newest()),
                };
                let own: Vec<_> = own.into_iter().filter(|id| sources[id] != ColumnSource::Nowhere).collect();
                let Some(plan) = FilePlan::of_columns(target, &file.written, &own)? else { return Ok(None) };
                // All data files of a group have the same rows, so positions are the same in each.
                let (deletions, rows) = (self.deletions()?, self.rows()?);
                let file = SplitFile { deletions, rows, ..file.clone() };
                self.one_file(file, plan, request).map(Some)
            }
            None => Ok(self.stitch(target, &sources, request)?.map(|stitch| Unopened::Group(Box::new(stitch)))),
        }
    }

    fn one_file(&self, file: SplitFile, plan: FilePlan, request: &ReadRequest) -> Result<Unopened> {
        Opening::new(self.store, &self.split.bucket_path, file, plan, request.most_rows())
            .map(|opening| Unopened::File(Box::new(opening)))
    }

    /// Where each column comes from that is asked for and no partition column.
    fn sources(&self, target: &Target) -> Result<BTreeMap<FieldId, ColumnSource>> {
        let schema_of = |id: i64| -> Option<&TableSchema> {
            self.files.iter().find(|file| file.file.schema_id == id).map(|file| file.written.as_ref())
        };
        let mut sources = BTreeMap::new();
        for id in target.fields_needed() {
            if is_row_tracking_field(id) || target.partition_value(id).is_some() {
                continue;
            }
            let source = self.group.source(&self.split.files, id, &schema_of)?;
            if let Some(field) = target.field(id)
                && source == ColumnSource::Nowhere
                && !field.data_type.nullable
            {
                let names: Vec<_> = self.files.iter().map(|file| file.file.file_name.as_str()).collect();
                let message = format!("expected a column that is NOT NULL, found it in none of {}", names.join(", "));
                return Err(Error::corrupt(message).with_context("column", &field.name));
            }
            sources.insert(id, source);
        }
        Ok(sources)
    }

    fn newest(&self) -> &SplitFile {
        &self.files[0]
    }

    fn data_files(&self) -> &[SplitFile] {
        &self.files[..self.group.data.len()]
    }

    /// The file at a position of the split.
    fn file(&self, position: usize) -> Result<&SplitFile> {
        let file = self.files.iter().find(|file| file.rank == position);
        file.ok_or_else(|| Error::internal("paimon-merge", "a column comes from a file of another row group"))
    }

    /// The deletions of the group. Plans keep those of the group's anchor alone.
    fn deletions(&self) -> Result<Option<DeletionFile>> {
        let mut deletions = self.data_files().iter().filter_map(|file| file.deletions.as_ref());
        let first = deletions.next();
        match deletions.find(|other| Some(*other) != first) {
            None => Ok(first.cloned()),
            Some(_) => Err(Error::invalid("a split has several deletion vectors for the files of one row group")
                .with_context("file", &self.newest().file.file_name)),
        }
    }

    /// The positions of the rows to read; `None`: all.
    fn rows(&self) -> Result<Option<std::ops::Range<u64>>> {
        let rows = &self.newest().rows;
        if self.data_files().iter().all(|file| file.rows == *rows) {
            return Ok(rows.clone());
        }
        Err(Error::invalid("a split has several ranges of rows for the files of one row group")
            .with_context("file", &self.newest().file.file_name))
    }

    fn stitch(
        &self,
        target: &Arc<Target>,
        sources: &BTreeMap<FieldId, ColumnSource>,
        request: &ReadRequest,
    ) -> Result<Option<Stitch>> {
        let newest = &self.newest().file;
        let constant = |id: FieldId| match id {
            SEQUENCE_NUMBER_ID if !may_store_sequence_numbers(newest) => {
                Some(Some(Datum::BigInt(newest.max_sequence_number)))
            }
            _ => target.partition_value(id).or_else(|| (sources.get(&id)? == &ColumnSource::Nowhere).then_some(None)),
        };
        let mut predicate = target.predicate.substitute(&constant);
        if matches!(predicate, Predicate::Constant(false) | Predicate::Unknown) {
            return Ok(None);
        }
        let row_count = self.group.rows.end.abs_diff(self.group.rows.start);
        let mut wanted = RowSet::from_range(self.rows()?.unwrap_or(0..row_count))?;
        if !may_store_row_ids(newest) {
            // Plans may have left out files by what the whole predicate says of row ids, before constants made it simpler.
            let planned = rows_wanted(&target.predicate, &self.group.rows)?;
            wanted = wanted.and(&planned).and(&rows_wanted(&predicate, &self.group.rows)?);
            predicate = without_row_ids(predicate);
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut columns = Stages { group: self, sources, constant: &constant };
        let (mut early, mut late) = (Stage::default(), Stage::default());
        let (kept, others) = self.early(target, sources, &predicate.fields());
        for field in kept.iter().chain(&others).filter_map(|id| target.field(*id)) {
            columns.add(&mut early, field)?;
        }
        let mut output = Vec::with_capacity(target.output.len());
        for field in &target.output {
            let place = |stage: &Stage| stage.columns.iter().position(|(other, _)| other.id == field.id);
            output.push(match (place(&early), place(&late)) {
                (Some(place), _) => place,
                (None, Some(place)) => kept.len() + place,
                (None, None) => {
                    columns.add(&mut late, field)?;
                    kept.len() + late.columns.len() - 1
                }
            });
        }
        Ok(Some(Stitch {
            store: self.store.clone(),
            bucket_path: self.split.bucket_path.clone(),
            target: Arc::clone(target),
            rank: self.newest().rank,
            row_count,
            wanted,
            deletions: self.deletions()?,
            predicate,
            early,
            kept: kept.len(),
            late,
            output,
            limit: None,
            batch_rows: request.most_rows(),
        }))
    }

    /// The columns to read first, for a condition on the columns `asked`: those of the output, and the others.
    fn early(
        &self,
        target: &Target,
        sources: &BTreeMap<FieldId, ColumnSource>,
        asked: &[FieldId],
    ) -> (Vec<FieldId>, Vec<FieldId>) {
        let small_file = |id: &FieldId| match sources.get(id) {
            Some(ColumnSource::File(at)) => self.file(*at).ok().filter(|file| file.file.file_size <= SMALL_BYTES),
            _ => None,
        };
        let read_anyway: BTreeSet<_> = asked.iter().filter_map(small_file).map(|file| file.rank).collect();
        let is_early =
            |id: &FieldId| asked.contains(id) || small_file(id).is_some_and(|file| read_anyway.contains(&file.rank));
        let mut kept: Vec<FieldId> = Vec::new();
        for field in &target.output {
            if is_early(&field.id) && !kept.contains(&field.id) {
                kept.push(field.id);
            }
        }
        let others = asked.iter().copied().filter(|id| !kept.contains(id)).collect();
        (kept, others)
    }
}

/// A file of so many bytes is read once, whatever the condition keeps.
const SMALL_BYTES: i64 = 512 << 10;

/// The one data file that all columns come from; `Some(None)`: there are no columns. `None`: there are several files.
fn only_file(sources: &BTreeMap<FieldId, ColumnSource>) -> Option<Option<usize>> {
    let mut only = None;
    for source in sources.values() {
        match source {
            ColumnSource::Nowhere => {}
            ColumnSource::File(position) if only.is_none_or(|only| only == *position) => only = Some(*position),
            ColumnSource::File(_) | ColumnSource::Blobs(_) => return None,
        }
    }
    Some(only)
}

/// Columns of a group on their way into stages.
struct Stages<'a> {
    group: &'a Group<'a>,
    sources: &'a BTreeMap<FieldId, ColumnSource>,
    constant: &'a dyn Fn(FieldId) -> Option<Option<Datum>>,
}

impl Stages<'_> {
    fn add(&mut self, stage: &mut Stage, field: &DataField) -> Result<()> {
        let origin = self.origin(stage, field)?;
        stage.columns.push((field.clone(), origin));
        Ok(())
    }

    fn origin(&self, stage: &mut Stage, field: &DataField) -> Result<Origin> {
        if let Some(value) = (self.constant)(field.id) {
            return Ok(Origin::Constant(value));
        }
        let newest = self.group.newest();
        match field.id {
            ROW_ID_ID => {
                let stored = may_store_row_ids(&newest.file).then(|| read(stage, newest, stored_field(field), field));
                let first = newest.file.first_row_id;
                return Ok(Origin::RowId { stored, first });
            }
            SEQUENCE_NUMBER_ID => {
                let stored = read(stage, newest, stored_field(field), field);
                return Ok(Origin::StoredOr { stored, known: Datum::BigInt(newest.file.max_sequence_number) });
            }
            _ => {}
        }
        match self.sources.get(&field.id) {
            Some(ColumnSource::File(position)) => {
                let file = self.group.file(*position)?;
                let written = file.written.field_by_id(field.id).cloned();
                let written = written
                    .ok_or_else(|| Error::internal("paimon-merge", "a column comes from a file that lacks it"))?;
                let (lane, column) = read(stage, file, written, field);
                Ok(Origin::Read(lane, column))
            }
            Some(ColumnSource::Blobs(positions)) => {
                let files = positions.iter().map(|position| self.group.file(*position).cloned());
                stage.lanes.push(Lane::Blobs(BlobColumn {
                    field: field.clone(),
                    files: files.collect::<Result<_>>()?,
                    first_row_id: self.group.group.rows.start,
                }));
                Ok(Origin::Read(stage.lanes.len() - 1, 0))
            }
            Some(ColumnSource::Nowhere) | None => {
                Err(Error::internal("paimon-merge", format!("the column {} comes from nowhere", field.name)))
            }
        }
    }
}

/// The place of a file's column: its lane, and there.
fn read(stage: &mut Stage, file: &SplitFile, written: DataField, field: &DataField) -> (usize, usize) {
    let of_file = |lane: &Lane| matches!(lane, Lane::File { file: other, .. } if other.rank == file.rank);
    let lane = stage.lanes.iter().position(of_file).unwrap_or_else(|| {
        stage.lanes.push(Lane::File { file: Box::new(file.clone()), columns: Vec::new() });
        stage.lanes.len() - 1
    });
    match &mut stage.lanes[lane] {
        Lane::File { columns, .. } => {
            columns.push((written, field.clone()));
            (lane, columns.len() - 1)
        }
        Lane::Blobs(_) => (lane, 0),
    }
}
