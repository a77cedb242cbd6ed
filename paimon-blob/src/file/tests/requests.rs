//! What a read of a distant file asks for.

use super::*;

/// A file of `rows` values of `size` bytes on a distant store.
async fn distant(data_type: &str) -> (TableStore, Arc<testkit::DistantStore>) {
    let context = register(testkit::context());
    let (storage, requests) = testkit::distant_folder(&context);
    (table_at(storage, context, data_type, &[]).await, requests)
}

#[rstest]
#[case::few_rows(3, 100_000)]
#[case::many_rows(2_000, 3_000)]
#[tokio::test]
async fn descriptors_cost_one_request_and_no_byte_of_a_value(#[case] rows: usize, #[case] size: usize) {
    let (store, requests) = distant("BLOB").await;
    // Sizes differ, as those of pictures do.
    let values: Vec<Row> = (0..rows).map(|row| Row::Value(vec![1; size + row * 7919 % size])).collect();
    let file = write_rows(&store, "data-1-0.blob", &values).await;
    let context = register(testkit::context());
    let cold = TableStore::new(
        store.storage().clone(),
        Arc::clone(store.schema()),
        None,
        Arc::new(paimon_io::FileSnapshotCommit),
        context,
    );
    let cold = cold.unwrap();
    let wanted = all(&cold);
    let (found, asked) = requests.requests_of(read(&cold, &file, &wanted)).await;
    assert_eq!(found.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
    assert_eq!((asked.count(), asked.heads()), (1, 0));
    // The index, and not much more: a guess of its size that is one byte a row too large.
    assert!(asked.bytes() <= 5 + 4 * rows as u64, "{} bytes for {rows} rows", asked.bytes());

    // From then on the index is known to all who ask for the file.
    let again = async {
        read(&cold, &file, &wanted).await.unwrap();
        cold.rows_left_open("bucket-0", &file).await.unwrap();
        super::super::BlobIndex::load(cold.context(), cold.storage(), "bucket-0/data-1-0.blob", None).await.unwrap()
    };
    let (index, asked) = requests.requests_of(again).await;
    assert_eq!((index.rows(), asked.count()), (rows as u64, 0));
}

#[tokio::test]
async fn an_index_of_a_file_of_unknown_size_costs_two_requests() {
    let (store, requests) = distant("BLOB").await;
    let file = write_rows(&store, "data-1-0.blob", &[value("hello"), Row::Null]).await;
    let path = format!("bucket-0/{}", file.file_name);
    let load = super::super::BlobIndex::load(store.context(), store.storage(), &path, None);
    let (index, asked) = requests.requests_of(load).await;
    assert_eq!((index.unwrap().rows(), asked.count(), asked.heads()), (2, 2, 1));
}

#[tokio::test]
async fn arrays_of_large_blobs_cost_their_ends() {
    let (store, requests) = distant("ARRAY<BLOB>").await;
    // So far apart that no request covers two of them.
    let row = Some(vec![Some(vec![1; 3 << 20]), None, Some(vec![2; 1 << 20])]);
    let rows = vec![row.clone(), None, row];
    let file = write_column(&store, "data-1-0.blob", nested::arrays(&rows)).await.unwrap();
    let wanted = all(&store);
    let (found, asked) = requests.requests_of(read(&store, &file, &wanted)).await;
    assert_eq!(found.unwrap()[0].num_rows(), 3);
    assert_eq!(asked.rounds, 2);
    assert!(asked.bytes() < 16 << 10, "{} bytes", asked.bytes());
}
