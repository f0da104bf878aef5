//! Python environments for the peers, one for each file of requirements.

use std::{path::PathBuf, process::Command};

use crate::{
    Result,
    peers::{Environment, require, succeeds},
    process::check,
};

/// The interpreters the peers run on. FastStream and Propan need different versions of
/// fast-depends, so each has an environment of its own.
pub(crate) struct Interpreters {
    modern: PathBuf,
    propan: PathBuf,
}

impl Interpreters {
    pub(crate) fn prepare() -> Result<Self> {
        Ok(Self {
            modern: interpreter("requirements.txt")?,
            propan: interpreter("requirements-propan.txt")?,
        })
    }

    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LEVERET_PYTHON", &self.modern).env("LEVERET_PYTHON_PROPAN", &self.propan)
    }
}

/// The interpreter of an environment that has these requirements installed.
fn interpreter(requirements: &str) -> Result<PathBuf> {
    let environment = Environment::new("python", requirements)?;
    let python = environment.directory.join("bin/python");
    // The interpreter it was made from may be gone since.
    if environment.is_complete() && succeeds(&python, ["-c", ""]) {
        return Ok(python);
    }

    // Debian packages Python without what `venv` needs, so both must be asked for.
    let has_venv = || succeeds("python3", ["-c", "import ensurepip, venv"]);
    if !require(&["python3-venv"], has_venv)? {
        return Err("the Python peers need python3 with venv: install the packages python3 and \
                    python3-venv, or pass --no-peers"
            .into());
    }
    environment.fill(|| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment.directory);
        check("python3 -m venv", &mut venv)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--no-input", "--requirement"])
            .arg(&environment.requirements);
        check("pip install", &mut pip)
    })?;
    Ok(python)
}
