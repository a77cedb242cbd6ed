//! The one error type of all crates.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// Shorthand for a result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error; see [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing does not exist.
    NotFound,
    /// The named thing exists already.
    AlreadyExists,
    /// The caller passed something unusable.
    InvalidInput,
    /// The table's own bytes break a rule of the format.
    CorruptData,
    /// The format allows it, this build does not.
    Unsupported,
    /// Another commit changed what this commit relied on.
    CommitConflict,
    /// The storage refused access.
    PermissionDenied,
    /// The storage failed.
    Storage,
    /// A bug of these crates.
    Internal,
}

/// An error: a kind, a message that says what was wanted and what was found, where it happened, and why.
///
/// The text is `message`, then one `key: value` line for each context, then the causes. The text is for people and may
/// change; programs look at [`Error::kind`].
///
/// ```
/// use paimon_spec::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::CorruptData, "expected 24 bytes, found 3").with_context("file", "manifest-1");
/// assert_eq!(error.kind(), ErrorKind::CorruptData);
/// assert_eq!(error.to_string(), "expected 24 bytes, found 3\n  file: manifest-1");
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retryable: bool,
}

impl Error {
    /// An error of `kind`; `message` starts in lower case and says what was wanted and what was found.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                context: Vec::new(),
                source: None,
                retryable: false,
            }),
        }
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Shorthand for [`ErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ErrorKind::CorruptData`].
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::CorruptData, message)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Shorthand for [`ErrorKind::Internal`]; `krate` names whose bug it is.
    pub fn internal(krate: &'static str, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, format!("{message}; this is a bug in {krate}"))
    }

    /// Adds where it happened, for example `("file", path)`.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.inner.context.push((key, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Says that the same call may succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.inner.retryable = true;
        self
    }

    /// The same error, of `CorruptData`: for rules of user input that stored bytes break.
    #[must_use]
    pub(crate) fn into_corrupt(mut self) -> Self {
        self.inner.kind = ErrorKind::CorruptData;
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The message alone, without context and causes.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The value of a context key, if one was added.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.inner.context.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// True when the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.inner.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        for (key, value) in &self.inner.context {
            write!(f, "\n  {key}: {value}")?;
        }
        let mut cause = StdError::source(self);
        let mut last = String::new();
        while let Some(error) = cause {
            // Some errors of others end with what their causes say.
            let text = error.to_string();
            if !last.ends_with(&text) {
                write!(f, "\n  cause: {text}")?;
                last = text;
            }
            // One of ours prints its own causes.
            cause = if error.is::<Self>() { None } else { error.source() };
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_the_context_and_print_once() {
        let cause = Error::corrupt("expected 4 bytes, found 1").with_context("file", "a");
        let error = Error::invalid("cannot plan").with_context("table", "db.t").with_source(cause);
        assert_eq!(error.to_string(), "cannot plan\n  table: db.t\n  cause: expected 4 bytes, found 1\n  file: a");
        assert_eq!(format!("{error:?}"), format!("InvalidInput: {error}"));
    }

    #[test]
    fn a_cause_that_was_told_by_its_effect_is_not_told_again() {
        #[derive(Debug)]
        struct Told(&'static str, Option<Box<Told>>);
        impl fmt::Display for Told {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        impl StdError for Told {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                self.1.as_deref().map(|cause| cause as _)
            }
        }
        let end = Told("reset by peer", None);
        let middle = Told("cannot send: reset by peer", Some(Box::new(end)));
        let error =
            Error::invalid("failed").with_source(Told("store: cannot send: reset by peer", Some(Box::new(middle))));
        assert_eq!(error.to_string(), "failed\n  cause: store: cannot send: reset by peer");
        let error = Error::invalid("failed").with_source(Told("lost", Some(Box::new(Told("found", None)))));
        assert_eq!(error.to_string(), "failed\n  cause: lost\n  cause: found");
    }

    #[test]
    fn an_internal_error_names_the_crate() {
        let error = Error::internal("paimon-spec", "impossible");
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(error.message(), "impossible; this is a bug in paimon-spec");
    }

    #[test]
    fn another_kind_keeps_all_else() {
        let error = Error::invalid("bad").with_context("key", "a").retryable().into_corrupt();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert_eq!(error.context("key"), Some("a"));
        assert!(error.is_retryable());
    }
}
