//! Tables and objects for the tests of this crate.

use std::collections::BTreeMap;

use paimon_io::{Storage, TableStore, testkit};
use paimon_spec::Schema;

/// A table of an `INT` column and a `BLOB` column, with more options, in `storage`.
pub(crate) async fn table_at(storage: Storage, options: &[(&str, &str)]) -> TableStore {
    let json = r#"{"fields": [{"name": "id", "type": "INT"}, {"name": "blob", "type": "BLOB"}]}"#;
    let mut schema = Schema::from_json(json).unwrap();
    let required = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];
    schema.options.extend(required.iter().chain(options).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    testkit::create_table_at(storage, schema, testkit::context()).await
}

/// Options as a map.
pub(crate) fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
