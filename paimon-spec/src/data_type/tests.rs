use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::ErrorKind;

#[rstest]
#[case("CHAR", "CHAR(1)")]
#[case("char(3) not null", "CHAR(3) NOT NULL")]
#[case("VARCHAR", "VARCHAR(1)")]
#[case("VARCHAR(2147483647)", "STRING")]
#[case("STRING NOT NULL", "STRING NOT NULL")]
#[case("string null", "STRING")]
#[case("Boolean", "BOOLEAN")]
#[case("BINARY(5)", "BINARY(5)")]
#[case("BINARY", "BINARY(1)")]
#[case("VARBINARY", "VARBINARY(1)")]
#[case("VARBINARY(2147483647)", "BYTES")]
#[case("bytes", "BYTES")]
#[case("DECIMAL", "DECIMAL(10, 0)")]
#[case("dec(5)", "DECIMAL(5, 0)")]
#[case("NUMERIC(20,2)", "DECIMAL(20, 2)")]
#[case("DECIMAL( 38 , 38 )", "DECIMAL(38, 38)")]
#[case("tinyint", "TINYINT")]
#[case("SMALLINT", "SMALLINT")]
#[case("INTEGER", "INT")]
#[case("int NOT NULL", "INT NOT NULL")]
#[case("BIGINT", "BIGINT")]
#[case("FLOAT", "FLOAT")]
#[case("double precision not null", "DOUBLE NOT NULL")]
#[case("DATE", "DATE")]
#[case("TIME", "TIME(0)")]
#[case("TIME(3) WITHOUT TIME ZONE", "TIME(3)")]
#[case("TIMESTAMP", "TIMESTAMP(6)")]
#[case("TIMESTAMP(9) WITHOUT TIME ZONE NOT NULL", "TIMESTAMP(9) NOT NULL")]
#[case("TIMESTAMP_LTZ(6)", "TIMESTAMP(6) WITH LOCAL TIME ZONE")]
#[case("timestamp with local time zone", "TIMESTAMP(6) WITH LOCAL TIME ZONE")]
#[case("TIMESTAMP(0) WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP(0) WITH LOCAL TIME ZONE NOT NULL")]
#[case("VARIANT", "VARIANT")]
#[case("BLOB", "BLOB")]
#[case("GEOMETRY", "GEOMETRY(OGC:CRS84)")]
#[case("GEOMETRY('4326')", "GEOMETRY('4326')")]
#[case("GEOMETRY('a''b')", "GEOMETRY('a''b')")]
#[case("GEOGRAPHY", "GEOGRAPHY(OGC:CRS84, spherical)")]
#[case("GEOGRAPHY(EPSG:4326, KARNEY)", "GEOGRAPHY(EPSG:4326, karney)")]
#[case("INT ARRAY", "ARRAY<INT>")]
#[case("INT NOT NULL ARRAY NOT NULL", "ARRAY<INT NOT NULL> NOT NULL")]
#[case("STRING MULTISET", "MULTISET<STRING>")]
#[case("ARRAY<MAP<STRING NOT NULL, INT>>", "ARRAY<MAP<STRING NOT NULL, INT>>")]
#[case("VECTOR<FLOAT, 4>", "VECTOR<FLOAT, 4>")]
#[case("ROW<>", "ROW<>")]
#[case("ROW<a INT, `b c` STRING 'it''s'>", "ROW<`a` INT, `b c` STRING COMMENT 'it''s'>")]
#[case("ROW<`a``b` INT NOT NULL COMMENT 'x'> NOT NULL", "ROW<`a``b` INT NOT NULL COMMENT 'x'> NOT NULL")]
fn spellings_print_as_java_prints_them(#[case] text: &str, #[case] printed: &str) {
    let data_type = DataType::parse(text).unwrap();
    assert_eq!(data_type.to_string(), printed);
    assert_eq!(DataType::parse(printed).unwrap(), data_type);
}

#[rstest]
#[case("", "end of the type")]
#[case("INT INT", "found 'INT'")]
#[case("INT ARRAY ARRAY", "found 'ARRAY'")]
#[case("`INT`", "found `INT`")]
#[case("FOO", "found 'FOO'")]
#[case("CHAR(0)", "between 1 and 2147483647, found 0")]
#[case("CHAR(2147483648)", "32-bit number, found 2147483648")]
#[case("CHAR()", "expected a number, found ')'")]
#[case("CHAR(1", "end of the type")]
#[case("DECIMAL(39)", "between 1 and 38, found 39")]
#[case("DECIMAL(0, 0)", "between 1 and 38, found 0")]
#[case("DECIMAL(5, 6)", "between 0 and 5, found 6")]
#[case("DECIMAL(300)", "found 300")]
#[case("TIMESTAMP(10)", "between 0 and 9, found 10")]
#[case("TIME(10)", "between 0 and 9, found 10")]
#[case("TIMESTAMP WITH TIME ZONE", "found 'WITH'")]
#[case("TIME WITHOUT ZONE", "TIME ZONE")]
#[case("INT NOT", "found 'NOT'")]
#[case("VECTOR<STRING, 3>", "found STRING")]
#[case("VECTOR<INT, 0>", "found 0")]
#[case("GEOMETRY('')", "not be empty")]
#[case("GEOGRAPHY(a, b)", "found 'b'")]
#[case("GEOMETRY('a", "closing '")]
#[case("ROW<a INT, a INT>", "'a' twice")]
#[case("ROW<` ` INT>", "blank")]
#[case("INT.", "found '.'")]
fn malformed_spellings_are_refused(#[case] text: &str, #[case] reason: &str) {
    let error = DataType::parse(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(reason), "{error}");
    assert_eq!(error.context("type"), Some(text));
}

#[test]
fn nesting_is_limited_in_text_and_json() {
    let text = |depth: usize| format!("{}INT{}", "ARRAY<".repeat(depth), ">".repeat(depth));
    assert!(DataType::parse(&text(DataType::MAX_NESTING - 1)).is_ok());
    assert!(DataType::parse(&text(DataType::MAX_NESTING)).is_err());
    assert!(DataType::parse(&text(100_000)).is_err());
    let json = |depth: usize| {
        let open = r#"{"type":"ROW","fields":[{"id":0,"name":"a","type":"#.repeat(depth);
        format!(r#"[{{"id":1,"name":"c","type":{open}"INT"{}}}]"#, "}]}".repeat(depth))
    };
    assert!(fields_from_json(&json(DataType::MAX_NESTING - 1)).is_ok());
    assert!(fields_from_json(&json(DataType::MAX_NESTING)).is_err());
    assert!(fields_from_json(&json(100_000)).is_err());
}

#[test]
fn json_of_nested_types_is_as_java_writes_it() {
    let json = r#"[{"id":0,"name":"r","type":{"type":"ROW NOT NULL","fields":[{"id":1,"name":"x","type":"INT NOT NULL","description":"d","defaultValue":"1"}]}},{"id":2,"name":"m","type":{"type":"MAP","key":"STRING NOT NULL","value":{"type":"ARRAY","element":"BIGINT"}}},{"id":3,"name":"v","type":{"type":"VECTOR","element":"FLOAT","length":3}},{"id":4,"name":"s","type":{"type":"MULTISET NOT NULL","element":"STRING"}}]"#;
    let fields = fields_from_json(json).unwrap();
    assert_eq!(fields[0].data_type.to_string(), "ROW<`x` INT NOT NULL COMMENT 'd'> NOT NULL");
    assert_eq!(fields_to_json(&fields), json);
}

#[test]
fn keys_of_other_writers_are_ignored_and_scalars_become_texts() {
    let json = r#"[{"id":0,"name":"a","type":{"type":"ARRAY","nullable":true,"element":"INT"},"description":null,"defaultValue":5}]"#;
    let fields = fields_from_json(json).unwrap();
    assert_eq!(fields[0].data_type, DataType::parse("ARRAY<INT>").unwrap());
    assert_eq!(fields[0].description, None);
    assert_eq!(fields[0].default_value.as_deref(), Some("5"));
}

#[test]
fn fields_without_ids_are_numbered_children_first_below_the_top() {
    let json = r#"[{"name":"a","type":"INT"},{"name":"r","type":{"type":"ROW","fields":[{"name":"x","type":"INT"},{"name":"y","type":{"type":"ARRAY","element":{"type":"ROW","fields":[{"name":"z","type":"INT"}]}}}]}}]"#;
    let fields = fields_from_json(json).unwrap();
    let mut ids = Vec::new();
    collect_ids(&fields, &mut ids);
    assert_eq!(ids, [("a", 0), ("r", 1), ("x", 2), ("y", 4), ("z", 3)]);
}

fn collect_ids<'f>(fields: &'f [DataField], ids: &mut Vec<(&'f str, FieldId)>) {
    for field in fields {
        ids.push((&field.name, field.id));
        let mut data_type = &field.data_type;
        while let TypeKind::Array(element) = &data_type.kind {
            data_type = element;
        }
        if let TypeKind::Row(fields) = &data_type.kind {
            collect_ids(fields, ids);
        }
    }
}

#[rstest]
#[case("{}", "array of fields")]
#[case("[1]", "field as a JSON object")]
#[case(r#"[{"id":0,"type":"INT"}]"#, "field with a name")]
#[case(r#"[{"id":0,"name":"a"}]"#, "expected a type")]
#[case(r#"[{"id":-1,"name":"a","type":"INT"}]"#, "field id")]
#[case(r#"[{"id":2147483648,"name":"a","type":"INT"}]"#, "field id")]
#[case(r#"[{"id":0,"name":"a","type":"INT"},{"name":"b","type":"INT"}]"#, "either all")]
#[case(r#"[{"name":"a","type":"INT"},{"id":5,"name":"b","type":"INT"}]"#, "either all")]
#[case(r#"[{"id":0,"name":"a","type":{"type":"LIST","element":"INT"}}]"#, "found 'LIST'")]
#[case(r#"[{"id":0,"name":"a","type":{"type":"ARRAY"}}]"#, "'element'")]
#[case(r#"[{"id":0,"name":"a","type":{"type":"VECTOR","element":"INT","length":-1}}]"#, "length of VECTOR")]
#[case(r#"[{"id":0,"name":"a","type":"INT","description":[]}]"#, "a text")]
#[case("[", "array of fields")]
fn malformed_fields_are_refused(#[case] json: &str, #[case] reason: &str) {
    let error = fields_from_json(json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(reason), "{error}");
}

/// Any type that a schema may have.
pub(crate) fn any_type() -> impl Strategy<Value = DataType> {
    let atomic = prop_oneof![
        (1..=DataType::MAX_LENGTH).prop_map(TypeKind::Char),
        (1..=DataType::MAX_LENGTH).prop_map(TypeKind::VarChar),
        Just(TypeKind::VarChar(DataType::MAX_LENGTH)),
        Just(TypeKind::Boolean),
        (1..=100_u32).prop_map(TypeKind::Binary),
        (1..=DataType::MAX_LENGTH).prop_map(TypeKind::VarBinary),
        (1..=38_u8)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| TypeKind::Decimal { precision, scale }),
        Just(TypeKind::TinyInt),
        Just(TypeKind::SmallInt),
        Just(TypeKind::Int),
        Just(TypeKind::BigInt),
        Just(TypeKind::Float),
        Just(TypeKind::Double),
        Just(TypeKind::Date),
        (0..=9_u8).prop_map(TypeKind::Time),
        (0..=9_u8).prop_map(TypeKind::Timestamp),
        (0..=9_u8).prop_map(TypeKind::TimestampLtz),
        Just(TypeKind::Variant),
        Just(TypeKind::Blob),
        "\\PC{1,8}".prop_map(TypeKind::Geometry),
        ("\\PC{1,8}", 0..5_usize).prop_map(|(crs, i)| TypeKind::Geography(crs, GEOGRAPHY_ALGORITHMS[i].to_owned())),
        (1..=9_u32).prop_map(|length| TypeKind::Vector(Box::new(DataType::nullable(TypeKind::Float)), length)),
    ];
    let leaf = (atomic, any::<bool>()).prop_map(|(kind, nullable)| DataType { kind, nullable });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let kind = prop_oneof![
            inner.clone().prop_map(|element| TypeKind::Array(Box::new(element))),
            inner.clone().prop_map(|element| TypeKind::Multiset(Box::new(element))),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| TypeKind::Map(Box::new(key), Box::new(value))),
            proptest::collection::vec((inner, any_name(), proptest::option::of("\\PC{0,4}")), 0..4).prop_map(
                |fields| {
                    let fields = fields.into_iter().enumerate().map(|(i, (data_type, name, description))| {
                        let id = FieldId::try_from(i).unwrap();
                        let mut field = DataField::new(id, format!("{name}{i}"), data_type);
                        field.description = description;
                        field
                    });
                    TypeKind::Row(fields.collect())
                }
            ),
        ];
        (kind, any::<bool>()).prop_map(|(kind, nullable)| DataType { kind, nullable })
    })
}

pub(crate) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "\\PC{1,6}"].prop_filter("blank", |name| !name.trim().is_empty())
}

/// Sets all ids to 0: the text form has none.
fn without_ids(mut data_type: DataType) -> DataType {
    match &mut data_type.kind {
        TypeKind::Array(inner) | TypeKind::Multiset(inner) | TypeKind::Vector(inner, _) => {
            **inner = without_ids((**inner).clone());
        }
        TypeKind::Map(key, value) => {
            **key = without_ids((**key).clone());
            **value = without_ids((**value).clone());
        }
        TypeKind::Row(fields) => {
            for field in fields {
                field.id = 0;
                field.data_type = without_ids(field.data_type.clone());
            }
        }
        _ => {}
    }
    data_type
}

proptest! {
    #[test]
    fn the_text_of_a_type_gives_the_type_back(data_type in any_type()) {
        let parsed = DataType::parse(&data_type.to_string()).unwrap();
        prop_assert_eq!(without_ids(parsed), without_ids(data_type));
    }

    #[test]
    fn the_json_of_fields_gives_the_fields_back(data_type in any_type(), name in any_name()) {
        let fields = vec![DataField::new(7, name, data_type)];
        prop_assert_eq!(fields_from_json(&fields_to_json(&fields)).unwrap(), fields);
    }

    #[test]
    fn no_text_panics(text in "[A-Z<>(),.'` 0-9]{0,40}|\\PC{0,20}") {
        let _ = DataType::parse(&text);
        let _ = fields_from_json(&text);
    }
}

#[rstest]
#[case("BLOB", true)]
#[case("ARRAY<BLOB>", true)]
#[case("MAP<INT, ARRAY<BLOB>>", true)]
#[case("BYTES", false)]
#[case("MAP<INT, ARRAY<BYTES>>", false)]
fn blobs_are_found_at_any_depth(#[case] text: &str, #[case] expected: bool) {
    assert_eq!(text.parse::<DataType>().unwrap().holds_blob(), expected);
}
