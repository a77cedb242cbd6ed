//! `pypaimon._native`: the Python face of the Apache Paimon crates.
//!
//! Composition only: Python arguments to requests, requests to the crates below, their results to Python. One file per
//! Python noun; one entrance to the runtime (`runtime::block_on`) and one exit for errors (`errors::to_py_err`).
//! No rule of the table format lives here.

mod blob;
mod blob_views;
mod branches;
mod catalog;
mod commit;
mod compact;
mod context;
mod errors;
mod leaving;
mod options;
mod plan;
mod predicate;
mod routing;
mod runtime;
mod schema;
mod snapshots;
mod stream;
mod table;
mod tags;
mod update;
mod values;
mod write;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<catalog::NativeCatalog>()?;
    module.add_class::<table::NativeTable>()?;
    module.add_class::<snapshots::NativeEntry>()?;
    module.add_class::<snapshots::NativeSnapshots>()?;
    module.add_class::<tags::NativeTags>()?;
    module.add_class::<branches::NativeBranches>()?;
    module.add_class::<predicate::NativePredicate>()?;
    module.add_class::<plan::NativePlan>()?;
    module.add_class::<plan::NativeSplit>()?;
    module.add_class::<plan::NativeFile>()?;
    module.add_class::<stream::NativeStream>()?;
    module.add_class::<stream::NativeBatch>()?;
    module.add_class::<schema::NativeSchema>()?;
    module.add_class::<blob::NativeBlobStream>()?;
    module.add_class::<update::NativeMatches>()?;
    module.add_class::<update::NativeUpdate>()?;
    module.add_class::<routing::NativeRouting>()?;
    module.add_class::<write::NativeWriter>()?;
    module.add_class::<write::NativeCommitMessage>()?;
    module.add_class::<compact::NativeCompactPlan>()?;
    module.add_class::<compact::NativeCompactTask>()?;
    module.add_class::<compact::NativeStop>()?;
    module.add_class::<compact::NativeBucket>()?;
    module.add_class::<compact::NativeCompacted>()?;
    module.add_function(wrap_pyfunction!(blob::open_file, module)?)?;
    module.add_function(wrap_pyfunction!(blob::encode_descriptor, module)?)?;
    module.add_function(wrap_pyfunction!(blob::decode_descriptor, module)?)?;
    module.add_function(wrap_pyfunction!(blob::looks_like_descriptor, module)?)?;
    module.add_function(wrap_pyfunction!(blob::encode_view, module)?)?;
    module.add_function(wrap_pyfunction!(blob::decode_view, module)?)?;
    module.add_function(wrap_pyfunction!(schema::fields_from_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(schema::fields_to_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(options::known_option_warnings, module)?)?;
    module.add_function(wrap_pyfunction!(options::s3_settings, module)?)?;
    module.add_function(wrap_pyfunction!(options::without_secrets, module)?)?;
    // Early, so that it runs late: other functions that run at the end may still want tables.
    let leave = wrap_pyfunction!(leaving::leave, module)?;
    module.py().import("atexit")?.call_method1("register", (leave,))?;
    Ok(())
}
