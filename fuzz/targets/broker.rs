//! libFuzzer's entry to `leveret_fuzz::broker`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(broker);
