//! What the peers in `tests/peers` run on: installed once for each set of requirements, and kept
//! in the cache.

use std::{
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result, cache,
    node::Packages,
    process::{self, check},
    python::Interpreters,
    summary::Summary,
    workspace,
};

pub(crate) struct Peers {
    python: Interpreters,
    node: Packages,
}

impl Peers {
    pub(crate) fn prepare(summary: &mut Summary) -> Option<Self> {
        let python = summary.phase("none", "python", Interpreters::prepare);
        let node = summary.phase("none", "node", Packages::prepare);
        Some(Self { python: python?, node: node? })
    }

    /// Tells a test where all this is.
    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.node.describe_to(self.python.describe_to(command))
    }
}

/// A directory of the cache for what one file of `tests/peers` requires.
pub(crate) struct Environment {
    pub(crate) requirements: PathBuf,
    pub(crate) directory: PathBuf,
}

impl Environment {
    pub(crate) fn new(kind: &str, requirements: &str) -> Result<Self> {
        let requirements = workspace().join("tests/peers").join(requirements);
        let directory = cache()?.join(format!("{kind}-{:016x}", hash_of(&requirements)?));
        Ok(Self { requirements, directory })
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.marker().exists()
    }

    /// Has it filled anew.
    pub(crate) fn fill(&self, install: impl FnOnce() -> Result) -> Result {
        eprintln!("xtask: installing what {} asks for", self.requirements.display());
        fs::create_dir_all(&self.directory)?;
        let _ = fs::remove_file(self.marker());
        install()?;
        fs::write(self.marker(), "")?;
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.directory.join("complete")
    }
}

fn hash_of(file: &Path) -> Result<u64> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Has Debian packages installed for what is not there, if that is possible. Whether it is there.
pub(crate) fn require(packages: &[&str], is_there: impl Fn() -> bool) -> Result<bool> {
    if is_there() {
        return Ok(true);
    }
    let may_install = nix::unistd::geteuid().is_root() && succeeds("apt-get", ["--version"]);
    if !may_install {
        return Ok(false);
    }
    eprintln!("xtask: installing the packages {}", packages.join(", "));
    check("apt-get update", Command::new("apt-get").args(["-qq", "update"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["-qq", "-y", "--no-install-recommends", "install"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null());
    check("apt-get install", &mut install)?;
    Ok(is_there())
}

pub(crate) fn succeeds<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    process::run(&mut command).is_ok_and(|status| status.success())
}
