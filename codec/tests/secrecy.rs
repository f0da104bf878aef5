//! The methods that carry a password or a token do not show it: as themselves, in a frame, or in
//! what is wrong with their octets.

use std::fmt::Debug;

use bytes::BytesMut;
use leveret_codec::{FieldTable, Frame, LongStr, Method, RawFrame, Secret, ShortStr, connection};

const PASSWORD: &str = "open-sesame";

/// Frame header in octets.
const HEADER: usize = 7;

fn methods() -> [Method; 3] {
    let secret = || Secret(LongStr::from_static("\0alice\0open-sesame"));
    [
        connection::StartOk {
            client_properties: FieldTable::EMPTY,
            mechanism: ShortStr::from_static("PLAIN"),
            response: secret(),
            locale: ShortStr::from_static("en_US"),
        }
        .into(),
        connection::SecureOk { response: secret() }.into(),
        connection::UpdateSecret { new_secret: secret(), reason: ShortStr::EMPTY }.into(),
    ]
}

/// In words, or as the list of octets that a derived `Debug` makes of them.
#[track_caller]
fn assert_hidden(subject: &impl Debug) {
    for shown in [format!("{subject:?}"), format!("{subject:#?}").replace([' ', '\n'], "")] {
        let octets = format!("{:?}", PASSWORD.as_bytes());
        let octets = octets.trim_matches(['[', ']']);
        for form in [PASSWORD, octets, &octets.replace(' ', "")] {
            assert!(!shown.contains(form), "a password leaks: {shown}");
        }
    }
}

#[test]
fn whole_methods_and_frames_do_not_show_it() {
    for method in methods() {
        let frame = Frame::method(0, method.clone());
        let mut octets = BytesMut::new();
        frame.encode(&mut octets);
        assert!(octets.windows(PASSWORD.len()).any(|piece| piece == PASSWORD.as_bytes()));
        assert_hidden(&method);
        assert_hidden(&frame);
        assert_hidden(&RawFrame::decode(&mut octets, |_| u32::MAX).unwrap().unwrap());
    }
}

/// Cut off at each octet, and with each octet changed: in the frame and in the payload.
#[test]
fn no_error_over_their_octets_shows_it() {
    let mut errors = 0;
    for method in methods() {
        let mut whole = BytesMut::new();
        Frame::method(0, method).encode(&mut whole);
        // Miri takes a hundred times as long for each.
        for place in (0..whole.len()).step_by(if cfg!(miri) { 17 } else { 1 }) {
            let mut cut = whole.clone();
            cut.truncate(place);
            if place >= HEADER {
                let size = u32::try_from(place - HEADER).unwrap();
                cut[3..HEADER].copy_from_slice(&size.to_be_bytes());
                cut.extend([0xce]);
            }
            for changed in [0x00, 0x7f, 0xff] {
                let mut octets = whole.clone();
                octets[place] = changed;
                for mut octets in [octets, cut.clone()] {
                    match Frame::decode(&mut octets, 0x1_0000) {
                        Ok(frame) => assert_hidden(&frame),
                        Err(error) => {
                            errors += 1;
                            assert_hidden(&error);
                            assert!(!error.to_string().contains(PASSWORD), "{error}");
                        }
                    }
                }
            }
        }
    }
    assert!(errors > if cfg!(miri) { 5 } else { 100 }, "{errors} errors");
}
