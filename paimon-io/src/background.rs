//! Batches that are made while others are worked on.

use std::fmt;

use futures::{
    FutureExt, SinkExt, StreamExt,
    channel::mpsc,
    future::{AbortHandle, BoxFuture, abortable},
    stream::{self, BoxStream},
};
use paimon_spec::{Error, Result};

use crate::IoContext;

/// Lets tasks run beside their caller.
pub trait Spawner: Send + Sync + fmt::Debug {
    /// Runs `task` to its end, on any thread. Nobody waits for it, and it may be dropped before its end.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// The same batches, made ahead by a task of the context's spawner: at most `depth` wait or are being made. The task starts at once, and ends soon after the stream is dropped. Without a spawner the batches are made when they
/// are asked for.
///
/// # Errors
/// Those of `batches`; `Internal` when the task is gone before the last batch, as when it panicked.
pub fn background<T: Send + 'static>(
    context: &IoContext,
    batches: BoxStream<'static, Result<T>>,
    depth: usize,
) -> BoxStream<'static, Result<T>> {
    let Some(spawner) = &context.spawner else { return batches };
    // A sender has room for one more than the channel is said to hold.
    let (sender, receiver) = mpsc::channel(depth.saturating_sub(1));
    let (task, abort) = abortable(send_all(batches, sender));
    spawner.spawn(task.map(drop).boxed());
    let ahead = Ahead { receiver, abort };
    let batches = stream::try_unfold(ahead, |mut ahead| async move {
        match ahead.receiver.next().await {
            Some(next) => Ok(next.transpose()?.map(|batch| (batch, ahead))),
            None => Err(Error::internal("paimon-io", "the task that reads ahead is gone before the last batch")),
        }
    });
    batches.boxed()
}

/// What the task makes: the batches, then that there are no more.
type Made<T> = Option<Result<T>>;

async fn send_all<T>(mut batches: BoxStream<'static, Result<T>>, mut sender: mpsc::Sender<Made<T>>) {
    loop {
        let made = batches.next().await;
        let goes_on = matches!(made, Some(Ok(_)));
        if sender.send(made).await.is_err() || !goes_on {
            return;
        }
    }
}

struct Ahead<T> {
    receiver: mpsc::Receiver<Made<T>>,
    abort: AbortHandle,
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use arrow::{
        array::{RecordBatch, RecordBatchOptions},
        datatypes::Schema,
    };
    use futures::TryStreamExt;
    use rstest::rstest;

    use super::*;
    use crate::{BatchStream, testkit};

    #[derive(Debug)]
    struct Tokio;

    impl Spawner for Tokio {
        fn spawn(&self, task: BoxFuture<'static, ()>) {
            tokio::spawn(task);
        }
    }

    fn context(spawner: bool) -> IoContext {
        let mut context = testkit::context();
        context.spawner = spawner.then(|| Arc::new(Tokio) as Arc<dyn Spawner>);
        context
    }

    fn batch(rows: usize) -> RecordBatch {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap()
    }

    /// Batches of 1, 2, ... rows, and how many were made.
    fn counted(last: usize, then: Option<Error>) -> (BatchStream, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let batches = stream::iter(1..=last).map(move |rows| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(batch(rows))
        });
        (batches.chain(stream::iter(then.map(Err))).boxed(), made)
    }

    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[rstest]
    #[case::with_tasks(true)]
    #[case::without(false)]
    #[tokio::test]
    async fn batches_stay_the_same_and_an_error_ends_them(#[case] spawner: bool) {
        let (batches, _) = counted(9, None);
        let rows: Vec<_> =
            background(&context(spawner), batches, 2).map_ok(|batch| batch.num_rows()).try_collect().await.unwrap();
        assert_eq!(rows, (1..=9).collect::<Vec<_>>());

        let (batches, _) = counted(2, Some(Error::corrupt("torn")));
        let mut batches = background(&context(spawner), batches, 2);
        assert!(batches.next().await.unwrap().is_ok() && batches.next().await.unwrap().is_ok());
        assert!(batches.next().await.unwrap().unwrap_err().to_string().contains("torn"));
        assert!(batches.next().await.is_none());
    }

    #[tokio::test]
    async fn only_so_many_are_made_ahead_and_none_after_the_stream_is_dropped() {
        let (batches, made) = counted(100, None);
        let mut batches = background(&context(true), batches, 2);
        settle().await;
        assert_eq!(made.load(Ordering::SeqCst), 2);
        assert_eq!(batches.try_next().await.unwrap().map(|batch| batch.num_rows()), Some(1));
        settle().await;
        assert_eq!(made.load(Ordering::SeqCst), 3);
        drop(batches);
        settle().await;
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_task_that_panics_is_no_end() {
        let batches = stream::iter(0..2).map(|n| if n == 0 { Ok(batch(1)) } else { panic!("no more") }).boxed();
        let found: Vec<_> = background(&context(true), batches, 1).collect().await;
        assert!(found[0].is_ok());
        assert_eq!(found[1].as_ref().unwrap_err().kind(), paimon_spec::ErrorKind::Internal);
    }
}
