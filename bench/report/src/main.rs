//! Tables and plots from what `leveret-bench` has measured: `leveret-bench-report --help`.

mod bounds;
mod details;
mod numbers;
mod overview;
mod pictures;
mod plot;
mod record;
mod results;
mod table;
#[cfg(test)]
mod testing;

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::Parser;

use self::{record::Record, results::Results};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Makes tables in Markdown and plots in SVG of what was measured
#[derive(Parser)]
struct Cli {
    /// What was measured, all of it on one machine
    #[arg(required = true, value_name = "FILE.json")]
    files: Vec<PathBuf>,

    /// Where tables and plots go
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leveret-bench-report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result {
    let mut records = Vec::new();
    for file in &cli.files {
        let read = || -> Result<Record> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
        records.push(read().map_err(|error| format!("{}: {error}", file.display()))?);
    }
    let results = Results::new(records)?;
    fs::create_dir_all(&cli.output)?;
    let pictures = pictures::draw(&results)?;
    for picture in &pictures {
        fs::write(cli.output.join(&picture.file), &picture.svg)?;
    }
    fs::write(cli.output.join("README.md"), overview::write(&results, &pictures))?;
    fs::write(cli.output.join("details.md"), details::write(&results))?;
    Ok(())
}
