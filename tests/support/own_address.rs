//! An address of this machine that is no loopback.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;

/// What the machine goes by to others: to it as to them, a connection is no loopback.
pub(crate) fn own_address() -> IpAddr {
    let interfaces = nix::ifaddrs::getifaddrs().unwrap();
    let up = interfaces.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    let addresses = up.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    // A link-local one would need its interface's name.
    let is_usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    };
    addresses.filter(is_usable).min().expect(
        "this test needs an address that is not loopback, and no interface of this machine has one",
    )
}
