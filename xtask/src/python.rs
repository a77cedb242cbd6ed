//! Python: finding an interpreter, and virtual environments under the target folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::project;

/// The oldest CPython the wheel supports.
const OLDEST: (u32, u32) = (3, 10);

/// The Daft release that the connector is tested against.
pub(crate) const DAFT: &str = "daft==0.7.26";

/// A virtual environment that one of the commands owns.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The environment called `name`, holding `packages`; it is made, or made anew, when the list changed.
    pub(crate) fn with_packages(shell: &Shell, name: &str, packages: &[&str]) -> Result<Self> {
        let folder = project::target().join("python").join(name);
        let environment = Self { folder };
        let stamp = environment.folder.join("packages.txt");
        let wanted = packages.join("\n");
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(environment);
        }
        let interpreter = find_interpreter()?;
        println!("\n=== virtual environment `{name}` ({})", packages.join(", "));
        if environment.folder.exists() {
            fs::remove_dir_all(&environment.folder)
                .with_context(|| format!("remove {}", environment.folder.display()))?;
        }
        let folder = &environment.folder;
        cmd!(shell, "{interpreter} -m venv {folder}")
            .quiet()
            .run()
            .context("`python -m venv` did not work; on Debian and Ubuntu the package python3-venv provides it")?;
        let python = environment.python();
        if !packages.is_empty() {
            cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check {packages...}")
                .quiet()
                .run()
                .context("pip could not install the packages; is a package index reachable?")?;
        }
        fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))?;
        Ok(environment)
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that one of its packages installed.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        if cfg!(windows) {
            self.folder.join("Scripts").join(format!("{name}.exe"))
        } else {
            self.folder.join("bin").join(name)
        }
    }

    /// The search path with its programs first.
    pub(crate) fn path(&self) -> Result<OsString> {
        let folder = self.program("python").parent().map(Path::to_path_buf).unwrap_or_default();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder).chain(std::env::split_paths(&others));
        std::env::join_paths(folders).context("the search path has a folder that cannot be in it")
    }

    /// Puts `wheel` in place of what stood there under its name.
    pub(crate) fn install_wheel(&self, shell: &Shell, wheel: &Path) -> Result<()> {
        let python = self.python();
        cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps {wheel}")
            .quiet()
            .run()
            .with_context(|| format!("install {}", wheel.display()))
    }
}

/// The first CPython >= 3.10 among `$PYTHON`, `python3` and `python3.x`.
fn find_interpreter() -> Result<PathBuf> {
    let mut tried = Vec::new();
    let named = std::env::var("PYTHON").ok();
    let candidates = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
    for candidate in named.as_deref().into_iter().chain(candidates) {
        match version_of(candidate) {
            Some((implementation, version)) if implementation == "CPython" && version >= OLDEST => {
                return Ok(candidate.into());
            }
            Some((implementation, (major, minor))) => {
                tried.push(format!("{candidate} is {implementation} {major}.{minor}"))
            }
            None => tried.push(format!("{candidate} does not run")),
        }
    }
    bail!(
        "CPython >= {}.{} is needed and was not found ({}); install one, or name it in the environment variable PYTHON",
        OLDEST.0,
        OLDEST.1,
        tried.join(", ")
    )
}

fn version_of(interpreter: &str) -> Option<(String, (u32, u32))> {
    let script = "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2])";
    let output = Command::new(interpreter).args(["-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace();
    let implementation = words.next()?.to_owned();
    Some((implementation, (words.next()?.parse().ok()?, words.next()?.parse().ok()?)))
}
