//! The command `decode`.

use crate::common::Common;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

pub(crate) async fn run(_options: &Options, _common: &Common) -> Result<(), Failure> {
    Err(Failure::other("not yet"))
}
