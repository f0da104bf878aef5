//! A report as text.

use std::fmt::{self, Display, Formatter};

use super::report::Report;

pub(super) struct Text<'a>(pub(super) &'a Report);

/// The longest bar of the histogram.
const WIDTH: u64 = 40;

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        let counts = &report.counts;
        let (succeeded, failed) = (counts.succeeded(), counts.failed());
        writeln!(f, "Calls    {}: {succeeded} succeeded, {failed} failed", report.calls())?;
        writeln!(f, "Time     {:.3} s", report.seconds)?;
        write!(f, "Rate     {:.1} calls/s", report.rate())?;
        match report.load.rate {
            Some(rate) => writeln!(f, ", {rate} asked for")?,
            None => writeln!(f)?,
        }
        if report.missed() > 0 {
            let callers = report.load.concurrency;
            writeln!(
                f,
                "Missed   {}: due while all {callers} callers were waiting",
                report.missed()
            )?;
        }
        latencies(report, f)?;
        histogram(report, f)?;
        errors(report, f)
    }
}

fn latencies(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let latencies = report.latencies();
    if latencies.is_empty() {
        return Ok(());
    }
    let from = if report.load.rate.is_some() { ", from when each call was due" } else { "" };
    writeln!(f, "\nLatency{from}")?;
    latencies.into_iter().try_for_each(|(name, value)| writeln!(f, "  {name:<8}{}", time(value)))
}

fn histogram(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let rows = report.histogram();
    let Some(most) = rows.iter().map(|(_, count)| *count).max() else { return Ok(()) };
    writeln!(f, "\nHistogram")?;
    for (up_to, count) in rows {
        // Where there is anything, something shows.
        let bar = count.saturating_mul(WIDTH).div_ceil(most.max(1));
        let bar = "■".repeat(usize::try_from(bar).unwrap_or_default());
        writeln!(f, "{}", format!("  {:>10} {count:>9}  {bar}", time(up_to)).trim_end())?;
    }
    Ok(())
}

fn errors(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let errors = &report.counts.errors;
    if errors.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nErrors")?;
    for (kind, errors) in errors {
        writeln!(f, "  {kind:<17}{:>9}  {}", errors.count, errors.text)?;
    }
    Ok(())
}

/// Milliseconds, in the unit that suits them.
fn time(milliseconds: f64) -> String {
    match milliseconds {
        m if m < 1.0 => format!("{:.1} µs", m * 1e3),
        m if m < 1e3 => format!("{m:.2} ms"),
        m => format!("{:.2} s", m / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_unit_that_suits_them() {
        assert_eq!([0.0123, 1.5, 2345.6].map(time), ["12.3 µs", "1.50 ms", "2.35 s"]);
    }
}
