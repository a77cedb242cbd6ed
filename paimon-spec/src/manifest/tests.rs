use bytes::Bytes;
use proptest::prelude::*;
use rstest::rstest;

use super::record::Bounds;
use super::*;
use crate::data_file::arbitrary::{index_entries, manifest_entries, manifest_files};
use crate::{BinaryRow, DataType, Datum, ErrorKind, FileSource, Result, SimpleStats, TypeKind};

const JAVA_MANIFEST: &[u8] = include_bytes!("../../tests/data/java-0.9-manifest.avro");
const JAVA_MANIFEST_LIST: &[u8] = include_bytes!("../../tests/data/java-0.9-manifest-list.avro");
const PYPAIMON_MANIFEST: &[u8] = include_bytes!("../../tests/data/pypaimon-2.1.0-manifest.avro");
const PYPAIMON_MANIFEST_LIST: &[u8] = include_bytes!("../../tests/data/pypaimon-2.1.0-manifest-list.avro");
const PAIMON_RUST_MANIFEST: &[u8] = include_bytes!("../../tests/data/paimon-rust-0.4.0-manifest.avro");
const PAIMON_RUST_MANIFEST_LIST: &[u8] = include_bytes!("../../tests/data/paimon-rust-0.4.0-manifest-list.avro");
const PYPAIMON_DELETION_VECTORS: &[u8] =
    include_bytes!("../../tests/data/pypaimon-2.1.0-index-manifest-deletion-vectors.avro");
const PYPAIMON_HASH: &[u8] = include_bytes!("../../tests/data/pypaimon-2.1.0-index-manifest-hash.avro");

fn decode(avro: &[u8]) -> Result<Vec<ManifestEntry>> {
    let mut entries = Vec::new();
    decode_manifest(avro, None, &mut |_| true, &mut |entry| {
        entries.push(entry);
        Ok(())
    })?;
    Ok(entries)
}

fn types(kinds: &[TypeKind]) -> Vec<DataType> {
    kinds.iter().cloned().map(DataType::nullable).collect()
}

#[test]
fn a_manifest_of_java_0_9_is_read_though_it_lacks_newer_fields() {
    let entries = decode(JAVA_MANIFEST).unwrap();
    let [entry] = &entries[..] else { panic!("one entry, not {}", entries.len()) };
    let long = types(&[TypeKind::BigInt]);
    let key = |value| BinaryRow::from_values(&[Some(Datum::BigInt(value))], &long).unwrap();
    assert_eq!((entry.kind, entry.bucket, entry.total_buckets), (FileKind::Add, 0, 1));
    assert_eq!(entry.partition, BinaryRow::empty());
    let file = &entry.file;
    assert_eq!(file.file_name, "data-9ca38ab7-b952-4854-a371-5c010cb9eeb0-0.parquet");
    assert_eq!((file.file_size, file.row_count, file.schema_id, file.level), (3050, 173, 0, 0));
    assert_eq!((&file.min_key, &file.max_key), (&key(-49), &key(150)));
    assert_eq!((&file.key_stats.min_values, &file.key_stats.max_values), (&key(-49), &key(150)));
    assert_eq!(file.value_stats.null_counts, [Some(0), Some(27), Some(24), Some(24)]);
    assert_eq!((file.min_sequence_number, file.max_sequence_number), (0, 172));
    assert_eq!(file.creation_time_millis, Some(1_795_336_066_363));
    assert_eq!((file.delete_row_count, file.file_source), (Some(0), Some(FileSource::Append)));
    assert_eq!((&file.value_stats_cols, &file.external_path, &file.write_cols), (&None, &None, &None));
}

#[test]
fn a_manifest_list_of_java_0_9_is_read_though_it_lacks_newer_fields() {
    let wanted = ManifestFileMeta {
        file_name: "manifest-78c28cbb-3e0d-4f51-8e99-864b6f8b59c9-0".into(),
        file_size: 1826,
        num_added_files: 1,
        num_deleted_files: 0,
        partition_stats: SimpleStats::empty(),
        schema_id: 0,
        min_bucket: None,
        max_bucket: None,
        min_level: None,
        max_level: None,
        min_row_id: None,
        max_row_id: None,
        total_buckets: None,
        extra_files: None,
    };
    assert_eq!(decode_manifest_list(JAVA_MANIFEST_LIST).unwrap(), [wanted]);
}

#[test]
fn a_manifest_of_pypaimon_is_read_though_its_records_have_other_names() {
    let entries = decode(PYPAIMON_MANIFEST).unwrap();
    let partition_types = types(&[TypeKind::VarChar(DataType::MAX_LENGTH), TypeKind::Timestamp(6)]);
    let partitions: Vec<_> = entries.iter().map(|entry| entry.partition.values(&partition_types).unwrap()).collect();
    let date = || Some(Datum::String("2024-01-01".into()));
    let time = Some(Datum::Timestamp(crate::Timestamp { millis: 1_704_067_200_000, nanos_of_milli: 5000 }));
    assert_eq!(partitions, [vec![date(), time], vec![date(), None], vec![None, None]]);
    let file = &entries[1].file;
    assert_eq!(file.min_key, BinaryRow::empty());
    let price = DataType::nullable(TypeKind::Decimal { precision: 20, scale: 2 });
    let stats = file.value_stats.column(4, &price).unwrap();
    assert_eq!(stats.min, Some(Datum::Decimal { unscaled: 125, scale: 2 }));
    assert_eq!(file.value_stats.null_counts[1], Some(1));
}

#[test]
fn a_manifest_list_of_pypaimon_is_read() {
    let manifests = decode_manifest_list(PYPAIMON_MANIFEST_LIST).unwrap();
    let [manifest] = &manifests[..] else { panic!("one manifest, not {}", manifests.len()) };
    assert_eq!((manifest.file_size, manifest.num_added_files, manifest.num_deleted_files), (2552, 3, 0));
    assert_eq!((manifest.min_bucket, manifest.max_level, manifest.min_row_id), (Some(0), Some(0), None));
    assert_eq!(manifest.partition_stats.null_counts, [Some(1), Some(2)]);
}

#[test]
fn manifests_of_paimon_rust_are_read_though_their_records_are_nullable() {
    let entries = decode(PAIMON_RUST_MANIFEST).unwrap();
    let string = types(&[TypeKind::VarChar(DataType::MAX_LENGTH)]);
    let partitions: Vec<_> = entries.iter().map(|entry| entry.partition.values(&string).unwrap()).collect();
    assert_eq!(partitions, [vec![Some(Datum::String("a".into()))], vec![None]]);
    assert_eq!(entries[1].file.value_stats.null_counts, [Some(0), Some(1), Some(1), Some(1)]);
    let manifests = decode_manifest_list(PAIMON_RUST_MANIFEST_LIST).unwrap();
    let [manifest] = &manifests[..] else { panic!("one manifest, not {}", manifests.len()) };
    assert_eq!((manifest.file_size, manifest.num_added_files), (2510, 2));
    assert_eq!(manifest.partition_stats.null_counts, [Some(1)]);
}

#[test]
fn index_manifests_of_pypaimon_are_read() {
    let entries = decode_index_manifest(PYPAIMON_DELETION_VECTORS).unwrap();
    let [entry] = &entries[..] else { panic!("one entry, not {}", entries.len()) };
    assert_eq!((entry.index_type.as_str(), entry.file_size, entry.row_count), (DELETION_VECTORS, 33, 1));
    let range = DeletionVectorMeta {
        data_file_name: "data-cce9ad60-5f8c-438d-8cec-a8f1549ac054-0.parquet".into(),
        offset: 1,
        length: 24,
        cardinality: Some(2),
    };
    assert_eq!(entry.deletion_vectors, Some(vec![range]));
    let entries = decode_index_manifest(PYPAIMON_HASH).unwrap();
    let [entry] = &entries[..] else { panic!("one entry, not {}", entries.len()) };
    assert_eq!((entry.index_type.as_str(), entry.file_size, entry.row_count), ("HASH", 40, 10));
    assert_eq!((&entry.deletion_vectors, &entry.global_index), (&None, &None));
}

#[test]
fn the_head_of_an_entry_tells_what_the_entry_tells() {
    let fields = types(&[
        TypeKind::VarChar(DataType::MAX_LENGTH),
        TypeKind::Timestamp(6),
        TypeKind::Int,
        TypeKind::VarChar(DataType::MAX_LENGTH),
        TypeKind::Decimal { precision: 20, scale: 2 },
    ]);
    let fields = fields.into_iter().zip(0..);
    let schema = crate::TableSchema {
        id: 0,
        fields: fields.map(|(field, id)| crate::DataField::new(id, format!("c{id}"), field)).collect(),
        highest_field_id: 4,
        partition_keys: vec![],
        primary_keys: vec![],
        options: Default::default(),
        comment: None,
        time_millis: 0,
    };
    let mut dense = decode(PYPAIMON_MANIFEST).unwrap();
    for entry in &mut dense {
        entry.file.value_stats_cols = Some(["c4", "c1", "c2", "c3", "c0"].map(str::to_owned).to_vec());
        entry.file.write_cols = Some(vec!["c4".into()]);
        entry.file.first_row_id = Some(7);
    }
    for avro in [PYPAIMON_MANIFEST.to_vec(), encode_manifest(&dense, "zstd").unwrap()] {
        let mut wanted = decode(&avro).unwrap().into_iter();
        let mut check = |head: &EntryHead<'_>| {
            let entry = wanted.next().unwrap();
            assert_eq!((head.kind, head.bucket, head.total_buckets), (entry.kind, entry.bucket, entry.total_buckets));
            assert_eq!(head.partition, entry.partition.to_metadata());
            let file = entry.file;
            assert_eq!((head.file_name, head.file_size), (file.file_name.as_str(), file.file_size));
            assert_eq!((head.row_count, head.schema_id, head.level), (file.row_count, file.schema_id, file.level));
            assert_eq!(head.value_stats_min, file.value_stats.min_values.to_metadata());
            assert_eq!(head.value_stats_max, file.value_stats.max_values.to_metadata());
            let mut nulls = vec![None];
            head.value_stats_nulls(&mut nulls).unwrap();
            assert_eq!(nulls, file.value_stats.null_counts);
            assert_eq!(head.value_stats_cols().unwrap(), file.value_stats_cols);
            assert_eq!(head.write_cols().unwrap(), file.write_cols);
            assert_eq!(head.first_row_id(), file.first_row_id);
            for id in 0..=5 {
                assert_eq!(head.column_stats(&schema, id), file.column_stats(&schema, id), "column {id}");
            }
            false
        };
        decode_manifest(&avro, None, &mut check, &mut |_| panic!("no entry is kept")).unwrap();
        assert!(wanted.next().is_none());
    }
}

#[test]
fn null_and_empty_lists_differ_in_a_head() {
    let mut entries = decode(JAVA_MANIFEST).unwrap();
    for (list, len) in [(None, 0), (Some(vec![]), 1)] {
        entries[0].file.value_stats_cols = list;
        let avro = encode_manifest(&entries, "zstd").unwrap();
        decode_manifest(&avro, None, &mut |head| head.value_stats_cols.len() != len, &mut |_| panic!("other length"))
            .unwrap();
    }
}

#[test]
fn only_kept_entries_are_built() {
    let mut names = Vec::new();
    decode_manifest(PYPAIMON_MANIFEST, None, &mut |head| head.file_size == 1672, &mut |entry| {
        names.push(entry.file.file_name);
        Ok(())
    })
    .unwrap();
    assert_eq!(names, ["data-0e8e6270-d294-4889-ac32-b5afce30435e-0.parquet"]);
}

#[test]
fn an_error_of_the_visitor_ends_decoding() {
    let error = decode_manifest(PYPAIMON_MANIFEST, None, &mut |_| true, &mut |_| Err(crate::Error::invalid("enough")));
    assert_eq!(error.unwrap_err().message(), "enough");
}

/// A manifest of one entry, in the older schema, under another `_VERSION`.
fn versioned(version: i64, fields: &str) -> Vec<u8> {
    let schema = format!(r#"{{"type":"record","name":"r","fields":[{{"name":"_VERSION","type":"int"}}{fields}]}}"#);
    let mut writer = avro::ContainerWriter::new(&schema, "none").unwrap();
    writer.record(|out| out.long(version)).unwrap();
    writer.finish().unwrap()
}

#[test]
fn other_versions_are_unsupported() {
    let manifest = r#",{"name":"_FILE_NAME","type":"string"}"#;
    for version in [0, 1, 3] {
        let optional_only = versioned(version, "");
        let decode =
            super::record::decode_records(&optional_only, &[super::record::VERSION], 2, Bounds::LIST, &mut |_| Ok(()));
        assert_eq!(decode.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    let error = decode_manifest_list(&versioned(2, manifest)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains("_FILE_SIZE"), "{error}");
}

#[test]
fn manifests_carry_their_permanent_versions() {
    for (avro, version) in [
        (encode_manifest(&decode(JAVA_MANIFEST).unwrap(), "none").unwrap(), 2),
        (encode_manifest_list(&decode_manifest_list(JAVA_MANIFEST_LIST).unwrap(), "none").unwrap(), 2),
        (encode_index_manifest(&decode_index_manifest(PYPAIMON_HASH).unwrap(), "none").unwrap(), 1),
    ] {
        super::record::decode_records(&avro, &[super::record::VERSION], version, Bounds::LIST, &mut |_| Ok(()))
            .unwrap();
    }
}

#[rstest]
#[case("")]
#[case("..")]
#[case("../bucket-1/x")]
#[case("a/b")]
fn names_that_lead_out_of_their_folder_are_corrupt(#[case] name: &str) {
    let mut entries = decode(JAVA_MANIFEST).unwrap();
    entries[0].file.file_name = name.into();
    let error = decode(&encode_manifest(&entries, "zstd").unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    let mut manifests = decode_manifest_list(JAVA_MANIFEST_LIST).unwrap();
    manifests[0].file_name = name.into();
    let error = decode_manifest_list(&encode_manifest_list(&manifests, "zstd").unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[test]
fn equal_entries_are_equal_bytes() {
    let entries = decode(PYPAIMON_MANIFEST).unwrap();
    assert_eq!(encode_manifest(&entries, "zstd").unwrap(), encode_manifest(&entries, "zstd").unwrap());
    assert_ne!(encode_manifest(&entries, "zstd").unwrap(), encode_manifest(&entries[1..], "zstd").unwrap());
}

#[test]
fn an_unknown_compression_is_unsupported() {
    assert_eq!(encode_manifest(&[], "lz4").unwrap_err().kind(), ErrorKind::Unsupported);
}

/// Merges additions (`+name`) and removals (`-name`).
fn merge(entries: &str) -> Result<String> {
    let template = decode(JAVA_MANIFEST).unwrap().remove(0);
    let entries = entries.split_whitespace().map(|entry| {
        let mut built = template.clone();
        built.kind = if entry.starts_with('+') { FileKind::Add } else { FileKind::Delete };
        built.file.file_name = entry[1..].into();
        built
    });
    let names = |entry: ManifestEntry| {
        format!("{}{}", "+-".as_bytes()[entry.kind.code() as usize] as char, entry.file.file_name)
    };
    Ok(merge_entries(entries)?.into_iter().map(names).collect::<Vec<_>>().join(" "))
}

#[rstest]
#[case("", "")]
#[case("+a +b", "+a +b")]
#[case("+a +b -a", "+b")]
#[case("-a +b", "-a +b")]
#[case("+a -a +a", "+a")]
#[case("-a -a", "")]
fn a_removal_cancels_the_addition_before_it(#[case] entries: &str, #[case] left: &str) {
    assert_eq!(merge(entries).unwrap(), left);
}

#[rstest]
#[case("+a +a")]
#[case("-a +a")]
fn a_file_that_is_there_cannot_be_added(#[case] entries: &str) {
    assert_eq!(merge(entries).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn entries_are_about_one_file_when_all_that_identifies_it_is_equal() {
    let entry = decode(JAVA_MANIFEST).unwrap().remove(0);
    let mut others = vec![entry.clone(); 7];
    others[0].file.file_name.push('x');
    others[1].bucket += 1;
    others[2].file.level += 1;
    others[3].partition = entry.file.min_key.clone();
    others[4].file.extra_files.push("x".into());
    others[5].file.embedded_index = Some(Bytes::new());
    others[6].file.external_path = Some("x".into());
    for other in &mut others {
        assert_ne!(other.identifier(), entry.identifier());
        other.kind = FileKind::Delete;
    }
    let merged = merge_entries(std::iter::once(entry.clone()).chain(others)).unwrap();
    assert_eq!(merged.len(), 8);
    let mut moved = entry.clone();
    (moved.file.row_count, moved.total_buckets) = (0, 9);
    assert_eq!(moved.identifier(), entry.identifier());
}

const COMPRESSIONS: [&str; 4] = ["zstd", "deflate", "snappy", "none"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn manifests_survive(entries in manifest_entries(0..5), compression in prop::sample::select(&COMPRESSIONS[..])) {
        let avro = encode_manifest(&entries, compression).unwrap();
        prop_assert_eq!(decode(&avro).unwrap(), entries);
    }

    #[test]
    fn manifest_lists_survive(manifests in manifest_files(0..5), compression in prop::sample::select(&COMPRESSIONS[..])) {
        let avro = encode_manifest_list(&manifests, compression).unwrap();
        prop_assert_eq!(decode_manifest_list(&avro).unwrap(), manifests);
    }

    #[test]
    fn index_manifests_survive(entries in index_entries(0..5), compression in prop::sample::select(&COMPRESSIONS[..])) {
        let avro = encode_index_manifest(&entries, compression).unwrap();
        prop_assert_eq!(decode_index_manifest(&avro).unwrap(), entries);
    }

    #[test]
    fn damaged_manifests_do_not_panic(
        entries in manifest_entries(1..3),
        indexes in index_entries(1..3),
        compression in prop::sample::select(&COMPRESSIONS[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut: prop::sample::Index,
    ) {
        let manifest = encode_manifest(&entries, compression).unwrap();
        let index = encode_index_manifest(&indexes, compression).unwrap();
        for mut avro in [manifest, index, JAVA_MANIFEST.to_vec(), PYPAIMON_MANIFEST_LIST.to_vec()] {
            for (at, byte) in &damage {
                let at = at.index(avro.len());
                avro[at] = *byte;
            }
            for avro in [&avro[..cut.index(avro.len())], &avro] {
                let errors = [
                    decode(avro).err(),
                    decode_manifest_list(avro).err(),
                    decode_index_manifest(avro).err(),
                ];
                for error in errors.into_iter().flatten() {
                    prop_assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "{error}");
                }
            }
        }
    }
}
