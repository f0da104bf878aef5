//! libFuzzer's entry to `leveret_fuzz::fragmentation`.

#![cfg_attr(fuzzing, no_main)]

leveret_fuzz::target!(fragmentation);
