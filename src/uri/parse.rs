//! From text to [`Uri`]: first where the parts are, then what each says.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use leveret_codec::{LongStr, Secret, ShortStr};

use super::percent::decode;
use super::query::Query;
use super::{Address, Uri, UriError};

const HOST: &str = "the host";
const PASSWORD: &str = "the password";
const USERNAME: &str = "the user";
const VIRTUAL_HOST: &str = "the virtual host";

pub(super) fn uri(text: &str) -> Result<Uri, UriError> {
    refuse_whitespace(text)?;
    let (is_tls, rest) = scheme(text)?;
    refuse_stray_delimiters(rest)?;

    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = match hierarchy.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (hierarchy, None),
    };
    let (userinfo, hosts) = match authority.split_once('@') {
        Some((userinfo, hosts)) => (Some(userinfo), hosts),
        None => (None, authority),
    };

    let (username, password) = userinfo.map_or_else(default_login, login)?;
    Ok(Uri {
        is_tls,
        username,
        password,
        addresses: addresses(hosts, if is_tls { 5671 } else { 5672 })?,
        virtual_host: virtual_host(path)?,
        query: Query::parse(query, is_tls)?,
    })
}

/// Nobody writes these on purpose; a line end at the end of a secret read from a file is common.
fn refuse_whitespace(text: &str) -> Result<(), UriError> {
    match text.find(|character: char| character.is_whitespace() || character.is_control()) {
        Some(offset) => Err(UriError::Whitespace { offset }),
        None => Ok(()),
    }
}

/// `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`. What has another form is no scheme, but
/// perhaps a user and the beginning of a password, so it is not quoted.
fn scheme(text: &str) -> Result<(bool, &str), UriError> {
    let (scheme, rest) = text.split_once("://").ok_or(UriError::MissingScheme)?;
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme.bytes().all(is_allowed)
    {
        return Err(UriError::MissingScheme);
    }
    match scheme.to_ascii_lowercase().as_str() {
        "amqp" => Ok((false, rest)),
        "amqps" => Ok((true, rest)),
        _ => Err(UriError::UnknownScheme { scheme: scheme.to_owned() }),
    }
}

/// A raw `@`, `#`, `/` or `?` in the password moves the limits of the parts. RFC 3986 allows `@`
/// in path and query; here it betrays a password that has run into them.
fn refuse_stray_delimiters(rest: &str) -> Result<(), UriError> {
    if let Some((before, after)) = rest.split_once('@')
        && (before.contains(['/', '?', '#']) || after.contains('@'))
    {
        return Err(UriError::AtSign);
    }
    if rest.contains('#') {
        return Err(UriError::Fragment);
    }
    Ok(())
}

/// RabbitMQ's default user, which it lets in from its own host only.
fn default_login() -> Result<(String, Secret), UriError> {
    Ok(("guest".to_owned(), Secret(LongStr::from_static("guest"))))
}

/// `amqp_userinfo = username [ ":" password ]`
fn login(userinfo: &str) -> Result<(String, Secret), UriError> {
    let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    if password.contains(':') {
        return Err(UriError::Colon);
    }
    let password = decode(password, PASSWORD)?;
    let (length, limit) = (password.len(), LongStr::MAX_LEN);
    let password =
        LongStr::new(password).map_err(|_| UriError::TooLong { part: PASSWORD, length, limit })?;
    Ok((decode(username, USERNAME)?, Secret(password)))
}

/// `host [ ":" port ] *( "," host [ ":" port ] )`: the nodes of a cluster, of which the specification
/// knows nothing. One may be empty, several may not.
fn addresses(hosts: &str, default_port: u16) -> Result<Vec<Address>, UriError> {
    let several = hosts.contains(',');
    let address = |host_and_port: &str| {
        if several && host_and_port.is_empty() {
            return Err(UriError::EmptyAddress);
        }
        let (host, port) = split_port(host_and_port)?;
        let port = decode_port(port)?.unwrap_or(default_port);
        Ok(Address { host: decode_host(host)?, port })
    };
    hosts.split(',').map(address).collect()
}

/// `host [ ":" port ]`, where an IPv6 host keeps its brackets.
fn split_port(host_and_port: &str) -> Result<(&str, &str), UriError> {
    if host_and_port.starts_with('[') {
        let (host, after) = host_and_port.rsplit_once(']').ok_or(UriError::Ipv6)?;
        let port = match after.strip_prefix(':') {
            Some(port) => port,
            None if after.is_empty() => "",
            None => return Err(UriError::Ipv6),
        };
        return Ok((host, port));
    }
    let (host, port) = host_and_port.split_once(':').unwrap_or((host_and_port, ""));
    if port.contains(':') { Err(UriError::UnbracketedHost) } else { Ok((host, port)) }
}

/// `host = "[" IPv6address [ "%25" ZoneID ] "]" / reg-name` (RFC 3986, 3.2.2, and RFC 6874). The
/// specification leaves open what an empty one means.
fn decode_host(host: &str) -> Result<String, UriError> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let decoded = decode(bracketed, HOST)?;
        let (address, _zone) = decoded.split_once('%').unwrap_or((&decoded, ""));
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(decoded),
            Err(_) => Err(UriError::Ipv6),
        };
    }
    match decode(host, HOST)? {
        empty if empty.is_empty() => Ok("localhost".to_owned()),
        host if host.contains(':') => Err(UriError::UnbracketedHost),
        host => Ok(host),
    }
}

/// `port = *DIGIT` (RFC 3986, 3.2.3): no digits are as good as none given.
fn decode_port(port: &str) -> Result<Option<u16>, UriError> {
    if port.is_empty() {
        return Ok(None);
    }
    // The standard parser would take a "+".
    if !port.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok(Some(port)),
    }
}

/// `vhost = segment`. Absent and empty are not the same.
fn virtual_host(path: Option<&str>) -> Result<ShortStr, UriError> {
    let Some(path) = path else { return Ok(ShortStr::from_static("/")) };
    if path.contains('/') {
        return Err(UriError::VirtualHostSlash);
    }
    let name = decode(path, VIRTUAL_HOST)?;
    let (length, limit) = (name.len(), ShortStr::MAX_LEN);
    ShortStr::new(name).map_err(|_| UriError::TooLong { part: VIRTUAL_HOST, length, limit })
}
