use std::fs;

use paimon_spec::ErrorKind;
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::storage::s3::Origin;

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn resolve(options: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<S3Settings> {
    S3Settings::resolve("bucket", &texts(options), &texts(environment))
}

fn keys(settings: &S3Settings) -> (&str, &str, Option<&str>) {
    match &settings.credentials {
        Credentials::Keys { key_id, secret, token, .. } => (key_id, secret, token.as_deref()),
        other => panic!("expected keys, found {other:?}"),
    }
}

#[rstest]
#[case::pypaimon(&[("fs.s3.endpoint", "http://h:1"), ("fs.s3.accessKeyId", "A"), ("fs.s3.accessKeySecret", "B"), ("fs.s3.securityToken", "C"), ("fs.s3.region", "r")])]
#[case::java(&[("s3.endpoint", "http://h:1/"), ("s3.access-key", "A"), ("s3.secret-key", "B"), ("s3.session.token", "C"), ("s3.endpoint.region", "r")])]
#[case::java_dots(&[("s3a.endpoint", "http://h:1"), ("s3a.access.key", "A"), ("s3a.secret.key", "B"), ("s3a.session-token", "C"), ("s3a.region", "r")])]
#[case::hadoop(&[("fs.s3a.endpoint", "h:1"), ("fs.s3a.access.key", "A"), ("fs.s3a.secret.key", "B"), ("fs.s3a.session.token", " C "), ("fs.s3a.endpoint.region", "r"), ("fs.s3a.connection.ssl.enabled", "false")])]
#[case::mixed(&[("fs.s3.endpoint", "HTTP://h:1"), ("s3.access-key", "A"), ("FS.S3A.ACCESS.KEY", "A"), ("s3.secret_key", "B"), ("s3.security-token", "C"), ("s3.region", "r"), ("s3.endpoint.region", ""), ("fs.s3a.connection.maximum", "9"), ("warehouse", "w")])]
fn every_spelling_says_the_same(#[case] options: &[(&str, &str)]) {
    let settings = resolve(options, &[("AWS_ACCESS_KEY_ID", "not this"), ("AWS_REGION", "nor this")]).unwrap();
    assert_eq!(settings.endpoint.as_deref(), Some("http://h:1"));
    assert_eq!((settings.region.as_str(), settings.region_is_known), ("r", true));
    assert_eq!(keys(&settings), ("A", "B", Some("C")));
    assert!(settings.path_style && settings.is_custom());
}

#[rstest]
#[case(&[("s3.endpoint", "h")], true, Some("https://h"), "us-east-1")]
#[case(&[("s3.endpoint", "h"), ("s3.path.style.access", "false")], false, Some("https://h"), "us-east-1")]
#[case(&[("s3.endpoint", "h"), ("s3.path-style-access", "TRUE")], true, Some("https://h"), "us-east-1")]
#[case(&[], false, None, "us-east-1")]
#[case(&[("s3.endpoint", "s3.eu-west-1.amazonaws.com")], false, Some("https://s3.eu-west-1.amazonaws.com"), "eu-west-1")]
#[case(&[("s3.endpoint", "s3.amazonaws.com")], false, Some("https://s3.amazonaws.com"), "us-east-1")]
#[case(&[("s3.region", "eu-north-1"), ("fs.s3a.path.style.access", "true")], true, None, "eu-north-1")]
fn the_bucket_is_in_the_path_of_other_stores(
    #[case] options: &[(&str, &str)],
    #[case] path_style: bool,
    #[case] endpoint: Option<&str>,
    #[case] region: &str,
) {
    let options = [options, &[("s3.access-key", "A"), ("s3.secret-key", "B")]].concat();
    let settings = resolve(&options, &[]).unwrap();
    assert_eq!((settings.path_style, settings.endpoint.as_deref()), (path_style, endpoint));
    assert_eq!(settings.region, region);
}

#[rstest]
#[case::misspelt(&[("fs.s3.acessKeyId", "A")], ErrorKind::InvalidInput, "did you mean 'accessKeyId'")]
#[case::misspelt_java(&[("s3.endpoit", "h")], ErrorKind::InvalidInput, "did you mean 'endpoint'")]
#[case::different(&[("s3.access-key", "hush1"), ("fs.s3.accessKeyId", "hush2")], ErrorKind::InvalidInput, "'fs.s3.accessKeyId' and 's3.access-key'")]
#[case::half(&[("s3.access-key", "hush")], ErrorKind::InvalidInput, "without s3.secret-key")]
#[case::other_half(&[("s3.secret-key", "hush")], ErrorKind::InvalidInput, "without s3.access-key")]
#[case::token_alone(&[("s3.session.token", "hush")], ErrorKind::InvalidInput, "session token without")]
#[case::anonymous_with_keys(&[("s3.anonymous", "true"), ("s3.access-key", "hush"), ("s3.secret-key", "hush")], ErrorKind::InvalidInput, "exclude each other")]
#[case::profile_with_keys(&[("s3.profile", "p"), ("s3.access-key", "hush"), ("s3.secret-key", "hush")], ErrorKind::InvalidInput, "exclude each other")]
#[case::anonymous_and_not(&[("s3.anonymous", "false"), ("fs.s3a.aws.credentials.provider", "x.AnonymousAWSCredentialsProvider")], ErrorKind::InvalidInput, "contradict")]
#[case::provider(&[("fs.s3a.aws.credentials.provider", "my.Provider")], ErrorKind::Unsupported, "my.Provider")]
#[case::no_flag(&[("s3.path.style.access", "yes")], ErrorKind::InvalidInput, "true or false")]
#[case::no_duration(&[("s3.connection.timeout", "soon")], ErrorKind::InvalidInput, "duration")]
#[case::no_count(&[("s3.attempts.maximum", "0")], ErrorKind::InvalidInput, "above 0")]
#[case::role(&[("fs.s3a.assumed.role.arn", "r")], ErrorKind::Unsupported, "assumed.role.arn")]
#[case::encryption(&[("s3.server-side-encryption-algorithm", "SSE-KMS")], ErrorKind::Unsupported, "server-side-encryption")]
#[case::scheme(&[("s3.endpoint", "ftp://h")], ErrorKind::InvalidInput, "http:// or https://")]
#[case::userinfo(&[("s3.endpoint", "http://KEY:hush@h")], ErrorKind::InvalidInput, "must not hold a user name")]
#[case::no_host(&[("s3.endpoint", "http://")], ErrorKind::InvalidInput, "wants a host")]
#[case::ssl(&[("s3.endpoint", "https://h"), ("s3.connection.ssl.enabled", "false")], ErrorKind::InvalidInput, "ssl.enabled")]
#[case::no_profile(&[("s3.profile", "p")], ErrorKind::InvalidInput, "profile 'p'")]
#[case::no_credentials(&[("s3.endpoint", "http://h")], ErrorKind::InvalidInput, "no credentials")]
fn wrong_options_are_named(#[case] options: &[(&str, &str)], #[case] kind: ErrorKind, #[case] text: &str) {
    let usual = [("s3.access-key", "hush"), ("s3.secret-key", "hush")];
    let with_keys = ["true or false", "duration", "above 0"].contains(&text);
    let options = if with_keys { [options, &usual].concat() } else { options.to_vec() };
    let options = if options.iter().any(|(key, _)| key.contains("endpoi")) {
        options
    } else {
        [options.as_slice(), &[("s3.endpoint", "http://h")]].concat()
    };
    let error = resolve(&options, &[]).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text) && !error.to_string().contains("hush"), "{error}");
}

#[rstest]
#[case::keys(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B"), ("AWS_PROFILE", "p")], "the keys in the environment")]
#[case::web_identity(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")], "web identity for role 'arn'")]
#[case::container(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")], "the role of the container")]
#[case::pod(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t")], "the role of the container")]
#[case::machine(&[], "the role of the machine")]
fn the_environment_is_asked_in_order(#[case] environment: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(resolve(&[], environment).unwrap().credentials.to_string(), expected);
}

#[test]
fn the_environment_may_say_where_and_that_there_is_no_machine() {
    let keys = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B"), ("AWS_SESSION_TOKEN", "C")];
    let place = [("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b"), ("AWS_DEFAULT_REGION", "r")];
    let settings = resolve(&[], &[keys, place].concat()).unwrap();
    assert_eq!((settings.endpoint.as_deref(), settings.region.as_str()), (Some("http://b"), "r"));
    let error = resolve(&[], &[("AWS_EC2_METADATA_DISABLED", "true")]).unwrap_err();
    assert!(error.message().contains("no credentials"), "{error}");
    let error = resolve(&[], &[("AWS_ACCESS_KEY_ID", "A")]).unwrap_err();
    assert!(error.message().contains("AWS_ACCESS_KEY_ID without AWS_SECRET_ACCESS_KEY"), "{error}");
    assert_eq!(resolve(&[("s3.anonymous", "true")], &keys).unwrap().credentials.to_string(), "no credentials");
}

#[test]
fn profiles_come_after_the_environment_unless_an_option_names_one() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("credentials");
    let text = "[default]\naws_access_key_id=D\naws_secret_access_key=E\n[p]\naws_access_key_id=P\naws_secret_access_key=Q\n\
                aws_session_token=R\nregion=eu-west-3\n[sso]\nsso_session=s\n[bare]\nregion=r\n";
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let at = ("AWS_SHARED_CREDENTIALS_FILE", file.as_str());
    assert_eq!(keys(&resolve(&[], &[at]).unwrap()), ("D", "E", None));
    let chosen = resolve(&[], &[at, ("AWS_PROFILE", "p")]).unwrap();
    assert_eq!((keys(&chosen), chosen.region.as_str()), (("P", "Q", Some("R")), "eu-west-3"));
    let environment = [at, ("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B")];
    assert_eq!(keys(&resolve(&[], &environment).unwrap()), ("A", "B", None));
    let named = resolve(&[("fs.s3.profile", "p")], &environment).unwrap();
    assert!(matches!(&named.credentials, Credentials::Keys { origin: Origin::Profile(name), .. } if name == "p"));
    assert_eq!(resolve(&[], &[at, ("AWS_PROFILE", "sso")]).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(resolve(&[("s3.profile", "bare")], &[at]).unwrap_err().message().contains("holds no credentials"));
    assert_eq!(
        resolve(&[], &[at, ("AWS_PROFILE", "bare")]).unwrap().credentials.to_string(),
        "the role of the machine"
    );
    assert!(resolve(&[], &[at, ("AWS_PROFILE", "absent")]).is_err());
}
