//! Octets as a reader of the specification writes them.

/// `"003c 0050 | 01'q'"` is the octets 00 3c 00 50 01 and the letter q: hexadecimal digits in
/// pairs, text between quotes. Blanks, line ends and bars only help the eye.
pub(crate) fn octets(notation: &str) -> Vec<u8> {
    notation
        .split('\'')
        .enumerate()
        .flat_map(|(part, text)| if part % 2 == 1 { text.into() } else { hexadecimal(text) })
        .collect()
}

fn hexadecimal(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter(|octet| !octet.is_ascii_whitespace() && *octet != b'|').collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "an odd number of digits in {text:?}");
    let octet = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.iter().map(octet).collect()
}
