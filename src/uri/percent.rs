//! Percent-encoding (RFC 3986, 2.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::UriError;

/// Decodes `text`, which is `part` of a URI. The result holds no octet 0.
pub(super) fn decode(text: &str, part: &'static str) -> Result<String, UriError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(if octet == b'%' {
            hexadecimal(rest.next(), rest.next()).ok_or(UriError::Percent { part })?
        } else {
            octet
        });
    }
    if octets.contains(&0) {
        return Err(UriError::Nul { part });
    }
    String::from_utf8(octets).map_err(|_| UriError::NotUtf8 { part })
}

fn hexadecimal(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| digit.try_into().ok());
    let (high, low): (u8, u8) = (digit(high?)?, digit(low?)?);
    Some(high << 4 | low)
}

/// Octets as they may stand in any part of a URI: unreserved characters as they are, the others
/// percent-encoded.
pub(super) struct Encoded<'a>(pub(super) &'a [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in self.0 {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(f, "{}", char::from(octet))?;
                }
                _ => write!(f, "%{octet:02x}")?,
            }
        }
        Ok(())
    }
}
