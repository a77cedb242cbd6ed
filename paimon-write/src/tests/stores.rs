//! Tables in stores that several processes have open, and that die.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::testkit::{self, Call, FaultyStore, Operation};
use paimon_io::{FileSnapshotCommit, Storage, TableStore};
use paimon_spec::{BinaryRow, Result, Schema};

use crate::testing::{adds, request, schema};
use crate::{CommitMode, Committed, commit};

/// A handle on the table in `store` as another process has it: a cache, a clock and identifiers of its own.
pub(crate) async fn open(store: Arc<dyn ObjectStore>, seed: u64) -> TableStore {
    let context = paimon_blob::register(testkit::context_of(seed));
    let storage = Storage::from_store(store, "memory://shared/table", &context);
    TableStore::open(storage, None, Arc::new(FileSnapshotCommit), context).await.unwrap()
}

/// A new table in `store`.
pub(crate) async fn create(store: Arc<dyn ObjectStore>, schema: Schema) -> TableStore {
    let context = paimon_blob::register(testkit::context_of(1 << 20));
    let storage = Storage::from_store(store, "memory://shared/table", &context);
    testkit::create_table_at(storage, schema, context).await
}

/// Commits a file without partition to the handle's branch; returns the snapshot's number.
pub(crate) async fn append(table: &TableStore, name: &str) -> i64 {
    let messages = [adds(BinaryRow::empty(), &[name])];
    match commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap() {
        Committed::Snapshot(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A table in memory with files `a`, `b` and so on, one a snapshot.
pub(crate) async fn table_of(names: &[&str]) -> (Arc<InMemory>, TableStore) {
    let store = Arc::new(InMemory::new());
    let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, schema(false, &[])).await;
    for name in names {
        append(&table, name).await;
    }
    (store, table)
}

/// Does `work` on the table in a new `store` of each round, with a process that dies before its first call of the storage,
/// its second, and so on until it comes through; after each death `look` sees what is left. The last round is `look`ed at
/// too, and is the only one for which it gets true.
pub(crate) async fn dying_at_each_call(
    mut store: impl AsyncFnMut() -> Arc<InMemory>,
    work: impl AsyncFn(TableStore) -> Result<()>,
    mut look: impl AsyncFnMut(Arc<InMemory>, bool),
) {
    for calls in 0.. {
        let store = store().await;
        let faulty = FaultyStore::new(Arc::clone(&store) as Arc<dyn ObjectStore>);
        let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, calls).await;
        let last = faulty.calls() + calls;
        faulty.fail_before(move |call| call.number >= last);
        let result = work(table).await;
        let done = faulty.failed() == 0;
        assert_eq!(result.is_ok(), done, "{result:?} after {calls} calls");
        look(store, done).await;
        if done {
            assert!(calls > 3, "{calls} calls are too few to have done anything");
            return;
        }
    }
}

/// Whether a call publishes a snapshot.
pub(crate) fn creates_snapshot(call: &Call) -> bool {
    call.operation == Operation::PutNew && call.path.contains("/snapshot-")
}

/// Lets a `rival` do something to the table in `memory`, as a process of its own, just before each of the next `times`
/// tries to publish a snapshot through `faulty`. The rival gets a number, counting down to 0.
pub(crate) fn get_ahead<W: Future<Output = ()>>(
    faulty: &FaultyStore,
    memory: &Arc<InMemory>,
    times: u32,
    rival: impl Fn(TableStore, u32) -> W + Copy + Send + 'static,
) {
    get_ahead_of(creates_snapshot, faulty, memory, times, rival);
}

/// As [`get_ahead`], just before calls of another kind.
pub(crate) fn get_ahead_of<W: Future<Output = ()>>(
    wanted: fn(&Call) -> bool,
    faulty: &FaultyStore,
    memory: &Arc<InMemory>,
    mut times: u32,
    rival: impl Fn(TableStore, u32) -> W + Copy + Send + 'static,
) {
    let memory = Arc::clone(memory);
    faulty.fail_before(move |call| {
        if wanted(call) && times > 0 {
            times -= 1;
            let (memory, number) = (Arc::clone(&memory) as Arc<dyn ObjectStore>, times);
            let race = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { rival(open(memory, 1_000 + u64::from(number)).await, number).await });
            });
            race.join().unwrap();
        }
        false
    });
}
