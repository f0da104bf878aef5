//! Bodies that show whose they are: a reply is a function of its request.

use bytes::{BufMut, Bytes, BytesMut};

/// The number of the call that a body is the request of.
pub fn number(body: &[u8]) -> Option<u32> {
    body.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

/// The request of a call: its number, the size of the reply that it wants, and so many octets that
/// are its own.
pub fn request(number: u32, size: usize, reply_size: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(size + 8);
    body.put_u32(number);
    body.put_u32(reply_size as u32);
    fill(&mut body, number, size);
    body.freeze()
}

/// The reply to a request, which is made of nothing else.
pub fn reply(request: &[u8]) -> Option<Bytes> {
    let (number, rest) = request.split_first_chunk()?;
    let (size, filling) = rest.split_first_chunk()?;
    let (number, size) = (u32::from_be_bytes(*number), u32::from_be_bytes(*size));
    let sum = filling.iter().fold(number, |sum, octet| sum.rotate_left(5) ^ u32::from(*octet));
    let mut body = BytesMut::with_capacity(size as usize + 8);
    body.put_u32(number);
    body.put_u32(sum);
    fill(&mut body, sum, size as usize);
    Some(body.freeze())
}

fn fill(body: &mut BytesMut, seed: u32, size: usize) {
    let word = seed.wrapping_mul(0x9e37_79b1).to_be_bytes();
    for start in (0..size).step_by(word.len()) {
        body.extend_from_slice(&word[..word.len().min(size - start)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_belongs_to_one_request() {
        let bodies = [request(1, 9, 5), request(2, 9, 5), request(1, 10, 5), request(1, 9, 6)];
        let replies: Vec<_> = bodies.iter().map(|body| reply(body).unwrap()).collect();
        for (index, one) in replies.iter().enumerate() {
            assert!(replies.iter().skip(index + 1).all(|other| one != other));
        }
        assert_eq!((bodies[0].len(), replies[0].len(), number(&bodies[1])), (17, 13, Some(2)));
    }
}
