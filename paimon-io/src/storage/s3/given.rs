//! What was given: the options and variables that are about S3, whatever their spelling.

use std::collections::BTreeMap;

use paimon_spec::{Error, Result, nearest_key, parse_duration_millis};

/// Prefixes that Java's `S3FileIO`, Hadoop's S3A and pypaimon give to the same keys.
const PREFIXES: [&str; 6] = ["fs.s3a.", "fs.s3n.", "fs.s3.", "s3a.", "s3n.", "s3."];

/// What an option is about. Its spellings are in [`SPELLINGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Endpoint,
    Region,
    Id,
    Secret,
    SessionToken,
    PathStyle,
    Anonymous,
    Profile,
    Ssl,
    Provider,
    ConnectTimeout,
    ReadTimeout,
    Attempts,
    RetryInterval,
    RetryTimeout,
}

/// Keys without their prefix, as they are written. Case, and which of `.`, `-` and `_` separates words, do not matter.
const SPELLINGS: [(Key, &[&str]); 15] = [
    (Key::Endpoint, &["endpoint"]),
    (Key::Region, &["region", "endpoint.region"]),
    (Key::Id, &["accessKeyId", "access-key", "access-key-id"]),
    (Key::Secret, &["accessKeySecret", "secret-key", "secret-access-key", "access-key-secret"]),
    (Key::SessionToken, &["securityToken", "session.token", "security-token"]),
    (Key::PathStyle, &["path.style.access"]),
    (Key::Anonymous, &["anonymous"]),
    (Key::Profile, &["profile"]),
    (Key::Ssl, &["connection.ssl.enabled"]),
    (Key::Provider, &["aws.credentials.provider"]),
    (Key::ConnectTimeout, &["connection.establish.timeout"]),
    (Key::ReadTimeout, &["connection.timeout"]),
    (Key::Attempts, &["attempts.maximum"]),
    (Key::RetryInterval, &["retry.interval"]),
    (Key::RetryTimeout, &["retry.timeout"]),
];

/// Keys whose neglect would put data where, or in a form, that the user did not ask for.
const REFUSED: [&str; 6] = [
    "assumed.role.",
    "bucket.",
    "encryption.",
    "server.side.encryption",
    "requester.pays.enabled",
    "delegation.token.binding",
];

/// Hadoop's credential providers that are a part of what is done anyway: keys of the options, then the environment.
const USUAL_PROVIDERS: [&str; 8] = [
    "SimpleAWSCredentialsProvider",
    "TemporaryAWSCredentialsProvider",
    "EnvironmentVariableCredentialsProvider",
    "DefaultAWSCredentialsProviderChain",
    "DefaultCredentialsProvider",
    "WebIdentityTokenCredentialsProvider",
    "IAMInstanceCredentialsProvider",
    "ProfileCredentialsProvider",
];

const ANONYMOUS_PROVIDERS: [&str; 2] = ["AnonymousAWSCredentialsProvider", "AnonymousCredentialsProvider"];

/// The options about S3, one value for each key, with the spelling that was used.
pub(super) struct Given<'o>(BTreeMap<Key, (&'o str, &'o str)>);

impl<'o> Given<'o> {
    /// Whether an option with this name is about S3.
    pub(super) fn is_about_s3(name: &str) -> bool {
        without_prefix(name).is_some()
    }

    pub(super) fn collect(options: &'o BTreeMap<String, String>) -> Result<Self> {
        let mut given: BTreeMap<Key, (&str, &str)> = BTreeMap::new();
        for (name, value) in options {
            let (Some(rest), value) = (without_prefix(name), value.trim()) else { continue };
            let Some(key) = key_of(rest)? else { continue };
            // An empty value is how some configurations leave an option out.
            if value.is_empty() {
                continue;
            }
            match given.insert(key, (name, value)) {
                Some((other, before)) if before != value => {
                    return Err(Error::invalid(format!(
                        "options '{other}' and '{name}' are spellings of one option, but have different values"
                    )));
                }
                _ => {}
            }
        }
        Ok(Self(given))
    }

    pub(super) fn value(&self, key: Key) -> Option<&'o str> {
        self.0.get(&key).map(|(_, value)| *value)
    }

    /// How the user spelt a key that is there.
    pub(super) fn name(&self, key: Key) -> &'o str {
        self.0.get(&key).map_or("", |(name, _)| *name)
    }

    pub(super) fn flag(&self, key: Key) -> Result<Option<bool>> {
        match self.value(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.unusable(key, "true or false")),
        }
    }

    /// Whether requests are to go unsigned.
    pub(super) fn anonymous(&self) -> Result<bool> {
        let flag = self.flag(Key::Anonymous)?;
        let Some(providers) = self.value(Key::Provider) else { return Ok(flag == Some(true)) };
        let ends_with = |provider: &str, known: &[&str]| known.iter().any(|known| provider.ends_with(known));
        let mut anonymous = false;
        for provider in providers.split(',').map(str::trim).filter(|provider| !provider.is_empty()) {
            if ends_with(provider, &ANONYMOUS_PROVIDERS) {
                anonymous = true;
            } else if !ends_with(provider, &USUAL_PROVIDERS) {
                return Err(Error::unsupported(format!("credential provider '{provider}' is not supported"))
                    .with_context("option", self.name(Key::Provider)));
            }
        }
        if anonymous && flag == Some(false) {
            let (provider, anonymous) = (self.name(Key::Provider), self.name(Key::Anonymous));
            return Err(Error::invalid(format!("options '{provider}' and '{anonymous}' contradict each other")));
        }
        Ok(anonymous || flag == Some(true))
    }

    pub(super) fn millis(&self, key: Key, default: u64) -> Result<u64> {
        let Some(text) = self.value(key) else { return Ok(default) };
        match parse_duration_millis(text) {
            Some(millis) if millis > 0 => Ok(millis),
            _ => Err(self.unusable(key, "a duration above 0, such as 5s or 500 ms")),
        }
    }

    pub(super) fn count(&self, key: Key, default: u64) -> Result<u64> {
        let Some(text) = self.value(key) else { return Ok(default) };
        match text.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.unusable(key, "a number above 0")),
        }
    }

    fn unusable(&self, key: Key, wanted: &str) -> Error {
        let found = self.value(key).unwrap_or_default();
        Error::invalid(format!("option '{}' wants {wanted}, found '{found}'", self.name(key)))
    }
}

/// The variables of a process that matter to S3.
pub(super) struct Environment<'e>(pub(super) &'e BTreeMap<String, String>);

impl<'e> Environment<'e> {
    pub(super) fn get(&self, name: &str) -> Option<&'e str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn first(&self, names: &[&str]) -> Option<&'e str> {
        names.iter().find_map(|name| self.get(name))
    }
}

/// A key without the prefix that says that it is about S3.
fn without_prefix(name: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| {
        let (head, rest) = name.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then_some(rest)
    })
}

/// What a key without its prefix is about; `None` for Hadoop's many that tune what is not there to be tuned.
fn key_of(rest: &str) -> Result<Option<Key>> {
    let normal = normalize(rest);
    let spellings = || SPELLINGS.iter().flat_map(|(key, names)| names.iter().map(move |name| (*key, *name)));
    if let Some((key, _)) = spellings().find(|(_, name)| normalize(name) == normal) {
        return Ok(Some(key));
    }
    if REFUSED.iter().any(|refused| normal.starts_with(refused)) {
        return Err(Error::unsupported(format!("S3 option '{rest}' is not supported")));
    }
    match nearest_key(rest, spellings().map(|(_, name)| name)) {
        Some(near) => Err(Error::invalid(format!("unknown S3 option '{rest}'; did you mean '{near}'?"))),
        None => Ok(None),
    }
}

fn normalize(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '-' | '_') { '.' } else { c.to_ascii_lowercase() }).collect()
}
