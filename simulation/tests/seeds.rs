//! Some hundred seeds, and that a seed is always the same run.

use leveret_simulation::run;

#[test]
fn nothing_is_wrong_with_the_first_seeds() {
    for seed in 0..200 {
        let run = run(seed, false);
        assert_eq!(run.violation, None);
        assert!(run.report.calls > 0, "seed {seed} makes no calls");
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        let [one, other] = [run(seed, true), run(seed, true)];
        assert!(one.story == other.story, "seed {seed} has two stories");
        assert!(one.story.lines().count() > 100, "seed {seed} has a story");
        assert_eq!(one.report.events, run(seed, false).report.events, "told or not");
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(run(1, true).story, run(2, true).story);
}
