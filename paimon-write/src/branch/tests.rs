use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::testkit::{Call, Operation, Watched, Watcher};
use paimon_spec::{DataField, DataType, TableSchema, TypeKind};
use rstest::rstest;

use super::*;
use crate::create_tag;
use crate::testing::live_files;
use crate::tests::stores::{append, dying_at_each_call, open, table_of};

async fn at(table: &TableStore, branch: &str) -> TableStore {
    table.at_branch(Some(branch)).await.unwrap().unwrap()
}

/// Adds a column, in a schema of the next number.
async fn evolve(table: &TableStore, column: &str) -> TableSchema {
    let mut schema = (*table.latest_schema().await.unwrap().unwrap()).clone();
    schema.id += 1;
    schema.highest_field_id += 1;
    schema.fields.push(DataField::new(schema.highest_field_id, column, DataType::nullable(TypeKind::Int)));
    assert_eq!(table.commit_schema(&schema).await.unwrap(), PutOutcome::Created);
    schema
}

async fn names_in(table: &TableStore, folder: &str) -> Vec<String> {
    table.storage().list(folder).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Main: a, b, tag `t`, c. Branch `dev` of `t`: a, b, d, e.
async fn table() -> (Arc<InMemory>, TableStore) {
    let (store, table) = table_of(&["a", "b"]).await;
    let _ = create_tag(&table, "t", None, None).await.unwrap();
    create_branch(&table, "dev", Some("t")).await.unwrap();
    append(&table, "c").await;
    let dev = at(&table, "dev").await;
    append(&dev, "d").await;
    append(&dev, "e").await;
    (store, table)
}

#[tokio::test]
async fn a_branch_of_a_tag_goes_its_own_way() {
    let (_, table) = table().await;
    let dev = at(&table, "dev").await;
    assert_eq!((dev.branch(), table.branch()), (Some("dev"), None));
    assert_eq!(live_files(&dev).await, ["a", "b", "d", "e"]);
    assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    assert_eq!(dev.snapshot_ids().await.unwrap(), [2, 3, 4]);
    assert_eq!(dev.tags().await.unwrap(), ["t"]);
    assert_eq!(table.branches().await.unwrap(), ["dev"]);
    // Manifests are the table's, and so are data files.
    assert_eq!(names_in(&table, "branch/branch-dev").await, ["schema", "snapshot", "tag"]);
}

#[tokio::test]
async fn a_branch_of_nothing_has_all_schemas_and_no_rows() {
    let (_, table) = table().await;
    let newest = evolve(&table, "extra").await;
    create_branch(&table, "empty", None).await.unwrap();
    let empty = at(&table, "empty").await;
    assert_eq!(**empty.schema(), newest);
    assert_eq!(empty.schema_ids().await.unwrap(), [0, 1]);
    assert_eq!(empty.latest_snapshot().await.unwrap(), None);
    assert_eq!(append(&empty, "z").await, 1);
    assert_eq!(live_files(&empty).await, ["z"]);
    assert_eq!(live_files(&table).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_branch_of_a_tag_has_no_later_schema_and_needs_no_snapshot() {
    let (_, table) = table().await;
    evolve(&table, "later").await;
    table.storage().delete(&table.paths().snapshot(2)).await.unwrap();
    create_branch(&table, "old", Some("t")).await.unwrap();
    let old = at(&table, "old").await;
    assert_eq!(old.schema_ids().await.unwrap(), [0]);
    assert_eq!(live_files(&old).await, ["a", "b"]);
}

#[tokio::test]
async fn a_branch_of_a_branch_starts_there() {
    let (_, table) = table().await;
    let dev = at(&table, "dev").await;
    let _ = create_tag(&dev, "u", None, None).await.unwrap();
    create_branch(&dev, "sub", Some("u")).await.unwrap();
    assert_eq!(live_files(&at(&table, "sub").await).await, ["a", "b", "d", "e"]);
    assert_eq!(table.branches().await.unwrap(), ["dev", "sub"]);
}

#[rstest]
#[case::there("dev", None, ErrorKind::AlreadyExists, "Branch name 'dev' already exists.", Some("dev"))]
#[case::no_such_tag("b", Some("nope"), ErrorKind::NotFound, "Tag 'nope' doesn't exist.", Some("nope"))]
#[case::main(
    "main",
    None,
    ErrorKind::InvalidInput,
    "Branch name 'main' is the default branch and cannot be used.",
    None
)]
#[case::capitals(
    "Main",
    None,
    ErrorKind::InvalidInput,
    "Branch name 'Main' is the default branch and cannot be used.",
    None
)]
#[case::number("12", None, ErrorKind::InvalidInput, "a branch name must not be a number, found '12'", None)]
#[case::blank(" ", None, ErrorKind::InvalidInput, "a branch name must not be blank, found ' '", None)]
#[case::elsewhere("../x", None, ErrorKind::InvalidInput, "a branch name must not start with a dot, found '../x'", None)]
#[tokio::test]
async fn branches_that_cannot_be_are_refused(
    #[case] name: &str,
    #[case] tag: Option<&str>,
    #[case] kind: ErrorKind,
    #[case] message: &str,
    #[case] named: Option<&str>,
) {
    let (_, table) = table().await;
    let error = create_branch(&table, name, tag).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
    assert_eq!(error.context(if tag.is_some() { "tag" } else { "branch" }), named);
    assert_eq!(table.branches().await.unwrap(), ["dev"]);
}

#[tokio::test]
async fn a_dropped_branch_takes_no_rows_with_it() {
    let (_, table) = table().await;
    drop_branch(&table, "dev").await.unwrap();
    assert_eq!(table.branches().await.unwrap(), [""; 0]);
    assert!(table.at_branch(Some("dev")).await.unwrap().is_none());
    assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    let error = drop_branch(&table, "dev").await.unwrap_err();
    assert_eq!((error.kind(), error.context("branch")), (ErrorKind::NotFound, Some("dev")));
    // Its name is free again.
    create_branch(&table, "dev", None).await.unwrap();
    assert_eq!(live_files(&at(&table, "dev").await).await, [""; 0]);
}

#[tokio::test]
async fn the_fallback_branch_is_not_dropped() {
    let (_, table) = table().await;
    let mut schema = (**table.schema()).clone();
    schema.options.insert("scan.fallback-branch".into(), "dev".into());
    let error = drop_branch(&table.with_schema(Arc::new(schema)), "dev").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(table.branches().await.unwrap(), ["dev"]);
}

#[tokio::test]
async fn a_renamed_branch_is_the_same_branch() {
    let (_, table) = table().await;
    create_branch(&table, "other", None).await.unwrap();
    let taken = rename_branch(&table, "dev", "other").await.unwrap_err();
    assert_eq!((taken.kind(), taken.context("branch")), (ErrorKind::AlreadyExists, Some("other")));
    let missing = rename_branch(&table, "nope", "x").await.unwrap_err();
    assert_eq!((missing.kind(), missing.context("branch")), (ErrorKind::NotFound, Some("nope")));
    rename_branch(&table, "dev", "test").await.unwrap();
    assert_eq!(table.branches().await.unwrap(), ["other", "test"]);
    assert_eq!(live_files(&at(&table, "test").await).await, ["a", "b", "d", "e"]);
}

/// What is found of a branch that was being made or dropped: it cannot be opened, or it has these files.
async fn whole_or_not_there(table: &TableStore, branch: &str, files: &[&str]) {
    if let Some(found) = table.at_branch(Some(branch)).await.unwrap() {
        assert_eq!(live_files(&found).await, files);
    }
}

#[rstest]
#[case::of_a_tag(Some("t"), &["a", "b"])]
#[case::of_nothing(None, &[])]
#[tokio::test]
async fn a_branch_that_is_not_finished_never_shows_other_rows(#[case] tag: Option<&str>, #[case] files: &[&str]) {
    let work = async |table: TableStore| create_branch(&table, "new", tag).await;
    let look = async |store: Arc<InMemory>, done: bool| {
        let table = open(Arc::clone(&store) as Arc<dyn ObjectStore>, 99).await;
        assert_eq!(live_files(&table).await, ["a", "b", "c"]);
        whole_or_not_there(&table, "new", files).await;
        match create_branch(&table, "new", tag).await {
            Ok(()) => assert!(!done),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
                drop_branch(&table, "new").await.unwrap();
                create_branch(&table, "new", tag).await.unwrap();
            }
        }
        assert_eq!(live_files(&at(&table, "new").await).await, files);
    };
    let new = async || {
        let (store, table) = table_of(&["a"]).await;
        evolve(&table, "x").await;
        append(&table, "b").await;
        let _ = create_tag(&table, "t", None, None).await.unwrap();
        append(&table, "c").await;
        store
    };
    dying_at_each_call(new, work, look).await;
}

#[tokio::test]
async fn a_branch_that_is_half_dropped_never_shows_other_rows() {
    let work = async |table: TableStore| drop_branch(&table, "dev").await;
    let look = async |store: Arc<InMemory>, done: bool| {
        let table = open(Arc::clone(&store) as Arc<dyn ObjectStore>, 99).await;
        assert_eq!(live_files(&table).await, ["a", "b", "c"]);
        assert!(!done || table.branches().await.unwrap().is_empty());
        whole_or_not_there(&table, "dev", &["a", "b", "d", "e"]).await;
        if !done {
            drop_branch(&table, "dev").await.unwrap();
        }
        assert_eq!(table.branches().await.unwrap(), [""; 0]);
    };
    dying_at_each_call(async || table().await.0, work, look).await;
}

/// Somebody who makes the same branch of nothing while it is made of a tag.
#[derive(Debug)]
struct Branching(TableStore);

#[async_trait::async_trait]
impl Watcher for Branching {
    async fn before(&self, call: &Call) -> object_store::Result<()> {
        if call.operation == Operation::PutNew && call.path.ends_with("branch-new/schema/schema-0") {
            let branch = TablePaths::new(Some("new"), None);
            let schema = self.0.storage().read(&self.0.paths().schema(0)).await.unwrap();
            assert_eq!(self.0.storage().put_new(&branch.schema(0), schema).await.unwrap(), PutOutcome::Created);
        }
        Ok(())
    }
}

#[tokio::test]
async fn of_two_who_make_a_branch_one_succeeds() {
    let (store, table) = table().await;
    let watched = Watched::with_watcher(Arc::clone(&store) as Arc<dyn ObjectStore>, Branching(table.clone()));
    let error = create_branch(&open(watched, 3).await, "new", Some("t")).await.unwrap_err();
    assert_eq!((error.kind(), error.context("branch")), (ErrorKind::AlreadyExists, Some("new")));
    assert_eq!(live_files(&at(&table, "new").await).await, [""; 0], "nothing of the loser is left");
    assert_eq!(names_in(&table, "branch/branch-new").await, ["schema"]);
}

mod fast_forward {
    use super::*;
    use crate::fast_forward;

    /// As [`table`], with more commits to main.
    async fn diverged(more: &[&str]) -> (Arc<InMemory>, TableStore) {
        let (store, table) = table().await;
        for name in more {
            append(&table, name).await;
        }
        (store, table)
    }

    #[rstest]
    #[case::main_is_behind(&[])]
    #[case::main_is_as_long(&["x"])]
    #[case::main_is_longer(&["x", "y", "z"])]
    #[tokio::test]
    async fn main_continues_as_the_branch_did(#[case] more: &[&str]) {
        let (_, table) = diverged(more).await;
        let latest = table.latest_snapshot_id().await.unwrap();
        let _ = create_tag(&table, "gone", latest, None).await.unwrap();
        let _ = create_tag(&table, "early", Some(1), None).await.unwrap();
        let dev = at(&table, "dev").await;
        let _ = create_tag(&dev, "fresh", Some(4), None).await.unwrap();

        fast_forward(&table, "dev").await.unwrap();

        assert_eq!(live_files(&table).await, ["a", "b", "d", "e"]);
        assert_eq!(table.snapshot_ids().await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(table.tags().await.unwrap(), ["early", "fresh", "t"]);
        assert_eq!(table.storage().read(&table.paths().latest_hint()).await.unwrap(), "4");
        assert_eq!(table.storage().read(&table.paths().earliest_hint()).await.unwrap(), "1");
        for id in 2..=4 {
            assert_eq!(table.snapshot(id).await.unwrap(), dev.snapshot(id).await.unwrap());
        }
        assert_eq!(live_files(&dev).await, ["a", "b", "d", "e"], "the branch stays");
        assert_eq!(append(&table, "f").await, 5);
        assert_eq!(live_files(&table).await, ["a", "b", "d", "e", "f"]);
    }

    #[tokio::test]
    async fn schemas_become_those_of_the_branch() {
        let (_, table) = table().await;
        let dev = at(&table, "dev").await;
        let mine = evolve(&dev, "mine").await;
        append(&dev, "g").await;
        for column in ["theirs", "more"] {
            evolve(&table, column).await;
        }
        fast_forward(&table, "dev").await.unwrap();
        let table = table.at_branch(None).await.unwrap().unwrap();
        assert_eq!(table.schema_ids().await.unwrap(), [0, 1]);
        assert_eq!(**table.schema(), mine);
        assert_eq!(live_files(&table).await, ["a", "b", "d", "e", "g"]);
    }

    #[tokio::test]
    async fn a_branch_made_of_nothing_replaces_everything() {
        let (_, table) = table().await;
        create_branch(&table, "fresh", None).await.unwrap();
        append(&at(&table, "fresh").await, "n").await;
        fast_forward(&table, "fresh").await.unwrap();
        assert_eq!(table.snapshot_ids().await.unwrap(), [1]);
        assert_eq!((live_files(&table).await, table.tags().await.unwrap()), (vec!["n".to_owned()], Vec::new()));
    }

    #[tokio::test]
    async fn a_branch_can_be_forwarded_too() {
        let (_, table) = table().await;
        let dev = at(&table, "dev").await;
        create_branch(&table, "sub", Some("t")).await.unwrap();
        fast_forward(&dev, "sub").await.unwrap();
        assert_eq!(live_files(&dev).await, ["a", "b"]);
        assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_branch_that_cannot_be_forwarded_to_is_refused() {
        let (_, table) = table().await;
        create_branch(&table, "empty", None).await.unwrap();
        let empty = fast_forward(&table, "empty").await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::InvalidInput);
        assert_eq!(empty.message(), "Cannot fast forward branch empty, because it does not have snapshot.");
        let missing = fast_forward(&table, "nope").await.unwrap_err();
        assert_eq!((missing.kind(), missing.context("branch")), (ErrorKind::NotFound, Some("nope")));
        let own = fast_forward(&at(&table, "dev").await, "dev").await.unwrap_err();
        assert_eq!(own.message(), "Fast-forward from the current branch 'dev' is not allowed.");
        let main = fast_forward(&at(&table, "dev").await, "main").await.unwrap_err();
        assert_eq!(main.kind(), ErrorKind::InvalidInput);
        assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_damaged_branch_changes_nothing() {
        let (_, table) = table().await;
        let dev = at(&table, "dev").await;
        table.storage().put(&dev.paths().snapshot(3), "{".into()).await.unwrap();
        let error = fast_forward(&table, "dev").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert!(error.context("file").unwrap().ends_with("branch-dev/snapshot/snapshot-3"), "{error}");
        assert_eq!(live_files(&table).await, ["a", "b", "c"]);
        assert_eq!(table.storage().read(&table.paths().latest_hint()).await.unwrap(), "3");
    }

    #[rstest]
    #[case::main_is_behind(&[], &["abc"])]
    #[case::main_is_as_long(&["x"], &["abcx"])]
    #[case::main_is_longer(&["x", "y", "z"], &["abcx", "abcxy", "abcxyz"])]
    #[tokio::test]
    async fn whoever_dies_leaves_a_state_that_was_or_is_to_be(#[case] more: &[&str], #[case] states: &[&str]) {
        let new = "abde";
        let work = async |table: TableStore| fast_forward(&table, "dev").await;
        let look = async |store: Arc<InMemory>, done: bool| {
            let table = open(Arc::clone(&store) as Arc<dyn ObjectStore>, 99).await;
            let found = live_files(&table).await.concat();
            assert!(found == new || states.contains(&found.as_str()), "{found}");
            assert!(!done || found == new, "{found}");
            assert_eq!(live_files(&at(&table, "dev").await).await.concat(), new);
            fast_forward(&table, "dev").await.unwrap();
            assert_eq!(live_files(&table).await.concat(), new);
            assert_eq!(table.snapshot_ids().await.unwrap(), [1, 2, 3, 4]);
            assert_eq!(append(&table, "f").await, 5);
        };
        dying_at_each_call(async || diverged(more).await.0, work, look).await;
    }

    /// Somebody who appends `late` to main before the branch's newest snapshot comes there.
    #[derive(Debug)]
    struct Appending(TableStore);

    #[async_trait::async_trait]
    impl Watcher for Appending {
        async fn before(&self, call: &Call) -> object_store::Result<()> {
            if call.operation == Operation::PutNew && call.path == "snapshot/snapshot-5" {
                append(&self.0, "late").await;
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_commit_meanwhile_is_kept_and_told() {
        let (store, table) = table().await;
        append(&at(&table, "dev").await, "g").await;
        // Main is at 3 and the branch at 5; somebody takes 4.
        let watched = Watched::with_watcher(Arc::clone(&store) as Arc<dyn ObjectStore>, Appending(table.clone()));
        let error = fast_forward(&open(watched, 3).await, "dev").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
        assert_eq!(error.message(), "snapshot 4 was committed while the table was fast-forwarded");
        let table = open(store, 4).await;
        assert_eq!(table.snapshot_ids().await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(live_files(&table).await, ["a", "b", "c", "late"]);
    }
}
