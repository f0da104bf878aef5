//! Every target over its corpus, and over every failure that was ever found.

use std::fs;
use std::path::{Path, PathBuf};

use leveret_fuzz::TARGETS;

/// The files of a target, in a fixed order.
fn files(kind: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn run(target: &str) {
    let (_, check) = TARGETS.into_iter().find(|(name, _)| *name == target).expect("a target");
    let corpus = files("corpus", target);
    assert!(corpus.len() >= 10, "a corpus of {} is hardly one", corpus.len());
    for file in corpus.into_iter().chain(files("regressions", target)) {
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn none_is_left_out() {
            assert_eq!([$(stringify!($name)),*], TARGETS.map(|(name, _)| name));
        }
    };
}

targets! {
    frame fragmentation method properties table connection requester responder broker uri
    differential
}

/// So that a folder of a target that was renamed does not lie there unused.
#[test]
fn every_folder_is_a_targets() {
    for kind in ["corpus", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = TARGETS.iter().any(|(target, _)| *target == name);
            assert!(known || name.starts_with('.'), "{kind}/{name} is no target's");
        }
    }
}
