use std::path::Path;

use paimon_io::testkit;
use paimon_spec::{DataField, DataType, TypeKind};
use rstest::rstest;

use super::*;
use crate::connect;

fn schema() -> Schema {
    Schema { fields: vec![DataField::new(0, "id", DataType::nullable(TypeKind::Int))], ..Schema::default() }
}

fn table(name: &str) -> Identifier {
    Identifier::new("d", name).unwrap()
}

fn options(warehouse: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("warehouse".to_owned(), warehouse.to_owned())])
}

async fn memory() -> Arc<dyn Catalog> {
    connect(options("memory:///warehouse"), testkit::context()).await.unwrap()
}

async fn local(folder: &Path) -> Arc<dyn Catalog> {
    connect(options(folder.to_str().unwrap()), testkit::context()).await.unwrap()
}

#[derive(Clone, Copy)]
enum Place {
    Memory,
    Local,
}

/// A catalog with the database `d`, and the folder that has to outlive it.
async fn with_database(place: Place) -> (Arc<dyn Catalog>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = match place {
        Place::Memory => memory().await,
        Place::Local => local(folder.path()).await,
    };
    catalog.create_database("d", false).await.unwrap();
    (catalog, folder)
}

#[rstest]
#[tokio::test]
async fn databases_come_and_go(#[values(Place::Memory, Place::Local)] place: Place) {
    let (catalog, _folder) = with_database(place).await;
    catalog.create_database("c", false).await.unwrap();
    assert_eq!(catalog.list_databases().await.unwrap(), ["c", "d"]);
    assert!(catalog.database_exists("d").await.unwrap());

    let error = catalog.create_database("d", false).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::AlreadyExists, "Database d already exists"));
    assert_eq!((error.context("database"), error.context("table")), (Some("d"), None));
    catalog.create_database("d", true).await.unwrap();

    catalog.drop_database("d", false, false).await.unwrap();
    assert!(!catalog.database_exists("d").await.unwrap());
    let error = catalog.drop_database("d", false, false).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "Database d does not exist"));
    catalog.drop_database("d", true, false).await.unwrap();
    assert_eq!(catalog.list_databases().await.unwrap(), ["c"]);
}

#[rstest]
#[tokio::test]
async fn a_database_with_tables_is_dropped_only_with_them(#[values(Place::Memory, Place::Local)] place: Place) {
    let (catalog, _folder) = with_database(place).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let error = catalog.drop_database("d", false, false).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, "Database d is not empty"));
    assert_eq!(catalog.list_tables("d").await.unwrap(), ["t"]);
    catalog.drop_database("d", false, true).await.unwrap();
    assert!(catalog.list_databases().await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn tables_come_and_go(#[values(Place::Memory, Place::Local)] place: Place) {
    let (catalog, _folder) = with_database(place).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    catalog.create_table(&table("s"), schema(), false).await.unwrap();
    assert_eq!(catalog.list_tables("d").await.unwrap(), ["s", "t"]);
    assert_eq!(catalog.table(&table("t")).await.unwrap().schema().fields[0].name, "id");

    let error = catalog.create_table(&table("t"), schema(), false).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::AlreadyExists, "Table d.t already exists"));
    assert_eq!((error.context("table"), error.context("database")), (Some("d.t"), None));
    catalog.create_table(&table("t"), schema(), true).await.unwrap();

    catalog.rename_table(&table("t"), &table("u"), false).await.unwrap();
    assert_eq!(catalog.list_tables("d").await.unwrap(), ["s", "u"]);
    let error = catalog.rename_table(&table("u"), &table("s"), false).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::AlreadyExists, "Table d.s already exists"));

    catalog.drop_table(&table("u"), false).await.unwrap();
    assert_eq!(catalog.list_tables("d").await.unwrap(), ["s"]);
    catalog.create_table(&table("u"), schema(), false).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let (catalog, _folder) = with_database(Place::Memory).await;
    let missing = table("x");
    let elsewhere = Identifier::new("nowhere", "x").unwrap();
    let add = SchemaChange::UpdateComment { comment: None };
    let errors = [
        catalog.table(&missing).await.map(|_| ()).unwrap_err(),
        catalog.drop_table(&missing, false).await.unwrap_err(),
        catalog.rename_table(&missing, &table("y"), false).await.unwrap_err(),
        catalog.alter_table(&missing, std::slice::from_ref(&add), false).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "Table d.x does not exist"));
        assert_eq!(error.context("table"), Some("d.x"));
    }
    catalog.drop_table(&missing, true).await.unwrap();
    catalog.rename_table(&missing, &table("y"), true).await.unwrap();
    catalog.alter_table(&missing, &[add], true).await.unwrap();

    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let errors = [
        catalog.list_tables("nowhere").await.map(|_| ()).unwrap_err(),
        catalog.create_table(&elsewhere, schema(), false).await.unwrap_err(),
        catalog.rename_table(&table("t"), &elsewhere, false).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "Database nowhere does not exist"));
    }
}

#[tokio::test]
async fn altering_makes_a_new_schema() {
    let (catalog, _folder) = with_database(Place::Memory).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let change = SchemaChange::AddColumn {
        path: vec!["note".to_owned()],
        data_type: DataType::string(),
        description: None,
        position: None,
    };
    catalog.alter_table(&table("t"), &[change], false).await.unwrap();
    let schema = Arc::clone(catalog.table(&table("t")).await.unwrap().schema());
    assert_eq!(schema.id, 1);
    assert_eq!(schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["id", "note"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_made_at_the_same_time_are_all_made() {
    let (catalog, _folder) = with_database(Place::Local).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            let change = SchemaChange::AddColumn {
                path: vec![format!("c{number}")],
                data_type: DataType::string(),
                description: None,
                position: None,
            };
            tokio::spawn(async move { catalog.alter_table(&table("t"), &[change], false).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let schema = Arc::clone(catalog.table(&table("t")).await.unwrap().schema());
    assert_eq!((schema.id, schema.fields.len()), (8, 9));
    let mut ids: Vec<i32> = schema.fields.iter().map(|field| field.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_creators_one_wins() {
    let (catalog, _folder) = with_database(Place::Local).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move { catalog.create_table(&table("t"), schema(), false).await })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => created += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn table_defaults_stand_where_the_schema_says_nothing() {
    let mut options = options("memory:///warehouse");
    options.insert("table-default.file.format".to_owned(), "avro".to_owned());
    options.insert("table-default.file.compression".to_owned(), "snappy".to_owned());
    let catalog = connect(options, testkit::context()).await.unwrap();
    catalog.create_database("d", false).await.unwrap();
    let mut schema = schema();
    schema.options.insert("file.format".to_owned(), "parquet".to_owned());
    catalog.create_table(&table("t"), schema, false).await.unwrap();
    let stored = Arc::clone(catalog.table(&table("t")).await.unwrap().schema());
    assert_eq!(stored.options["file.format"], "parquet");
    assert_eq!(stored.options["file.compression"], "snappy");
    assert!(!stored.options.contains_key("warehouse"));
}

#[rstest]
#[case::a_path("a/b")]
#[case::the_parent("..")]
#[case::up_and_away("../../evil")]
#[case::nothing("")]
#[case::hidden(".x")]
#[case::a_control_character("a\nb")]
#[case::a_backslash("a\\b")]
#[tokio::test]
async fn names_that_are_paths_are_refused_everywhere(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("warehouse");
    let catalog = local(&warehouse).await;
    catalog.create_database("d", false).await.unwrap();
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let raw = |database: &str, table: &str| Identifier {
        database: database.to_owned(),
        table: table.to_owned(),
        branch: None,
        system_table: None,
    };
    let before = snapshot_of(folder.path());
    let errors = [
        catalog.create_database(name, true).await.unwrap_err(),
        catalog.drop_database(name, true, true).await.unwrap_err(),
        catalog.list_tables(name).await.map(|_| ()).unwrap_err(),
        catalog.create_table(&raw(name, "t"), schema(), true).await.unwrap_err(),
        catalog.create_table(&raw("d", name), schema(), true).await.unwrap_err(),
        catalog.table(&raw("d", name)).await.map(|_| ()).unwrap_err(),
        catalog.table(&Identifier { branch: Some(name.to_owned()), ..table("t") }).await.map(|_| ()).unwrap_err(),
        catalog.drop_table(&raw("d", name), true).await.unwrap_err(),
        catalog.drop_table(&raw(name, "t"), true).await.unwrap_err(),
        catalog.rename_table(&table("t"), &raw("d", name), true).await.unwrap_err(),
        catalog.rename_table(&raw("d", name), &table("u"), true).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(snapshot_of(folder.path()), before);
}

/// Names of all files and folders below a folder.
fn snapshot_of(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_outside_the_warehouse_is_touched_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, outside) = (folder.path().join("warehouse"), folder.path().join("outside"));
    let other = local(&outside).await;
    other.create_database("d", false).await.unwrap();
    other.create_table(&table("t"), schema(), false).await.unwrap();
    let catalog = local(&warehouse).await;
    catalog.create_database("mine", false).await.unwrap();
    catalog.create_table(&Identifier::new("mine", "t").unwrap(), schema(), false).await.unwrap();
    std::os::unix::fs::symlink(outside.join("d.db"), warehouse.join("d.db")).unwrap();
    std::os::unix::fs::symlink(outside.join("d.db/t"), warehouse.join("mine.db/linked")).unwrap();
    let before = snapshot_of(&outside);

    // Whether these are refused or find nothing is the storage's choice.
    let _ = catalog.drop_table(&table("t"), true).await;
    let _ = catalog.rename_table(&table("t"), &Identifier::new("mine", "u").unwrap(), true).await;
    let _ = catalog.create_table(&table("new"), schema(), true).await;
    let _ = catalog.drop_table(&Identifier::new("mine", "linked").unwrap(), true).await;
    let _ = catalog.drop_database("d", true, true).await;
    let _ = catalog.drop_database("mine", true, true).await;

    assert_eq!(snapshot_of(&outside), before);
    assert_eq!(other.list_tables("d").await.unwrap(), ["t"]);
}

#[tokio::test]
async fn folders_without_a_schema_are_no_tables() {
    let (catalog, folder) = with_database(Place::Local).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let database = folder.path().join("d.db");
    std::fs::create_dir_all(database.join("zombie/snapshot")).unwrap();
    std::fs::write(database.join("zombie/snapshot/snapshot-1"), "{}").unwrap();
    std::fs::write(database.join("file"), "").unwrap();
    std::fs::create_dir_all(folder.path().join("no-database")).unwrap();
    assert_eq!(catalog.list_tables("d").await.unwrap(), ["t"]);
    assert_eq!(catalog.list_databases().await.unwrap(), ["d"]);

    let error = catalog.create_table(&table("zombie"), schema(), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("snapshots of another one"), "{error}");
}

#[tokio::test]
async fn a_branch_has_a_schema_of_its_own() {
    let (catalog, _folder) = with_database(Place::Memory).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let branch = table("t$branch_b");
    let error = catalog.table(&branch).await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "Table d.t$branch_b does not exist"));

    let main = catalog.table(&table("t")).await.unwrap();
    let schema = TableSchema { comment: Some("of the branch".to_owned()), ..(**main.schema()).clone() };
    let json = schema.to_json().unwrap();
    main.storage().put("branch/branch-b/schema/schema-0", json.into()).await.unwrap();
    let found = catalog.table(&branch).await.unwrap();
    assert_eq!(found.schema().comment.as_deref(), Some("of the branch"));

    for refused in [
        catalog.drop_table(&branch, false).await,
        catalog.rename_table(&branch, &table("u"), false).await,
        catalog.create_table(&branch, super::tests::schema(), false).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn system_tables_are_not_there_yet() {
    let (catalog, _folder) = with_database(Place::Memory).await;
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let error = catalog.table(&table("t$snapshots")).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("'snapshots'"), "{error}");
    assert_eq!(catalog.drop_table(&table("t$snapshots"), true).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[rstest]
#[case::no_warehouse(&[], ErrorKind::InvalidInput, "Paimon 'warehouse' path must be set")]
#[case::an_empty_warehouse(&[("warehouse", "")], ErrorKind::InvalidInput, "Paimon 'warehouse' path must be set")]
#[case::an_unknown_catalog(
    &[("metastore", "hive")],
    ErrorKind::InvalidInput,
    "Unknown catalog identifier: hive. Available types: ['filesystem', 'jdbc', 'rest']"
)]
#[case::a_later_one(&[("metastore", "rest")], ErrorKind::Unsupported, "catalog type 'rest' is not supported yet, only 'filesystem' is")]
#[tokio::test]
async fn options_that_describe_no_catalog_are_refused(
    #[case] options: &[(&str, &str)],
    #[case] kind: ErrorKind,
    #[case] message: &str,
) {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let error = connect(options, testkit::context()).await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[tokio::test]
async fn secrets_do_not_show_in_debug_output() {
    let mut options = options("memory:///warehouse");
    options.insert("s3.secret-key".to_owned(), "hunter2".to_owned());
    let catalog = connect(options, testkit::context()).await.unwrap();
    assert!(!format!("{catalog:?}").contains("hunter2"));
}

#[tokio::test]
async fn connecting_to_an_object_store_leaves_nothing_there() {
    let context = testkit::context();
    connect(options("memory://empty/warehouse"), context.clone()).await.unwrap();
    let store = Storage::open("memory://empty", &BTreeMap::new(), &context).unwrap();
    assert_eq!(store.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_table_is_opened_by_two_requests() {
    let context = testkit::context();
    let (warehouse, store) = testkit::distant_folder(&context);
    let catalog = FileSystemCatalog::new(warehouse, BTreeMap::new(), context);
    catalog.create_database("d", false).await.unwrap();
    catalog.create_table(&table("t"), schema(), false).await.unwrap();
    let (opened, requests) = store.requests_of(catalog.table(&table("t"))).await;
    assert_eq!(opened.unwrap().schema().fields, schema().fields);
    // A listing of the schemas, and the newest one.
    assert_eq!((requests.count(), requests.rounds, requests.heads()), (2, 2, 0), "{:?}", requests.calls);
    let (missing, requests) = store.requests_of(catalog.table(&table("missing"))).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(requests.count(), 1, "{:?}", requests.calls);
}
