//! Numbers as readers want them.

/// Three digits that say something, and the thousands apart: `0.0123`, `1.23`, `12.3`, `12,345`.
pub(crate) fn significant(number: f64) -> String {
    decimals(number, decimals_for(number))
}

fn decimals_for(number: f64) -> usize {
    match number.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        0.1.. => 2,
        0.01.. => 3,
        _ => 4,
    }
}

/// What something is a multiple of: `1.23`, `12.3`.
pub(crate) fn ratio(number: f64) -> String {
    significant(number)
}

/// Without needless decimals: `0.5`, `2,000`.
pub(crate) fn thousands(number: f64) -> String {
    let shortest = number.to_string();
    let digits = shortest.split_once('.').map_or(0, |(_, digits)| digits.len());
    decimals(number, digits)
}

/// With so many digits that it is seen to be on this or that side of the limit.
pub(crate) fn on_its_side_of(limit: f64, number: f64) -> String {
    let enough = |digits: &usize| {
        let rounded = format!("{number:.digits$}").parse::<f64>();
        rounded.is_ok_and(|rounded| rounded.total_cmp(&limit) == number.total_cmp(&limit))
    };
    let fewest = decimals_for(number);
    decimals(number, (fewest..10).find(enough).unwrap_or(10))
}

/// `64 B`, `16 KiB`, `1 MiB`
pub(crate) fn octets(number: u64) -> String {
    match number {
        0 => "0 B".to_owned(),
        _ if number.is_multiple_of(1 << 20) => format!("{} MiB", number >> 20),
        _ if number.is_multiple_of(1 << 10) => format!("{} KiB", number >> 10),
        _ => format!("{number} B"),
    }
}

fn decimals(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let groups = whole.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    let whole = groups.collect::<Vec<_>>().join(",");
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_something() {
        let shown = [0.0, 0.00123, 0.0123, 0.123, 1.234, 12.34, 123.4, 1234.5, 1234567.8];
        let shown = shown.map(significant);
        let texts = ["0", "0.0012", "0.012", "0.12", "1.23", "12.3", "123", "1,234", "1,234,568"];
        assert_eq!(shown, texts);
        assert_eq!(significant(-1234.0), "-1,234");
    }

    #[test]
    fn a_limit_is_shown_as_it_was_given() {
        assert_eq!(
            [0.5, 1.15, 3.0, 400.0, 2000.0].map(thousands),
            ["0.5", "1.15", "3", "400", "2,000"]
        );
    }

    #[test]
    fn rounding_takes_nobody_over_the_limit() {
        assert_eq!(on_its_side_of(1.3, 1.26), "1.26");
        assert_eq!(on_its_side_of(1.3, 1.3), "1.30");
        assert_eq!(on_its_side_of(1.3, 1.304), "1.304");
        assert_eq!(on_its_side_of(1.3, 1.2996), "1.2996");
        assert_eq!(on_its_side_of(400.0, 400.4), "400.4");
        assert_eq!(on_its_side_of(0.0, 0.0), "0");
    }

    #[test]
    fn sizes_have_their_units() {
        assert_eq!(
            [0, 64, 1024, 16 << 10, 1 << 20, 1000].map(octets),
            ["0 B", "64 B", "1 KiB", "16 KiB", "1 MiB", "1000 B"],
        );
    }
}
