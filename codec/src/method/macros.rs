//! From the method table to structs, ids, decoding and encoding.

macro_rules! methods {
    ($(
        $(#[$class_doc:meta])*
        class $class:ident = $class_id:literal {$(
            $(#[$doc:meta])*
            $name:ident = $id:literal, $full_name:literal, $variant:ident {
                $([reserved $($before:ty),+])?
                $($field:ident: $type:ty, $field_doc:literal;)*
                $(=> [reserved $($after:ty),+])?
            }
        )*}
    )*) => {
        /// Any method, in either direction.
        #[derive(Debug, Clone, PartialEq)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[non_exhaustive]
        pub enum Method {$($(
            #[doc = concat!("`", $full_name, "`")]
            $variant($class::$name),
        )*)*}

        impl Method {
            /// The ids of class and method.
            pub fn id(&self) -> (u16, u16) {
                match self {
                    $($(Self::$variant(_) => ($class_id, $id),)*)*
                }
            }

            /// The name in the specification, such as "basic.deliver".
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$variant(_) => $full_name,)*)*
                }
            }

            /// The fields in the order of the wire, each with its name, such as "routing_key".
            /// Reserved ones are not among them.
            ///
            /// ```
            /// use leveret_codec::{FieldRef, Method, basic};
            ///
            /// let ack = Method::from(basic::Ack { delivery_tag: 7, multiple: false });
            /// let mut fields = Vec::new();
            /// ack.for_each_field(|name, value| fields.push((name, value)));
            /// let expected = [("delivery_tag", FieldRef::Number(7)), ("multiple", FieldRef::Bool(false))];
            /// assert_eq!(fields, expected);
            /// ```
            pub fn for_each_field<'a>(&'a self, mut see: impl FnMut(&'static str, FieldRef<'a>)) {
                match self {
                    $($(#[allow(unused_variables, reason = "methods without fields")]
                    Self::$variant(method) => {
                        $(see(stringify!($field), FieldRef::from(&method.$field));)*
                    })*)*
                }
            }

            /// `method-payload = class-id method-id *amqp-field`
            fn decode_fields(
                ids: (u16, u16),
                reader: &mut Reader<'_>,
            ) -> Result<Self, DecodeError> {
                match ids {
                    $($(($class_id, $id) => {
                        reader.rename($full_name);
                        $class::$name::decode_fields(&mut Fields::new(reader)).map(Self::$variant)
                    })*)*
                    (class, method) => Err(reader.error(Problem::UnknownMethod { class, method })),
                }
            }

            fn encode_fields(&self, out: &mut BytesMut) {
                match self {
                    $($(Self::$variant(method) => method.encode_fields(&mut FieldsMut::new(out)),)*)*
                }
            }
        }

        $(
            $(#[$class_doc])*
            pub mod $class {
                use super::*;
                $(
                    $(#[$doc])*
                    #[derive(Debug, Clone, Default, PartialEq, Eq)]
                    #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
                    pub struct $name {
                        $(#[doc = $field_doc] pub $field: $type,)*
                    }

                    impl From<$name> for Method {
                        fn from(method: $name) -> Self {
                            Self::$variant(method)
                        }
                    }

                    impl $name {
                        /// Appends the method as a frame, as [`Frame::encode`](crate::Frame::encode)
                        /// does, without being moved into one.
                        pub fn encode_frame(&self, channel: u16, out: &mut BytesMut) {
                            encode_frame(FrameKind::Method, channel, out, |out| {
                                let ids: [u16; 2] = [$class_id, $id];
                                ids.into_iter().for_each(|id| out.put_u16(id));
                                self.encode_fields(&mut FieldsMut::new(out));
                            });
                        }

                        #[allow(unused_variables, reason = "methods without fields")]
                        pub(super) fn decode_fields(
                            fields: &mut Fields<'_, '_>,
                        ) -> Result<Self, DecodeError> {
                            $($(<$before as Field>::decode_field(fields)?;)+)?
                            $(let $field = Field::decode_field(fields)?;)*
                            $($(<$after as Field>::decode_field(fields)?;)+)?
                            Ok(Self { $($field,)* })
                        }

                        #[allow(unused_variables, reason = "methods without fields")]
                        pub(super) fn encode_fields(&self, fields: &mut FieldsMut<'_>) {
                            $($(<$before>::default().encode_field(fields);)+)?
                            $(self.$field.encode_field(fields);)*
                            $($(<$after>::default().encode_field(fields);)+)?
                        }
                    }
                )*
            }
        )*
    };
}
