//! [`Random`]: names and addresses from a seed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use leveret_codec::ShortStr;

/// A generator of numbers that look random (splitmix64). Nothing here is a secret.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn octets(&mut self) -> [u8; 16] {
        let [high, low] = [self.next(), self.next()];
        ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
    }

    /// `prefix` with 22 characters of base64 for URLs, as in `amq.gen-...` and `amq.ctag-...`.
    pub(super) fn name(&mut self, prefix: &str) -> ShortStr {
        let random = URL_SAFE_NO_PAD.encode(self.octets());
        ShortStr::truncated(&alloc::format!("{prefix}{random}"))
    }
}
