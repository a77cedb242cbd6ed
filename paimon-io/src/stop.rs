//! Work that is not wanted any more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::StreamExt;
use paimon_spec::{Error, Result};

use crate::BatchStream;

/// A word that ends work from outside; clones say it together.
///
/// A future that is dropped leaves the files that it has finished. One that gets an error deletes them: so whoever reads
/// files of a handle with a stop ([`TableStore::with_stop`](crate::TableStore::with_stop)) gets an error between two batches,
/// and goes the way of any other failure.
///
/// ```
/// use paimon_io::Stop;
///
/// let stop = Stop::default();
/// let clone = stop.clone();
/// assert!(clone.check().is_ok());
/// stop.stop();
/// assert!(clone.check().is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Says it, for ever.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// # Errors
    /// `InvalidInput` once it was said.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Acquire) { Err(Error::invalid("this work was stopped from outside")) } else { Ok(()) }
    }

    /// The same batches, as long as it was not said.
    pub(crate) fn between(self, batches: BatchStream) -> BatchStream {
        batches.map(move |batch| self.check().and(batch)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{array::RecordBatch, datatypes::Schema};
    use futures::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn batches_end_with_an_error_once_it_was_said() {
        let stop = Stop::default();
        let empty = || Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
        let mut batches = stop.clone().between(stream::repeat_with(empty).boxed());
        assert!(batches.next().await.unwrap().is_ok());
        stop.stop();
        let error = batches.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "this work was stopped from outside");
    }
}
