//! Names of databases and tables.

use std::fmt;

use crate::{Error, Result};

const BRANCH_PREFIX: &str = "branch_";
const MAX_NAME_BYTES: usize = 255;

/// `database.table`, with an optional branch (`table$branch_x`) and system table (`table$snapshots`).
///
/// ```
/// use paimon_spec::Identifier;
///
/// let identifier = Identifier::parse("db.`t$branch_dev$snapshots`")?;
/// assert_eq!(identifier.table, "t");
/// assert_eq!(identifier.branch.as_deref(), Some("dev"));
/// assert_eq!(identifier.system_table.as_deref(), Some("snapshots"));
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    /// The database.
    pub database: String,
    /// The table, without branch and system table.
    pub table: String,
    /// The branch; `None` for `main`.
    pub branch: Option<String>,
    /// The system table of the table, such as `snapshots`.
    pub system_table: Option<String>,
}

impl Identifier {
    /// Parses `db.table`, back-ticks allowed, and validates both names. The first dot outside back-ticks separates.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn parse(text: &str) -> Result<Self> {
        let no_split = || Error::invalid(format!("Cannot get splits from '{text}' to get database and object"));
        let (database, rest) = match text.strip_prefix('`') {
            Some(quoted) => {
                let (database, rest) = quoted.split_once('`').ok_or_else(no_split)?;
                (database, rest.strip_prefix('.').ok_or_else(no_split)?)
            }
            None => text.split_once('.').ok_or_else(no_split)?,
        };
        let object = match rest.strip_prefix('`') {
            Some(quoted) => quoted
                .strip_suffix('`')
                .ok_or_else(|| Error::invalid(format!("expected a closing back-tick at the end of '{text}'")))?,
            None => rest,
        };
        Self::new(database, object)
    }

    /// From parts: `object` is `table`, `table$branch_x`, `table$system` or `table$branch_x$system`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn new(database: &str, object: &str) -> Result<Self> {
        validate_name("database", database)?;
        let parts: Vec<&str> = object.split('$').collect();
        let (table, branch, system_table) = match parts[..] {
            [table] => (table, None, None),
            [table, second] => match second.strip_prefix(BRANCH_PREFIX) {
                Some(branch) => (table, Some(branch), None),
                None => (table, None, Some(second)),
            },
            [table, branch, system_table] if branch.starts_with(BRANCH_PREFIX) => {
                (table, branch.strip_prefix(BRANCH_PREFIX), Some(system_table))
            }
            _ => {
                return Err(Error::invalid(format!(
                    "expected 'table', 'table$branch_x', 'table$system' or 'table$branch_x$system', found '{object}'"
                )));
            }
        };
        validate_name("table", table)?;
        let branch = branch.filter(|branch| !branch.eq_ignore_ascii_case("main"));
        if let Some(branch) = branch {
            validate_name("branch", branch)?;
        }
        if let Some(system_table) = system_table {
            validate_name("system table", system_table)?;
        }
        Ok(Self {
            database: database.to_owned(),
            table: table.to_owned(),
            branch: branch.map(str::to_owned),
            system_table: system_table.map(str::to_owned),
        })
    }

    /// `table` with branch and system table.
    pub fn object(&self) -> String {
        let mut object = self.table.clone();
        if let Some(branch) = &self.branch {
            object.push('$');
            object.push_str(BRANCH_PREFIX);
            object.push_str(branch);
        }
        if let Some(system_table) = &self.system_table {
            object.push('$');
            object.push_str(system_table);
        }
        object
    }
}

/// `database.object`, without back-ticks.
impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.object())
    }
}

/// Refuses names that no folder may have: empty and blank ones, separators, `..`, `$` and back-ticks, control
/// characters, a dot at the start, more than 255 bytes. Branches may not be all digits either. `what` is "database",
/// "table", "branch" or "tag".
///
/// # Errors
/// `InvalidInput`.
pub fn validate_name(what: &str, name: &str) -> Result<()> {
    let refused = |reason: &str| {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        Err(Error::invalid(format!("a {what} name must not {reason}, found '{shown}'")))
    };
    if name.trim().is_empty() {
        return refused("be blank");
    }
    if name.len() > MAX_NAME_BYTES {
        return refused("be longer than 255 bytes");
    }
    if name.starts_with('.') {
        return refused("start with a dot");
    }
    if let Some(c) = name.chars().find(|c| matches!(c, '/' | '\\' | '$' | '`') || c.is_control()) {
        return refused(&format!("contain '{}'", c.escape_debug()));
    }
    if name.contains("..") {
        return refused("contain '..'");
    }
    if what == "branch" && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return refused("be a number");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::ErrorKind;

    #[rstest]
    #[case("db.t", "db", "t", None, None)]
    #[case("db.a.b", "db", "a.b", None, None)]
    #[case("`d.b`.`t.x`", "d.b", "t.x", None, None)]
    #[case("db.`t`", "db", "t", None, None)]
    #[case("db.t$snapshots", "db", "t", None, Some("snapshots"))]
    #[case("db.t$branch_b1", "db", "t", Some("b1"), None)]
    #[case("db.t$branch_b1$files", "db", "t", Some("b1"), Some("files"))]
    #[case("db.t$branch_main", "db", "t", None, None)]
    #[case("db.表", "db", "表", None, None)]
    fn identifiers_have_up_to_four_parts(
        #[case] text: &str,
        #[case] database: &str,
        #[case] table: &str,
        #[case] branch: Option<&str>,
        #[case] system_table: Option<&str>,
    ) {
        let identifier = Identifier::parse(text).unwrap();
        assert_eq!(identifier.database, database);
        assert_eq!(identifier.table, table);
        assert_eq!(identifier.branch.as_deref(), branch);
        assert_eq!(identifier.system_table.as_deref(), system_table);
        assert_eq!(Identifier::new(database, &identifier.object()).unwrap(), identifier);
        assert_eq!(identifier.to_string(), format!("{database}.{}", identifier.object()));
    }

    #[rstest]
    #[case("pt")]
    #[case("")]
    #[case("`a.b`")]
    #[case("`a")]
    #[case("`a`b")]
    fn a_name_without_a_dot_is_no_identifier(#[case] text: &str) {
        let error = Identifier::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.message(), format!("Cannot get splits from '{text}' to get database and object"));
    }

    #[rstest]
    #[case("db.")]
    #[case(".t")]
    #[case("db.../../evil")]
    #[case("../victim.t")]
    #[case("db.a/b")]
    #[case("db.a\\b")]
    #[case("db..x")]
    #[case("db.a\0b")]
    #[case("db.a\nb")]
    #[case("db.  ")]
    #[case("db.t$")]
    #[case("db.t$a$b")]
    #[case("db.t$branch_a$b$c")]
    #[case("db.t$branch_")]
    #[case("db.t$branch_../x")]
    #[case("db.t$branch_12")]
    #[case("db.$snapshots")]
    #[case("db.`t")]
    #[case("db.t`")]
    #[case("d$b.t")]
    fn names_that_could_leave_their_folder_are_refused(#[case] text: &str) {
        assert_eq!(Identifier::parse(text).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn names_have_at_most_255_bytes() {
        assert!(validate_name("table", &"x".repeat(255)).is_ok());
        assert!(validate_name("table", &"é".repeat(128)).is_err());
    }

    #[test]
    fn tags_may_be_numbers() {
        assert!(validate_name("tag", "20240101").is_ok());
    }
}
