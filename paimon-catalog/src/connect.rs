//! Options to a catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_io::{IoContext, Storage};
use paimon_spec::{Error, Result};

use crate::{Catalog, FileSystemCatalog};

/// Opens the catalog that `options` describe: `metastore` (only `filesystem`, which is also the default) and
/// `warehouse`, the URL or path of the folder that holds the databases. A local folder is created when it is missing;
/// object stores need none, and are not asked anything yet.
///
/// # Errors
/// `InvalidInput` when `warehouse` is missing or `metastore` is unknown; `Unsupported` when `metastore` or the scheme of
/// `warehouse` is one that this build does not have.
pub async fn connect(options: BTreeMap<String, String>, context: IoContext) -> Result<Arc<dyn Catalog>> {
    match options.get("metastore").map_or("filesystem", String::as_str) {
        "filesystem" => {}
        known @ ("jdbc" | "rest") => {
            return Err(Error::unsupported(format!(
                "catalog type '{known}' is not supported yet, only 'filesystem' is"
            ))
            .with_context("metastore", known));
        }
        other => {
            return Err(Error::invalid(format!(
                "Unknown catalog identifier: {other}. Available types: ['filesystem', 'jdbc', 'rest']"
            )));
        }
    }
    let warehouse = options
        .get("warehouse")
        .filter(|warehouse| !warehouse.is_empty())
        .ok_or_else(|| Error::invalid("Paimon 'warehouse' path must be set"))?;
    let storage = Storage::open(warehouse, &options, &context)?;
    if storage.is_local() {
        storage.create_dir("").await?;
    }
    Ok(Arc::new(FileSystemCatalog::new(storage, options, context)))
}
