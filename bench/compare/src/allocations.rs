//! An allocator that counts, once it is told to.

#![allow(unsafe_code, reason = "an allocator is wrapped")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Off, it costs a load and a branch.
static COUNTS: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts from now on. The figures of time are then worth less.
pub(crate) fn count() {
    COUNTS.store(true, Relaxed);
}

/// How many there have been, if they are counted. To make an allocation larger is one too.
pub(crate) fn counted() -> Option<u64> {
    COUNTS.load(Relaxed).then(|| ALLOCATIONS.load(Relaxed))
}

pub(crate) struct Counting;

fn one_more() {
    if COUNTS.load(Relaxed) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: all of it is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        one_more();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        one_more();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        one_more();
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}
