//! What the crates below may not take for themselves: time, random identifiers, the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use paimon_io::{Clock, IoContext, MetadataCache, Spawner};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::runtime::Handle;
use uuid::Uuid;

/// Environment variable: bytes of decoded metadata that a process keeps; `0` keeps none.
const CACHE_VARIABLE: &str = "PYPAIMON_METADATA_CACHE_BYTES";
const CACHE_BYTES: u64 = 256 << 20;

/// The system's clock and random numbers.
#[derive(Debug)]
struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where wall-clock time comes in")]
    fn now_millis(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        }
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where random identifiers come in")]
    fn unique_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where random numbers come in")]
    fn random(&self) -> f64 {
        // The upper 53 bits that version 4 leaves random, as a fraction.
        let (high, low) = Uuid::new_v4().as_u64_pair();
        ((high ^ low.rotate_left(17)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Tasks on the runtime of whoever asks. A handle that is kept would be dead in a forked child.
#[derive(Debug)]
struct Tasks;

impl Spawner for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        // All reading is done by tasks of the runtime.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(task);
        }
    }
}

/// A process's context, with the cache that the environment asks for.
pub(crate) fn new_context() -> IoContext {
    let capacity = std::env::var(CACHE_VARIABLE).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(CACHE_BYTES);
    let mut context = IoContext::new(Arc::new(SystemClock), MetadataCache::new(capacity));
    context.spawner = Some(Arc::new(Tasks));
    paimon_blob::register(context)
}

/// `context` as a catalog's options want it: `cache-enabled` (default true), `local.fsync` (default false); and with
/// the environment and the folder for temporary files as Python has them now.
///
/// # Errors
/// `RuntimeError` when there is no Python environment to look at.
pub(crate) fn adapt_context(
    py: Python<'_>,
    context: &IoContext,
    flag: impl Fn(&str) -> Option<bool>,
) -> PyResult<IoContext> {
    let mut context = context.clone();
    context.environment = Arc::new(storage_environment(py)?);
    if flag("cache-enabled") == Some(false) {
        context.cache = MetadataCache::new(0);
    }
    context.fsync = flag("local.fsync").unwrap_or(context.fsync);
    context.spill_folder = temporary_folder(py);
    Ok(context)
}

/// Python's folder for temporary files (`TMPDIR` and its kin say where); `None` when there is none that can be written to.
fn temporary_folder(py: Python<'_>) -> Option<Arc<Path>> {
    let folder = py.import("tempfile").ok()?.call_method0("gettempdir").ok()?;
    folder.extract::<PathBuf>().ok().map(Arc::from)
}

/// The variables that say how to reach a storage. Python's mapping, because other threads may change the process's.
pub(crate) fn storage_environment(py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
    let environment = py.import("os")?.getattr("environ")?;
    let mut variables = BTreeMap::new();
    for item in environment.call_method0("items")?.try_iter()? {
        // Names and values that are not text are nobody's of ours.
        let Ok((name, value)) = item?.extract::<(String, String)>() else { continue };
        if name.starts_with("AWS_") || matches!(name.as_str(), "HOME" | "USERPROFILE") {
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// Milliseconds since 1970 of `yyyy-MM-dd HH:mm:ss[.SSS]` in the process's time zone, as Python knows it.
pub(crate) fn local_text_to_millis(py: Python<'_>, text: &str) -> PyResult<i64> {
    let format = if text.contains('.') { "%Y-%m-%d %H:%M:%S.%f" } else { "%Y-%m-%d %H:%M:%S" };
    let datetime = py.import("datetime")?.getattr("datetime")?;
    let parsed = datetime.call_method1("strptime", (text, format)).map_err(|_| {
        PyValueError::new_err(format!(
            "Cannot parse timestamp '{text}'. Expected format: 'yyyy-MM-dd HH:mm:ss' or 'yyyy-MM-dd HH:mm:ss.SSS'"
        ))
    })?;
    let seconds: f64 = parsed.call_method0("timestamp")?.extract()?;
    Ok((seconds * 1000.0).round() as i64)
}

/// What is added to `millis` since 1970 to read off the process's local wall clock.
pub(crate) fn local_offset_millis(py: Python<'_>, millis: i64) -> PyResult<i64> {
    let datetime = py.import("datetime")?.getattr("datetime")?;
    let local = datetime.call_method1("fromtimestamp", (millis as f64 / 1000.0,))?.call_method0("astimezone")?;
    let seconds: f64 = local.call_method0("utcoffset")?.call_method0("total_seconds")?.extract()?;
    Ok((seconds * 1000.0).round() as i64)
}
