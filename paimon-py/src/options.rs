//! Options that users pass: warnings about misspelt keys, and which values are secret.

use std::collections::BTreeMap;

use paimon_spec::misspelt_options;
use pyo3::prelude::*;

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

fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| match *part {
        // Too short to be looked for inside words.
        "sas" => key.split(['.', '-', '_']).any(|word| word.eq_ignore_ascii_case("sas")),
        part => plain.contains(part),
    })
}
