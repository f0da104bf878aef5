//! libFuzzer's entry to `leveret_fuzz::method`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(method);
