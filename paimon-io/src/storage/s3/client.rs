//! Settings to a client of `object_store`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use object_store::{
    BackoffConfig, ClientOptions, CredentialProvider, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider},
};
use paimon_spec::{Error, Result};

use super::{credentials::Credentials, http::Connector, settings::S3Settings};

/// The client of one bucket. Nothing is sent yet.
///
/// # Errors
/// `InvalidInput` when the endpoint is no URL.
pub(super) fn connect(bucket: &str, settings: &S3Settings) -> Result<AmazonS3> {
    let failed = |error: object_store::Error| {
        Error::invalid("cannot make a client for the S3 endpoint")
            .with_context("endpoint", settings.endpoint_name())
            .with_context("bucket", bucket)
            .with_source(error)
    };
    let http = settings.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let options = ClientOptions::new()
        .with_allow_http(http)
        // Loading them takes its time, and nobody looks at them.
        .with_no_system_certificates(http)
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_millis(settings.connect_timeout_millis))
        .with_read_timeout(Duration::from_millis(settings.read_timeout_millis));
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(settings.retry_interval_millis),
            max_backoff: Duration::from_millis(settings.retry_interval_millis.saturating_mul(30)),
            base: 2.0,
        },
        max_retries: usize::try_from(settings.attempts.saturating_sub(1)).unwrap_or(usize::MAX),
        retry_timeout: Duration::from_millis(settings.retry_timeout_millis),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!settings.path_style)
        // Many stores do not have bulk deletes, or want other headers with them.
        .with_disable_bulk_delete(settings.is_custom())
        .with_client_options(options)
        .with_retry(retry)
        .with_http_connector(Connector {
            endpoint: settings.endpoint_name(),
            bucket: bucket.to_owned(),
            whose: settings.credentials.to_string(),
        });
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(bucket_endpoint(endpoint, bucket, settings.path_style));
    }
    builder = match &settings.credentials {
        Credentials::Keys { key_id, secret, token, .. } => {
            let builder = builder.with_access_key_id(key_id).with_secret_access_key(secret);
            token.iter().fold(builder, |builder, token| builder.with_token(token))
        }
        Credentials::Anonymous => builder.with_skip_signature(true),
        asked => builder.with_credentials(asked_for(asked, settings).map_err(failed)?),
    };
    builder.build().map_err(failed)
}

/// The endpoint as `object_store` wants it: with the bucket in the host unless it is in the path.
fn bucket_endpoint(endpoint: &str, bucket: &str, path_style: bool) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !path_style && !host.starts_with(&format!("{bucket}.")) => {
            format!("{scheme}://{bucket}.{host}")
        }
        _ => endpoint.to_owned(),
    }
}

/// Credentials that a service gives out. It is asked at the first request, and again before they expire.
fn asked_for(credentials: &Credentials, settings: &S3Settings) -> object_store::Result<AwsCredentialProvider> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name("none")
        .with_region(&settings.region)
        .with_client_options(ClientOptions::new().with_timeout(Duration::from_secs(5)))
        .with_retry(RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(5), ..RetryConfig::default() });
    let keys = match credentials {
        Credentials::WebIdentity { token_file, role, session } => vec![
            (AmazonS3ConfigKey::WebIdentityTokenFile, token_file),
            (AmazonS3ConfigKey::RoleArn, role),
            (AmazonS3ConfigKey::RoleSessionName, session),
        ],
        Credentials::ContainerPath(path) => vec![(AmazonS3ConfigKey::ContainerCredentialsRelativeUri, path)],
        Credentials::ContainerUrl { url, token_file } => vec![
            (AmazonS3ConfigKey::ContainerCredentialsFullUri, url),
            (AmazonS3ConfigKey::ContainerAuthorizationTokenFile, token_file),
        ],
        // The service of the machine is what is asked when nothing else is known.
        Credentials::Instance | Credentials::Keys { .. } | Credentials::Anonymous => vec![],
    };
    for (key, value) in keys {
        builder = builder.with_config(key, value);
    }
    let inner = Arc::clone(builder.build()?.credentials());
    Ok(Arc::new(Asked { inner, whose: credentials.to_string() }))
}

/// Says whose credentials are missing.
#[derive(Debug)]
struct Asked {
    inner: AwsCredentialProvider,
    whose: String,
}

#[async_trait]
impl CredentialProvider for Asked {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.inner.get_credential().await.map_err(|error| object_store::Error::Unauthenticated {
            path: String::new(),
            source: format!("no credentials in options, environment and profiles, and not {}: {error}", self.whose)
                .into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://h:1", true, "http://h:1")]
    #[case("http://h:1", false, "http://b.h:1")]
    #[case("https://b.s3.eu-west-1.amazonaws.com", false, "https://b.s3.eu-west-1.amazonaws.com")]
    #[case("https://s3.eu-west-1.amazonaws.com", false, "https://b.s3.eu-west-1.amazonaws.com")]
    fn the_bucket_is_in_host_or_path(#[case] endpoint: &str, #[case] path_style: bool, #[case] expected: &str) {
        assert_eq!(bucket_endpoint(endpoint, "b", path_style), expected);
    }
}
