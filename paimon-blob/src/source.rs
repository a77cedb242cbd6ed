//! Where blobs may lie, and how those places are opened.

use std::{collections::BTreeMap, sync::Arc};

use paimon_io::{IoContext, Storage, TableStore, path_below, redact};
use paimon_spec::{Error, ErrorKind, Result, TableOptions};

/// Where descriptors in data may point, besides the table's own folders: URLs of folders, between commas.
pub const ALLOWED_PREFIXES: &str = "blob-descriptor.allowed-prefixes";

/// Starts the options with which places outside the table are opened.
const FOREIGN_OPTIONS: &str = "blob-descriptor.";

/// Names another table whose storage opens foreign places; not supported.
const SOURCE_TABLE: &str = "blob-descriptor.source-table";

/// Whose word a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The caller's own: a `daft.File` that they built, an argument. It may point at anything that their options open.
    Caller,
    /// Bytes of a table, or bytes that look like a descriptor: whoever wrote them is not the one who reads them now. They
    /// may point into the table's own folders and below the allowed prefixes, and nowhere else.
    Data,
}

/// Opens the objects that references name, and refuses what they must not name. Cheap to clone.
///
/// * The table's own folder is open to every reference; of the folders of its option `data-file.external-paths`, only
///   `.blob` files are to [`Trust::Data`].
/// * So are the folders of the **catalog's** option `blob-descriptor.allowed-prefixes`
///   (`s3://media/raw,file:///data/pictures`). A prefix ends at the boundary of a name: `s3://media/raw` allows nothing
///   in `s3://media/raw-old`. An option of that name in a table's schema allows nothing: whoever wrote the table may not
///   say what its readers open.
/// * Everything else is open to [`Trust::Caller`] alone, as far as there is a storage for it: local files, S3.
///
/// References in data therefore never reach `http:` URLs, this machine's files or other hosts, unless the catalog's
/// prefixes name them. URLs are literal (`%2e` is three characters), `..` is resolved by name before anything is compared,
/// and a symbolic link that leads out of an allowed folder leads nowhere.
///
/// Places outside the table are opened with the table options that start with `blob-descriptor.` (without that start, as
/// Java's `BlobDescriptorUtils`), and then with nothing else: neither the catalog's credentials nor those of the
/// environment are shown to an endpoint that a table names. Without such options they are opened as the table's own
/// storage was.
#[derive(Debug, Clone)]
pub struct BlobSource(Arc<Places>);

#[derive(Debug)]
struct Places {
    context: IoContext,
    table: String,
    own: Vec<Storage>,
    allowed: Vec<Allowed>,
    foreign: Foreign,
}

/// How places outside the table are opened.
#[derive(Debug)]
enum Foreign {
    /// With these options, in a context that has the environment or has not.
    With(BTreeMap<String, String>, IoContext),
    /// As the storage of another table, of this name.
    AsTable(String),
}

#[derive(Debug)]
enum Allowed {
    /// The URL of a folder.
    Folder(String),
    /// A place that may be named, and that there is no storage for.
    Unknown(String),
}

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) storage: Storage,
    pub(crate) path: String,
    /// A `.blob` file of the table itself.
    pub(crate) is_own: bool,
}

impl Object {
    pub(crate) fn url(&self) -> String {
        self.storage.url(&self.path)
    }

    pub(crate) async fn size(&self) -> Result<u64> {
        let size = self.storage.size(&self.path).await?;
        size.ok_or_else(|| Error::not_found("file not found").with_context("file", self.url()))
    }
}

impl BlobSource {
    /// What the blobs of a table may be. Nothing is opened yet.
    ///
    /// # Errors
    /// `InvalidInput` when an allowed prefix is no URL of a folder.
    pub fn of(table: &TableStore) -> Result<Self> {
        let catalog = table.storage().options();
        let prefixes = TableOptions::new(catalog).blob_allowed_prefixes();
        let allowed = prefixes.into_iter().map(|prefix| match path_below(prefix, prefix) {
            Ok(_) => Ok(Allowed::Folder(prefix.to_owned())),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Allowed::Unknown(prefix.to_owned())),
            Err(error) => Err(error.with_context("option", ALLOWED_PREFIXES)),
        });
        let allowed = allowed.collect::<Result<_>>()?;
        let own = table.folders().cloned().collect();
        let (context, foreign) = (table.context().clone(), Foreign::of(table));
        Ok(Self(Arc::new(Places { context, table: table.storage().root_url(), own, allowed, foreign })))
    }

    /// Whatever `options` open, of no table: every word must be the caller's own, because nothing is open to
    /// [`Trust::Data`].
    pub fn anywhere(options: BTreeMap<String, String>, context: IoContext) -> Self {
        let foreign = Foreign::With(options, context.clone());
        Self(Arc::new(Places { context, table: String::new(), own: Vec::new(), allowed: Vec::new(), foreign }))
    }

    /// The storage that holds an object, and the path in it. Whether the object is there is not looked at.
    ///
    /// # Errors
    /// * `PermissionDenied` naming the URL, the table and the option that could allow it, when the reference is
    ///   [`Trust::Data`] and leads elsewhere.
    /// * `Unsupported` for schemes without a storage, `InvalidInput` for what is no URL.
    /// * `NotFound` when a local file is absent whose links are to be followed.
    pub async fn open(&self, url: &str, trust: Trust) -> Result<(Storage, String)> {
        let object = self.object(url, trust).await?;
        Ok((object.storage, object.path))
    }

    pub(crate) async fn object(&self, url: &str, trust: Trust) -> Result<Object> {
        let mut follows_a_link = false;
        let own = self.0.own.iter().find_map(|folder| Some((folder, folder.relative(url)?)));
        if let Some((folder, path)) = own {
            let is_own = path.ends_with(".blob");
            // What lies beside the blobs in a folder that a table names is none of the table's.
            let is_open = is_own || folder.root_url() == self.0.table;
            if trust == Trust::Caller || is_open && folder.stays_inside(&path).await? {
                return Ok(Object { storage: folder.clone(), path, is_own });
            }
            follows_a_link = is_open;
        }
        for allowed in &self.0.allowed {
            let Allowed::Folder(prefix) = allowed else { continue };
            let Some(path) = path_below(prefix, url)? else { continue };
            let (options, context) = self.foreign()?;
            let storage = Storage::open(prefix, options, context)?;
            if trust == Trust::Caller || storage.stays_inside(&path).await? {
                return Ok(Object { storage, path, is_own: false });
            }
            follows_a_link = true;
        }
        if trust == Trust::Caller {
            let (options, context) = self.foreign()?;
            let (storage, path) = Storage::open_file(url, options, context)?;
            return Ok(Object { storage, path, is_own: false });
        }
        Err(self.refused(url, follows_a_link))
    }

    pub(crate) fn context(&self) -> &IoContext {
        &self.0.context
    }

    /// The options for places outside the table, and the context.
    fn foreign(&self) -> Result<(&BTreeMap<String, String>, &IoContext)> {
        match &self.0.foreign {
            Foreign::With(options, context) => Ok((options, context)),
            Foreign::AsTable(table) => {
                Err(Error::unsupported(format!("the option {SOURCE_TABLE} is not supported, found '{table}'")))
            }
        }
    }

    fn refused(&self, url: &str, follows_a_link: bool) -> Error {
        let unknown = self.0.allowed.iter().any(|allowed| match allowed {
            Allowed::Unknown(prefix) => lies_below(url, prefix),
            Allowed::Folder(_) => false,
        });
        let error = if unknown {
            Error::unsupported("there is no client for the scheme of this URL: blobs are read from local files and S3")
        } else {
            let why = if follows_a_link { "a symbolic link leads" } else { "it lies" };
            Error::new(
                ErrorKind::PermissionDenied,
                format!(
                    "refused to read a blob: {why} outside the table, and the catalog's option {ALLOWED_PREFIXES} allows no such place"
                ),
            )
        };
        error.with_context("url", redact(url)).with_context("table", &self.0.table)
    }
}

impl Foreign {
    fn of(table: &TableStore) -> Self {
        let options = &table.schema().options;
        if let Some(name) = options.get(SOURCE_TABLE) {
            return Self::AsTable(name.clone());
        }
        let given: BTreeMap<String, String> = options
            .iter()
            .filter(|(key, _)| *key != ALLOWED_PREFIXES)
            .filter_map(|(key, value)| Some((key.strip_prefix(FOREIGN_OPTIONS)?.to_owned(), value.clone())))
            .collect();
        let mut context = table.context().clone();
        if given.is_empty() {
            return Self::With(table.storage().options().clone(), context);
        }
        context.environment = Arc::default();
        Self::With(given, context)
    }
}

/// Whether a URL that nothing opens starts with a prefix, whatever the case of its letters.
fn lies_below(url: &str, prefix: &str) -> bool {
    let (url, prefix) = (url.to_ascii_lowercase(), prefix.trim_end_matches('/').to_ascii_lowercase());
    url.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
