//! A condition that is decided before the other columns are decoded.

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    error::ArrowError,
};
use paimon_spec::{DataField, Error, Predicate, Result, Test};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowPredicate, ArrowPredicateFn, RowFilter},
    },
    file::metadata::ParquetMetaData,
    schema::types::SchemaDescriptor,
};

use super::prune::Selection;
use crate::arrow::{
    filter::filter_mask,
    fit::{Origin, fit},
    types::arrow_schema,
};

/// A filter decodes its columns first and the other columns for the rows that pass. That pays when the others are
/// larger than this many times its own.
const LATE_COLUMNS_FACTOR: i64 = 1;

/// A condition to decide before the other columns are decoded.
#[derive(Clone)]
pub(super) struct LateFilter {
    predicate: Predicate,
    /// Its columns in the order of the file.
    fields: Vec<DataField>,
    roots: Vec<usize>,
}

impl LateFilter {
    /// The part of the predicate on columns of the file, when it is worth a pass of its own.
    pub(super) fn new(
        predicate: &Predicate,
        columns: &[DataField],
        found: &[Option<usize>],
        roots: &[usize],
        metadata: &ParquetMetaData,
        selection: &Selection,
    ) -> Option<Self> {
        let present: Vec<_> = columns.iter().zip(found).filter(|(_, root)| root.is_some()).map(|(f, _)| f.id).collect();
        let predicate = predicate.only_on(&present)?;
        if !may_be_selective(&predicate) {
            return None;
        }
        let ids = predicate.fields();
        let mut fields: Vec<(usize, DataField)> = columns
            .iter()
            .zip(found)
            .filter(|(field, _)| ids.contains(&field.id))
            .filter_map(|(field, root)| Some(((*root)?, field.clone())))
            .collect();
        fields.sort_by_key(|(root, _)| *root);
        let (own, fields): (Vec<usize>, Vec<DataField>) = fields.into_iter().unzip();
        let schema = metadata.file_metadata().schema_descr();
        let size_of = |wanted: &dyn Fn(usize) -> bool| -> i64 {
            let groups = selection.row_groups.iter().filter_map(|group| metadata.row_groups().get(*group));
            let chunks = groups.flat_map(|group| group.columns().iter().enumerate());
            let chunks = chunks.filter(|(leaf, _)| wanted(schema.get_column_root_idx(*leaf)));
            chunks.map(|(_, chunk)| chunk.uncompressed_size().max(0)).fold(0, i64::saturating_add)
        };
        let own_size = size_of(&|root| own.contains(&root));
        let late_size = size_of(&|root| roots.contains(&root) && !own.contains(&root));
        (late_size > own_size.saturating_mul(LATE_COLUMNS_FACTOR)).then_some(Self { predicate, fields, roots: own })
    }

    pub(super) fn into_row_filter(self, schema: &SchemaDescriptor) -> RowFilter {
        let projection = ProjectionMask::roots(schema, self.roots);
        let Self { predicate, fields, .. } = self;
        let evaluate = move |batch: RecordBatch| {
            let mask = || -> Result<_> {
                let columns = batch.columns().iter().zip(&fields);
                let columns = columns.map(|(column, field)| fit(column, &field.data_type, Origin::File));
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch = RecordBatch::try_new_with_options(
                    arrow_schema(&fields)?,
                    columns.collect::<Result<_>>()?,
                    &options,
                )
                .map_err(|e| Error::corrupt("columns do not fit together").with_source(e))?;
                filter_mask(&batch, &fields, &predicate)
            };
            mask().map_err(|e| ArrowError::ExternalError(Box::new(e)))
        };
        let filter: Vec<Box<dyn ArrowPredicate>> = vec![Box::new(ArrowPredicateFn::new(projection, evaluate))];
        RowFilter::new(filter)
    }
}

/// Whether a condition is of a kind that seldom holds. IS NOT NULL, <> and the like keep nearly all rows.
fn may_be_selective(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::And(parts) => parts.iter().any(may_be_selective),
        Predicate::Or(parts) => parts.iter().all(may_be_selective),
        Predicate::Leaf(leaf) => match &leaf.test {
            Test::IsNotNull => false,
            Test::Compare(op, _) => *op != paimon_spec::CompareOp::NotEq,
            _ => true,
        },
        _ => false,
    }
}
