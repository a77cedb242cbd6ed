//! Whose requests they are: options, then environment, then profile files, then what the machine is.

use std::fmt;

use paimon_spec::{Error, Result};

use super::{
    given::{Environment, Given, Key},
    profile::Profile,
};

/// Whose requests they are. `Debug` and `Display` name no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// A key, from `origin`.
    Keys {
        /// Where they come from.
        origin: Origin,
        /// The public half.
        key_id: String,
        /// The secret half.
        secret: String,
        /// The third half, of temporary keys.
        token: Option<String>,
    },
    /// Nobody's: requests go unsigned.
    Anonymous,
    /// A role that a token in a file stands for, as on Kubernetes.
    WebIdentity {
        /// The file.
        token_file: String,
        /// The role.
        role: String,
        /// What the session is called.
        session: String,
    },
    /// A role that a container has, from the service at a path of Amazon's address for it.
    ContainerPath(String),
    /// A role that a container has, from the service at a URL.
    ContainerUrl {
        /// The URL.
        url: String,
        /// The file with the token to show there.
        token_file: String,
    },
    /// A role that the virtual machine has.
    Instance,
}

/// Credentials, if any were found, and the region that stood beside them.
pub(super) type Found = (Option<Credentials>, Option<String>);

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the options.
    Options,
    /// In the environment.
    Environment,
    /// In a profile file, under this name.
    Profile(String),
}

impl Credentials {
    /// The first credentials on the way that Amazon's tools go, if there are any; and the region of the profile that
    /// was looked into.
    pub(super) fn resolve(given: &Given<'_>, environment: &Environment<'_>) -> Result<Found> {
        let keys = [Key::Id, Key::Secret, Key::SessionToken];
        let key = keys.into_iter().find(|key| given.value(*key).is_some());
        let profile = given.value(Key::Profile);
        if given.anonymous()? {
            let other = key.or(profile.map(|_| Key::Profile));
            return match other {
                Some(other) => Err(contradiction("anonymous access", given.name(other))),
                None => Ok((Some(Self::Anonymous), None)),
            };
        }
        if let Some(key) = key {
            if profile.is_some() {
                return Err(contradiction(&format!("option '{}'", given.name(key)), given.name(Key::Profile)));
            }
            let values = keys.map(|key| given.value(key));
            return Ok((Some(Self::keys(Origin::Options, values, ["s3.access-key", "s3.secret-key"])?), None));
        }
        if let Some(name) = profile {
            return match Self::of_profile(name, environment)? {
                Some((None, _)) => Err(Error::invalid(format!("profile '{name}' holds no credentials"))),
                Some(found) => Ok(found),
                None => Err(no_profile(name)),
            };
        }
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let values = names.map(|name| environment.get(name));
        if values[0].is_some() || values[1].is_some() {
            return Ok((Some(Self::keys(Origin::Environment, values, [names[0], names[1]])?), None));
        }
        let (token_file, role) = (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN"));
        if let (Some(token_file), Some(role)) = (token_file, role) {
            let session = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("pypaimon").to_owned();
            let identity = Self::WebIdentity { token_file: token_file.to_owned(), role: role.to_owned(), session };
            return Ok((Some(identity), None));
        }
        let chosen = environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        match (Self::of_profile(chosen.unwrap_or("default"), environment)?, chosen) {
            (Some((None, region)), _) => Ok((Self::of_machine(environment), region)),
            (Some(found), _) => Ok(found),
            (None, Some(name)) => Err(no_profile(name)),
            (None, None) => Ok((Self::of_machine(environment), None)),
        }
    }

    /// What a profile says, if it is there.
    fn of_profile(name: &str, environment: &Environment<'_>) -> Result<Option<Found>> {
        let Some(profile) = Profile::load(name, environment)? else { return Ok(None) };
        let region = profile.get("region").map(str::to_owned);
        let names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
        let values = names.map(|key| profile.get(key));
        if values[0].is_some() || values[1].is_some() {
            let keys = Self::keys(Origin::Profile(name.to_owned()), values, [names[0], names[1]]);
            return Ok(Some((Some(keys.map_err(|error| error.with_context("profile", name))?), region)));
        }
        if let (Some(token_file), Some(role)) = (profile.get("web_identity_token_file"), profile.get("role_arn")) {
            let session = profile.get("role_session_name").unwrap_or("pypaimon").to_owned();
            let identity = Self::WebIdentity { token_file: token_file.to_owned(), role: role.to_owned(), session };
            return Ok(Some((Some(identity), region)));
        }
        for key in ["role_arn", "credential_process", "sso_session", "sso_start_url"] {
            if profile.get(key).is_some() {
                return Err(Error::unsupported(format!(
                    "profile '{name}' gets its credentials by '{key}', which is not supported; export them to the \
                     environment (aws configure export-credentials)"
                )));
            }
        }
        Ok(Some((None, region)))
    }

    /// The role of the machine; `None` when the environment says not to ask it.
    fn of_machine(environment: &Environment<'_>) -> Option<Self> {
        if let Some(path) = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return Some(Self::ContainerPath(path.to_owned()));
        }
        let url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let token_file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        if let (Some(url), Some(token_file)) = (url, token_file) {
            return Some(Self::ContainerUrl { url: url.to_owned(), token_file: token_file.to_owned() });
        }
        let disabled = environment.get("AWS_EC2_METADATA_DISABLED");
        (!disabled.is_some_and(|text| text.eq_ignore_ascii_case("true"))).then_some(Self::Instance)
    }

    fn keys(origin: Origin, values: [Option<&str>; 3], names: [&str; 2]) -> Result<Self> {
        match values {
            [Some(key_id), Some(secret), token] => Ok(Self::Keys {
                origin,
                key_id: key_id.to_owned(),
                secret: secret.to_owned(),
                token: token.map(str::to_owned),
            }),
            [Some(_), None, _] => Err(Error::invalid(format!("found {} without {}", names[0], names[1]))),
            [None, Some(_), _] => Err(Error::invalid(format!("found {} without {}", names[1], names[0]))),
            [None, None, _] => Err(Error::invalid(format!("found a session token without {}", names[0]))),
        }
    }

    /// Whether they are those of a machine of Amazon's: nothing to show to another store.
    pub(super) fn is_of_amazon(&self) -> bool {
        matches!(self, Self::ContainerPath(_) | Self::ContainerUrl { .. } | Self::Instance)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({self})")
    }
}

/// Whose they are, without a secret.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { origin: Origin::Options, .. } => f.write_str("the keys in the options"),
            Self::Keys { origin: Origin::Environment, .. } => f.write_str("the keys in the environment"),
            Self::Keys { origin: Origin::Profile(name), .. } => write!(f, "the keys of profile '{name}'"),
            Self::Anonymous => f.write_str("no credentials"),
            Self::WebIdentity { role, .. } => write!(f, "web identity for role '{role}'"),
            Self::ContainerPath(_) | Self::ContainerUrl { .. } => f.write_str("the role of the container"),
            Self::Instance => f.write_str("the role of the machine"),
        }
    }
}

fn contradiction(one: &str, other: &str) -> Error {
    Error::invalid(format!("{one} and option '{other}' exclude each other"))
}

fn no_profile(name: &str) -> Error {
    Error::invalid(format!("profile '{name}' is in neither the credentials file nor the configuration file"))
}
