//! Without std, nobody else names the C library, whose start code the program begins in.

fn main() {
    println!("cargo::rustc-link-arg-bins=-lc");
}
