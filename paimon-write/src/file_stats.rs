//! Statistics of a file's columns, as the table's options want them.

#[cfg(test)]
mod tests;

use paimon_spec::{
    BlobStorage, ColumnStats, DataField, DataType, KEY_STATS_LENGTH, Result, SimpleStats, StatsMode, TableSchema,
    truncate_max, truncate_min,
};

/// How the statistics of keys are kept, whatever the table's options say.
const KEY_MODE: StatsMode = StatsMode::Truncate(KEY_STATS_LENGTH);

/// How the statistics of a table's files are kept.
#[derive(Debug)]
pub(crate) struct StatsLayout {
    names: Vec<String>,
    /// Nullable, whatever the columns are: NULL means unknown.
    types: Vec<DataType>,
    modes: Vec<StatsMode>,
    /// Columns without statistics are left out, instead of standing there as unknown.
    dense: bool,
}

impl StatsLayout {
    /// Of files with the columns `fields` of a table (Java `StatsCollectorFactories`). BLOB columns have no bounds, and
    /// those in files of their own no statistics at all.
    pub(crate) fn of(schema: &TableSchema, fields: &[DataField]) -> Result<Self> {
        let options = schema.table_options();
        let first_n = usize::try_from(options.stats_keep_first_n_columns()?).ok();
        // In thin mode the statistics of keys are those of the columns that they are made of.
        let keys = if options.data_file_thin_mode()? { schema.trimmed_primary_keys() } else { Vec::new() };
        let mut counted = 0;
        let mode = |field: &DataField| {
            let own_mode = options.has_own_stats_mode(&field.name);
            if !own_mode && keys.contains(&field.name.as_str()) {
                return Ok(KEY_MODE);
            }
            counted += 1;
            if !own_mode && first_n.is_some_and(|n| counted > n) {
                return Ok(StatsMode::None);
            }
            let mode = options.stats_mode(&field.name)?;
            Ok(match schema.blob_storage(field) {
                Some(BlobStorage::File) => StatsMode::None,
                Some(_) if mode != StatsMode::None => StatsMode::Counts,
                _ => mode,
            })
        };
        let modes = fields.iter().map(mode).collect::<Result<_>>()?;
        Ok(Self {
            names: fields.iter().map(|field| field.name.clone()).collect(),
            types: fields.iter().map(|field| DataType::nullable(field.data_type.kind.clone())).collect(),
            modes,
            dense: options.stats_dense_store()?,
        })
    }

    /// `_VALUE_STATS` and `_VALUE_STATS_COLS` of a file whose columns have `stats` (Java `SimpleStatsConverter`).
    pub(crate) fn apply(&self, stats: &[ColumnStats]) -> Result<(SimpleStats, Option<Vec<String>>)> {
        let columns: Vec<ColumnStats> =
            self.modes.iter().enumerate().map(|(at, mode)| cut(stats.get(at), *mode)).collect();
        if self.dense {
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            SimpleStats::dense(&names, &columns, &self.types)
        } else {
            Ok((SimpleStats::from_columns(&columns, &self.types)?, None))
        }
    }
}

/// `_KEY_STATS` of a file whose key columns have `stats` and these types (Java `KeyValueDataFileWriter`).
pub(crate) fn key_stats<'a>(
    stats: impl Iterator<Item = Option<&'a ColumnStats>>,
    types: &[DataType],
) -> Result<SimpleStats> {
    let columns: Vec<ColumnStats> = stats.map(|stats| cut(stats, KEY_MODE)).collect();
    let types: Vec<DataType> = types.iter().map(|data_type| DataType::nullable(data_type.kind.clone())).collect();
    SimpleStats::from_columns(&columns, &types)
}

/// One column's statistics under a mode. A maximum that cannot be cut takes the minimum with it (Java
/// `TruncateSimpleColStatsCollector`).
fn cut(stats: Option<&ColumnStats>, mode: StatsMode) -> ColumnStats {
    let Some(stats) = stats else { return ColumnStats::default() };
    match mode {
        StatsMode::None => ColumnStats::default(),
        StatsMode::Counts => ColumnStats { min: None, max: None, null_count: stats.null_count },
        StatsMode::Full => stats.clone(),
        StatsMode::Truncate(length) => {
            let max = stats.max.clone().and_then(|max| truncate_max(max, length));
            let min = stats.min.clone().filter(|_| max.is_some()).map(|min| truncate_min(min, length));
            ColumnStats { max: max.filter(|_| min.is_some()), min, null_count: stats.null_count }
        }
    }
}
