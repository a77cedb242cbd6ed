use std::{fs, os::unix::fs::symlink, path::Path};

use paimon_io::testkit;
use rstest::rstest;

use super::*;
use crate::testing::{options, table_at};

/// A table in a folder on this machine, opened with options of its catalog.
async fn local_table(root: &Path, catalog: &[(&str, &str)], table: &[(&str, &str)]) -> TableStore {
    let folder = root.join("warehouse/db.db/t");
    fs::create_dir_all(folder.join("bucket-0")).unwrap();
    fs::write(folder.join("bucket-0/data-1.blob"), "bytes").unwrap();
    let storage = Storage::open(folder.to_str().unwrap(), &options(catalog), &testkit::context()).unwrap();
    table_at(storage, table).await
}

/// A table in a bucket; nothing is sent.
fn s3_table(catalog: &[(&str, &str)], table: &[(&str, &str)]) -> TableStore {
    let mut all = options(&[("s3.region", "eu-central-1"), ("s3.access-key", "a"), ("s3.secret-key", "b")]);
    all.extend(options(catalog));
    let context = testkit::context();
    let storage = Storage::open("s3://bucket/warehouse/db.db/t", &all, &context).unwrap();
    let schema = paimon_spec::Schema { options: options(table), ..schema() };
    let schema = paimon_spec::TableSchema::create(schema, 0).unwrap();
    TableStore::new(storage, Arc::new(schema), None, Arc::new(paimon_io::FileSnapshotCommit), context).unwrap()
}

fn schema() -> paimon_spec::Schema {
    paimon_spec::Schema::from_json(r#"{"fields": [{"name": "id", "type": "INT"}]}"#).unwrap()
}

#[rstest]
#[case::a_system_file("file:///etc/passwd")]
#[case::a_bare_path("/etc/passwd")]
#[case::a_path_relative_to_the_process("etc/passwd")]
#[case::up_from_the_table("{table}/../../../../../../../../etc/passwd")]
#[case::up_as_a_url("file://{table}/bucket-0/../../u/data-1.blob")]
#[case::another_table("file://{root}/warehouse/db.db/u/bucket-0/data-1.blob")]
#[case::a_neighbour_that_starts_alike("file://{table}-evil/data-1.blob")]
#[case::an_encoded_way_up("file://{table}%2f..%2fu/data-1.blob")]
#[case::the_table_itself("file://{table}")]
#[case::a_host("file://evil.example{table}/bucket-0/data-1.blob")]
#[case::upper_case("FILE:///etc/passwd")]
#[case::a_nul("file://{table}/bucket-0/\0/data-1.blob")]
#[case::a_link_to_a_file("file://{table}/bucket-0/link.blob")]
#[case::a_file_below_a_link("file://{table}/linked/secret.blob")]
#[case::loopback("http://127.0.0.1:8080/latest")]
#[case::loopback_by_name("http://localhost/data-1.blob")]
#[case::loopback_of_six("http://[::1]/data-1.blob")]
#[case::link_local("http://169.254.169.254/latest/meta-data/iam")]
#[case::a_web_page("https://example.com/picture.png")]
#[case::upper_case_web("HTTPS://EXAMPLE.COM/picture.png")]
#[case::a_user_in_the_url("https://user:secret@example.com/picture.png")]
#[case::a_bucket("s3://other/picture.png")]
#[case::an_unknown_scheme("gopher://example.com/1")]
#[case::memory("memory://elsewhere/1")]
#[case::nothing("")]
#[tokio::test]
async fn data_leads_nowhere_outside_a_table_of_local_files(#[case] url: &str) {
    let root = tempfile::tempdir().unwrap();
    let table = local_table(root.path(), &[], &[]).await;
    let folder = root.path().join("warehouse/db.db/t");
    let outside = root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.blob"), "secret").unwrap();
    symlink(outside.join("secret.blob"), folder.join("bucket-0/link.blob")).unwrap();
    symlink(&outside, folder.join("linked")).unwrap();
    let url = url.replace("{table}", folder.to_str().unwrap()).replace("{root}", root.path().to_str().unwrap());

    let error = BlobSource::of(&table).unwrap().open(&url, Trust::Data).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.message().contains(ALLOWED_PREFIXES), "{error}");
    assert_eq!(error.context("url"), Some(url.replace("user:secret", "***").as_str()));
    assert_eq!(error.context("table"), Some(format!("file://{}", folder.display()).as_str()));
}

#[rstest]
#[case::another_bucket("s3://other/warehouse/db.db/t/bucket-0/data-1.blob")]
#[case::another_bucket_that_starts_alike("s3://bucket-evil/warehouse/db.db/t/data-1.blob")]
#[case::another_folder("s3://bucket/warehouse/db.db/u/bucket-0/data-1.blob")]
#[case::a_folder_that_starts_alike("s3://bucket/warehouse/db.db/t-evil/data-1.blob")]
#[case::the_warehouse("s3://bucket/warehouse/secrets")]
#[case::a_way_up("s3://bucket/warehouse/db.db/t/../u/data-1.blob")]
#[case::an_encoded_way_up("s3://bucket/warehouse/db.db/t%2f..%2fu/data-1.blob")]
#[case::a_user_in_the_url("s3://key:secret@bucket/warehouse/db.db/t/data-1.blob")]
#[case::a_bucket_as_a_user("s3://bucket@evil/warehouse/db.db/t/data-1.blob")]
#[case::a_port("s3://bucket:80/warehouse/db.db/t/data-1.blob")]
#[case::an_upper_case_bucket("s3://BUCKET/warehouse/db.db/t/data-1.blob")]
#[case::the_endpoint("https://s3.eu-central-1.amazonaws.com/bucket/warehouse/db.db/t/data-1.blob")]
#[case::a_local_file("file:///etc/passwd")]
#[case::a_local_file_of_the_same_path("/warehouse/db.db/t/bucket-0/data-1.blob")]
#[tokio::test]
async fn data_leads_nowhere_outside_a_table_in_a_bucket(#[case] url: &str) {
    let error = BlobSource::of(&s3_table(&[], &[])).unwrap().open(url, Trust::Data).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(!error.to_string().contains("secret@"), "{error}");
}

#[rstest]
#[case("s3://bucket/warehouse/db.db/t/bucket-0/data-1.blob", "bucket-0/data-1.blob")]
#[case("s3a://bucket/warehouse/db.db/t/bucket-0/data-1.blob", "bucket-0/data-1.blob")]
#[case("S3://bucket//warehouse/./db.db/t/data%2e.blob", "data%2e.blob")]
#[tokio::test]
async fn the_tables_own_files_are_open_to_data(#[case] url: &str, #[case] path: &str) {
    let source = BlobSource::of(&s3_table(&[], &[])).unwrap();
    for trust in [Trust::Data, Trust::Caller] {
        let object = source.object(url, trust).await.unwrap();
        assert_eq!((object.path.as_str(), object.is_own), (path, true));
    }
}

#[rstest]
#[case::a_folder("s3://media/raw", "s3://media/raw/a.png", None)]
#[case::with_a_slash("s3://media/raw/", "s3://media/raw/deep/a.png", None)]
#[case::a_bucket("s3://media", "s3://media/a.png", None)]
#[case::one_of_several(" file:///data , s3://media/raw", "s3://media/raw/a.png", None)]
#[case::another_spelling("s3a://media/raw", "s3n://media/raw/a.png", None)]
#[case::no_boundary("s3://media/raw", "s3://media/raw-old/a.png", Some(ErrorKind::PermissionDenied))]
#[case::above_it("s3://media/raw", "s3://media/raw/../a.png", Some(ErrorKind::PermissionDenied))]
#[case::another_bucket("s3://media", "s3://media2/a.png", Some(ErrorKind::PermissionDenied))]
#[case::another_web_page("https://example.com/a", "https://example.com/b", Some(ErrorKind::PermissionDenied))]
#[case::a_host_that_starts_alike(
    "https://example.com",
    "https://example.com.evil/b",
    Some(ErrorKind::PermissionDenied)
)]
#[case::a_web_page("https://example.com/a/", "HTTPS://example.com/a/b.png", Some(ErrorKind::Unsupported))]
#[case::loopback_that_was_named("http://127.0.0.1", "http://127.0.0.1/a", Some(ErrorKind::Unsupported))]
#[tokio::test]
async fn a_prefix_allows_what_is_below_it(
    #[case] prefixes: &str,
    #[case] url: &str,
    #[case] refused: Option<ErrorKind>,
) {
    let opened = BlobSource::of(&s3_table(&[(ALLOWED_PREFIXES, prefixes)], &[])).unwrap().open(url, Trust::Data).await;
    assert_eq!(opened.err().map(|error| error.kind()), refused);
    // What the table's own schema says allows nothing.
    let stored = BlobSource::of(&s3_table(&[], &[(ALLOWED_PREFIXES, prefixes)])).unwrap();
    assert_eq!(stored.open(url, Trust::Data).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[rstest]
#[case::a_blob_file("s3://bucket/extern/data-1.blob", true)]
#[case::another_file("s3://bucket/extern/secrets.json", false)]
#[case::a_neighbour("s3://bucket/extern-evil/data-1.blob", false)]
#[tokio::test]
async fn of_a_folder_that_the_table_names_only_blob_files_are_open_to_data(#[case] url: &str, #[case] is_open: bool) {
    let source = BlobSource::of(&s3_table(&[], &[("data-file.external-paths", "s3://bucket/extern")])).unwrap();
    let opened = source.object(url, Trust::Data).await;
    assert_eq!(opened.map(|object| object.is_own).ok(), is_open.then_some(true));
}

#[tokio::test]
async fn a_prefix_that_is_no_folder_is_told() {
    let error = BlobSource::of(&s3_table(&[(ALLOWED_PREFIXES, "s3://")], &[])).unwrap_err();
    assert_eq!((error.kind(), error.context("option")), (ErrorKind::InvalidInput, Some(ALLOWED_PREFIXES)));
}

#[tokio::test]
async fn a_link_is_followed_where_its_target_is_allowed_too() {
    let root = tempfile::tempdir().unwrap();
    let disk = root.path().join("disk");
    fs::create_dir(&disk).unwrap();
    fs::write(disk.join("a.png"), "picture").unwrap();
    let table = local_table(root.path(), &[], &[]).await;
    let folder = root.path().join("warehouse/db.db/t");
    symlink(folder.join("bucket-0/data-1.blob"), folder.join("inside.blob")).unwrap();
    symlink(disk.join("a.png"), folder.join("picture.blob")).unwrap();
    let source = BlobSource::of(&table).unwrap();
    let inside = folder.join("inside.blob");
    assert!(source.open(inside.to_str().unwrap(), Trust::Data).await.is_ok());
    let picture = format!("file://{}/a.png", disk.display());
    assert!(source.open(&picture, Trust::Data).await.is_err());
    let catalog = options(&[(ALLOWED_PREFIXES, disk.to_str().unwrap())]);
    let storage = Storage::open(folder.to_str().unwrap(), &catalog, table.context()).unwrap();
    let committer = Arc::new(paimon_io::FileSnapshotCommit);
    let allowing = TableStore::new(storage, Arc::clone(table.schema()), None, committer, table.context().clone());
    let source = BlobSource::of(&allowing.unwrap()).unwrap();
    assert!(source.open(&picture, Trust::Data).await.is_ok());
}

#[rstest]
#[case::a_local_file("file:///etc/passwd", None)]
#[case::a_bare_path("/etc/passwd", None)]
#[case::another_bucket("s3://other/a/b.png", None)]
#[case::a_whole_bucket("s3://other", Some(ErrorKind::InvalidInput))]
#[case::credentials("s3://key:secret@bucket/a", Some(ErrorKind::InvalidInput))]
#[case::a_web_page("https://example.com/a", Some(ErrorKind::Unsupported))]
#[tokio::test]
async fn the_callers_own_word_leads_wherever_there_is_a_storage(#[case] url: &str, #[case] refused: Option<ErrorKind>) {
    let source = BlobSource::of(&s3_table(&[], &[])).unwrap();
    let opened = source.object(url, Trust::Caller).await;
    if let Ok(object) = &opened {
        assert!(object.url().ends_with(url.trim_start_matches("file://")) && !object.is_own);
    }
    assert_eq!(opened.err().map(|error| error.kind()), refused);
}

#[tokio::test]
async fn foreign_places_have_options_of_their_own() {
    let opened = async |table: &[(&str, &str)]| {
        let mut table = s3_table(&[("s3.endpoint", "http://own")], table);
        let mut context = table.context().clone();
        let keys = [("AWS_ACCESS_KEY_ID", "from the environment"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        context.environment = Arc::new(options(&keys));
        let committer = Arc::new(paimon_io::FileSnapshotCommit);
        table = TableStore::new(table.storage().clone(), Arc::clone(table.schema()), None, committer, context).unwrap();
        BlobSource::of(&table)
            .unwrap()
            .open("s3://other/a", Trust::Caller)
            .await
            .map(|(storage, _)| storage.options().clone())
    };
    let as_the_table = opened(&[]).await.unwrap();
    assert_eq!(as_the_table.get("s3.endpoint").map(String::as_str), Some("http://own"));
    // No keys of the catalog or of the environment are shown to an endpoint that the table names.
    let no_keys = opened(&[("blob-descriptor.s3.endpoint", "http://other")]).await.unwrap_err();
    assert!(no_keys.message().starts_with("no credentials"), "{no_keys}");
    let given = [("s3.endpoint", "http://other"), ("s3.access-key", "c"), ("s3.secret-key", "d")];
    let named: Vec<(String, &str)> =
        given.iter().map(|(key, value)| (format!("blob-descriptor.{key}"), *value)).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!(opened(&named).await.unwrap(), options(&given));
    let error = opened(&[(SOURCE_TABLE, "db.u")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
