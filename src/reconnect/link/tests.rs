//! Pauses, addresses and states, in virtual time.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use super::*;
use crate::connection::ConnectionError;

use alloc::string::ToString;
use alloc::vec::Vec;

fn at(milliseconds: u64) -> Instant {
    Instant::from_start(Duration::from_millis(milliseconds))
}

fn unreachable() -> SessionError {
    SessionError::Unreachable { reason: "nobody there".to_string() }
}

fn refused() -> SessionError {
    ConnectionError::LoginRefused { text: "no".to_string() }.into()
}

fn link(policy: Reconnect, addresses: usize) -> Link {
    let connect_timeout = Duration::from_secs(10);
    Link::new(Reconnecting { policy, addresses, connect_timeout, seed: 7 }, 0)
}

/// One that has been ready for a long time until now.
fn ready(policy: Reconnect, addresses: usize) -> Link {
    let mut link = link(policy, addresses);
    link.ready(at(0));
    link
}

const LATER: u64 = 100_000;

/// What comes of so many failed attempts: addresses, and the pauses before them.
fn attempts(link: &mut Link, cause: &SessionError, count: usize) -> Vec<(usize, Duration)> {
    let mut now = at(LATER);
    assert!(link.lost(now, &unreachable()));
    let mut attempts = Vec::new();
    for _ in 0..count {
        let due = link.poll_timeout(true).unwrap();
        if due > now {
            let early = Instant::from_start(due.since_start() - Duration::from_nanos(1));
            assert_eq!(link.poll_connect(early), None);
        }
        let address = link.poll_connect(due).unwrap();
        attempts.push((address, due.since(now)));
        now = due;
        assert_eq!(link.poll_connect(now), None, "one at a time");
        assert!(link.lost(now, cause));
    }
    attempts
}

#[track_caller]
fn assert_within(pause: Duration, longest: u64) {
    let longest = Duration::from_millis(longest);
    assert!(pause <= longest && pause >= longest / 2, "{pause:?} of {longest:?}");
}

#[test]
fn pauses_double_up_to_the_longest_and_are_shortened_at_random() {
    let attempts = attempts(&mut ready(Reconnect::default(), 1), &unreachable(), 8);
    let longest = [50, 50, 100, 200, 400, 800, 1000, 1000];
    for (&(address, pause), longest) in attempts.iter().zip(longest) {
        assert_eq!(address, 0);
        assert_within(pause, longest);
    }
    assert_ne!(attempts[6].1, attempts[7].1, "they differ");
}

#[test]
fn no_two_links_pause_alike() {
    let pause = |seed| {
        let settings = Reconnecting { seed, ..link(Reconnect::default(), 1).settings };
        let mut link = Link::new(settings, 0);
        link.ready(at(0));
        link.lost(at(LATER), &unreachable());
        link.poll_timeout(true).unwrap()
    };
    assert_eq!(pause(1), pause(1), "the same seed makes the same pauses");
    let mut pauses: Vec<Instant> = (0..100).map(pause).collect();
    pauses.sort_unstable();
    pauses.dedup();
    assert_eq!(pauses.len(), 100);
}

#[test]
fn addresses_are_tried_in_turn_and_only_a_whole_round_is_followed_by_a_pause() {
    let attempts = attempts(&mut ready(Reconnect::default(), 3), &unreachable(), 7);
    let addresses: Vec<usize> = attempts.iter().map(|(address, _)| *address).collect();
    assert_eq!(addresses, [1, 2, 0, 1, 2, 0, 1], "the next, not the one that was lost");
    for (index, longest) in [50, 0, 0, 50, 0, 0, 100].into_iter().enumerate() {
        assert_within(attempts[index].1, longest);
    }
}

#[test]
fn refusals_are_repeated_slowly() {
    let attempts = attempts(&mut ready(Reconnect::default(), 1), &refused(), 13);
    assert_within(attempts[6].1, 1600);
    assert_within(attempts[12].1, 30_000);
}

#[test]
fn a_refusal_after_a_long_absence_is_the_first() {
    let mut link = ready(Reconnect::default(), 1);
    attempts(&mut link, &unreachable(), 100);
    assert!(link.poll_connect(at(2 * LATER)).is_some());
    assert!(link.lost(at(2 * LATER), &refused()));
    assert_within(link.poll_timeout(true).unwrap().since(at(2 * LATER)), 50);
}

#[test]
fn or_not_at_all_by_choice() {
    let strict = Reconnect::default().give_up_when_refused();
    let mut link = ready(strict, 1);
    assert!(link.lost(at(LATER), &unreachable()));
    assert_eq!(link.poll_connect(at(2 * LATER)), Some(0));
    assert!(!link.lost(at(2 * LATER), &refused()));
    assert_eq!((link.poll_timeout(true), link.poll_connect(at(3 * LATER))), (None, None));
}

#[test]
fn never_is_never() {
    assert!(!ready(Reconnect::never(), 1).lost(at(LATER), &unreachable()));
}

#[test]
fn what_was_never_ready_is_not_tried_again() {
    assert!(!link(Reconnect::default(), 1).lost(at(LATER), &unreachable()));
}

/// Else a broker that drops every connection once it is ready would be asked twenty times a second.
#[test]
fn a_connection_that_was_ready_for_a_moment_counts_as_a_failure() {
    let mut link = ready(Reconnect::default(), 1);
    let mut now = at(0);
    for longest in [50, 100, 200, 400, 800, 1000] {
        assert!(link.lost(now, &unreachable()));
        let due = link.poll_timeout(true).unwrap();
        assert_within(due.since(now), longest);
        now = due;
        assert_eq!(link.poll_connect(now), Some(0));
        assert!(link.connected(now).is_some());
        link.ready(now);
    }
    now = now.after(GOOD_LONG_TIME);
    assert!(link.lost(now, &unreachable()));
    assert_within(link.poll_timeout(true).unwrap().since(now), 50);
}

#[test]
fn an_attempt_has_the_connect_timeout_from_its_beginning_until_it_is_ready() {
    let mut link = ready(Reconnect::default(), 1);
    link.lost(at(LATER), &unreachable());
    let began = at(LATER + 50);
    assert_eq!(link.poll_connect(began), Some(0));
    let connected = began.after(Duration::from_secs(4));
    assert_eq!(link.connected(connected), Some(Duration::from_secs(6)));
    let deadline = began.after(Duration::from_secs(10));
    assert_eq!(link.poll_timeout(true), Some(deadline));
    assert!(!link.is_too_slow(connected) && link.is_too_slow(deadline));
    link.ready(connected);
    assert!(!link.is_too_slow(deadline));
    assert_eq!(link.poll_timeout(true), None);
}

#[test]
fn it_says_how_far_it_is() {
    let mut it = link(Reconnect::default(), 1);
    assert_eq!(it.connection_state(None, None), ConnectionState::Connecting);
    it.ready(at(0));
    assert_eq!(it.connection_state(None, None), ConnectionState::Connected);
    let reason = "low on memory".to_string();
    assert_eq!(it.connection_state(None, Some(&reason)), ConnectionState::Blocked { reason });
    it.lost(at(LATER), &unreachable());
    it.poll_connect(at(2 * LATER));
    it.lost(at(2 * LATER), &refused());
    let expected = ConnectionState::Reconnecting { cause: refused(), failures: 1 };
    assert_eq!(it.connection_state(None, None), expected);
    let cause = Some(unreachable());
    let expected = ConnectionState::Closed { cause };
    assert_eq!(it.connection_state(Some(&Err(unreachable())), None), expected);
    let expected = ConnectionState::Closed { cause: None };
    assert_eq!(it.connection_state(Some(&Ok(())), None), expected);
}

#[test]
fn the_longest_pauses_there_are_do_no_harm() {
    let patient = Reconnect::default()
        .first_pause(Duration::MAX)
        .max_pause(Duration::MAX)
        .max_pause_when_refused(Duration::MAX);
    let mut link = ready(patient, usize::MAX);
    assert!(link.lost(at(LATER), &refused()));
    assert!(link.poll_timeout(true).is_some());
}

#[test]
fn a_pause_of_nothing_is_a_short_one() {
    let hasty = Reconnect::default().first_pause(Duration::ZERO).max_pause(Duration::ZERO);
    assert_eq!(hasty.pause(1, false), Duration::from_millis(1));
    assert_eq!(Reconnect::default().first_pause(Duration::ZERO).pause(5, false).as_millis(), 16);
}
