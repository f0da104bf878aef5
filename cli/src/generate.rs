//! `completions` and `man`: what is generated from the command line's own description.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Cli;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that is to complete
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Write the pages of all commands into this directory, which is made if there is none
    #[arg(long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,
}

pub(crate) fn completions(options: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "leveret", &mut script);
    print(&script)
}

pub(crate) fn manual(options: &Manual) -> Result<(), Failure> {
    let Some(directory) = &options.output else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::other(format!("the page cannot be made: {error}")))?;
        return print(&page);
    };
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(|error| {
            Failure::other(format!("cannot write to {}: {error}", directory.display()))
        })
}

/// To stdout, as it is.
pub(crate) fn print(octets: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(octets).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)
}
