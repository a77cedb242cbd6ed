//! Files that are damaged.

use super::*;

fn fields() -> Vec<DataField> {
    let types = [
        TypeKind::Int,
        TypeKind::VarChar(DataType::MAX_LENGTH),
        TypeKind::Decimal { precision: 30, scale: 2 },
        TypeKind::Array(Box::new(DataType::nullable(TypeKind::BigInt))),
        TypeKind::Boolean,
    ];
    let field = |(i, kind)| DataField::new(i as i32, format!("c{i}"), DataType::nullable(kind));
    types.into_iter().enumerate().map(field).collect()
}

/// A condition and deletions, for which pages are left out.
fn request_of_pages(fields: &[DataField]) -> FileRead {
    FileRead {
        predicate: Some(leaf(0, Test::Compare(CompareOp::Lt, Datum::Int(2)))),
        deletions: Some(Arc::new(DeletionVector::from_positions([1, 30]))),
        ..all_of(fields)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_an_error_or_read_but_never_a_panic(
        extension in prop::sample::select(vec!["parquet", "avro"]), seed: u64,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let fields = fields();
        let table = table(&fields, &[("file.compression", "none")]);
        let mut dice = Dice(seed);
        let rows = batch(&fields, fields.iter().map(|f| random_array(&mut dice, &f.data_type, 40)).collect());
        let name = format!("data.{extension}");
        let written = write(&table, &name, &fields, &[rows]).unwrap();
        let path = format!("{BUCKET}/{name}");
        let mut bytes = RUNTIME.block_on(table.storage().read(&path)).unwrap().to_vec();
        for (index, value) in damage {
            let position = index.index(bytes.len());
            bytes[position] = value;
        }
        if let Some(index) = cut {
            bytes.truncate(index.index(bytes.len()));
        }
        let size = bytes.len() as u64;
        RUNTIME.block_on(table.storage().put(&path, Bytes::from(bytes))).unwrap();
        for request in [all_of(&fields), request_of_pages(&fields)] {
            if let Err(error) = read(&table, &meta(&name, size, written.rows), &request) {
                prop_assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "{error}");
                prop_assert!(error.to_string().contains(&name), "{error}");
            }
        }
    }
}

/// One row group, one column `a` of 1, 2, 3 by pyarrow, with `write_page_checksum`.
const CHECKED_FILE: &str = "\
        504152311500153c153c15facad7a90d1c15061500150615061c0000000200000006010100000000000000020000000000000003000000\
        000000001504192c35001806736368656d6115020015042502180161001606191c191c26001c1504192506001918016115001606166e16\
        6e2608491c150015001502000000166e16062608166e1400002820706172717565742d6370702d6172726f772076657273696f6e203139\
        2e302e31191c1c0000007400000050415231";

#[test]
fn page_checksums_are_verified() {
    let mut bytes: Vec<u8> =
        (0..CHECKED_FILE.len() / 2).map(|i| u8::from_str_radix(&CHECKED_FILE[2 * i..2 * i + 2], 16).unwrap()).collect();
    let fields = vec![DataField::new(0, "a", DataType::nullable(TypeKind::BigInt))];
    let file = meta("data.parquet", bytes.len() as u64, 3);
    let with = |bytes: &[u8]| {
        let table = table(&fields, &[]);
        let bytes = Bytes::copy_from_slice(bytes);
        RUNTIME.block_on(table.storage().put("bucket-0/data.parquet", bytes)).unwrap();
        read(&table, &file, &all_of(&fields))
    };
    let found = together(&fields, &with(&bytes).unwrap());
    assert_eq!(found.column(0).as_ref(), &Int64Array::from(vec![1, 2, 3]));
    let first_value = 35;
    assert_eq!(bytes[first_value], 1);
    bytes[first_value] = 9;
    let error = with(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().to_lowercase().contains("crc"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_of_a_file_of_ours_never_gives_other_rows(
        (extension, compression) in prop::sample::select(vec![
            ("parquet", "none"), ("parquet", "zstd"), ("avro", "zstd"), ("avro", "snappy"),
        ]),
        seed: u64, place: prop::sample::Index, bit in 0..8_u32,
    ) {
        let fields = fields();
        let table = table(&fields, &[("file.compression", compression)]);
        let mut dice = Dice(seed);
        let rows = batch(&fields, fields.iter().map(|f| random_array(&mut dice, &f.data_type, 300)).collect());
        let name = format!("data.{extension}");
        let written = write(&table, &name, &fields, &[rows]).unwrap();
        let path = format!("{BUCKET}/{name}");
        let mut bytes = RUNTIME.block_on(table.storage().read(&path)).unwrap().to_vec();
        let file = meta(&name, bytes.len() as u64, written.rows);
        let requests = [all_of(&fields), request_of_pages(&fields)];
        let wanted = requests.each_ref().map(|request| read(&table, &file, request).unwrap());
        // The header of an Avro file has no checksum.
        let start = if extension == "avro" { paimon_spec::AvroBlocks::open(&bytes).unwrap().1 } else { 0 };
        let place = start + place.index(bytes.len() - start);
        bytes[place] ^= 1 << bit;
        // Under another name, because footers are cached.
        let (name, file) = (format!("damaged.{extension}"), meta(&format!("damaged.{extension}"), written.size, written.rows));
        RUNTIME.block_on(table.storage().put(&format!("{BUCKET}/{name}"), Bytes::from(bytes))).unwrap();
        for (request, wanted) in requests.iter().zip(&wanted) {
            if let Ok(found) = read(&table, &file, request) {
                prop_assert_eq!(together(&fields, &found), together(&fields, wanted), "bit {} of byte {}", bit, place);
            }
        }
    }
}
