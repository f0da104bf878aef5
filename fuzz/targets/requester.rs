//! libFuzzer's entry to `leveret_fuzz::requester`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(requester);
