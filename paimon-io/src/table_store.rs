//! Typed access to one table's files.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use paimon_spec::{
    DataField, DeletionFile, DeletionVector, EntryHead, Error, ErrorKind, IndexManifestEntry, ManifestEntry,
    ManifestFileMeta, Result, Snapshot, TableOptions, TablePaths, TableSchema, decode_index_manifest, decode_manifest,
    decode_manifest_list, limits,
};

use self::data_files::ExternalRoot;
pub use self::file_index::index_file_name;
use crate::{IoContext, Listed, PutOutcome, SnapshotCommit, Stop, Storage, storage::location::check_file_name};

mod branches;
mod data_files;
mod file_index;
mod index_files;
mod latest;
mod tags;

#[cfg(test)]
mod tests;

/// Raw manifests are cached up to this part of the cache's capacity; a larger one would push out all else.
const LARGEST_CACHED_PART: u64 = 8;

/// Handle on one table's files: storage, schema, and typed, cached access. Cheap to clone.
///
/// What metadata names is checked before it is used: the name is a plain one, the file lies in the table (or where its
/// options allow), and it has the size that was stated. Nothing outside is opened, nor deleted.
#[derive(Clone)]
pub struct TableStore {
    storage: Storage,
    schema: Arc<TableSchema>,
    paths: Arc<TablePaths>,
    branch: Option<Arc<str>>,
    external_roots: Arc<Vec<ExternalRoot>>,
    committer: Arc<dyn SnapshotCommit>,
    context: IoContext,
    /// Sets cached schemas of this handle apart: their names are used again after a drop.
    scope: Arc<str>,
    /// Ends what reads data files through this handle.
    stop: Option<Stop>,
}

impl TableStore {
    /// A handle on the table whose folder `storage` is. `schema` may carry options beyond the stored ones; `branch` is
    /// `None` or "main" for the main branch. No file is read.
    ///
    /// # Errors
    /// `InvalidInput` or `Unsupported` when the option `data-file.external-paths` has a URL that cannot be opened.
    pub fn new(
        storage: Storage,
        schema: Arc<TableSchema>,
        branch: Option<&str>,
        committer: Arc<dyn SnapshotCommit>,
        context: IoContext,
    ) -> Result<Self> {
        let options = TableOptions::new(&schema.options);
        let paths = Arc::new(TablePaths::new(branch, options.data_file_path_directory()));
        let external_roots = match options.get("data-file.external-paths") {
            Some(option) => ExternalRoot::parse(option, &storage)?,
            None => Vec::new(),
        };
        let scope = context.clock.unique_id().into();
        let external_roots = Arc::new(external_roots);
        let branch = branch.map(Into::into);
        Ok(Self { storage, schema, paths, branch, external_roots, committer, context, scope, stop: None })
    }

    /// A handle on an existing table, with its newest schema.
    ///
    /// # Errors
    /// `NotFound` when there is no schema in the folder, else as [`Self::schema_at`] and [`Self::new`].
    pub async fn open(
        storage: Storage,
        branch: Option<&str>,
        committer: Arc<dyn SnapshotCommit>,
        context: IoContext,
    ) -> Result<Self> {
        let paths = TablePaths::new(branch, None);
        let Some(id) = numbered(&storage.list(&paths.schema_dir()).await?, "schema-").pop() else {
            return Err(Error::not_found("there is no table: no schema found")
                .with_context("file", storage.url(&paths.schema_dir())));
        };
        let schema = Arc::new(read_schema(&storage, &paths.schema(id), id).await?);
        let table = Self::new(storage, Arc::clone(&schema), branch, committer, context)?;
        // Most data files are of this schema: it is not read again for them.
        table.cached_schema(id, async { Ok(TableSchema::clone(&schema)) }).await?;
        Ok(table)
    }

    /// The same table, seen through another schema: an older one, or one with other options. The folders outside the
    /// table stay those that the handle was made with.
    #[must_use]
    pub fn with_schema(&self, schema: Arc<TableSchema>) -> Self {
        let directory = TableOptions::new(&schema.options).data_file_path_directory();
        let paths = Arc::new(TablePaths::new(self.branch.as_deref(), directory));
        Self { schema, paths, ..self.clone() }
    }

    /// The same table, whose data files are read until `stop` is said: then there is an error instead of the next batch.
    #[must_use]
    pub fn with_stop(&self, stop: Stop) -> Self {
        Self { stop: Some(stop), ..self.clone() }
    }

    /// The schema of the handle.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The options of the handle's schema.
    pub fn options(&self) -> TableOptions<'_> {
        TableOptions::new(&self.schema.options)
    }

    /// The table's folder.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Names of the table's files.
    pub fn paths(&self) -> &TablePaths {
        &self.paths
    }

    /// Clock and cache.
    pub fn context(&self) -> &IoContext {
        &self.context
    }

    /// Tells this table from one that took its place: a hash of the bytes of its first schema. Read anew at each call.
    ///
    /// # Errors
    /// `NotFound` when the table has no schema: it was dropped.
    pub async fn identity(&self) -> Result<String> {
        // Branches come and go; the main branch is the table.
        let main = TablePaths::new(None, None);
        let first = match self.storage.read_at_most(&main.schema(0), limits::JSON_FILE_BYTES).await? {
            Some(bytes) => Some(bytes),
            None => match numbered(&self.storage.list(&main.schema_dir()).await?, "schema-").first() {
                Some(id) => self.storage.read_at_most(&main.schema(*id), limits::JSON_FILE_BYTES).await?,
                None => None,
            },
        };
        let bytes = first.ok_or_else(|| {
            Error::not_found("the table has no schema: it was dropped").with_context("table", self.storage.root_url())
        })?;
        Ok(format!("{:032x}", fnv1a_128(&bytes)))
    }

    /// Schema `id`, as stored.
    ///
    /// # Errors
    /// `NotFound` when it is missing, `CorruptData` when its file is not a schema, or another one's.
    pub async fn schema_at(&self, id: i64) -> Result<Arc<TableSchema>> {
        self.cached_schema(id, read_schema(&self.storage, &self.paths.schema(id), id)).await
    }

    async fn cached_schema(
        &self,
        id: i64,
        load: impl Future<Output = Result<TableSchema>>,
    ) -> Result<Arc<TableSchema>> {
        let key = format!("{}?handle={}", self.storage.url(&self.paths.schema(id)), self.scope);
        self.context.cache.get_or_load(key, schema_bytes, load).await
    }

    /// The newest schema; `None` when there is none.
    ///
    /// # Errors
    /// As [`Self::schema_at`].
    pub async fn latest_schema(&self) -> Result<Option<Arc<TableSchema>>> {
        match self.schema_ids().await?.last() {
            Some(id) => self.schema_at(*id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The numbers of all schemas, ascending.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn schema_ids(&self) -> Result<Vec<i64>> {
        Ok(numbered(&self.storage.list(&self.paths.schema_dir()).await?, "schema-"))
    }

    /// Creates `schema-<id>` unless there is one.
    ///
    /// # Errors
    /// As [`Storage::put_new`].
    pub async fn commit_schema(&self, schema: &TableSchema) -> Result<PutOutcome> {
        self.storage.put_new(&self.paths.schema(schema.id), Bytes::from(schema.to_json()?)).await
    }

    /// Publishes a snapshot through the table's [`SnapshotCommit`].
    ///
    /// # Errors
    /// A retryable one leaves the outcome unknown.
    pub async fn commit(&self, snapshot: &Snapshot) -> Result<PutOutcome> {
        self.committer.commit(self, snapshot).await
    }

    /// The manifest list `name`, of `size` bytes if that is known.
    ///
    /// # Errors
    /// `NotFound` when it is missing, `CorruptData` when it has another size or is no manifest list.
    pub async fn manifest_list(&self, name: &str, size: Option<i64>) -> Result<Arc<Vec<ManifestFileMeta>>> {
        check_file_name("manifest list", name)?;
        let path = self.paths.manifest(name);
        let load = async {
            let bytes =
                read_named(&self.storage, "manifest list", &path, (size, limits::MANIFEST_LIST_BYTES), "a snapshot")
                    .await?;
            decode_manifest_list(&bytes).map_err(|error| error.with_context("file", self.storage.url(&path)))
        };
        let weigh = |list: &Vec<ManifestFileMeta>| list.iter().map(manifest_meta_bytes).sum();
        self.context.cache.get_or_load(self.key(&path, size), weigh, load).await
    }

    /// Decodes a manifest: `keep` sees the head of each entry, `visit` gets those that it keeps (see [`decode_manifest`]).
    ///
    /// # Errors
    /// `NotFound` when it is missing, `CorruptData` when it has another size or other counts of entries than `meta` states
    /// or is no manifest, and those of `visit`.
    pub async fn read_manifest(
        &self,
        meta: &ManifestFileMeta,
        keep: &mut (dyn FnMut(&EntryHead<'_>) -> bool + Send),
        visit: &mut (dyn FnMut(ManifestEntry) -> Result<()> + Send),
    ) -> Result<()> {
        check_file_name("manifest", &meta.file_name)?;
        let path = self.paths.manifest(&meta.file_name);
        let size = Some(meta.file_size);
        let load = read_named(&self.storage, "manifest", &path, (size, limits::MANIFEST_BYTES), "a manifest list");
        // The bytes, not the entries: they are a tenth of the size, and decoding under a filter is quick.
        let small = u64::try_from(meta.file_size)
            .is_ok_and(|size| size <= self.context.cache.capacity_bytes() / LARGEST_CACHED_PART);
        let bytes = if small {
            Bytes::clone(&*self.context.cache.get_or_load(self.key(&path, size), Bytes::len, load).await?)
        } else {
            load.await?
        };
        decode_manifest(&bytes, Some(meta.into()), keep, visit)
            .map_err(|error| error.with_context("file", self.storage.url(&path)))
    }

    /// The index manifest `name`.
    ///
    /// # Errors
    /// `NotFound` when it is missing, `CorruptData` when it is no index manifest.
    pub async fn index_manifest(&self, name: &str) -> Result<Arc<Vec<IndexManifestEntry>>> {
        check_file_name("index manifest", name)?;
        let path = self.paths.manifest(name);
        let load = async {
            let bytes =
                read_named(&self.storage, "index manifest", &path, (None, limits::MANIFEST_LIST_BYTES), "a snapshot")
                    .await?;
            decode_index_manifest(&bytes).map_err(|error| error.with_context("file", self.storage.url(&path)))
        };
        let weigh = |entries: &Vec<IndexManifestEntry>| entries.iter().map(index_entry_bytes).sum();
        self.context.cache.get_or_load(self.key(&path, None), weigh, load).await
    }

    /// The deletion vector of a data file.
    ///
    /// # Errors
    /// `NotFound` when its file is missing (its rows must not come back to life), `CorruptData` when it is damaged or
    /// holds another number of rows than stated, `PermissionDenied` when it lies outside the table.
    pub async fn deletion_vector(&self, file: &DeletionFile) -> Result<Arc<DeletionVector>> {
        let (storage, path) = self.resolve(&file.path)?;
        let url = storage.url(&path);
        let (Ok(start), Ok(length)) = (u64::try_from(file.offset), u64::try_from(file.length)) else {
            let message = format!(
                "expected the place of a deletion vector, found offset {} and length {}",
                file.offset, file.length
            );
            return Err(Error::corrupt(message).with_context("file", url));
        };
        let load = async {
            // The length leaves out, or counts, the 8 bytes around the vector; `decode` knows which.
            let read = storage.read_within(&path, start..start.saturating_add(length).saturating_add(8)).await;
            let bytes =
                read.map_err(|error| named_but_missing(error, "deletion vector file", &path, "an index manifest"))?;
            let decoded = DeletionVector::decode(&bytes, file.length);
            decoded.map_err(|error| error.with_context("file", &url).with_context("offset", start))
        };
        let key = format!("{url}?at={start}+{length}");
        // In memory it is about as large as in the file.
        let weigh = |_: &DeletionVector| usize::try_from(length).unwrap_or(usize::MAX);
        let vector = self.context.cache.get_or_load(key, weigh, load).await?;
        if let Some(stated) = file.cardinality
            && u64::try_from(stated) != Ok(vector.cardinality())
        {
            let message =
                format!("deletion vector: the index manifest states {stated} rows, found {}", vector.cardinality());
            return Err(Error::corrupt(message).with_context("file", url).with_context("offset", start));
        }
        Ok(vector)
    }

    /// Creates a file in `manifest/`. Returns its size in bytes.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one of that name; it is left alone.
    pub async fn write_manifest_file(&self, name: &str, bytes: Vec<u8>) -> Result<i64> {
        check_file_name("manifest", name)?;
        let path = self.paths.manifest(name);
        let size = i64::try_from(bytes.len())
            .map_err(|_| Error::internal("paimon-io", "a manifest of more than 2^63 bytes"))?;
        match self.storage.put_new(&path, bytes.into()).await? {
            PutOutcome::Created => Ok(size),
            PutOutcome::AlreadyExists => {
                let message = format!("cannot create {name}: it exists already");
                Err(Error::new(ErrorKind::AlreadyExists, message).with_context("file", self.storage.url(&path)))
            }
        }
    }

    /// Key of a file whose name is unique; the size tells it from one that was damaged since.
    fn key(&self, path: &str, size: Option<i64>) -> String {
        match size {
            Some(size) => format!("{}?size={size}", self.storage.url(path)),
            None => self.storage.url(path),
        }
    }
}

impl fmt::Debug for TableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may hold credentials.
        let mut debug = f.debug_struct("TableStore");
        debug.field("url", &self.storage.root_url()).field("schema", &self.schema.id).field("branch", &self.branch);
        debug.finish_non_exhaustive()
    }
}

async fn read_schema(storage: &Storage, path: &str, id: i64) -> Result<TableSchema> {
    let json =
        read_named(storage, "schema", path, (None, limits::JSON_FILE_BYTES), "a snapshot or a data file").await?;
    let schema = TableSchema::from_json(&json).map_err(|error| error.with_context("file", storage.url(path)))?;
    if schema.id == id {
        return Ok(schema);
    }
    let message = format!("expected schema {id} by the name of its file, found id {} in it", schema.id);
    Err(Error::corrupt(message).with_context("file", storage.url(path)))
}

/// Reads a file that `namer` names, whose size is `size` if stated, and at most `most` bytes.
async fn read_named(
    storage: &Storage,
    what: &'static str,
    path: &str,
    (size, most): (Option<i64>, u64),
    namer: &'static str,
) -> Result<Bytes> {
    let Some(bytes) = storage.read_at_most(path, most).await? else {
        let missing = Error::not_found(format!("{what} {path} is missing, although {namer} names it"));
        return Err(missing.with_context("file", storage.url(path)));
    };
    match size {
        Some(stated) if i64::try_from(bytes.len()) != Ok(stated) => {
            let message = format!("{what} {path}: {namer} states {stated} bytes, found {}", bytes.len());
            Err(Error::corrupt(message).with_context("file", storage.url(path)))
        }
        _ => Ok(bytes),
    }
}

fn named_but_missing(error: Error, what: &str, path: &str, namer: &str) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let named = Error::not_found(format!("{what} {path} is missing, although {namer} names it"));
    match error.context("file") {
        Some(url) => named.with_context("file", url),
        None => named,
    }
}

/// The numbers n of the files `<prefix><n>`, ascending. Other names are no business of the format.
fn numbered(listed: &[Listed], prefix: &str) -> Vec<i64> {
    let number = |name: &str| {
        let text = name.strip_prefix(prefix)?;
        let number: i64 = text.parse().ok()?;
        (number >= 0 && number.to_string() == text).then_some(number)
    };
    let mut numbers: Vec<i64> =
        listed.iter().filter(|entry| !entry.is_dir).filter_map(|entry| number(&entry.name)).collect();
    numbers.sort_unstable();
    numbers
}

fn schema_bytes(schema: &TableSchema) -> usize {
    let options: usize = schema.options.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
    options + schema.fields.iter().map(|field| size_of::<DataField>() + field.name.len()).sum::<usize>()
}

fn manifest_meta_bytes(meta: &ManifestFileMeta) -> usize {
    let stats = &meta.partition_stats;
    size_of::<ManifestFileMeta>()
        + meta.file_name.len()
        + stats.min_values.as_bytes().len()
        + stats.max_values.as_bytes().len()
        + stats.null_counts.len() * size_of::<Option<i64>>()
}

fn index_entry_bytes(entry: &IndexManifestEntry) -> usize {
    // A name of a data file is about 60 bytes long.
    size_of::<IndexManifestEntry>()
        + entry.file_name.len()
        + entry.deletion_vectors.as_ref().map_or(0, |vectors| vectors.len() * 160)
}

/// FNV-1a of 128 bits: the same everywhere and for ever, and no one has a reason to forge it.
fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}
