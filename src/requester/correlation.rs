//! Correlation-ids: a call's place in the table, sealed.
//!
//! ```text
//! 16 digits of seal, a dash, 8 of generation, 8 of slot: 0123456789abcdef-0000000200000007
//! ```
//!
//! The place leads a reply back to its call without a search. The seal is for whoever serves one of the
//! calls: all calls of a client share one reply address, so he could answer the others, if he could
//! guess their ids from his own.

use core::fmt;
use core::hash::Hasher;
#[allow(deprecated, reason = "what replaces it in std is not in core")]
use core::hash::SipHasher;

use super::calls::CallId;

/// Octets of a correlation-id.
pub(super) const LENGTH: usize = 33;

pub(super) type CorrelationId = [u8; LENGTH];

/// What the correlation-ids are sealed with.
pub(super) struct Secret(pub(super) u128);

impl Secret {
    /// SipHash-2-4 of the id, with the secret as its key.
    #[allow(deprecated, reason = "what replaces it in std is not in core")]
    pub(super) fn seal(&self, CallId { slot, generation }: CallId) -> u64 {
        let [high, low] = [self.0 >> 64, self.0 & u128::from(u64::MAX)];
        let [high, low] = [high, low].map(|half| u64::try_from(half).unwrap_or_default());
        let mut hasher = SipHasher::new_with_keys(high, low);
        let place = u64::from(generation) << 32 | u64::from(slot);
        hasher.write(&place.to_le_bytes());
        hasher.finish()
    }
}

/// Not derived: it would show.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The id on the wire.
pub(super) fn write(id: CallId, seal: u64) -> CorrelationId {
    let mut text = [b'-'; LENGTH];
    put(&mut text, SLOT, id.slot);
    write_anew(&mut text, id, seal);
    text
}

/// The next id of the same slot, whose digits stay.
pub(super) fn write_anew(text: &mut CorrelationId, id: CallId, seal: u64) {
    let [high, low] = halves(seal);
    put(text, 0, high);
    put(text, 8, low);
    put(text, GENERATION, id.generation);
}

/// Where the digits of the generation begin, behind those of the seal and the dash.
const GENERATION: usize = 17;

/// Where those of the slot begin.
const SLOT: usize = 25;

#[inline(always)]
fn put(text: &mut CorrelationId, at: usize, number: u32) {
    if let Some(place) = text.get_mut(at..at.saturating_add(8)) {
        place.copy_from_slice(&digits(number));
    }
}

/// The slot that an id names, or any if it is none.
#[inline]
pub(super) fn slot(text: &CorrelationId) -> u32 {
    text.get(SLOT..).map_or(0, number)
}

/// The id and the seal that were written so. Whether the seal is right is not looked at.
pub(super) fn read(text: &[u8]) -> Option<(CallId, u64)> {
    let text: &CorrelationId = text.try_into().ok()?;
    let (sealed, place) = text.split_at(GENERATION);
    let seal = u64::from(number(sealed)) << 32 | u64::from(number(sealed.get(8..)?));
    let id = CallId { generation: number(place), slot: slot(text) };
    // Whatever is no digit, or no dash, is written otherwise.
    (write(id, seal) == *text).then_some((id, seal))
}

fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight hexadecimal digits at once: each nibble gets an octet of its own.
#[inline]
fn digits(number: u32) -> [u8; 8] {
    let spread = u64::from(number);
    let spread = (spread << 16 | spread) & 0x0000_ffff_0000_ffff;
    let spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where the nibble is above 9, and no octet overflows into the next.
    let letters = (nibbles.wrapping_add(ONES.wrapping_mul(6)) >> 4) & ONES;
    let zeros = ONES.wrapping_mul(b'0'.into());
    let to_letters = letters.wrapping_mul((b'a' - b'0' - 10).into());
    nibbles.wrapping_add(zeros).wrapping_add(to_letters).to_be_bytes()
}

/// What eight digits say, or anything if they are none.
#[inline]
fn number(digits: &[u8]) -> u32 {
    let octets = u64::from_be_bytes(digits.first_chunk().copied().unwrap_or_default());
    let letters = (octets >> 6) & ONES;
    let nibbles = (octets & ONES.wrapping_mul(0x0f)).wrapping_add(letters.wrapping_mul(9));
    let pairs = (nibbles >> 4 | nibbles) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs >> 8 | pairs) & 0x0000_ffff_0000_ffff;
    let [.., a, b, c, d] = (fours >> 16 | fours).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn an_id_is_written_in_hexadecimal_and_read_again() {
        let numbers = [0, 9, 10, 15, 0x1234_5678, 0x9abc_def0, 0xf0e1_d2c3, u32::MAX];
        for (slot, generation) in numbers.into_iter().zip(numbers.into_iter().rev()) {
            let id = CallId { slot, generation };
            let seal = u64::from(generation) << 32 | u64::from(!slot);
            let text = write(id, seal);
            let expected = format!("{seal:016x}-{generation:08x}{slot:08x}");
            assert_eq!(core::str::from_utf8(&text), Ok(&*expected));
            assert_eq!(read(&text), Some((id, seal)));
        }
    }

    #[test]
    fn what_is_not_written_so_is_none() {
        let good = format!("{:016x}-{:08x}{:08x}", 0x0123_4567_89ab_cdef_u64, 2, 0xa);
        assert!(read(good.as_bytes()).is_some());
        // Each octet in turn is replaced by each other.
        for place in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            for octet in 0..=u8::MAX {
                bad[place] = octet;
                let is_digit = octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
                let is_right = if place == 16 { octet == b'-' } else { is_digit };
                assert_eq!(read(&bad).is_some(), is_right, "{}", bad.escape_ascii());
            }
        }
        for bad in [String::new(), good[1..].into(), format!("{good}0"), good.to_uppercase()] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }

    /// The key of the reference implementation, and eight octets of its messages: 00 01 02 ... 07.
    #[test]
    fn the_seal_is_siphash_2_4() {
        let secret = Secret(0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
        let id = CallId { slot: 0x0302_0100, generation: 0x0706_0504 };
        assert_eq!(secret.seal(id), 0x93f5_f579_9a93_2462);
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
