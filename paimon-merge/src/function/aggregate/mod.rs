//! Aggregate functions of columns (Java `mergetree.compact.aggregate`).
//!
//! | module | functions | how |
//! |---|---|---|
//! | `picks` | `primary-key`, `last_value`, `last_non_null_value`, `first_value`, `first_non_null_value` | chosen rows |
//! | `extremes` | `max`, `min`, `bool_or`, `bool_and` | values, or chosen rows of texts and bytes |
//! | `numbers` | `sum`, `product` | exact arithmetic |
//! | `texts` | `listagg` | texts that grow |
//! | `lists` | `collect`, `nested_update` | chosen elements |
//! | `overlays` | `nested_partial_update` | elements put together of others, by `nested` keys |
//! | `maps` | `merge_map`, `merge_map_with_keytime` | chosen entries |
//! | `bytes` | `rbm32`, `rbm64`, `hll_sketch`, `theta_sketch` | unions of the `sets` that the bytes hold |

mod bitmap64;
mod bytes;
mod extremes;
mod items;
mod lists;
mod maps;
mod nested;
mod numbers;
mod overlays;
mod picks;
mod sets;
mod texts;

use arrow::array::ArrayRef;
use datasketches::theta::CompactThetaSketch;
use paimon_spec::{Aggregate, AggregateFunction, Error, Result};
use roaring::RoaringBitmap;

use self::bitmap64::Bitmap64;
use self::sets::HllSketch;
use super::KeyGroups;
use super::history::History;

/// The values of a column after `history`, one for each of its keys.
///
/// # Errors
/// `InvalidInput` naming the column and the function where a value has no place in the column's type, or the function
/// cannot take values back; `CorruptData` for bytes that are not what the function merges.
pub(super) fn aggregated(
    groups: &KeyGroups<'_>,
    position: usize,
    aggregate: &Aggregate,
    history: History<'_>,
) -> Result<ArrayRef> {
    computed(groups, position, aggregate, history).map_err(|error| {
        let column = groups.layout().fields().get(position).map_or("", |field| field.name.as_str());
        error.with_context("column", column).with_context("aggregate function", aggregate.function.name())
    })
}

fn computed(groups: &KeyGroups<'_>, position: usize, aggregate: &Aggregate, history: History<'_>) -> Result<ArrayRef> {
    use AggregateFunction as F;
    let (function, ignore_retract) = (&aggregate.function, aggregate.ignore_retract);
    let gathered = || groups.gather(position);
    match function {
        F::PrimaryKey | F::LastValue | F::LastNonNullValue | F::FirstValue | F::FirstNonNullValue => {
            picks::pick(groups, position, function, history, ignore_retract)
        }
        F::Max | F::BoolOr => extremes::extreme(groups, position, true, history, ignore_retract),
        F::Min | F::BoolAnd => extremes::extreme(groups, position, false, history, ignore_retract),
        F::Sum => numbers::sum(&gathered()?, history, ignore_retract),
        F::Product => numbers::product(&gathered()?, history, ignore_retract),
        F::Listagg { delimiter, distinct } => {
            texts::listagg(&gathered()?, delimiter, *distinct, history, ignore_retract)
        }
        F::Collect { distinct } => lists::collect(&gathered()?, *distinct, history, ignore_retract),
        F::NestedUpdate { key, sequence, count_limit, null_keys } => {
            let rules = lists::NestedRules { key, sequence, count_limit: *count_limit, null_keys: *null_keys };
            lists::nested_update(&gathered()?, &rules, history, ignore_retract)
        }
        F::NestedPartialUpdate { key, null_keys } => {
            overlays::nested_partial_update(&gathered()?, key, *null_keys, history, ignore_retract)
        }
        F::MergeMap => maps::merge_map(&gathered()?, history, ignore_retract),
        F::MergeMapWithKeyTime { time } => maps::merge_map_with_key_time(&gathered()?, *time, history, ignore_retract),
        F::RoaringBitmap32 => bytes::union::<RoaringBitmap>(&gathered()?, history, ignore_retract),
        F::RoaringBitmap64 => bytes::union::<Bitmap64>(&gathered()?, history, ignore_retract),
        F::HllSketch => bytes::union::<HllSketch>(&gathered()?, history, ignore_retract),
        F::ThetaSketch => bytes::union::<CompactThetaSketch>(&gathered()?, history, ignore_retract),
    }
}

/// `array` as the type that its data type says.
fn downcast<T: 'static>(array: &ArrayRef) -> Result<&T> {
    let wanted = || Error::internal("paimon-merge", format!("an array of {} is another one", array.data_type()));
    array.as_any().downcast_ref().ok_or_else(wanted)
}
