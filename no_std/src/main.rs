//! The library as a program: its `main` is what C's start code calls.

#![no_std]
#![no_main]

extern crate leveret_no_std as _;
