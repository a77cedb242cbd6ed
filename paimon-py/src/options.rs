//! Options that users pass: warnings about misspelt keys, and which values are secret.

use std::collections::BTreeMap;

use paimon_io::{Credentials, Origin, S3Settings};
use paimon_spec::misspelt_options;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::context::storage_environment;
use crate::errors::OrRaise;

/// Parts of a key, without its separators, that mark its value as secret.
const SECRET_PARTS: [&str; 9] =
    ["token", "secret", "password", "passwd", "accesskey", "privatekey", "credential", "signature", "sas"];

/// The options that may be stored or sent in the open.
#[pyfunction]
#[pyo3(signature = (options))]
pub(crate) fn without_secrets(mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    options.retain(|key, _| !is_secret(key));
    options
}

/// One warning for each key that looks like a misspelt option of the format.
#[pyfunction]
#[pyo3(signature = (options))]
pub(crate) fn known_option_warnings(options: BTreeMap<String, String>) -> Vec<String> {
    misspelt_options(options.keys().map(String::as_str))
        .into_iter()
        .map(|(key, nearest)| format!("unknown option '{key}', it has no effect; did you mean '{nearest}'?"))
        .collect()
}

/// How to reach a bucket, as Daft's `S3Config` names it, by the rules of our own client. Keys of the environment, and
/// those that a machine is given, are left out: Daft finds them there, on its workers, too. Those of a profile are not:
/// Daft takes no keys from the profile that its `profile_name` names.
#[pyfunction]
#[pyo3(signature = (bucket, options))]
pub(crate) fn s3_settings<'py>(
    py: Python<'py>,
    bucket: &str,
    options: BTreeMap<String, String>,
) -> PyResult<Bound<'py, PyDict>> {
    let settings = S3Settings::resolve(bucket, &options, &storage_environment(py)?).or_raise(py)?;
    let config = PyDict::new(py);
    if let Some(endpoint) = &settings.endpoint {
        config.set_item("endpoint_url", endpoint)?;
    }
    if settings.region_is_known || settings.is_custom() {
        config.set_item("region_name", &settings.region)?;
    }
    match &settings.credentials {
        Credentials::Keys { origin: Origin::Options | Origin::Profile(_), key_id, secret, token } => {
            config.set_item("key_id", key_id)?;
            config.set_item("access_key", secret)?;
            if let Some(token) = token {
                config.set_item("session_token", token)?;
            }
        }
        Credentials::Anonymous => config.set_item("anonymous", true)?,
        _ => {}
    }
    config.set_item("force_virtual_addressing", !settings.path_style)?;
    config.set_item("connect_timeout_ms", settings.connect_timeout_millis)?;
    config.set_item("read_timeout_ms", settings.read_timeout_millis)?;
    config.set_item("num_tries", settings.attempts)?;
    config.set_item("retry_initial_backoff_ms", settings.retry_interval_millis)?;
    Ok(config)
}

fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| match *part {
        // Too short to be looked for inside words.
        "sas" => key.split(['.', '-', '_']).any(|word| word.eq_ignore_ascii_case("sas")),
        part => plain.contains(part),
    })
}
