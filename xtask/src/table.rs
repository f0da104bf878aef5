//! [`Table`]: what tests have measured, in columns.

use std::fmt;

/// A table in Markdown.
pub(crate) struct Table<'a> {
    pub(crate) headings: &'a [&'a str],
    /// How many columns are words: all others are numbers.
    pub(crate) words: usize,
    pub(crate) rows: &'a [Vec<&'a str>],
}

/// The longest cell. What is to be shown may be longer.
const WIDTH: usize = 90;

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown_row = |row: &Vec<&str>| row.iter().copied().map(shown).collect::<Vec<_>>();
        let rows = self.rows.iter().map(shown_row).collect::<Vec<_>>();
        let headings = self.headings.iter().copied().map(shown).collect::<Vec<_>>();
        let mut widths = self.headings.iter().map(|heading| heading.len()).collect::<Vec<_>>();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.write_row(f, &widths, &headings)?;
        let rule = |(column, width): (usize, &usize)| match column < self.words {
            true => "-".repeat(*width),
            false => "-".repeat(width.saturating_sub(1)) + ":",
        };
        let rule = widths.iter().enumerate().map(rule).collect::<Vec<_>>();
        writeln!(f, "| {} |", rule.join(" | "))?;
        rows.iter().try_for_each(|row| self.write_row(f, &widths, row))
    }
}

impl Table<'_> {
    fn write_row(
        &self,
        f: &mut fmt::Formatter<'_>,
        widths: &[usize],
        cells: &[String],
    ) -> fmt::Result {
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let edge = if column == 0 { "|" } else { "" };
            match column < self.words {
                true => write!(f, "{edge} {cell:<width$} |")?,
                false => write!(f, "{edge} {cell:>width$} |")?,
            }
        }
        writeln!(f)
    }
}

/// A cell that keeps the table together: no bar, nothing that a terminal obeys, not too long.
fn shown(cell: &str) -> String {
    let plain = cell.chars().map(|char| match char {
        '|' => '/',
        char if char.is_control() => '\u{fffd}',
        char => char,
    });
    let mut text = plain.take(WIDTH + 1).collect::<String>();
    if text.chars().count() > WIDTH {
        text = text.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    text
}
