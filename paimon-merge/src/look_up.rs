//! Looking up one key: its newest row decides, so older runs are not read.

use futures::{StreamExt, TryStreamExt, future, stream};
use paimon_spec::{CompareOp, Leaf, MergeEngine, MergeOptions, Predicate, TableSchema, Test};

use crate::sorted::RankedBatches;

/// Whether rows that pass `predicate` have one key at most, and its newest row is its result: each column of the key
/// must equal a value, and nothing but the order of writing says what is newer.
pub(crate) fn newest_decides(table: &TableSchema, options: &MergeOptions, predicate: &Predicate) -> bool {
    let parts = match predicate {
        Predicate::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let equals = |part: &Predicate| match part {
        Predicate::Leaf(Leaf { field, test: Test::Compare(CompareOp::Eq, _) }) => Some(*field),
        _ => None,
    };
    matches!(options.engine, MergeEngine::Deduplicate)
        && !options.ignore_delete
        && options.sequence_fields.is_empty()
        && table.key_fields().iter().all(|key| parts.iter().filter_map(equals).any(|field| field == key.id))
}

/// The rows of the newest run that has any; each run is read when all newer ones have none. `runs` ascend by age: the
/// newest is the last.
pub(crate) fn newest(runs: Vec<RankedBatches>) -> RankedBatches {
    stream::iter(runs.into_iter().rev())
        .then(RankedBatches::try_collect::<Vec<_>>)
        .try_filter(|batches| future::ready(!batches.is_empty()))
        .take(1)
        .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}
