//! libFuzzer's entry to `leveret_fuzz::connection`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(connection);
