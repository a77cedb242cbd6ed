use paimon_spec::TypeKind;

use super::*;
use crate::testing::{entry, entry_in, partition, table_schema};

use FileKind::{Add, Delete};

#[test]
fn a_manifest_is_described_by_what_is_in_it() {
    let schema = table_schema(true, &[]);
    let mut entries = vec![
        entry_in(Add, partition(Some(5)), "a"),
        entry_in(Add, partition(None), "b"),
        entry_in(Delete, partition(Some(-3)), "c"),
    ];
    entries[1].bucket = 3;
    entries[1].file.level = 2;
    entries[2].file.schema_id = 7;

    let found = describe_manifest("manifest-x".to_owned(), 123, &entries, &schema.partition_fields()).unwrap();

    assert_eq!((found.num_added_files, found.num_deleted_files), (2, 1));
    assert_eq!((found.min_bucket, found.max_bucket), (Some(0), Some(3)));
    assert_eq!((found.min_level, found.max_level), (Some(0), Some(2)));
    assert_eq!(found.schema_id, 7);
    assert_eq!((found.min_row_id, found.max_row_id), (None, None));
    assert_eq!(found.partition_stats.min_values, partition(Some(-3)));
    assert_eq!(found.partition_stats.max_values, partition(Some(5)));
    assert_eq!(found.partition_stats.null_counts, [Some(1)]);
}

#[test]
fn row_ids_are_known_only_when_all_files_have_some() {
    let with_id = |first| {
        let mut entry = entry(Add, "a");
        entry.file.first_row_id = first;
        entry
    };
    assert_eq!(row_ids(&[with_id(Some(100)), with_id(Some(20))]), Some((20, 109)));
    assert_eq!(row_ids(&[with_id(Some(100)), with_id(None)]), None);
}

#[test]
fn rows_are_those_added_less_those_deleted() {
    assert_eq!(row_count(&[entry(Add, "a"), entry(Add, "b"), entry(Delete, "c")]).unwrap(), 10);
    let mut huge = entry(Add, "a");
    huge.file.row_count = i64::MAX;
    assert!(row_count(&[huge.clone(), huge]).is_err());
}

#[test]
fn a_manifest_may_hold_only_partitions_within_its_range() {
    let types = [DataType::nullable(TypeKind::Int)];
    let fields = table_schema(true, &[]).partition_fields();
    let may = |of: &[Option<i32>], asked: Option<i32>| {
        let entries: Vec<ManifestEntry> = of.iter().map(|p| entry_in(Add, partition(*p), "a")).collect();
        let manifest = describe_manifest("m".to_owned(), 1, &entries, &fields).unwrap();
        may_hold(&manifest, &[vec![asked.map(Datum::Int)]], &types)
    };
    assert!(may(&[Some(1), Some(5)], Some(3)));
    assert!(may(&[Some(1), Some(5)], Some(1)));
    assert!(!may(&[Some(1), Some(5)], Some(0)));
    assert!(!may(&[Some(1), Some(5)], Some(6)));
    assert!(!may(&[Some(1), Some(5)], None));
    assert!(may(&[Some(1), None], None));
}
