//! Random histories of writes and compactions: every state is what the model says, and stays it.

use paimon_io::{TableStore, testkit};
use paimon_scan::ReadPoint;
use paimon_spec::CommitMessage;
use proptest::prelude::*;

use super::model::{Changes, Engine, State, check_files, compacted, entries, levels, listen, rows_at, schema, upsert};
use crate::testing::request;
use crate::{CommitMode, after_commit};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Vectors,
    VectorsMergedOnRead,
    Lookup,
    LookupWithVectors,
    FullCompaction,
    FullCompactionWithLookup,
}

impl Mode {
    fn options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain => &[],
            Self::Vectors => &[("deletion-vectors.enabled", "true")],
            Self::VectorsMergedOnRead => {
                &[("deletion-vectors.enabled", "true"), ("deletion-vectors.merge-on-read", "true")]
            }
            Self::Lookup => &[("changelog-producer", "lookup")],
            Self::LookupWithVectors => &[("deletion-vectors.enabled", "true"), ("changelog-producer", "lookup")],
            Self::FullCompaction => &[("changelog-producer", "full-compaction")],
            Self::FullCompactionWithLookup => &[("changelog-producer", "full-compaction"), ("force-lookup", "true")],
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Changes),
    WriteAndCompact(Changes),
    Compact,
    CompactFully,
}

/// A table, and what should be in it.
struct History {
    table: TableStore,
    engine: Engine,
    mode: Mode,
    /// All rows that were written.
    written: State,
    /// The rows that are seen of each snapshot, from the first.
    seen: Vec<State>,
    /// What changelogs tell.
    told: State,
}

impl History {
    fn waits_for_compaction(&self) -> bool {
        self.engine == Engine::FirstRow || matches!(self.mode, Mode::Vectors | Mode::LookupWithVectors)
    }

    fn looks_up(&self) -> bool {
        self.engine == Engine::FirstRow || !matches!(self.mode, Mode::Plain | Mode::FullCompaction)
    }

    async fn latest(&self) -> i64 {
        self.table.latest_snapshot().await.unwrap().map_or(0, |snapshot| snapshot.id)
    }

    async fn go(&mut self, step: &Step) {
        match step {
            Step::Write(changes) | Step::WriteAndCompact(changes) => {
                let messages = upsert(&self.table, changes).await;
                self.engine.apply(&mut self.written, changes);
                let now = if self.waits_for_compaction() {
                    self.seen.last().cloned().unwrap_or_default()
                } else {
                    self.written.clone()
                };
                self.seen.push(now);
                if matches!(step, Step::WriteAndCompact(_)) {
                    let request = request(&self.table, CommitMode::Append).await;
                    after_commit(&self.table, &request, &messages, None).await.unwrap();
                    self.check_up(&messages).await;
                    // Only buckets that were written to are compacted, so others may still wait.
                    if self.waits_for_compaction() && levels(&self.table).await.first() == Some(&0) {
                        compacted(&self.table, false).await;
                    }
                }
            }
            Step::Compact => drop(compacted(&self.table, false).await),
            Step::CompactFully => drop(compacted(&self.table, true).await),
        }
        let latest = self.latest().await;
        if matches!(step, Step::Write(_)) {
            assert_eq!(latest as usize, self.seen.len());
        } else if !matches!(step, Step::WriteAndCompact(_)) {
            self.check_compacted(matches!(step, Step::CompactFully)).await;
        }
        while self.seen.len() < latest as usize {
            let id = self.seen.len() as i64 + 1;
            // One bucket after the other may come into sight.
            let partly = self.waits_for_compaction() && matches!(step, Step::WriteAndCompact(_)) && id < latest;
            let now = if partly { rows_at(&self.table, ReadPoint::Snapshot(id)).await } else { self.written.clone() };
            self.seen.push(now);
        }
    }

    /// What was just written to a table that looks rows up is not at level 0 any more.
    async fn check_up(&self, messages: &[CommitMessage]) {
        let snapshot = self.table.latest_snapshot().await.unwrap().unwrap();
        let ours =
            |name: &str| messages.iter().flat_map(|message| &message.new_files).any(|file| file.file_name == name);
        let waits = entries(&self.table, &snapshot)
            .await
            .into_iter()
            .find(|entry| self.looks_up() && entry.file.level == 0 && ours(&entry.file.file_name));
        assert!(waits.is_none(), "level 0 still has {waits:?}");
    }

    async fn check_compacted(&self, full: bool) {
        if self.latest().await == 0 {
            return;
        }
        let levels = levels(&self.table).await;
        assert!(!self.looks_up() || levels.iter().all(|level| *level > 0), "level 0 stays: {levels:?}");
        assert!(!full || levels.iter().all(|level| *level == 3), "{levels:?}");
    }

    /// Reads everything again.
    async fn check(&mut self, heard: &mut i64, told_all: bool) {
        for id in 1..=self.latest().await {
            let snapshot = self.table.snapshot(id).await.unwrap().unwrap();
            check_files(&self.table, &snapshot).await;
            if id > *heard {
                listen(&self.table, &snapshot, &mut self.told).await;
                *heard = id;
            }
            let found = rows_at(&self.table, ReadPoint::Snapshot(id)).await;
            assert_eq!(found, self.seen[id as usize - 1], "snapshot {id}");
        }
        if told_all {
            assert_eq!(self.told, self.written);
        }
    }
}

fn changes(engine: Engine) -> impl Strategy<Value = Changes> {
    let v = prop::option::weighted(0.7, "[a-c]");
    // What orders rows is there.
    let n = match engine {
        Engine::Greatest => (0..50_i32).prop_map(Some).boxed(),
        _ => prop::option::weighted(0.7, 0..50_i32).boxed(),
    };
    let values = match engine.takes_deletes() {
        true => prop::option::weighted(0.7, (v, n)).boxed(),
        false => (v, n).prop_map(Some).boxed(),
    };
    prop::collection::btree_map(0..40_i64, values, 1..25)
}

fn steps(engine: Engine) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => changes(engine).prop_map(Step::Write),
        3 => changes(engine).prop_map(Step::WriteAndCompact),
        3 => Just(Step::Compact),
        1 => Just(Step::CompactFully),
    ];
    prop::collection::vec(step, 1..9)
}

fn kinds() -> impl Strategy<Value = (Engine, Mode)> {
    let engines = [Engine::Deduplicate, Engine::Greatest, Engine::FirstRow, Engine::PartialUpdate, Engine::Aggregation];
    let modes = [
        Mode::Plain,
        Mode::Vectors,
        Mode::VectorsMergedOnRead,
        Mode::Lookup,
        Mode::LookupWithVectors,
        Mode::FullCompaction,
        Mode::FullCompactionWithLookup,
    ];
    let pairs = engines.into_iter().flat_map(|engine| modes.map(|mode| (engine, mode)));
    // As Java has it: first rows are never replaced, so there is nothing to hide and no difference to tell.
    let fits =
        |(engine, mode): &(Engine, Mode)| *engine != Engine::FirstRow || matches!(mode, Mode::Plain | Mode::Lookup);
    prop::sample::select(pairs.filter(fits).collect::<Vec<_>>())
}

fn layouts() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let sizes = prop::sample::select(vec!["1 b", "128 mb"]);
    let rows = prop::sample::select(vec!["4", "1000"]);
    let per_level = prop::sample::select(vec!["", "0:avro", "0:orc,2:avro"]);
    let buckets = prop::sample::select(vec!["1", "2"]);
    let bitmap64 = prop::sample::select(vec!["false", "true"]);
    let thin = prop::sample::select(vec!["false", "true"]);
    (sizes, rows, per_level, buckets, bitmap64, thin).prop_map(|(size, rows, per_level, buckets, bitmap64, thin)| {
        vec![
            ("bucket", buckets),
            ("target-file-size", size),
            ("target-file-row-num", rows),
            ("file.format.per.level", per_level),
            ("deletion-vectors.bitmap64", bitmap64),
            ("data-file.thin-mode", thin),
            ("num-sorted-run.compaction-trigger", "3"),
            ("num-levels", "4"),
        ]
    })
}

fn histories() -> impl Strategy<Value = (Engine, Mode, Vec<(&'static str, &'static str)>, Vec<Step>)> {
    kinds().prop_flat_map(|(engine, mode)| (Just(engine), Just(mode), layouts(), steps(engine)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn compactions_change_no_row((engine, mode, mut options, steps) in histories()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            options.retain(|(_, value)| !value.is_empty());
            options.extend(engine.options().iter().chain(mode.options()).copied());
            let table = testkit::create_table(schema(&options)).await;
            let (written, seen, told) = (State::new(), Vec::new(), State::new());
            let mut history = History { table, engine, mode, written, seen, told };
            let mut heard = 0;
            for step in &steps {
                history.go(step).await;
                let tells = match mode {
                    Mode::Lookup | Mode::LookupWithVectors => !matches!(step, Step::Write(_)),
                    Mode::FullCompaction | Mode::FullCompactionWithLookup => matches!(step, Step::CompactFully),
                    _ => false,
                };
                let is_up = levels(&history.table).await.first() != Some(&0);
                let compacts_all = !matches!(step, Step::WriteAndCompact(_)) || is_up;
                history.check(&mut heard, tells && compacts_all).await;
            }
        });
    }
}
