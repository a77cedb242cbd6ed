//! What the options and the environment say about a bucket, in every spelling that Paimon's users know.

use std::{collections::BTreeMap, fmt};

use paimon_spec::{Error, Result};

use super::{
    credentials::Credentials,
    given::{Environment, Given, Key},
};

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
        options.keys().any(|key| Given::is_about_s3(key))
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
