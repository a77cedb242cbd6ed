use std::collections::BTreeMap;

use arrow::{
    array::{Int32Array, StringArray},
    buffer::NullBuffer,
};
use paimon_io::{Storage, testkit};
use paimon_spec::{ErrorKind, Schema as TableDefinition};
use rstest::rstest;

use super::*;
use crate::testing::{bytes, distant_table, write_blobs};

const FIELDS: &str = r#"{"fields": [
    {"name": "id", "type": "INT"},
    {"name": "blob", "type": "BLOB"},
    {"name": "list", "type": {"type": "ARRAY", "element": "BLOB"}},
    {"name": "map", "type": {"type": "MAP", "key": "STRING NOT NULL", "value": "BLOB"}},
    {"name": "inline", "type": "BLOB"},
    {"name": "view", "type": "BLOB"}]}"#;

/// A table with all kinds of BLOB columns, far away.
async fn table() -> (TableStore, Arc<testkit::DistantStore>) {
    let context = testkit::context();
    let (storage, requests) = testkit::distant_folder(&context);
    let mut schema = TableDefinition::from_json(FIELDS).unwrap();
    let options = [
        ("row-tracking.enabled", "true"),
        ("data-evolution.enabled", "true"),
        ("blob-descriptor-field", "inline"),
        ("blob-view-field", "view"),
    ];
    schema.options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    (testkit::create_table_at(storage, schema, context).await, requests)
}

fn fields(table: &TableStore, names: &[&str]) -> Vec<DataField> {
    let named = |name: &&str| table.schema().fields.iter().find(|field| field.name == **name).unwrap().clone();
    names.iter().map(named).collect()
}

fn batch(table: &TableStore, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let (names, arrays): (Vec<&str>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(arrow_schema(&fields(table, &names)).unwrap(), arrays).unwrap()
}

async fn present(
    table: &TableStore,
    batch: &RecordBatch,
    form: BlobForm,
    views: Option<Arc<dyn ViewResolver>>,
) -> Result<Vec<RecordBatch>> {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let presenter = Presenter::new(table, &fields(table, &names), form, views)?.unwrap();
    let presented: Vec<RecordBatch> =
        presenter.present(stream::iter([Ok(batch.clone())]).boxed()).try_collect().await?;
    assert!(presented.iter().all(|batch| batch.schema_ref() == presenter.schema()));
    Ok(presented)
}

fn files(io_config: Option<&[u8]>) -> BlobForm {
    BlobForm::Files { io_config: io_config.map(Arc::from) }
}

fn limits(bytes: u64) -> FetchLimits {
    FetchLimits::default().with_bytes(bytes)
}

fn binary(values: &[Option<&[u8]>]) -> ArrayRef {
    Arc::new(LargeBinaryArray::from_iter(values.iter().copied()))
}

fn list(table: &TableStore, lengths: &[usize], nulls: &[bool], elements: ArrayRef) -> ArrayRef {
    let schema = arrow_schema(&fields(table, &["list"])).unwrap();
    let DataType::List(item) = schema.field(0).data_type() else { panic!("no list") };
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::new(Arc::clone(item), offsets, elements, Some(NullBuffer::from(nulls.to_vec()))))
}

fn map(table: &TableStore, lengths: &[usize], keys: &[&str], values: ArrayRef) -> ArrayRef {
    let schema = arrow_schema(&fields(table, &["map"])).unwrap();
    let DataType::Map(entries, sorted) = schema.field(0).data_type() else { panic!("no map") };
    let DataType::Struct(pair) = entries.data_type() else { panic!("no pairs") };
    let pairs = StructArray::new(pair.clone(), vec![Arc::new(StringArray::from(keys.to_vec())), values], None);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(MapArray::new(Arc::clone(entries), offsets, pairs, None, *sorted))
}

/// Four rows of everything that is kept in `.blob` files: `id`, `blob`, `list`, `map`, and the values that their
/// descriptors stand for.
async fn kept_in_files(table: &TableStore) -> (RecordBatch, Vec<Option<Vec<u8>>>) {
    let values = vec![Some(bytes(1, 100)), None, Some(vec![]), Some(bytes(4, 300)), Some(bytes(5, 50))];
    let there = write_blobs(table, "data-1.blob", &values).await.to_descriptors();
    let element = |row: usize| there.is_valid(row).then(|| there.value(row));
    let elements = binary(&[element(0), None, element(3), element(4), element(0)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4]))),
        ("blob", Arc::new(there.slice(0, 4))),
        ("list", list(table, &[2, 0, 0, 3], &[true, false, true, true], Arc::clone(&elements))),
        ("map", map(table, &[0, 3, 0, 2], &["a", "b", "c", "a", "b"], elements)),
    ];
    (batch(table, columns), values)
}

#[tokio::test]
async fn files_have_the_validity_of_the_blobs_and_cost_no_request() {
    let (table, requests) = table().await;
    let (batch, _) = kept_in_files(&table).await;
    let (presented, asked) = requests.requests_of(present(&table, &batch, files(Some(b"config")), None)).await;
    assert_eq!(asked.count(), 0);
    let presented = presented.unwrap().pop().unwrap();
    let url = table.storage().url("bucket-0/data-1.blob");
    let of = |array: &ArrayRef| {
        let references = BlobReferences::from_array(array).unwrap();
        let configs = array.as_struct().column(1).as_binary::<i64>();
        references
            .iter()
            .enumerate()
            .map(|(row, blob)| {
                assert_eq!(configs.is_valid(row).then(|| configs.value(row)), blob.map(|_| &b"config"[..]));
                assert!(blob.is_none_or(|blob| blob.url == url));
                blob.map(|blob| (blob.position, blob.size.unwrap()))
            })
            .collect::<Vec<_>>()
    };
    let [first, third, fourth, fifth] = [(4, 100), (120, 0), (136, 300), (452, 50)];
    let elements = [Some(first), None, Some(fourth), Some(fifth), Some(first)];
    assert_eq!(of(presented.column(1)), [Some(first), None, Some(third), Some(fourth)]);
    assert_eq!(of(presented.column(2).as_list::<i32>().values()), elements);
    assert_eq!(of(presented.column(3).as_map().values()), elements);
    // What is not a blob stays.
    assert_eq!(presented.column(0), batch.column(0));
    assert_eq!(presented.column(2).nulls(), batch.column(2).nulls());
    assert_eq!(presented.column(3).as_map().keys(), batch.column(3).as_map().keys());
}

#[tokio::test]
async fn descriptors_stay_what_they_are() {
    let (table, requests) = table().await;
    let (batch, _) = kept_in_files(&table).await;
    let (presented, asked) = requests.requests_of(present(&table, &batch, BlobForm::Descriptors, None)).await;
    assert_eq!((presented.unwrap(), asked.count()), (vec![batch], 0));
}

#[rstest]
#[case::all_at_once(1 << 20, &[4])]
#[case::row_by_row(1, &[1, 1, 1, 1])]
#[case::as_many_as_fit(700, &[3, 1])]
#[tokio::test]
async fn bytes_come_in_batches_of_a_budget(#[case] budget: u64, #[case] expected: &[usize]) {
    let (table, _) = table().await;
    let (batch, values) = kept_in_files(&table).await;
    let presented = present(&table, &batch, BlobForm::Bytes(limits(budget)), None).await.unwrap();
    assert_eq!(presented.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), expected);
    let whole = arrow::compute::concat_batches(presented[0].schema_ref(), &presented).unwrap();
    let found =
        |array: &ArrayRef| array.as_binary::<i64>().iter().map(|value| value.map(<[u8]>::to_vec)).collect::<Vec<_>>();
    let elements = [0, 1, 3, 4, 0].map(|row| values[row].clone());
    assert_eq!(found(whole.column(1)), values[..4]);
    assert_eq!(found(whole.column(2).as_list::<i32>().values()), elements);
    assert_eq!(found(whole.column(3).as_map().values()), elements);
    let offsets = |array: &ArrayRef| array.as_list::<i32>().value_offsets().to_vec();
    assert_eq!(offsets(whole.column(2)), offsets(batch.column(2)));
    assert_eq!(whole.column(2).nulls(), batch.column(2).nulls());
    assert_eq!(whole.column(3).as_map().value_offsets(), batch.column(3).as_map().value_offsets());
    assert_eq!(whole.column(3).as_map().keys(), batch.column(3).as_map().keys());
    assert_eq!(whole.column(0), batch.column(0));
}

#[tokio::test]
async fn a_column_of_the_data_file_holds_bytes_or_where_they_are() {
    let (table, _) = table().await;
    let there = write_blobs(&table, "data-1.blob", &[Some(bytes(1, 100))]).await.to_descriptors();
    let batch = batch(&table, vec![("inline", binary(&[Some(b"raw"), None, Some(there.value(0)), Some(b"")]))]);
    let presented = present(&table, &batch, BlobForm::Bytes(limits(1 << 20)), None).await.unwrap();
    let value = bytes(1, 100);
    assert_eq!(presented[0].column(0), &binary(&[Some(b"raw"), None, Some(&value), Some(b"")]));
    let presented = present(&table, &batch, BlobForm::Descriptors, None).await.unwrap();
    assert_eq!(presented, vec![batch.clone()]);
    // Raw bytes are no file.
    let error = present(&table, &batch, files(None), None).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context("column"), error.context("row")),
        (ErrorKind::Unsupported, Some("inline"), Some("0"))
    );
    let older = [&[1][..], &there.value(0)[9..]].concat();
    let batch = self::batch(&table, vec![("inline", binary(&[None, Some(there.value(0)), Some(&older)]))]);
    let presented = present(&table, &batch, files(None), None).await.unwrap();
    let references = BlobReferences::from_array(presented[0].column(0)).unwrap();
    assert_eq!((references.get(0), references.get(1)), (None, references.get(2)));
}

#[rstest]
#[case::of_the_data_file("inline")]
#[case::of_a_view_column("view")]
#[case::of_a_blob_file("blob")]
#[tokio::test]
async fn a_descriptor_that_leads_out_is_refused_in_every_form(#[case] column: &str) {
    let (table, _) = table().await;
    let hostile = BlobDescriptor { uri: "file:///etc/passwd", offset: 0, length: None }.encode();
    let batch = batch(&table, vec![(column, binary(&[None, Some(&hostile)]))]);
    for form in [BlobForm::Bytes(limits(10)), BlobForm::Descriptors, files(None)] {
        let error = present(&table, &batch, form, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert_eq!((error.context("column"), error.context("row")), (Some(column), Some("1")));
        assert_eq!(error.context("url"), Some("file:///etc/passwd"));
    }
}

#[tokio::test]
async fn what_is_no_descriptor_in_a_blob_file_is_damage() {
    let (table, _) = table().await;
    let batch = batch(&table, vec![("blob", binary(&[Some(b"bytes")]))]);
    for form in [BlobForm::Bytes(limits(10)), BlobForm::Descriptors, files(None)] {
        let error = present(&table, &batch, form, None).await.unwrap_err();
        assert_eq!((error.context("column"), error.context("row")), (Some("blob"), Some("0")), "{error}");
    }
}

/// A table of another table.
#[derive(Debug)]
struct Known(BTreeMap<i64, Option<Vec<u8>>>);

#[async_trait]
impl ViewResolver for Known {
    async fn resolve(&self, views: &[BlobView<'_>]) -> Result<Vec<Option<Vec<u8>>>> {
        assert!(views.iter().all(|view| view.table == "db.t" && view.field == 3));
        Ok(views.iter().map(|view| self.0[&view.row_id].clone()).collect())
    }
}

#[tokio::test]
async fn views_are_looked_up_and_lead_where_their_table_says() {
    let (table, _) = table().await;
    // The other table lies where this one may not lead.
    let (other, _folder) = crate::testing::local_table().await;
    let there = write_blobs(&other, "data-1.blob", &[Some(bytes(1, 100))]).await.to_descriptors();
    let views: Arc<dyn ViewResolver> = Arc::new(Known([(7, Some(there.value(0).to_vec())), (8, None)].into()));
    let view = |row_id| BlobView { table: "db.t", field: 3, row_id }.encode();
    let (found, null) = (view(7), view(8));
    let batch = batch(&table, vec![("view", binary(&[Some(&found), Some(&null), None, Some(b"raw"), Some(&found)]))]);
    let value = bytes(1, 100);
    let presented = present(&table, &batch, BlobForm::Bytes(limits(1 << 20)), Some(views.clone())).await.unwrap();
    assert_eq!(presented[0].column(0), &binary(&[Some(&value), None, None, Some(b"raw"), Some(&value)]));
    let presented = present(&table, &batch, BlobForm::Descriptors, Some(views.clone())).await.unwrap();
    let descriptor = Some(there.value(0));
    assert_eq!(presented[0].column(0), &binary(&[descriptor, None, None, Some(b"raw"), descriptor]));
    let presented = present(&table, &batch.slice(0, 3), files(None), Some(views)).await.unwrap();
    assert_eq!(BlobReferences::from_array(presented[0].column(0)).unwrap().iter().flatten().count(), 1);
    // Unresolved, a view is the bytes that it is.
    let presented = present(&table, &batch, BlobForm::Bytes(limits(1 << 20)), None).await.unwrap();
    assert_eq!(presented, [batch]);
}

#[tokio::test]
async fn columns_without_blobs_need_no_form() {
    let (table, _) = distant_table().await;
    let id = fields(&table, &["id"]);
    assert!(Presenter::new(&table, &id, BlobForm::Descriptors, None).unwrap().is_none());
    let options = crate::testing::options(&[(crate::ALLOWED_PREFIXES, "s3://")]);
    let storage = Storage::open("memory://a/b", &options, table.context()).unwrap();
    let wrong = crate::testing::table_at(storage, &[]).await;
    let blob = fields(&wrong, &["blob"]);
    assert_eq!(Presenter::new(&wrong, &blob, BlobForm::Descriptors, None).unwrap_err().kind(), ErrorKind::InvalidInput);
}
