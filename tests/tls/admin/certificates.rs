//! Certificates that are no proof of who answers.

use leveret::TlsError;
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};

use crate::authority::{Authority, Issued};
use crate::port::Port;
use crate::refusal;

#[tokio::test]
async fn one_that_an_unknown_ca_has_signed() {
    let certificate = Authority::new().broker(&["localhost"]);
    let port = Port::new(&certificate).await;
    // Another CA of the same name, and the system's.
    for options in [Authority::new().trusted(), leveret::TlsOptions::new()] {
        let (error, text) = refusal(&port.url(), options).await;
        assert_eq!(error, TlsError::UnknownIssuer);
        assert_eq!(
            text,
            "the broker's certificate is signed by no CA that is trusted here: if the CA is your \
             own, name it with the query parameter cacertfile, or with TlsOptions; if it is not, \
             somebody else may be answering"
        );
    }
}

#[tokio::test]
async fn one_that_has_expired() {
    let authority = Authority::new();
    let certificate = valid(&authority, 2020, 2021);
    let port = Port::new(&certificate).await;
    let (error, text) = refusal(&port.url(), authority.trusted()).await;
    let TlsError::Expired { since } = error else { panic!("{error:?}") };
    let days = since.as_secs() / 86_400;
    assert!(days > 1500, "{since:?}");
    assert_eq!(
        text,
        format!(
            "the broker's certificate, or its CA's, expired {days} days ago by this machine's \
             clock: renew it, or set the clock"
        )
    );
}

#[tokio::test]
async fn one_that_is_not_valid_yet() {
    let authority = Authority::new();
    let certificate = valid(&authority, 2999, 3000);
    let port = Port::new(&certificate).await;
    let (error, text) = refusal(&port.url(), authority.trusted()).await;
    let TlsError::NotYetValid { until } = error else { panic!("{error:?}") };
    let days = until.as_secs() / 86_400;
    assert!(days > 300_000, "{until:?}");
    assert_eq!(
        text,
        format!(
            "the broker's certificate, or its CA's, is not valid before {days} days from now by \
             this machine's clock: set the clock, or have it issued anew"
        )
    );
}

#[tokio::test]
async fn one_for_another_host() {
    let authority = Authority::new();
    for (names, expected) in [
        (&["rabbit.example"][..], "rabbit.example"),
        (&["one.example", "*.two.example", "10.1.2.3"], "one.example, *.two.example, 10.1.2.3"),
        (&["::1"], "::1"),
        (&[], "no host"),
    ] {
        let certificate = authority.broker(names);
        let port = Port::new(&certificate).await;
        for host in ["localhost", "127.0.0.1"] {
            let (error, text) = refusal(&port.url_at(host), authority.trusted()).await;
            assert_eq!(
                error,
                TlsError::WrongName {
                    expected: host.to_owned(),
                    presented: names.iter().map(ToString::to_string).collect(),
                }
            );
            assert_eq!(
                text,
                format!(
                    "the broker's certificate is for {expected}, and not for {host}: connect to a \
                     name that it is for, or say which it is to be, with the query parameter \
                     server_name_indication or with TlsOptions"
                )
            );
        }
    }
}

/// As `openssl req -x509` makes it, and then trusted itself.
#[tokio::test]
async fn one_that_has_signed_itself() {
    let authority = Authority::new();
    let certificate = authority.issue(&["localhost"], |parameters| {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let port = Port::new(&certificate).await;
    let (error, text) = refusal(&port.url(), authority.trusted()).await;
    assert_eq!(error, TlsError::CaAsBroker);
    assert_eq!(
        text,
        "the broker's certificate is a CA's own, which is to sign others: sign one for the broker \
         with it (basicConstraints CA:FALSE)"
    );
}

fn valid(authority: &Authority, from: i32, until: i32) -> Issued {
    authority.issue(&["localhost"], |parameters: &mut CertificateParams| {
        parameters.not_before = date_time_ymd(from, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
    })
}
