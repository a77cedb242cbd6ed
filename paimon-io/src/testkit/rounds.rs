//! How many requests some work makes, and how many of them in sequence.

use std::{
    fmt, mem,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_trait::async_trait;
use futures::{channel::oneshot, future::poll_fn};
use object_store::{ObjectStore, Result};

use super::{Call, Operation, Watched, Watcher};

/// A store that is far away: while it is watched ([`Self::requests_of`]) its answers come in rounds. A round ends when
/// the work that waits for answers can do nothing more without one; all calls made until then are answered together.
pub type DistantStore = Watched<Rounds>;

/// The calls of a [`DistantStore`] that wait for their answer.
#[derive(Default)]
pub struct Rounds {
    watched: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// What some work asked of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    /// All calls, in the order in which they began. Those that found nothing are among them.
    pub calls: Vec<Call>,
    /// How many round trips followed one another.
    pub rounds: usize,
}

impl Requests {
    /// How many calls there were.
    pub fn count(&self) -> usize {
        self.calls.len()
    }

    /// How many calls asked for a file's size.
    pub fn heads(&self) -> usize {
        self.calls.iter().filter(|call| call.operation == Operation::Head).count()
    }

    /// How many bytes the calls asked for that named a range.
    pub fn bytes(&self) -> u64 {
        self.calls.iter().filter_map(|call| call.range.as_ref()).map(|range| range.end - range.start).sum()
    }
}

impl DistantStore {
    /// A store that answers at once until it is watched.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::with_watcher(inner, Rounds::default())
    }

    /// Runs `work`, which must be the only one to use the store meanwhile, and must not wait for other threads or tasks
    /// with calls of its own under way.
    pub async fn requests_of<T>(&self, work: impl Future<Output = T>) -> (T, Requests) {
        let rounds = self.watcher();
        rounds.watched.store(true, Ordering::Relaxed);
        let mut work = pin!(work);
        let mut number = 0;
        let value = poll_fn(|context| {
            let progress = Arc::new(Progress { made: AtomicBool::new(false), outer: context.waker().clone() });
            let waker = Waker::from(Arc::clone(&progress));
            loop {
                if let Poll::Ready(value) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(value);
                }
                if progress.made.swap(false, Ordering::Relaxed) {
                    continue;
                }
                let waiting = mem::take(&mut rounds.state().waiting);
                if waiting.is_empty() {
                    return Poll::Pending;
                }
                number += 1;
                for call in waiting {
                    // Whoever has gone needs no answer.
                    let _ = call.send(());
                }
            }
        })
        .await;
        rounds.watched.store(false, Ordering::Relaxed);
        (value, Requests { calls: mem::take(&mut rounds.state().calls), rounds: number })
    }
}

impl Rounds {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Watcher for Rounds {
    async fn before(&self, call: &Call) -> Result<()> {
        if !self.watched.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state();
            state.calls.push(call.clone());
            state.waiting.push(answer);
        }
        // Without an answer the watching has ended, and the call goes on as any other.
        let _ = answered.await;
        Ok(())
    }
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounds").field("watched", &self.watched).finish_non_exhaustive()
    }
}

/// Whether something woke the work since it was polled.
struct Progress {
    made: AtomicBool,
    outer: Waker,
}

impl Wake for Progress {
    fn wake(self: Arc<Self>) {
        self.made.store(true, Ordering::Relaxed);
        self.outer.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use object_store::{ObjectStoreExt, PutPayload, memory::InMemory, path::Path};

    use super::*;

    #[tokio::test]
    async fn calls_that_wait_for_one_another_are_rounds_and_others_are_not() {
        let store = DistantStore::new(Arc::new(InMemory::new()));
        let paths = ["a", "b", "c"].map(Path::from);
        for path in &paths {
            store.put(path, PutPayload::from_static(b"x")).await.unwrap();
        }
        let (_, together) = store.requests_of(join_all(paths.iter().map(|path| store.get(path)))).await;
        assert_eq!((together.count(), together.rounds), (3, 1));
        let (_, apart) = store
            .requests_of(async {
                for path in &paths {
                    store.head(path).await.unwrap();
                }
                store.get(&Path::from("absent")).await.unwrap_err()
            })
            .await;
        assert_eq!((apart.count(), apart.rounds, apart.heads()), (4, 4, 3));
    }

    #[tokio::test]
    async fn ranges_that_lie_apart_are_requests_of_their_own() {
        let store = DistantStore::new(Arc::new(InMemory::new()));
        let path = Path::from("a");
        store.put(&path, vec![0; 4 << 20].into()).await.unwrap();
        let ranges = [0..10, 20..30, 3 << 20..(3 << 20) + 10];
        let (parts, requests) = store.requests_of(store.get_ranges(&path, &ranges)).await;
        assert_eq!(parts.unwrap().len(), 3);
        assert_eq!((requests.count(), requests.rounds), (2, 1));
    }
}
