//! Python environments for the peers in `tests/peers`, built once for each set of requirements.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, cache, process, workspace};

/// The interpreters the peers run on. FastStream and Propan need different versions of
/// fast-depends, so each has an environment of its own.
pub(crate) struct Interpreters {
    modern: PathBuf,
    propan: PathBuf,
}

impl Interpreters {
    pub(crate) fn prepare() -> Result<Self> {
        Ok(Self {
            modern: environment("requirements.txt")?,
            propan: environment("requirements-propan.txt")?,
        })
    }

    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LEVERET_PYTHON", &self.modern).env("LEVERET_PYTHON_PROPAN", &self.propan)
    }
}

/// The interpreter of an environment that has these requirements installed.
fn environment(requirements: &str) -> Result<PathBuf> {
    let requirements = workspace().join("tests/peers").join(requirements);
    let directory = cache()?.join(format!("python-{:016x}", hash_of(&requirements)?));
    let python = directory.join("bin/python");
    let complete = directory.join("complete");
    // The interpreter it was made from may be gone since.
    if complete.exists() && succeeds(Command::new(&python).args(["-c", ""])) {
        return Ok(python);
    }

    eprintln!("xtask: installing {} for Python", requirements.display());
    require_venv()?;
    fs::create_dir_all(&directory)?;
    let _ = fs::remove_file(&complete);
    let mut venv = Command::new("python3");
    check("python3 -m venv", venv.args(["-m", "venv", "--clear"]).arg(&directory))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--no-input", "--requirement"])
        .arg(&requirements);
    check("pip install", &mut pip)?;
    fs::write(&complete, "")?;
    Ok(python)
}

fn hash_of(file: &Path) -> Result<u64> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Debian packages Python without what `venv` needs, so both must be asked for.
fn require_venv() -> Result {
    let has_venv = || succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    if has_venv() {
        return Ok(());
    }
    if nix::unistd::geteuid().is_root() && succeeds(Command::new("apt-get").arg("--version")) {
        eprintln!("xtask: installing the package python3-venv");
        check("apt-get update", Command::new("apt-get").args(["-qq", "update"]))?;
        let mut install = Command::new("apt-get");
        install
            .args(["-qq", "-y", "install", "python3-venv"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null());
        check("apt-get install python3-venv", &mut install)?;
        if has_venv() {
            return Ok(());
        }
    }
    Err("the Python peers need python3 with venv: install the packages python3 and python3-venv, \
         or pass --no-peers"
        .into())
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    process::run(command).is_ok_and(|status| status.success())
}

fn check(what: &str, command: &mut Command) -> Result {
    match process::run(command)? {
        status if status.success() => Ok(()),
        status => Err(format!("{what} failed: {status}").into()),
    }
}
