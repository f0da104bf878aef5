//! libFuzzer's entry to `leveret_fuzz::differential`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(differential);
