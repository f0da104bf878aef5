//! libFuzzer's entry to `leveret_fuzz::properties`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(properties);
