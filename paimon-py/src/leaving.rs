//! The end of the interpreter: nobody of ours asks for the GIL any more.
//!
//! Before 3.14 CPython ends a thread that asks for the GIL while it finalizes by `pthread_exit`, which unwinds the whole
//! stack of the thread: through frames of ours and of whoever called, which no Rust library is made for (wheels that are
//! linked with an unwinder of their own crash at once). So when the interpreter is about to end, threads that wait here
//! without the GIL are called back while it is still to be had, and who does not come never asks for it again.
//!
//! Only the thread that ends the interpreter goes on as before, for the sake of finalizers.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;

use crate::runtime::SLICE;

/// For how many [`SLICE`]s threads are waited for.
const SLICES: u32 = 20;

/// What those who called these threads, Python code or other libraries, get to leave Python, too.
const LAST_STEPS: Duration = Duration::from_millis(20);

/// Threads that are in [`outside`].
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

/// Who ends the interpreter of which process; set when that begins.
static CLOSING: OnceLock<(u32, ThreadId)> = OnceLock::new();

/// Set when who is still outside must stay there.
static CLOSED: OnceLock<()> = OnceLock::new();

/// Whether the interpreter is about to end, so that this thread must leave Python.
pub(crate) fn is_closing() -> bool {
    CLOSING.get().is_some_and(|closing| *closing != (process::id(), thread::current().id()))
}

/// Runs `work` without the GIL. When the interpreter has ended meanwhile, this never returns.
pub(crate) fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let _back_inside = Outside::new();
    py.detach(|| {
        let done = work();
        while CLOSED.get().is_some() && is_closing() {
            thread::park();
        }
        done
    })
}

struct Outside;

impl Outside {
    fn new() -> Self {
        OUTSIDE.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        OUTSIDE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What Python does before it finalizes: see the module. Takes a second at most.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    if CLOSING.set((process::id(), thread::current().id())).is_ok() && OUTSIDE.load(Ordering::Acquire) > 0 {
        py.detach(wait);
    }
    let _ = CLOSED.set(());
}

/// Lets threads come back. (A child that was forked may wait for threads that only its parent has.)
fn wait() {
    for _ in 0..SLICES {
        thread::sleep(SLICE);
        if OUTSIDE.load(Ordering::Acquire) == 0 {
            break;
        }
    }
    let _ = CLOSED.set(());
    thread::sleep(LAST_STEPS);
}
