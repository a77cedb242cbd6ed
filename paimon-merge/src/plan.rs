//! What of one file is read, and how it becomes the rows asked for.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    compute::filter,
    datatypes::SchemaRef,
};
use paimon_io::{arrow_schema, constant_array, evolve_array, filter_mask};
use paimon_spec::{
    DataField, DataFileMeta, DataType, Datum, Error, FieldId, Predicate, Result, RowKind, TableSchema, Test,
    VALUE_KIND_ID, sequence_number_field, value_kind_field,
};

use crate::{KeyedLayout, row_ids::tracked_fields};

/// What is asked of every file of a split.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) current: Arc<TableSchema>,
    /// Columns that come out, in order.
    pub(crate) output: Vec<DataField>,
    pub(crate) schema: SchemaRef,
    pub(crate) predicate: Predicate,
    /// Values of the partition columns.
    pub(crate) partition: Vec<(FieldId, Option<Datum>)>,
    /// What files of the table have beside its columns.
    system: Vec<DataField>,
    /// What rows have beside the table's columns, and files seldom.
    tracked: Vec<DataField>,
    /// Rows that take back are left out.
    only_adds: bool,
}

impl Target {
    /// # Errors
    /// `InvalidInput` when projection or predicate name a column that the table does not have.
    pub(crate) fn new(
        current: Arc<TableSchema>,
        projection: Option<&[FieldId]>,
        predicate: Option<&Predicate>,
        partition: Vec<(FieldId, Option<Datum>)>,
    ) -> Result<Self> {
        let tracked = if current.table_options().row_tracking_enabled()? { tracked_fields() } else { Vec::new() };
        let field = |id: FieldId| current.field_by_id(id).or_else(|| tracked.iter().find(|field| field.id == id));
        let output = match projection {
            None => current.fields.clone(),
            Some(ids) => ids
                .iter()
                .map(|id| {
                    field(*id)
                        .cloned()
                        .ok_or_else(|| Error::invalid(format!("the table has no column of field id {id}")))
                })
                .collect::<Result<_>>()?,
        };
        let schema = arrow_schema(&output)?;
        let predicate = predicate.cloned().unwrap_or(Predicate::Constant(true));
        for id in predicate.fields() {
            if field(id).is_none() {
                return Err(Error::invalid(format!("predicate on field id {id}, which the table does not have")));
            }
        }
        let keyed = !current.primary_keys.is_empty();
        let system = if keyed { vec![sequence_number_field(), value_kind_field()] } else { Vec::new() };
        Ok(Self { current, output, schema, predicate, partition, system, tracked, only_adds: keyed })
    }

    /// A column of the table, or one that its rows have beside those.
    pub(crate) fn field(&self, id: FieldId) -> Option<&DataField> {
        self.current.field_by_id(id).or_else(|| self.tracked.iter().find(|field| field.id == id))
    }

    /// The columns of the output and of the predicate; some may stand twice.
    pub(crate) fn fields_needed(&self) -> Vec<FieldId> {
        self.output.iter().map(|field| field.id).chain(self.predicate.fields()).collect()
    }

    /// Whether row ids or sequence numbers are asked for.
    pub(crate) fn tracks_rows(&self) -> bool {
        let tracked = |id: FieldId| self.tracked.iter().any(|field| field.id == id);
        !self.tracked.is_empty() && self.fields_needed().into_iter().any(tracked)
    }

    /// The value of a partition column; `None` when it is none.
    pub(crate) fn partition_value(&self, id: FieldId) -> Option<Option<Datum>> {
        self.partition.iter().find(|(partition, _)| *partition == id).map(|(_, value)| value.clone())
    }

    /// The same, under another condition.
    pub(crate) fn with_predicate(&self, predicate: Predicate) -> Self {
        Self {
            current: Arc::clone(&self.current),
            output: self.output.clone(),
            schema: Arc::clone(&self.schema),
            predicate,
            partition: self.partition.clone(),
            system: self.system.clone(),
            tracked: self.tracked.clone(),
            only_adds: self.only_adds,
        }
    }

    /// The rows of files that are going to be merged: the columns of `layout`, rows that take back too, and of the
    /// predicate what may be looked at before the merge.
    pub(crate) fn before_merge(&self, layout: &KeyedLayout) -> Self {
        Self {
            current: Arc::clone(&self.current),
            output: layout.fields().to_vec(),
            schema: Arc::clone(layout.schema()),
            predicate: self.predicate.below_merge(&self.current),
            partition: self.partition.clone(),
            system: self.system.clone(),
            tracked: Vec::new(),
            only_adds: false,
        }
    }
}

/// How one file is read.
#[derive(Debug)]
pub(crate) struct FilePlan {
    target: Arc<Target>,
    /// Columns to read of the file, as it has them.
    pub(crate) columns: Vec<DataField>,
    /// The same columns as they are now, in the same order.
    current: Vec<DataField>,
    /// What the file's reader may leave rows out by.
    pub(crate) pushed: Option<Predicate>,
    /// What is left of the predicate, over `current`.
    residual: Predicate,
    /// For each column of the output where it comes from.
    origins: Vec<Origin>,
}

#[derive(Debug, Clone)]
enum Origin {
    /// A column that is read.
    Read(usize),
    /// The same value in all rows of the file: a partition column, or NULL.
    Constant(Option<Datum>),
}

impl FilePlan {
    /// Plans the read of a file of schema `written`; `None` when none of its rows can be wanted. `known` are values of
    /// system columns that all rows of the file have.
    ///
    /// # Errors
    /// `Unsupported` for columns that no file of ours can hold.
    pub(crate) fn new<'a>(
        target: &'a Arc<Target>,
        written: &'a TableSchema,
        file: &DataFileMeta,
        known: &[(FieldId, Datum)],
    ) -> Result<Option<Self>> {
        // A file may hold fewer columns than its schema.
        let in_file = |id: FieldId| written.field_by_id(id).filter(|_| file.holds(written, id));
        // Without a count of the rows that take back, there may be some.
        let adds = (target.only_adds && file.delete_row_count != Some(0)).then(only_adds);
        Self::of(target, written, &in_file, known, adds)
    }

    /// Plans the read of a file of schema `written` for the columns `own`, when all others that it may hold are not
    /// looked at.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of_columns<'a>(
        target: &'a Arc<Target>,
        written: &'a TableSchema,
        own: &[FieldId],
    ) -> Result<Option<Self>> {
        let in_file = |id: FieldId| own.contains(&id).then(|| written.field_by_id(id)).flatten();
        Self::of(target, written, &in_file, &[], None)
    }

    /// Plans what becomes of merged rows, which have the columns that this asks for, as the table has them.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn after_merge(target: &Arc<Target>) -> Result<Option<Self>> {
        let current = &target.current;
        Self::of(target, current, &|id| current.field_by_id(id), &[], None)
    }

    fn of<'a>(
        target: &'a Arc<Target>,
        written: &TableSchema,
        in_file: &dyn Fn(FieldId) -> Option<&'a DataField>,
        known: &[(FieldId, Datum)],
        adds: Option<Predicate>,
    ) -> Result<Option<Self>> {
        let current = &target.current;
        let in_file = |id: FieldId| target.system.iter().find(|field| field.id == id).or_else(|| in_file(id));
        let constant = |id: FieldId| match target.partition_value(id) {
            Some(value) => Some(value),
            None => match known.iter().find(|(known, _)| *known == id) {
                Some((_, value)) => Some(Some(value.clone())),
                None => in_file(id).is_none().then_some(None),
            },
        };
        let residual = target.predicate.substitute(&constant);
        if matches!(residual, Predicate::Constant(false) | Predicate::Unknown) {
            return Ok(None);
        }
        let mut plan = Self {
            target: Arc::clone(target),
            columns: Vec::new(),
            current: Vec::new(),
            pushed: None,
            origins: Vec::with_capacity(target.output.len()),
            residual: Predicate::Constant(true),
        };
        for field in &target.output {
            let origin = match constant(field.id) {
                Some(value) => Origin::Constant(value),
                None => Origin::Read(plan.column(field, in_file(field.id))?),
            };
            plan.origins.push(origin);
        }
        let pushed = residual.for_file(current, written).predicate;
        if pushed == Predicate::Constant(false) {
            return Ok(None);
        }
        // Not pushed: nearly all rows add, so that leaving others out while decoding costs more than it saves.
        let residual = Predicate::and([residual].into_iter().chain(adds));
        for id in residual.fields() {
            if let Some(field) = current.field_by_id(id).or_else(|| in_file(id)) {
                plan.column(field, in_file(id))?;
            }
        }
        plan.pushed = (pushed != Predicate::Constant(true)).then_some(pushed);
        plan.residual = residual;
        Ok(Some(plan))
    }

    /// The position among the columns read of a column of the file.
    fn column(&mut self, field: &DataField, written: Option<&DataField>) -> Result<usize> {
        if let Some(position) = self.current.iter().position(|f| f.id == field.id) {
            return Ok(position);
        }
        let written = written.ok_or_else(|| Error::internal("paimon-merge", "a column that the file lacks is read"))?;
        self.columns.push(written.clone());
        self.current.push(field.clone());
        Ok(self.columns.len() - 1)
    }

    /// The same read, of which also rows are wanted that fail the condition: statistics alone leave rows out.
    pub(crate) fn by_statistics(self) -> Self {
        Self { residual: Predicate::Constant(true), ..self }
    }

    /// Whether every row that the file's reader gives is wanted.
    pub(crate) fn keeps_all(&self) -> bool {
        self.residual == Predicate::Constant(true)
    }

    /// Turns a batch of `columns` into rows of the output.
    pub(crate) fn finish(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.columns.iter().zip(&self.current));
        let columns = columns.map(|(array, (old, new))| {
            evolve_array(array, &old.data_type, &new.data_type).map_err(|e| e.with_context("column", &new.name))
        });
        let mut columns = columns.collect::<Result<Vec<_>>>()?;
        let mut rows = batch.num_rows();
        if !self.keeps_all() {
            let evolved = assemble(&loose_schema(&self.current)?, columns.clone(), rows)?;
            let mask = filter_mask(&evolved, &self.current, &self.residual)?;
            let kept = mask.true_count();
            if kept < rows {
                let wanted = self.wanted_columns();
                for (position, column) in columns.iter_mut().enumerate() {
                    // Columns that only the predicate needs are done with.
                    if wanted.contains(&position) {
                        *column = filter(column, &mask).map_err(|e| Error::internal("paimon-merge", e))?;
                    }
                }
                rows = kept;
            }
        }
        let output = self.origins.iter().zip(&self.target.output).map(|(origin, field)| -> Result<ArrayRef> {
            match origin {
                Origin::Read(position) => Ok(Arc::clone(&columns[*position])),
                Origin::Constant(value) => constant_array(value.as_ref(), &field.data_type, rows)
                    .map_err(|e| e.with_context("column", &field.name)),
            }
        });
        assemble(&self.target.schema, output.collect::<Result<_>>()?, rows)
    }

    fn wanted_columns(&self) -> Vec<usize> {
        self.origins.iter().filter_map(|origin| if let Origin::Read(p) = origin { Some(*p) } else { None }).collect()
    }
}

/// The condition that a row does not take back.
fn only_adds() -> Predicate {
    let adds = RowKind::ALL.into_iter().filter(|kind| !kind.is_retract());
    Predicate::leaf(VALUE_KIND_ID, Test::In(adds.map(|kind| Datum::TinyInt(kind.code())).collect()))
}

/// The schema of `fields` without NOT NULL, which is looked at when the output is put together.
pub(crate) fn loose_schema(fields: &[DataField]) -> Result<SchemaRef> {
    let loose = |field: &DataField| DataField {
        data_type: DataType { nullable: true, ..field.data_type.clone() },
        ..field.clone()
    };
    arrow_schema(&fields.iter().map(loose).collect::<Vec<_>>())
}

pub(crate) fn assemble(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Error::corrupt("rows of the file do not fit the table").with_source(e))
}
