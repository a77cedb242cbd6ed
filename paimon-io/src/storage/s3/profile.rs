//! The files that Amazon's tools keep credentials in: `~/.aws/credentials` and `~/.aws/config`.

use std::{collections::BTreeMap, fs, io, path::Path};

use paimon_spec::{Error, ErrorKind, Result};

use super::given::Environment;

/// Bytes that a profile file may have.
const FILE_BYTES: u64 = 1 << 20;

/// The keys of one profile, lower case, from both files; those of the credentials file come first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    keys: BTreeMap<String, String>,
}

impl Profile {
    /// Reads a profile; `None` when neither file has it.
    ///
    /// # Errors
    /// `InvalidInput` naming a file that is no profile file, `Storage` naming one that cannot be read.
    pub(super) fn load(name: &str, environment: &Environment<'_>) -> Result<Option<Self>> {
        let mut found: Option<Self> = None;
        let sections = [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name.to_owned()),
            ("AWS_CONFIG_FILE", "config", if name == "default" { name.to_owned() } else { format!("profile {name}") }),
        ];
        for (variable, file, section) in sections {
            let path = match (environment.get(variable), environment.first(&["HOME", "USERPROFILE"])) {
                (Some(path), Some(home)) if path.starts_with("~/") => Path::new(home).join(&path[2..]),
                (Some(path), _) => path.into(),
                (None, Some(home)) => Path::new(home).join(".aws").join(file),
                (None, None) => continue,
            };
            let Some(text) = read(&path)? else { continue };
            let mut sections = parse(&text).map_err(|line| {
                Error::invalid(format!("line {line} is neither a [section] nor key = value"))
                    .with_context("file", path.display())
            })?;
            // The default profile of the configuration file may have the longer name, too.
            let keys = sections.remove(&section).or_else(|| sections.remove(&format!("profile {name}")));
            if let Some(keys) = keys {
                let profile = found.get_or_insert_default();
                for (key, value) in keys {
                    profile.keys.entry(key).or_insert(value);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Storage, "cannot read the profile file")
            .with_context("file", path.display())
            .with_source(error)
    };
    match fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
        Ok(metadata) if metadata.len() > FILE_BYTES => {
            return Err(Error::invalid(format!("expected a profile file of at most {FILE_BYTES} bytes"))
                .with_context("file", path.display()));
        }
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Sections and their keys, the last value of a key; the number of the first line that is neither is the error.
///
/// Indented lines belong to the key above them (nested settings of other services) and are passed over.
fn parse(text: &str) -> std::result::Result<Sections, usize> {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) || line.starts_with([' ', '\t']) {
            continue;
        }
        if let Some(rest) = bare.strip_prefix('[') {
            let (name, _) = rest.split_once(']').ok_or(index + 1)?;
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ").replace(['"', '\''], "");
            sections.entry(name.clone()).or_default();
            section = Some(name);
            continue;
        }
        let (Some(section), Some((key, value))) = (&section, bare.split_once('=')) else { return Err(index + 1) };
        // A comment begins after a blank only: secrets may hold the sign.
        let value = value.split(" #").next().unwrap_or_default().split(" ;").next().unwrap_or_default();
        let keys = sections.entry(section.clone()).or_default();
        keys.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'s>(sections: &'s Sections, section: &str, key: &str) -> Option<&'s str> {
        sections.get(section)?.get(key).map(String::as_str)
    }

    #[test]
    fn sections_keys_and_comments_are_told_apart() {
        let text = "# top\n[default]\naws_access_key_id = A # mine\nAWS_SECRET_ACCESS_KEY=s#e/c=r+et\n\n[profile  two]\n\
                    region=eu-west-1\ns3 =\n  addressing_style = path\n; end\n[empty]\n";
        let sections = parse(text).unwrap();
        assert_eq!(value(&sections, "default", "aws_access_key_id"), Some("A"));
        assert_eq!(value(&sections, "default", "aws_secret_access_key"), Some("s#e/c=r+et"));
        assert_eq!(value(&sections, "profile two", "region"), Some("eu-west-1"));
        assert_eq!(value(&sections, "profile two", "s3"), Some(""));
        assert_eq!(value(&sections, "profile two", "addressing_style"), None);
        assert!(sections.contains_key("empty"));
    }

    #[test]
    fn what_is_no_profile_file_is_refused_by_line() {
        assert_eq!(parse("aws_access_key_id = A"), Err(1), "a key outside of any section");
        assert_eq!(parse("[default]\nnonsense"), Err(2));
        assert_eq!(parse("[default"), Err(1));
        assert_eq!(parse(""), Ok(Sections::new()));
    }

    #[test]
    fn the_credentials_file_comes_before_the_configuration() {
        let dir = tempfile::TempDir::new().unwrap();
        fs::create_dir(dir.path().join(".aws")).unwrap();
        fs::write(dir.path().join(".aws/credentials"), "[p]\naws_access_key_id=A\n").unwrap();
        fs::write(dir.path().join(".aws/config"), "[profile p]\naws_access_key_id=B\nregion=r\n").unwrap();
        let variables = BTreeMap::from([("HOME".to_owned(), dir.path().display().to_string())]);
        let profile = Profile::load("p", &Environment(&variables)).unwrap().unwrap();
        assert_eq!((profile.get("aws_access_key_id"), profile.get("region")), (Some("A"), Some("r")));
        assert_eq!(Profile::load("q", &Environment(&variables)).unwrap(), None);
        assert_eq!(Profile::load("p", &Environment(&BTreeMap::new())).unwrap(), None, "no home, no files");
    }
}
