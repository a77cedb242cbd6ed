//! Which URLs name a storage, and which names may come after them.

use std::path::{Component, Path, PathBuf};

use paimon_spec::{Error, Result};

/// Where a storage is. URLs are taken literally, as Java's `Path` and Daft do: `%20` is three characters of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// An absolute path, without `.` and `..`.
    Local(PathBuf),
    /// `memory://<name>/<path>`.
    Memory { name: String, path: String },
    /// `s3://<bucket>/<path>`.
    S3 { bucket: String, path: String },
}

impl Location {
    /// Understands `/path`, `relative/path`, `file:/path`, `file:///path`, `file://localhost/path`, `memory://name/path`
    /// and `s3://bucket/path`, also as `s3a://` and `s3n://`.
    ///
    /// # Errors
    /// `Unsupported` for other schemes, `InvalidInput` for what is no URL at all.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let invalid = |reason: &'static str| Error::invalid(reason).with_context("url", redact(url));
        if url.is_empty() {
            return Err(invalid("expected a path or a URL, found an empty text"));
        }
        if url.contains('\0') {
            return Err(invalid("expected a path or a URL, found a NUL character in it"));
        }
        let Some((scheme, rest)) = split_scheme(url) else {
            return local(url).map(Self::Local);
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                if !(authority.is_empty() || authority.eq_ignore_ascii_case("localhost")) {
                    return Err(invalid("a file URL has no host: expected file:///path"));
                }
                if !path.starts_with('/') {
                    return Err(invalid("expected an absolute path after file:"));
                }
                local(path).map(Self::Local)
            }
            "memory" => match key(path) {
                Some(path) => Ok(Self::Memory { name: authority.to_owned(), path }),
                None => Err(invalid("a memory URL has no `..`")),
            },
            "s3" | "s3a" | "s3n" => {
                if authority.contains('@') {
                    return Err(invalid(
                        "an S3 URL must not hold credentials: set the options s3.access-key and s3.secret-key",
                    ));
                }
                if authority.is_empty() || authority.contains(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)) {
                    return Err(invalid("expected a bucket after s3://"));
                }
                match key(path) {
                    Some(path) => Ok(Self::S3 { bucket: authority.to_owned(), path }),
                    None => Err(invalid("an S3 URL has no `..`")),
                }
            }
            _ => Err(Error::unsupported(format!(
                "scheme '{scheme}' is not built in: this build reads and writes local files (/path, file:///path), s3://bucket/path and memory://name"
            ))
            .with_context("url", redact(url))),
        }
    }

    /// The text of `other` after this folder, when it lies under it and is not the folder itself.
    pub(crate) fn relative(&self, other: &Self) -> Option<String> {
        let rest = match (self, other) {
            (Self::Local(root), Self::Local(path)) => path.strip_prefix(root).ok()?.to_str()?,
            (Self::Memory { name, path: root }, Self::Memory { name: other, path }) if name == other => {
                Path::new(path).strip_prefix(root).ok()?.to_str()?
            }
            (Self::S3 { bucket, path: root }, Self::S3 { bucket: other, path }) if bucket == other => {
                Path::new(path).strip_prefix(root).ok()?.to_str()?
            }
            _ => return None,
        };
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

/// The path below `folder` of what `url` names, by name alone and at boundaries of names: neither `..` nor an encoded
/// separator leads out. `None` when it lies elsewhere, is the folder itself, or is no URL that can be opened.
///
/// # Errors
/// As [`crate::Storage::open`] when `folder` is no URL that can be opened.
pub fn path_below(folder: &str, url: &str) -> Result<Option<String>> {
    let folder = Location::parse(folder)?;
    Ok(Location::parse(url).ok().and_then(|location| folder.relative(&location)))
}

/// Refuses what is not one plain name: empty, `.`, `..`, or with a separator or control character in it.
///
/// # Errors
/// `CorruptData`: such names come from the table's own files.
pub(crate) fn check_file_name(what: &'static str, name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
    if plain {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "expected a plain file name for a {what}, found {name:?}: refused, it could lead outside the table"
    )))
}

/// Refuses a folder that is not relative to the table or leads out of it.
///
/// # Errors
/// `CorruptData`: such folders come from splits and metadata.
pub(crate) fn check_folder(folder: &str) -> Result<()> {
    let inside = folder.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(char::is_control));
    if inside {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "expected a folder inside the table, found {folder:?}: refused, it could lead outside the table"
    )))
}

/// `scheme:rest`, when the text before the first colon is a scheme of at least two letters (one letter is a drive).
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let mut letters = scheme.chars();
    let named = scheme.len() > 1
        && letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    named.then_some((scheme, rest))
}

/// The path of an object store, without empty parts and `.`; `None` when it has `..`.
fn key(path: &str) -> Option<String> {
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Some(parts.join("/"))
}

/// The absolute path, with `.` and `..` resolved by name alone.
fn local(path: &str) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|error| {
        Error::invalid("cannot make the path absolute").with_context("path", path).with_source(error)
    })?;
    let mut normal = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    if normal.to_str().is_none() {
        return Err(Error::invalid("expected a path in UTF-8").with_context("path", path));
    }
    Ok(normal)
}

/// The URL without a user name and password, which must not reach a message.
pub fn redact(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => format!("{scheme}://***{}", &rest[at..]),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    }
}
