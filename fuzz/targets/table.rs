//! libFuzzer's entry to `leveret_fuzz::table`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(table);
