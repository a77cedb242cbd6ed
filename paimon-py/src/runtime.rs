//! The process's one tokio runtime, and the one way from Python into it.
//!
//! The runtime starts at first use, never at import. Python threads wait outside it, with the GIL released, in slices
//! short enough for Ctrl-C. A process that was forked gets a runtime of its own, unless something was running at the
//! moment of the fork: what that work held (locks, half-loaded cache entries) would stay held for ever.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use futures::FutureExt;
use paimon_io::{IoContext, Stop};
use paimon_spec::{Error, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::context::new_context;
use crate::errors::to_py_err;
use crate::leaving::{is_closing, outside};

/// How long a wait may last before Python signals are looked at.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// How many [`SLICE`]s work gets to end by itself once it was stopped.
const PATIENCE: u32 = 100;

/// What exists once in a process: the runtime, and what its tables share.
pub(crate) struct Process {
    id: u32,
    runtime: Runtime,
    context: IoContext,
    /// Tasks that are running now.
    busy: AtomicUsize,
}

/// The current process's state. A forked child replaces its parent's, which is leaked: its threads do not exist there.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

impl Process {
    /// The state of this process, started when it is not there yet.
    ///
    /// # Errors
    /// `RuntimeError` in a child that was forked while its parent was at work, or when threads cannot be started.
    pub(crate) fn current() -> PyResult<&'static Self> {
        loop {
            let seen = CURRENT.load(Ordering::Acquire);
            // SAFETY: `CURRENT` is null or came from `Box::into_raw` below, and nothing that was published is freed.
            if let Some(process) = unsafe { seen.as_ref() } {
                if process.id == std::process::id() {
                    return Ok(process);
                }
                if process.busy.load(Ordering::Acquire) > 0 {
                    return Err(forked("pypaimon was at work (or a reader was open) in another thread of the parent"));
                }
            }
            let fresh = Box::into_raw(Box::new(Self::start()?));
            if CURRENT.compare_exchange(seen, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: another thread was faster, so nobody else has seen `fresh`.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }

    fn start() -> PyResult<Self> {
        let runtime =
            Builder::new_multi_thread().thread_name("pypaimon").enable_all().build().map_err(|error| {
                PyRuntimeError::new_err(format!("the threads of pypaimon cannot be started: {error}"))
            })?;
        Ok(Self { id: std::process::id(), runtime, context: new_context(), busy: AtomicUsize::new(0) })
    }

    /// What all tables of the process share.
    pub(crate) fn context(&self) -> &IoContext {
        &self.context
    }

    /// The runtime, to spawn on.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Counts a task as running until the guard is dropped.
    pub(crate) fn busy(&'static self) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }
}

/// A running task; see [`Process::busy`].
pub(crate) struct Busy(&'static Process);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Which process made an object whose tasks or open files live in that process alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home(u32);

impl Home {
    /// The current process.
    pub(crate) fn here() -> Self {
        Self(std::process::id())
    }

    /// Refuses to go on in a forked child.
    ///
    /// # Errors
    /// `RuntimeError` when this is another process; `what` is "reader" or "writer".
    pub(crate) fn check(self, what: &str) -> PyResult<()> {
        if self.0 == std::process::id() {
            return Ok(());
        }
        Err(forked(&format!("this {what} was opened in the parent process")))
    }
}

fn forked(why: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "this process was forked and cannot go on with its parent's work: {why}; \
         open it in the child, or start processes with the \"spawn\" or \"forkserver\" method"
    ))
}

/// Runs `future` on the runtime and waits for it: with the GIL released, looking at signals every [`SLICE`].
///
/// # Errors
/// What the future gives, as a Python exception; `KeyboardInterrupt` (or what a signal handler raises) after
/// cancelling the future at its next await; `RuntimeError` when the interpreter is about to end.
pub(crate) fn block_on<T, F>(py: Python<'_>, future: F) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    wait(py, future, None)
}

/// Like [`block_on`], for a future that after `stop` ends by itself soon: it is not cancelled before it had time for that.
///
/// # Errors
/// As [`block_on`].
pub(crate) fn block_on_until<T, F>(py: Python<'_>, stop: &Stop, future: F) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    wait(py, future, Some(stop))
}

fn wait<T, F>(py: Python<'_>, future: F, stop: Option<&Stop>) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let process = Process::current()?;
    let (sender, mut receiver) = mpsc::sync_channel(1);
    let busy = process.busy();
    let task = process.handle().spawn(async move {
        let result = caught(future).await;
        drop(busy);
        // The receiver is gone only when a signal ended the wait.
        let _ = sender.send(result);
    });
    let mut interrupted = None;
    let mut patience = if stop.is_some() { PATIENCE } else { 0 };
    loop {
        let waited;
        (waited, receiver) = outside(py, move || (receiver.recv_timeout(SLICE), receiver));
        match (waited, interrupted.take()) {
            (Ok(_), Some(interrupt)) => return Err(interrupt),
            (Ok(result), None) => return result.map_err(|error| to_py_err(py, &error)),
            (Err(RecvTimeoutError::Disconnected), interrupt) => return Err(interrupt.unwrap_or_else(closing)),
            (Err(RecvTimeoutError::Timeout), earlier) => {
                let now = interruption(py);
                if earlier.is_some() && now.is_some() {
                    // Whoever asks twice does not want to wait.
                    patience = 0;
                }
                let Some(interrupt) = earlier.or(now) else { continue };
                if let Some(stop) = stop {
                    stop.stop();
                }
                if patience == 0 {
                    task.abort();
                    return Err(interrupt);
                }
                patience -= 1;
                interrupted = Some(interrupt);
            }
        }
    }
}

/// Why a thread that waits is to come back to Python, if it is.
pub(crate) fn interruption(py: Python<'_>) -> Option<PyErr> {
    if is_closing() { Some(closing()) } else { py.check_signals().err() }
}

fn closing() -> PyErr {
    PyRuntimeError::new_err("the interpreter is shutting down")
}

/// `future`, with a panic turned into an [`paimon_spec::ErrorKind::Internal`] error.
pub(crate) async fn caught<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())))
}

/// The error that stands for a panic below.
pub(crate) fn panic_error(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal("paimon", format_args!("panicked: {}", text.unwrap_or("without a message")))
}
