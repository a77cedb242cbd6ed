//! Files one after the other, opened before their turn.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use arrow::array::RecordBatch;
use futures::{
    FutureExt, Stream, StreamExt, TryStreamExt,
    future::{self, BoxFuture},
    stream::{self, BoxStream, FuturesOrdered},
};
use paimon_io::{BatchStream, TableStore};
use paimon_spec::Result;

use crate::{opening::Opening, stitch::Stitch};

/// File indexes that are looked at at the same time. A look-up passes over many files, so they must not wait for one
/// another.
const INDEXES_AT_ONCE: usize = 32;
/// The same where each of them takes a round trip.
const REMOTE_INDEXES_AT_ONCE: usize = 64;

/// The rows of files one after the other, in their order.
pub(crate) fn in_order(store: &TableStore, files: Vec<Unopened>, limit: usize) -> FilesInOrder {
    let at_once = if store.storage().is_local() { INDEXES_AT_ONCE } else { REMOTE_INDEXES_AT_ONCE };
    let screened = stream::iter(files).map(Unopened::screen).buffered(at_once);
    let files = screened.try_filter_map(|file| std::future::ready(Ok(file)));
    FilesInOrder::new(files.boxed(), Ahead::of(store, limit))
}

/// What is opened before its turn.
pub(crate) enum Unopened {
    File(Box<Opening>),
    /// Files that make rows together.
    Group(Box<Stitch>),
}

impl Unopened {
    /// Whether every row is wanted that is not deleted.
    pub(crate) fn keeps_all(&self) -> bool {
        match self {
            Self::File(file) => file.plan.keeps_all(),
            Self::Group(group) => group.keeps_all(),
        }
    }

    /// Rows that surely come, where every one is wanted.
    pub(crate) fn rows_at_least(&self) -> u64 {
        match self {
            Self::File(file) => file.file.rows_at_least(),
            Self::Group(group) => group.rows_at_least(),
        }
    }

    /// No more than `limit` rows are asked for.
    pub(crate) fn limit(&mut self, limit: usize) {
        match self {
            Self::File(file) => file.limit = Some(limit),
            Self::Group(group) => group.limit = Some(limit),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::File(file) => u64::try_from(file.file.file.file_size).unwrap_or(0),
            Self::Group(group) => group.bytes(),
        }
    }

    fn rank(&self) -> usize {
        match self {
            Self::File(file) => file.file.rank,
            Self::Group(group) => group.rank,
        }
    }

    /// Asks indexes which rows are worth reading; `None`: no row is.
    async fn screen(self) -> Result<Option<Self>> {
        Ok(match self {
            Self::File(file) => file.screen().await?.map(|file| Self::File(Box::new(file))),
            Self::Group(group) => group.screen().await?.map(|group| Self::Group(Box::new(group))),
        })
    }

    /// Opens it and waits for the first batch.
    async fn open(self) -> Result<BatchStream> {
        match self {
            Self::File(file) => file.open().await,
            Self::Group(group) => group.open().await,
        }
    }
}

/// The rows of several files, one after the other. While one is read the next ones are opened: one of them, and as many
/// more as [`Ahead`] allows.
pub(crate) struct FilesInOrder {
    files: BoxStream<'static, Result<Unopened>>,
    ahead: Ahead,
    opening: FuturesOrdered<BoxFuture<'static, Result<(u64, OpenFile)>>>,
    /// Bytes of the files that are being opened.
    bytes: u64,
    /// The next file, open.
    next: Option<Result<OpenFile>>,
    current: Option<OpenFile>,
    all_known: bool,
}

/// A file's rank, and its batches.
type OpenFile = (usize, BatchStream);

/// How many files may be opened before their turn, beside the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    files: usize,
    bytes: u64,
}

impl Ahead {
    /// Local files are there at once, and of files that a limit may make needless none is asked for. Otherwise what takes
    /// its time are the requests, one after the other.
    pub(crate) fn of(store: &TableStore, limit: usize) -> Self {
        let together = !store.storage().is_local() && limit == usize::MAX;
        if together { Self { files: 16, bytes: 8 << 20 } } else { Self { files: 1, bytes: 0 } }
    }
}

impl FilesInOrder {
    pub(crate) fn new(files: BoxStream<'static, Result<Unopened>>, ahead: Ahead) -> Self {
        let opening = FuturesOrdered::new();
        Self { files, ahead, opening, bytes: 0, next: None, current: None, all_known: false }
    }

    /// Lets the next files come closer, without waiting for them.
    fn advance(&mut self, context: &mut Context<'_>) {
        while !self.all_known
            && (self.opening.is_empty() || self.opening.len() < self.ahead.files && self.bytes < self.ahead.bytes)
        {
            match self.files.poll_next_unpin(context) {
                Poll::Pending => break,
                Poll::Ready(None) => self.all_known = true,
                Poll::Ready(Some(Ok(file))) => {
                    let (size, rank) = (file.bytes(), file.rank());
                    self.bytes = self.bytes.saturating_add(size);
                    self.opening.push_back(async move { Ok((size, (rank, file.open().await?))) }.boxed());
                }
                Poll::Ready(Some(Err(error))) => {
                    self.all_known = true;
                    self.opening.push_back(future::ready(Err(error)).boxed());
                }
            }
        }
        if self.next.is_none()
            && let Poll::Ready(Some(opened)) = self.opening.poll_next_unpin(context)
        {
            self.next = Some(opened.map(|(size, file)| {
                self.bytes = self.bytes.saturating_sub(size);
                file
            }));
        }
    }

    /// Drops everything, so that the stream ends after its first error.
    fn end(&mut self) {
        *self = Self::new(stream::empty().boxed(), self.ahead);
    }
}

impl Stream for FilesInOrder {
    /// A batch, with the rank of its file.
    type Item = Result<(usize, RecordBatch)>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.advance(context);
            if let Some((rank, current)) = &mut self.current {
                let rank = *rank;
                let Poll::Ready(batch) = current.as_mut().poll_next(context) else {
                    return Poll::Pending;
                };
                match batch {
                    Some(Ok(batch)) => return Poll::Ready(Some(Ok((rank, batch)))),
                    Some(Err(error)) => {
                        self.end();
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => self.current = None,
                }
            }
            match self.next.take() {
                Some(Ok(file)) => self.current = Some(file),
                Some(Err(error)) => {
                    self.end();
                    return Poll::Ready(Some(Err(error)));
                }
                None if self.all_known && self.opening.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    }
}
