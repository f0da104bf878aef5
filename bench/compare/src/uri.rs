//! `amqp://` URIs, for those that take none.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::Result;

pub(crate) struct Uri {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) virtual_host: String,
}

impl Uri {
    pub(crate) fn parse(uri: &str) -> Result<Self> {
        let uri = Url::parse(uri)?;
        let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from);
        let virtual_host = match uri.path() {
            "" | "/" => "/",
            path => &path[1..],
        };
        Ok(Self {
            host: uri.host_str().ok_or("the URI has no host")?.to_owned(),
            port: uri.port().unwrap_or(5672),
            user: decoded(uri.username())?,
            password: decoded(uri.password().unwrap_or_default())?,
            virtual_host: decoded(virtual_host)?,
        })
    }
}
