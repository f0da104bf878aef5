//! What the fuzz targets check, as ordinary functions: octets in, a panic for what should never be.
//!
//! libFuzzer calls them with octets that it makes up (`cargo xtask fuzz`), `cargo test` with those
//! of the corpora and of every failure that was ever found. The targets in `targets/` are a line
//! each; built without libFuzzer, they run the files that they are given:
//!
//! ```sh
//! cargo run -p leveret-fuzz --bin frame -- path/to/crash
//! ```
//!
//! | target | what is fuzzed | what holds |
//! | --- | --- | --- |
//! | [`frame`] | octets | nothing is lost, and decoding, encoding, decoding comes to the same |
//! | [`fragmentation`] | octets and where they are cut | cuts change neither frames nor events nor errors |
//! | [`method`], [`properties`], [`table`] | values, octets | values survive the wire; octets allocate next to nothing |
//! | [`connection`] | a peer, time, commands | what is sent is valid, memory bounded, the end told once |
//! | [`requester`] | the same, and calls | each call ends once, in time, and is woken |
//! | [`responder`] | the same, and answers | each request is handed out, answered and settled once |
//! | [`broker`] | three clients | what is sent is valid, memory bounded, nothing outlives its client |
//! | [`uri`] | text | what is printed reads back the same, without the password |
//! | [`differential`] | frames | another codec understands the same |

pub mod broker;
pub mod connection;
pub mod differential;
pub mod fragmentation;
pub mod frame;
pub mod method;
pub mod properties;
pub mod requester;
pub mod responder;
pub mod table;
pub mod uri;

mod emitted;
mod limits;
mod peer;
mod scene;
mod script;

/// What a target does with octets: it panics if something is wrong.
pub type Check = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Check); 11] = [
    ("frame", frame::check),
    ("fragmentation", fragmentation::check),
    ("method", method::check),
    ("properties", properties::check),
    ("table", table::check),
    ("connection", connection::check),
    ("requester", requester::check),
    ("responder", responder::check),
    ("broker", broker::check),
    ("uri", uri::check),
    ("differential", differential::check),
];

/// The whole of a target: libFuzzer's entry, or else a program that runs files.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|octets: &[u8]| leveret_fuzz::$name::check(octets));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            leveret_fuzz::run_files(leveret_fuzz::$name::check)
        }
    };
}

/// Runs the files named on the command line.
///
/// # Errors
/// A file that cannot be read.
pub fn run_files(check: Check) -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        check(&std::fs::read(&file)?);
        println!("{}: nothing found", file.display());
    }
    Ok(())
}
