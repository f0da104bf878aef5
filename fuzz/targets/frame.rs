//! libFuzzer's entry to `leveret_fuzz::frame`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(frame);
