//! Which buckets can hold rows with given keys.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use paimon_spec::{
    BinaryRow, BucketFunction, CompareOp, DataField, DataType, Datum, FieldId, Leaf, POSTPONED_BUCKET, Predicate,
    Result, TableSchema, Test, TypeKind, bucket_of,
};

/// More combinations of key values than this are not looked up (Java `BucketSelectConverter`).
const MAX_KEYS: usize = 1000;

/// The bucket keys that a predicate asks for.
#[derive(Debug)]
pub(crate) struct WantedKeys {
    function: BucketFunction,
    fields: Vec<DataField>,
    types: Vec<DataType>,
    keys: Vec<BinaryRow>,
    /// The buckets of `keys`, ascending, by the number of buckets.
    by_total: Mutex<HashMap<i32, Vec<i32>>>,
}

impl WantedKeys {
    /// `None` when no function chooses the table's buckets, or the predicate does not fix every column of the bucket key.
    pub(crate) fn find(schema: &TableSchema, predicate: &Predicate) -> Result<Option<Self>> {
        let options = schema.table_options();
        // Rows that waited for a bucket have one by the same function.
        if options.bucket()? <= 0 && options.bucket()? != POSTPONED_BUCKET {
            return Ok(None);
        }
        let fields = schema.bucket_key_fields()?;
        if fields.is_empty() {
            return Ok(None);
        }
        let mut combinations: Vec<Vec<Option<Datum>>> = vec![Vec::new()];
        for field in &fields {
            let Some(values) = fixed_values(predicate, field.id) else { return Ok(None) };
            let exact = values.iter().all(|value| is_stored_as(value, &field.data_type.kind));
            if !exact || combinations.len().saturating_mul(values.len()) > MAX_KEYS {
                return Ok(None);
            }
            combinations = combinations
                .iter()
                .flat_map(|start| values.iter().map(|value| [start.as_slice(), &[Some(value.clone())]].concat()))
                .collect();
        }
        let types: Vec<_> = fields.iter().map(|field| field.data_type.clone()).collect();
        let keys = combinations.iter().map(|key| BinaryRow::from_values(key, &types)).collect::<Result<_>>()?;
        Ok(Some(Self { function: options.bucket_function()?, fields, types, keys, by_total: Mutex::default() }))
    }

    /// Whether rows written under `file_schema` found their bucket by the same key.
    pub(crate) fn hold_for(&self, file_schema: &TableSchema) -> bool {
        self.fields.iter().all(|field| {
            file_schema.field_by_id(field.id).is_some_and(|file| file.data_type.kind == field.data_type.kind)
        })
    }

    /// Whether `bucket` of `total` may have a wanted key. Keeps what has no such number: not the bucket function chose it.
    pub(crate) fn may_be_in(&self, bucket: i32, total: i32) -> Result<bool> {
        Ok(total <= 0 || self.with_buckets(total, |buckets| buckets.binary_search(&bucket).is_ok())?)
    }

    /// Whether one of the buckets `min` to `max` of `total` may have a wanted key.
    pub(crate) fn may_be_between(&self, min: i32, max: i32, total: i32) -> Result<bool> {
        Ok(total <= 0
            || self.with_buckets(total, |buckets| buckets.iter().any(|bucket| (min..=max).contains(bucket)))?)
    }

    fn with_buckets(&self, total: i32, ask: impl FnOnce(&[i32]) -> bool) -> Result<bool> {
        let mut by_total = self.by_total.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(buckets) = by_total.get(&total) {
            return Ok(ask(buckets));
        }
        let buckets: Result<Vec<i32>> =
            self.keys.iter().map(|key| bucket_of(self.function, key, &self.types, total)).collect();
        let mut buckets = buckets?;
        buckets.sort_unstable();
        buckets.dedup();
        Ok(ask(by_total.entry(total).or_insert(buckets)))
    }
}

/// The values that a column must have one of, by `=`, `IN`, or an OR of these.
fn fixed_values(predicate: &Predicate, field: FieldId) -> Option<Vec<Datum>> {
    match predicate {
        Predicate::Leaf(Leaf { field: id, test }) if *id == field => match test {
            Test::Compare(CompareOp::Eq, value) => Some(vec![value.clone()]),
            Test::In(values) => Some(values.clone()),
            _ => None,
        },
        Predicate::And(parts) => {
            parts.iter().filter_map(|part| fixed_values(part, field)).min_by_key(|values| values.len())
        }
        Predicate::Or(parts) => {
            parts.iter().map(|part| fixed_values(part, field)).collect::<Option<Vec<_>>>().map(|values| values.concat())
        }
        _ => None,
    }
}

/// Whether rows with that value have exactly this value in their bucket key. Floats have several zeros and NaN.
fn is_stored_as(value: &Datum, kind: &TypeKind) -> bool {
    match (value, kind) {
        (Datum::Boolean(_), TypeKind::Boolean)
        | (Datum::TinyInt(_), TypeKind::TinyInt)
        | (Datum::SmallInt(_), TypeKind::SmallInt)
        | (Datum::Int(_), TypeKind::Int)
        | (Datum::BigInt(_), TypeKind::BigInt)
        | (Datum::String(_), TypeKind::Char(_) | TypeKind::VarChar(_))
        | (Datum::Bytes(_), TypeKind::Binary(_) | TypeKind::VarBinary(_))
        | (Datum::Date(_), TypeKind::Date)
        | (Datum::Time(_), TypeKind::Time(_)) => true,
        (Datum::Decimal { unscaled, scale }, TypeKind::Decimal { precision, scale: column_scale }) => {
            scale == column_scale
                && 10u128.checked_pow(u32::from(*precision)).is_some_and(|limit| unscaled.unsigned_abs() < limit)
        }
        (Datum::Timestamp(value), TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision)) => {
            let kept = |digits: u32| 10i64.pow(digits);
            match precision {
                0..=3 => value.nanos_of_milli == 0 && value.millis % kept(3 - u32::from(*precision)) == 0,
                4..=9 => i64::from(value.nanos_of_milli) % kept(9 - u32::from(*precision)) == 0,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use paimon_spec::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::testkit::append_schema;

    fn schema(bucket_key: &str) -> TableSchema {
        let mut schema = append_schema(&[]);
        schema.options.insert("bucket".into(), "4".into());
        schema.options.insert("bucket-key".into(), bucket_key.into());
        schema
    }

    fn eq(field: FieldId, value: Datum) -> Predicate {
        Predicate::compare(field, CompareOp::Eq, value)
    }

    fn buckets(bucket_key: &str, predicate: &Predicate) -> Option<Vec<i32>> {
        let keys = WantedKeys::find(&schema(bucket_key), predicate).unwrap()?;
        Some((0..4).filter(|bucket| keys.may_be_in(*bucket, 4).unwrap()).collect())
    }

    #[rstest]
    #[case::zero(0, 3)]
    #[case::one(1, 2)]
    #[case::two(2, 0)]
    #[case::three(3, 1)]
    #[case::nine(9, 3)]
    fn an_integer_key_is_in_the_bucket_of_the_format(#[case] key: i32, #[case] bucket: i32) {
        assert_eq!(buckets("id", &eq(0, Datum::Int(key))), Some(vec![bucket]));
    }

    #[test]
    fn lists_and_disjunctions_of_keys_give_several_buckets() {
        let list = Predicate::leaf(0, Test::In(vec![Datum::Int(0), Datum::Int(2)]));
        assert_eq!(buckets("id", &list), Some(vec![0, 3]));
        let either = Predicate::or([eq(0, Datum::Int(1)), eq(0, Datum::Int(2))]);
        assert_eq!(buckets("id", &either), Some(vec![0, 2]));
        let both = Predicate::and([list, eq(0, Datum::Int(2))]);
        assert_eq!(buckets("id", &both), Some(vec![0]));
    }

    #[test]
    fn a_key_that_is_not_fixed_in_every_column_prunes_nothing() {
        assert_eq!(buckets("id,name", &eq(0, Datum::Int(1))), None);
        let either = Predicate::or([eq(0, Datum::Int(1)), eq(1, Datum::String("x".into()))]);
        assert_eq!(buckets("id", &either), None);
        assert_eq!(buckets("id", &Predicate::compare(0, CompareOp::Lt, Datum::Int(1))), None);
    }

    #[test]
    fn tables_without_fixed_buckets_prune_nothing() {
        assert!(WantedKeys::find(&append_schema(&[]), &eq(0, Datum::Int(1))).unwrap().is_none());
    }

    #[test]
    fn rows_that_waited_for_a_bucket_have_that_of_the_format() {
        let mut schema = crate::testkit::keyed_schema(&[("bucket", "-2")]);
        schema.options.insert("bucket-key".into(), "id".into());
        let keys = WantedKeys::find(&schema, &eq(0, Datum::Int(1))).unwrap().unwrap();
        let buckets = |total| (0..total).filter(|bucket| keys.may_be_in(*bucket, total).unwrap()).collect::<Vec<_>>();
        assert_eq!(buckets(4), [2]);
        assert_eq!(buckets(1), [0]);
        assert!(keys.may_be_in(-2, -2).unwrap());
    }

    #[test]
    fn fixed_buckets_without_a_key_prune_nothing() {
        let mut schema = schema("id");
        schema.options.remove("bucket-key");
        assert!(WantedKeys::find(&schema, &eq(0, Datum::Int(1))).unwrap().is_none());
    }

    #[test]
    fn buckets_that_the_function_did_not_choose_are_kept() {
        let keys = WantedKeys::find(&schema("id"), &eq(0, Datum::Int(1))).unwrap().unwrap();
        assert!(keys.may_be_in(0, -1).unwrap());
    }

    #[test]
    fn files_that_were_written_under_another_key_type_are_kept() {
        let keys = WantedKeys::find(&schema("id"), &eq(0, Datum::Int(1))).unwrap().unwrap();
        let mut older = schema("id");
        assert!(keys.hold_for(&older));
        older.fields[0].data_type.kind = TypeKind::SmallInt;
        assert!(!keys.hold_for(&older));
    }

    #[rstest]
    #[case::whole_millis(3, 5, 0, true)]
    #[case::micros_in_a_column_of_millis(3, 5, 1000, false)]
    #[case::millis_in_a_column_of_seconds(0, 5, 0, false)]
    #[case::nanos_in_a_column_of_micros(6, 5, 1001, false)]
    #[case::nanos(9, 5, 1001, true)]
    fn a_timestamp_is_a_key_only_in_the_precision_of_its_column(
        #[case] precision: u8,
        #[case] millis: i64,
        #[case] nanos_of_milli: i32,
        #[case] expected: bool,
    ) {
        let value = Datum::Timestamp(Timestamp { millis, nanos_of_milli });
        assert_eq!(is_stored_as(&value, &TypeKind::Timestamp(precision)), expected);
    }
}
