//! [`Table`]: Markdown that can be read as it is, too.

use std::fmt;

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// Its heading.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    Words(&'static str),
    Numbers(&'static str),
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [Column; N]) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.columns.len(), "a cell a column");
        self.rows.push(cells.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings = self.columns.iter().map(|column| column.heading().to_owned()).collect();
        let lines = || [&headings].into_iter().chain(&self.rows);
        let width = |column: usize| {
            let widths = lines().map(|line: &Vec<String>| line[column].chars().count());
            widths.max().unwrap_or(0).max(3)
        };
        let widths = (0..self.columns.len()).map(width).collect::<Vec<_>>();
        for (number, line) in lines().enumerate() {
            for ((column, cell), width) in self.columns.iter().zip(line).zip(&widths) {
                match column {
                    Column::Words(_) => write!(f, "| {cell:<width$} ")?,
                    Column::Numbers(_) => write!(f, "| {cell:>width$} ")?,
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
        for (column, width) in self.columns.iter().zip(widths) {
            match column {
                Column::Words(_) => write!(f, "| {:-<width$} ", "")?,
                Column::Numbers(_) => write!(f, "| {:->width$} ", ":")?,
            }
        }
        writeln!(f, "|")
    }
}

impl Column {
    fn heading(self) -> &'static str {
        let (Self::Words(heading) | Self::Numbers(heading)) = self;
        heading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_and_numbers_right() {
        let mut table = Table::new([Column::Words("who"), Column::Numbers("calls/s")]);
        table.row(["leveret".to_owned(), "1,234".to_owned()]);
        let text = "| who     | calls/s |\n\
                    | ------- | ------: |\n\
                    | leveret |   1,234 |\n";
        assert_eq!(table.to_string(), text);
    }
}
