use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::data_file::arbitrary::plain_file;
use crate::{DataField, DataType, ErrorKind, ROW_ID_ID, SEQUENCE_NUMBER_ID, Schema};

/// `id INT` (0), `name STRING` (1), `image BLOB` (2), `clip BLOB` (3), `link BLOB` kept as a descriptor (4).
fn schema() -> TableSchema {
    let columns = [("id", "INT"), ("name", "STRING"), ("image", "BLOB"), ("clip", "BLOB"), ("link", "BLOB")];
    let field = |(name, data_type): &(&str, &str)| DataField::new(0, *name, data_type.parse::<DataType>().unwrap());
    let options =
        [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true"), ("blob-descriptor-field", "link")];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let fields = columns.iter().map(field).collect();
    TableSchema::create(Schema { fields, options: BTreeMap::from(options), ..Schema::default() }, 0).unwrap()
}

/// A file of `rows` as of snapshot `sequence`; its name ends with `.blob` when it has values of one alone.
fn file(rows: Range<i64>, sequence: i64, columns: Option<&[&str]>) -> DataFileMeta {
    let kind = match columns {
        Some(["image" | "clip"]) => "blob",
        _ => "parquet",
    };
    DataFileMeta {
        file_name: format!("data-{}-{sequence}.{kind}", rows.start),
        row_count: rows.end - rows.start,
        first_row_id: Some(rows.start),
        min_sequence_number: sequence,
        max_sequence_number: sequence,
        write_cols: columns.map(|columns| columns.iter().map(|column| (*column).to_owned()).collect()),
        ..plain_file()
    }
}

fn source(files: &[DataFileMeta], field: FieldId) -> ColumnSource {
    let schema = schema();
    let [group] = row_groups(files).unwrap().try_into().unwrap();
    group.source(files, field, &|id| (id == 0).then_some(&schema)).unwrap()
}

#[test]
fn files_of_equal_row_ids_are_a_group_and_the_newest_is_first() {
    let files = [
        file(5..9, 1, None),
        file(0..5, 1, None),
        file(0..5, 3, Some(&["name"])),
        file(2..5, 1, Some(&["image"])),
        file(0..2, 1, Some(&["image"])),
        file(0..2, 4, Some(&["image"])),
    ];
    let groups = row_groups(&files).unwrap();
    assert_eq!(
        groups,
        [
            RowGroup { rows: 0..5, data: vec![2, 1], blobs: vec![5, 4, 3] },
            RowGroup { rows: 5..9, data: vec![0], blobs: vec![] },
        ]
    );
    assert_eq!(groups[0].files().collect::<Vec<_>>(), [2, 1, 5, 4, 3]);
    assert_eq!((groups[0].row_count(), groups[1].row_count()), (5, 4));
    assert_eq!(row_groups::<DataFileMeta>(&[]).unwrap(), []);
}

#[test]
fn files_that_are_equally_new_keep_their_order() {
    let mut files = [file(0..5, 2, Some(&["id"])), file(0..5, 2, Some(&["name"]))];
    files[0].file_name = "z".to_owned();
    let [group] = row_groups(&files).unwrap().try_into().unwrap();
    assert_eq!(group.data, [0, 1]);
    assert_eq!(group.anchor(&files), Some(1), "the anchor is the first by name");
}

#[test]
fn the_anchor_is_the_oldest_file_of_columns() {
    let files = [file(0..5, 4, None), file(0..5, 2, None), file(0..5, 3, None), file(0..5, 1, Some(&["image"]))];
    assert_eq!(row_groups(&files).unwrap()[0].anchor(&files), Some(1));
}

#[rstest]
#[case::overlapping(&[file(0..5, 1, None), file(3..8, 2, None)], "of equal or distinct row ids, found 3..8 in data-3-2")]
#[case::within(&[file(0..5, 1, None), file(0..2, 2, Some(&["name"]))], "of equal or distinct")]
#[case::a_blob_file_across_two(
    &[file(0..5, 1, None), file(5..9, 1, None), file(4..6, 1, Some(&["image"]))],
    "within the row ids of a data file, found 4..6"
)]
#[case::a_blob_file_alone(&[file(0..5, 1, Some(&["image"]))], "within the row ids of a data file")]
#[case::a_blob_file_in_a_gap(
    &[file(0..5, 1, None), file(7..9, 1, None), file(5..6, 1, Some(&["image"]))],
    "within the row ids of a data file"
)]
#[case::no_row_ids(&[DataFileMeta { first_row_id: None, ..file(0..5, 1, None) }], "a first row id from 0")]
#[case::negative_row_ids(&[DataFileMeta { first_row_id: Some(-1), ..file(0..5, 1, None) }], "found Some(-1)")]
#[case::no_rows(&[file(5..5, 1, None)], "rows after row id 5, found 0")]
#[case::negative_rows(&[DataFileMeta { row_count: -3, ..file(0..5, 1, None) }], "found -3")]
#[case::too_many_rows(&[DataFileMeta { row_count: i64::MAX, ..file(1..5, 1, None) }], "rows after row id 1")]
fn files_that_contradict_one_another_are_damage(#[case] files: &[DataFileMeta], #[case] reason: &str) {
    let error = row_groups(files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains(reason), "{error}");
}

#[rstest]
#[case("data-1.vector.lance", "vectors in files of their own")]
#[case("data-1.video", "video files")]
fn other_files_beside_data_files_are_named(#[case] name: &str, #[case] what: &str) {
    let files = [file(0..5, 1, None), DataFileMeta { file_name: name.to_owned(), ..file(0..5, 1, None) }];
    let error = row_groups(&files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains(what) && error.to_string().contains(name), "{error}");
}

#[test]
fn a_column_comes_from_the_newest_file_that_has_it() {
    let files = [
        file(0..5, 1, Some(&["id", "name", "link"])),
        file(0..5, 1, Some(&["image"])),
        file(0..5, 2, Some(&["name", "_ROW_ID"])),
        file(0..3, 3, Some(&["image"])),
    ];
    assert_eq!(source(&files, 0), ColumnSource::File(0));
    assert_eq!(source(&files, 1), ColumnSource::File(2));
    assert_eq!(source(&files, 2), ColumnSource::Blobs(vec![3, 1]));
    assert_eq!(source(&files, 3), ColumnSource::Nowhere);
    assert_eq!(source(&files, 4), ColumnSource::File(0), "descriptors are in data files");
    assert_eq!(source(&files, 99), ColumnSource::Nowhere);
    assert_eq!(source(&files, ROW_ID_ID), ColumnSource::File(2));
    assert_eq!(source(&files, SEQUENCE_NUMBER_ID), ColumnSource::File(2));
}

#[test]
fn a_file_that_names_no_columns_has_all_but_those_of_blob_files() {
    let files = [file(0..5, 1, None), file(0..5, 1, Some(&["clip"]))];
    assert_eq!(source(&files, 1), ColumnSource::File(0));
    assert_eq!(source(&files, 2), ColumnSource::Nowhere);
    assert_eq!(source(&files, 3), ColumnSource::Blobs(vec![1]));
    assert_eq!(source(&files, 4), ColumnSource::File(0));
}

#[test]
fn columns_are_found_by_their_ids_under_the_schema_of_each_file() {
    let old = schema();
    let mut new = schema();
    (new.id, new.fields[1].name) = (1, "title".to_owned());
    new.fields.push(DataField::new(5, "name", DataType::string()));
    let renamed = DataFileMeta { schema_id: 1, ..file(0..5, 2, Some(&["name"])) };
    let files = [file(0..5, 1, Some(&["id", "name"])), renamed];
    let [group] = row_groups(&files).unwrap().try_into().unwrap();
    let schema_of = |id| [&old, &new].into_iter().find(|schema| schema.id == id);
    assert_eq!(group.source(&files, 1, &schema_of).unwrap(), ColumnSource::File(0));
    assert_eq!(group.source(&files, 5, &schema_of).unwrap(), ColumnSource::File(1));
    let error = group.source(&files, 5, &|id| (id == 0).then_some(&old)).unwrap_err();
    assert!(error.message().contains("schema 1"), "{error}");
}

#[rstest]
#[case::none(None, "found none")]
#[case::no_column(Some(vec![]), "found 0")]
#[case::two(Some(vec!["image".to_owned(), "clip".to_owned()]), "found 2")]
fn a_blob_file_has_one_column(#[case] write_cols: Option<Vec<String>>, #[case] found: &str) {
    let files = [file(0..5, 1, Some(&["id"])), DataFileMeta { write_cols, ..file(0..5, 1, Some(&["image"])) }];
    let schema = schema();
    let [group] = row_groups(&files).unwrap().try_into().unwrap();
    let error = group.source(&files, 2, &|_| Some(&schema)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(found), "{error}");
}

// ---- random histories

/// One commit: new rows (cut into `.blob` files of `cut` rows), or a change of some columns of one of the ranges.
#[derive(Debug, Clone)]
enum Step {
    Append { rows: i64, cut: i64 },
    Columns { range: prop::sample::Index, id: bool, name: bool },
    Blobs { range: prop::sample::Index, column: bool, from: prop::sample::Index, to: prop::sample::Index },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use prop::sample::Index;
    let step = prop_oneof![
        (1..8_i64, 1..5_i64).prop_map(|(rows, cut)| Step::Append { rows, cut }),
        any::<(Index, bool, bool)>().prop_map(|(range, id, name)| Step::Columns { range, id, name }),
        any::<(Index, bool, Index, Index)>().prop_map(|(range, column, from, to)| Step::Blobs {
            range,
            column,
            from,
            to
        }),
    ];
    prop::collection::vec(step, 1..12)
}

const NAMES: [&str; 4] = ["id", "name", "image", "clip"];

/// For each of [`NAMES`] the names of the files that have a row's value, oldest first.
type Owners = [Vec<String>; 4];

/// The files of a history, what has the values of each row, and the ranges of the groups.
fn play(steps: &[Step]) -> (Vec<DataFileMeta>, Vec<Owners>, Vec<Range<i64>>) {
    let (mut files, mut owners, mut ranges) = (Vec::new(), Vec::<Owners>::new(), Vec::<Range<i64>>::new());
    for (step, sequence) in steps.iter().zip(1..) {
        let mut write = |owners: &mut Vec<Owners>, rows: Range<i64>, columns: &[&str]| {
            let mut new = file(rows.clone(), sequence, Some(columns));
            new.file_name = format!("{}-{}", columns.join("-"), new.file_name);
            for row in rows {
                for column in columns {
                    let place = NAMES.iter().position(|name| name == column).unwrap();
                    owners[usize::try_from(row).unwrap()][place].push(new.file_name.clone());
                }
            }
            files.push(new);
        };
        match step {
            Step::Append { rows, cut } => {
                let first = owners.len() as i64;
                let end = first + rows;
                owners.resize(usize::try_from(end).unwrap(), Default::default());
                ranges.push(first..end);
                write(&mut owners, first..end, &["id", "name"]);
                for column in ["image", "clip"] {
                    for start in (first..end).step_by(usize::try_from(*cut).unwrap()) {
                        write(&mut owners, start..end.min(start + cut), &[column]);
                    }
                }
            }
            Step::Columns { range, id, name } if !ranges.is_empty() && (*id || *name) => {
                let columns: Vec<&str> =
                    [(*id, "id"), (*name, "name")].into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
                write(&mut owners, range.get(&ranges).clone(), &columns);
            }
            Step::Blobs { range, column, from, to } if !ranges.is_empty() => {
                let rows = range.get(&ranges).clone();
                let ids: Vec<i64> = rows.collect();
                let (a, b) = (*from.get(&ids), *to.get(&ids));
                write(&mut owners, a.min(b)..a.max(b) + 1, &[if *column { "image" } else { "clip" }]);
            }
            _ => {}
        }
    }
    (files, owners, ranges)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn groups_and_sources_are_those_of_a_history(
        (shuffled, owners, ranges) in steps().prop_map(|steps| play(&steps)).prop_flat_map(|(files, owners, ranges)| {
            (Just(files).prop_shuffle(), Just(owners), Just(ranges))
        }),
    ) {
        let schema = schema();
        let groups = row_groups(&shuffled).unwrap();
        prop_assert_eq!(groups.iter().map(|group| group.rows.clone()).collect::<Vec<_>>(), ranges);
        prop_assert_eq!(groups.iter().flat_map(RowGroup::files).count(), shuffled.len());
        for group in &groups {
            let anchor = &shuffled[group.anchor(&shuffled).unwrap()];
            prop_assert_eq!(&anchor.file_name, &owners[usize::try_from(group.rows.start).unwrap()][0][0]);
            for (place, field) in (0..4).zip(0..) {
                let source = group.source(&shuffled, field, &|_| Some(&schema)).unwrap();
                for row in group.rows.clone() {
                    let owners = &owners[usize::try_from(row).unwrap()][place];
                    let found: Vec<&str> = match &source {
                        ColumnSource::File(at) => vec![&shuffled[*at].file_name],
                        ColumnSource::Blobs(all) => all
                            .iter()
                            .map(|at| &shuffled[*at])
                            .filter(|file| file.row_ids().unwrap().contains(&row))
                            .map(|file| file.file_name.as_str())
                            .collect(),
                        ColumnSource::Nowhere => vec![],
                    };
                    let newest = shuffled
                        .iter()
                        .filter(|file| found.contains(&file.file_name.as_str()))
                        .max_by_key(|file| file.max_sequence_number)
                        .map(|file| &file.file_name);
                    prop_assert_eq!(newest, owners.last());
                    let wanted = if place < 2 { 1 } else { owners.len() };
                    prop_assert_eq!(found.len(), wanted);
                }
            }
        }
    }

    #[test]
    fn no_files_panic(
        files in prop::collection::vec((any::<Option<i64>>(), any::<i64>(), any::<i64>(), 0..3_usize), 0..5),
    ) {
        let files: Vec<DataFileMeta> = files
            .into_iter()
            .map(|(first_row_id, row_count, max_sequence_number, kind)| DataFileMeta {
                file_name: ["a.blob", "b.parquet", "c.parquet"][kind].to_owned(),
                first_row_id,
                row_count,
                max_sequence_number,
                ..plain_file()
            })
            .collect();
        if let Ok(groups) = row_groups(&files) {
            groups.iter().for_each(|group| assert!(group.anchor(&files).is_some()));
        }
    }
}
