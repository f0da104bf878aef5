//! The proof that `leveret-codec` and Leveret's engines need no std.
//!
//! Whatever has a `#[panic_handler]` of its own cannot have std beside it: if one of the crates
//! beneath asks for std, on any machine, this one does not compile ("found duplicate lang item
//! `panic_impl`"), and for a target without std that crate does not either ("can't find crate for
//! `std`"). So that nothing is left out for want of use, it does with codec and engines what they
//! are for; as a program, it ends with 0 if all of that held.

#![no_std]

extern crate alloc;

mod codec;
mod session;

use core::ffi::c_int;
use core::panic::PanicInfo;

use static_alloc::Bump;

#[global_allocator]
static MEMORY: Bump<[u8; 0x10_0000]> = Bump::uninit();

/// Without an operating system there is nobody to tell, and nothing to go back to.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Where C's start code begins. Gives the number of the first check that failed, or 0.
#[allow(unsafe_code, reason = "a name that a linker finds is unsafe: it might be taken already")]
#[unsafe(no_mangle)]
pub extern "C" fn main() -> c_int {
    let checks = [
        codec::a_frame_is_read_as_it_was_written,
        codec::a_table_keeps_its_fields,
        codec::a_message_keeps_its_properties,
        codec::what_is_no_frame_is_refused,
        session::a_call_is_answered,
        session::a_call_that_nobody_answers_ends_in_time,
    ];
    (1..).zip(checks).find(|(_, check)| check().is_none()).map_or(0, |(number, _)| number)
}
