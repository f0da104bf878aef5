//! libFuzzer's entry to `leveret_fuzz::responder`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(responder);
