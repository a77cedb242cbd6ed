//! What the options and the environment say about a bucket, in every spelling that Paimon's users know.

use std::{collections::BTreeMap, fmt};

use paimon_spec::{Error, Result, nearest_key, parse_duration_millis};

use super::credentials::Credentials;

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

const DEFAULT_REGION: &str = "us-east-1";

/// How to reach one bucket. Two that are equal may share connections.
///
/// Options begin with `s3.`, `s3a.`, `fs.s3.` or `fs.s3a.`, all of which mean the same (Java: `S3FileIO`); so do case, and
/// `.`, `-` and `_` in what follows:
///
/// | option | says | without it |
/// |---|---|---|
/// | `endpoint` | URL or host of the store | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`; Amazon's |
/// | `region`, `endpoint.region` | what to sign for | `AWS_REGION`; the profile's; that of an endpoint of Amazon's; `us-east-1` |
/// | `access-key`, `accessKeyId` | public half of a key | the next of: environment, web identity, profile, container, machine |
/// | `secret-key`, `accessKeySecret` | secret half | |
/// | `session.token`, `securityToken` | token of temporary keys | none |
/// | `profile` | profile of `~/.aws/credentials` and `~/.aws/config` | `AWS_PROFILE`; `default` |
/// | `anonymous` | `true`: requests are not signed | `false` |
/// | `path.style.access` | whether the bucket is in the path | `true` for other stores than Amazon's |
/// | `connection.ssl.enabled` | `false`: an endpoint without a scheme is http | `true` |
/// | `connection.establish.timeout` | how long connecting may take | 5 s |
/// | `connection.timeout` | how long the store may say nothing | 20 s |
/// | `attempts.maximum` | how often a request is sent at most | 10 |
/// | `retry.interval` | wait before the second attempt; then longer, by chance, up to 30 times as long | 100 ms |
/// | `retry.timeout` | after this no further attempt is made | 18 s |
///
/// Hadoop's other keys tune what is not here, and are passed over; those that would change where data goes, or how it
/// is protected, are refused.
///
/// The environment is what [`crate::IoContext::environment`] holds.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The endpoint as a URL without a slash at its end; `None`: Amazon's, for the region.
    pub endpoint: Option<String>,
    /// The region to sign for.
    pub region: String,
    /// Whether the region was found out, or is only the usual default.
    pub region_is_known: bool,
    /// Whether the bucket is the first part of the path; otherwise it is the first part of the host name.
    pub path_style: bool,
    /// Whose requests these are.
    pub credentials: Credentials,
    /// Milliseconds that connecting may take.
    pub connect_timeout_millis: u64,
    /// Milliseconds without a byte after which a request counts as lost.
    pub read_timeout_millis: u64,
    /// How often a request is sent, at most.
    pub attempts: u64,
    /// Milliseconds to wait before the second attempt; later ones wait longer.
    pub retry_interval_millis: u64,
    /// Milliseconds after the first attempt at which the last one may start.
    pub retry_timeout_millis: u64,
}

impl S3Settings {
    /// Whether any option is about S3.
    pub fn are_in(options: &BTreeMap<String, String>) -> bool {
        options.keys().any(|key| without_prefix(key).is_some())
    }

    /// Reads the settings for `bucket` out of options and environment.
    ///
    /// # Errors
    /// `InvalidInput` for keys that look like a misspelt one, spellings of one key that differ, values that are none,
    /// and options that exclude one another; `Unsupported` for keys that must not be passed over. Values that may be
    /// secret are never named.
    pub fn resolve(
        bucket: &str,
        options: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let given = Given::collect(options)?;
        let environment = Environment(environment);
        let (credentials, profile_region) = Credentials::resolve(&given, &environment)?;
        let endpoint = match given.value(Key::Endpoint) {
            Some(endpoint) => Some(normal_endpoint(endpoint, given.flag(Key::Ssl)?)?),
            None => match environment.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
                Some(endpoint) => Some(normal_endpoint(endpoint, None)?),
                None => None,
            },
        };
        let custom = endpoint.as_deref().is_some_and(|endpoint| !is_amazon(endpoint));
        let region = given
            .value(Key::Region)
            .or_else(|| environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .map(str::to_owned)
            .or(profile_region)
            .or_else(|| endpoint.as_deref().and_then(region_of_endpoint));
        let Some(credentials) = credentials.filter(|found| !(custom && found.is_of_amazon())) else {
            return Err(Error::invalid(
                "no credentials for S3: set the options s3.access-key and s3.secret-key, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY in the environment, a profile, or s3.anonymous = true",
            )
            .with_context("endpoint", endpoint.unwrap_or_else(|| "Amazon's".to_owned()))
            .with_context("bucket", bucket));
        };
        Ok(Self {
            path_style: given.flag(Key::PathStyle)?.unwrap_or(custom || bucket.contains('.')),
            region_is_known: region.is_some(),
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            endpoint,
            credentials,
            connect_timeout_millis: given.millis(Key::ConnectTimeout, 5_000)?,
            read_timeout_millis: given.millis(Key::ReadTimeout, 20_000)?,
            attempts: given.count(Key::Attempts, 10)?,
            retry_interval_millis: given.millis(Key::RetryInterval, 100)?,
            retry_timeout_millis: given.millis(Key::RetryTimeout, 18_000)?,
        })
    }

    /// Whether the store is another than Amazon's.
    pub fn is_custom(&self) -> bool {
        self.endpoint.as_deref().is_some_and(|endpoint| !is_amazon(endpoint))
    }

    /// The endpoint, for messages.
    pub fn endpoint_name(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", self.region))
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint_name())
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// The options about S3, one value for each key, with the spelling that was used.
pub(super) struct Given<'o>(BTreeMap<Key, (&'o str, &'o str)>);

impl<'o> Given<'o> {
    fn collect(options: &'o BTreeMap<String, String>) -> Result<Self> {
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

    fn millis(&self, key: Key, default: u64) -> Result<u64> {
        let Some(text) = self.value(key) else { return Ok(default) };
        match parse_duration_millis(text) {
            Some(millis) if millis > 0 => Ok(millis),
            _ => Err(self.unusable(key, "a duration above 0, such as 5s or 500 ms")),
        }
    }

    fn count(&self, key: Key, default: u64) -> Result<u64> {
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

/// An endpoint as a URL with a scheme and without a slash at its end.
fn normal_endpoint(endpoint: &str, ssl: Option<bool>) -> Result<String> {
    let (scheme, rest) = match endpoint.split_once("://") {
        None if ssl == Some(false) => ("http", endpoint),
        None => ("https", endpoint),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "https" if ssl == Some(false) => {
                return Err(Error::invalid("the S3 endpoint is an https URL, but connection.ssl.enabled is false"));
            }
            "http" if ssl == Some(true) => {
                return Err(Error::invalid("the S3 endpoint is an http URL, but connection.ssl.enabled is true"));
            }
            "http" => ("http", rest),
            "https" => ("https", rest),
            _ => return Err(Error::invalid("the S3 endpoint wants http:// or https://").with_context("found", scheme)),
        },
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        return Err(Error::invalid("the S3 endpoint must not hold a user name or password: set them as options"));
    }
    let usable =
        !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c));
    if !usable {
        return Err(
            Error::invalid("the S3 endpoint wants a host, such as https://host:9000").with_context("found", rest)
        );
    }
    Ok(format!("{scheme}://{rest}"))
}

fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

fn is_amazon(endpoint: &str) -> bool {
    let host = host(endpoint);
    [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|suffix| host.ends_with(suffix))
}

/// `s3.<region>.amazonaws.com`, with or without a bucket before it.
fn region_of_endpoint(endpoint: &str) -> Option<String> {
    let host = host(endpoint);
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (_, region) = host.rsplit_once('.')?;
    (region != "s3" && region.contains('-')).then(|| region.to_owned())
}

#[cfg(test)]
mod tests;
