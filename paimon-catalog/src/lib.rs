//! Catalogs of Apache Paimon tables: names to tables.
//!
//! [`connect`] opens the catalog that the option `metastore` names; a [`Catalog`] creates, lists, alters, renames and
//! drops databases and tables, and hands out a [`TableStore`](paimon_io::TableStore) for a table's name. What is in a
//! table is no concern of this crate.
//!
//! ```
//! use std::collections::BTreeMap;
//! use paimon_catalog::connect;
//! use paimon_io::{IoContext, testkit};
//! use paimon_spec::{DataField, DataType, Identifier, Schema};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let options = BTreeMap::from([("warehouse".to_owned(), "memory:///warehouse".to_owned())]);
//! let catalog = connect(options, testkit::context()).await?;
//!
//! catalog.create_database("sales", false).await?;
//! let orders = Identifier::new("sales", "orders")?;
//! let schema = Schema { fields: vec![DataField::new(0, "note", DataType::string())], ..Schema::default() };
//! catalog.create_table(&orders, schema, false).await?;
//!
//! assert_eq!(catalog.list_tables("sales").await?, ["orders"]);
//! assert_eq!(catalog.table(&orders).await?.schema().fields[0].name, "note");
//! # Ok::<(), paimon_spec::Error>(())
//! # }).unwrap();
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `catalog` | the [`Catalog`] trait: what every catalog promises |
//! | `connect` | options to a catalog |
//! | `filesystem` | [`FileSystemCatalog`]: a warehouse folder is the catalog |
//! | `errors` | the errors that callers tell apart |
//!
//! Invariants: no name reaches a path before it is validated; nothing outside the warehouse is created, moved or
//! deleted; a table comes to be by one exclusive create of its first schema file, so of several creators one wins.
//! Not here: REST and JDBC catalogs, views, functions, properties of databases.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod catalog;
mod connect;
mod errors;
mod filesystem;

pub use catalog::Catalog;
pub use connect::connect;
pub use filesystem::FileSystemCatalog;
