//! Files of pyarrow.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::Int64Type,
};
use bytes::Bytes;
use paimon_spec::{CompareOp, DataField, DataType, Datum, DeletionVector, Predicate, RowSet, TypeKind};
use rstest::rstest;

use super::{
    super::super::{
        FileRead,
        tests::{BUCKET, RUNTIME, all_of, meta, read, together},
    },
    FEW, LZ4, MANY, SNAPPY, UNCOMPRESSED, ZLIB, ZSTD, put, pyarrow_table,
};

#[rstest]
#[case::zstd(ZSTD, MANY)]
#[case::uncompressed(UNCOMPRESSED, FEW)]
#[case::zlib(ZLIB, FEW)]
#[case::snappy(SNAPPY, FEW)]
#[case::lz4(LZ4, FEW)]
fn files_of_pyarrow_have_the_rows_of_their_parquet_file(#[case] bytes: &'static [u8], #[case] rows: usize) {
    let (table, fields, expected) = pyarrow_table();
    let expected = expected.slice(0, rows);
    put(&table, "data.orc", Bytes::from_static(bytes));
    let file = meta("data.orc", bytes.len() as u64, rows as u64);
    for batch_rows in [1, 77, 100_000] {
        let found = read(&table, &file, &FileRead { batch_rows, ..all_of(&fields) }).unwrap();
        assert!(found.iter().all(|batch| batch.num_rows() <= batch_rows));
        let found = together(&fields, &found);
        for (field, (found, expected)) in fields.iter().zip(found.columns().iter().zip(expected.columns())) {
            assert_eq!(found, expected, "column {} in batches of {batch_rows}", field.name);
        }
    }
    for (field, expected) in fields.iter().zip(expected.columns()) {
        let alone = [field.clone()];
        let found = together(&alone, &read(&table, &file, &all_of(&alone)).unwrap());
        assert_eq!(found.column(0), expected, "column {} alone", field.name);
    }
}

#[test]
fn rows_and_fields_are_left_out() {
    let (table, fields, expected) = pyarrow_table();
    put(&table, "data.orc", Bytes::from_static(ZSTD));
    let file = meta("data.orc", ZSTD.len() as u64, MANY as u64);
    let deletions = Some(Arc::new(DeletionVector::from_positions((0..MANY as u64).filter(|row| row % 7 == 0))));
    let rows = Some(Arc::new(RowSet::from_positions((3..9).chain(300..700))));
    for (limit, batch_rows) in [(None, 50), (Some(0), 50), (Some(1), 50), (Some(40), 1000)] {
        let request =
            FileRead { deletions: deletions.clone(), rows: rows.clone(), limit, batch_rows, ..all_of(&fields) };
        let found = together(&fields, &read(&table, &file, &request).unwrap());
        let kept = (0..MANY).filter(|row| ((3..9).contains(row) || (300..700).contains(row)) && row % 7 != 0);
        let kept: Vec<usize> = kept.take(limit.unwrap_or(MANY)).collect();
        let slices: Vec<_> = kept.iter().map(|row| expected.slice(*row, 1)).collect();
        assert_eq!(found, concat_batches(&expected.schema(), &slices).unwrap());
        let none = FileRead { columns: Vec::new(), ..request };
        let found = read(&table, &file, &none).unwrap();
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), kept.len());
    }
    // Of a row one field, and one that the file lacks.
    let field = |name: &str, kind| DataField::new(90, name, DataType::nullable(kind));
    let some = vec![field("new", TypeKind::Int), field("y", TypeKind::VarChar(DataType::MAX_LENGTH))];
    let columns = [field("row", TypeKind::Row(some)), field("absent", TypeKind::Double)];
    let found = together(&columns, &read(&table, &file, &all_of(&columns)).unwrap());
    let (found, row) = (found.columns(), expected.column_by_name("row").unwrap().as_struct());
    assert_eq!(found[0].as_struct().column(0).null_count(), MANY);
    assert_eq!(found[0].nulls(), row.nulls());
    let texts = |row: &dyn Array| (0..MANY).map(|i| row.is_valid(i)).collect::<Vec<_>>();
    assert_eq!(texts(found[0].as_struct().column(1)), texts(row.column(1)));
    assert_eq!(found[1].null_count(), MANY);
}

#[test]
fn stripes_without_a_match_are_not_read() {
    let (table, fields, expected) = pyarrow_table();
    put(&table, "data.orc", Bytes::from_static(ZSTD));
    let file = meta("data.orc", ZSTD.len() as u64, MANY as u64);
    let up = fields.iter().find(|field| field.name == "up").unwrap();
    let read_where = |predicate: Predicate| {
        let request = FileRead { predicate: Some(predicate), ..all_of(std::slice::from_ref(up)) };
        let batches = read(&table, &file, &request).unwrap();
        batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    };
    let all: Vec<i64> = read_where(Predicate::compare(up.id, CompareOp::GtEq, Datum::BigInt(-700)));
    assert_eq!(all.len(), MANY);
    let last: Vec<i64> = read_where(Predicate::compare(up.id, CompareOp::Gt, Datum::BigInt(2_400)));
    assert!(last.len() < MANY && all.ends_with(&last), "{} rows", last.len());
    assert!(last.contains(&2_402));
    let none: Vec<i64> = read_where(Predicate::compare(up.id, CompareOp::Gt, Datum::BigInt(1 << 40)));
    assert!(none.is_empty());
    assert_eq!(expected.num_rows(), MANY);
}

#[test]
fn columns_are_fetched_alone_and_a_known_tail_is_not_fetched_again() {
    let (table, fields, _) = pyarrow_table();
    put(&table, "data.orc", Bytes::from_static(ZSTD));
    let file = meta("data.orc", ZSTD.len() as u64, MANY as u64);
    read(&table, &file, &all_of(&fields)).unwrap();
    RUNTIME.block_on(table.storage().delete(&format!("{BUCKET}/data.orc"))).unwrap();
    let found = read(&table, &file, &all_of(&[])).unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), MANY);
}
