//! The properties of a message that are there, by name.

use leveret_codec::{BasicProperties, FieldRef};

/// Calls `see` for each, in the order of the wire.
pub(super) fn for_each_property<'a>(
    properties: &'a BasicProperties,
    mut see: impl FnMut(&'static str, FieldRef<'a>),
) {
    macro_rules! each {
        ($($name:ident)*) => {
            // Taken apart as a whole, so that none can be forgotten.
            let BasicProperties { $($name),* } = properties;
            $(if let Some(value) = $name {
                see(stringify!($name), FieldRef::from(value));
            })*
        };
    }
    each! {
        content_type content_encoding headers delivery_mode priority correlation_id reply_to
        expiration message_id timestamp message_type user_id app_id cluster_id
    }
}
