//! libFuzzer's entry to `leveret_fuzz::uri`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(uri);
