//! [`Table`]: Markdown that can be read as it is, too.

use std::fmt;

pub(crate) struct Table {
    /// How many columns are words: those after them are numbers.
    words: usize,
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(words: usize, headings: [&str; N]) -> Self {
        Self { words, headings: headings.map(ToOwned::to_owned).into(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.headings.len(), "a cell a column");
        self.rows.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || [&self.headings].into_iter().chain(&self.rows);
        let width = |column: usize| {
            let widths = lines().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0).max(3)
        };
        let widths = (0..self.headings.len()).map(width).collect::<Vec<_>>();
        for (number, line) in lines().enumerate() {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                match column < self.words {
                    true => write!(f, "| {cell:<width$} ")?,
                    false => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                self.write_rule(f, &widths)?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn write_rule(&self, f: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
        for (column, width) in widths.iter().enumerate() {
            match column < self.words {
                true => write!(f, "| {:-<width$} ", "")?,
                false => write!(f, "| {:->width$} ", ":")?,
            }
        }
        writeln!(f, "|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_and_numbers_right() {
        let mut table = Table::new(1, ["who", "calls/s"]);
        table.row(["leveret".to_owned(), "1,234".to_owned()]);
        let text = "| who     | calls/s |\n\
                    | ------- | ------: |\n\
                    | leveret |   1,234 |\n";
        assert_eq!(table.to_string(), text);
    }
}
