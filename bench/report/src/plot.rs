//! [`Plot`]: panels side by side, with logarithmic axes and one scale upwards.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::BindKeyPoints as _;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Result;
use crate::numbers::thousands;
use crate::record::Implementation;

pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: String,
    pub(crate) y: String,
    /// What the styles of lines stand for; one without a name needs no legend.
    pub(crate) styles: Vec<String>,
    pub(crate) panels: Vec<Panel>,
}

pub(crate) struct Panel {
    pub(crate) title: String,
    /// Where something is written on the axis from left to right.
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    pub(crate) implementation: Implementation,
    /// The first is solid, the second has dashes.
    pub(crate) style: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (960, 440);
/// What title and legend take.
const HEAD: u32 = 64;
const MARGIN: i32 = 16;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);

impl Plot {
    pub(crate) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(HEAD);
        self.draw_head(&head)?;
        for (area, panel) in body.split_evenly((1, self.panels.len())).iter().zip(&self.panels) {
            self.draw_panel(area, panel)?;
        }
        root.present()?;
        drop((head, body, root));
        Ok(svg)
    }

    /// The title, and below it what colours and dashes stand for.
    fn draw_head(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result {
        let title = TextStyle::from((FONT, 18).into_font()).color(&INK);
        area.draw_text(&self.title, &title, (MARGIN, 10))?;

        let y = 48;
        let mut x = MARGIN;
        let mut entry = |name: &str, color: RGBColor, style: usize| -> Result {
            let ends = [(x, y), (x + 30, y)];
            match style {
                0 => area.draw(&PathElement::new(ends, color.stroke_width(3)))?,
                _ => area.draw(&DashedPathElement::new(ends, 6, 4, color.stroke_width(2)))?,
            }
            let left = Pos::new(HPos::Left, VPos::Center);
            let label = TextStyle::from((FONT, 14).into_font()).color(&INK).pos(left);
            area.draw_text(name, &label, (x + 38, y))?;
            x += 120;
            Ok(())
        };
        for implementation in self.implementations() {
            entry(&implementation.to_string(), color(implementation), 0)?;
        }
        for (style, name) in self.styles.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            entry(name, INK, style)?;
        }
        Ok(())
    }

    fn implementations(&self) -> Vec<Implementation> {
        let lines = self.panels.iter().flat_map(|panel| &panel.lines);
        let is_shown = |one: &Implementation| lines.clone().any(|it| it.implementation == *one);
        Implementation::ALL.into_iter().filter(is_shown).collect()
    }

    fn draw_panel(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel) -> Result {
        let columns = panel.ticks.iter().map(|(x, _)| *x).collect::<Vec<_>>();
        let label = |x: &f64| {
            let tick = panel.ticks.iter().find(|(tick, _)| tick == x);
            tick.map(|(_, label)| label.clone()).unwrap_or_default()
        };
        let upwards = self.upwards();
        let rows = ticks(&upwards);

        let title = TextStyle::from((FONT, 14).into_font()).color(&INK);
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .caption(&panel.title, title.clone())
            .x_label_area_size(44)
            .y_label_area_size(76)
            .build_cartesian_2d(
                around(&columns).log_scale().with_key_points(columns),
                upwards.log_scale().with_key_points(rows),
            )?;
        chart
            .configure_mesh()
            .axis_style(INK)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(TextStyle::from((FONT, 13).into_font()).color(&INK))
            .axis_desc_style(title)
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_label_formatter(&label)
            .y_label_formatter(&|y| thousands(*y))
            .draw()?;
        for Line { implementation, style, points } in &panel.lines {
            let color = color(*implementation);
            let points = points.iter().copied();
            match style {
                0 => {
                    let width = color.stroke_width(3);
                    chart.draw_series(LineSeries::new(points.clone(), width))?;
                }
                _ => {
                    let width = color.stroke_width(2);
                    chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, width))?;
                }
            }
            chart.draw_series(points.map(|point| Circle::new(point, 4, color.filled())))?;
        }
        Ok(())
    }

    /// What all points of all panels lie in, and the marks next to them.
    fn upwards(&self) -> Range<f64> {
        let lines = self.panels.iter().flat_map(|panel| &panel.lines);
        let ys = lines.flat_map(|line| &line.points).map(|(_, y)| *y).collect::<Vec<_>>();
        let least = ys.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ys.iter().copied().fold(0.0, f64::max);
        marks().rfind(|mark| *mark <= least * 0.95).unwrap_or(least)
            ..marks().find(|mark| *mark >= most * 1.05).unwrap_or(most)
    }
}

/// Told apart by those who see few colours, too.
fn color(implementation: Implementation) -> RGBColor {
    match implementation {
        Implementation::Leveret => RGBColor(0xd5, 0x5e, 0x00),
        Implementation::Lapin => RGBColor(0x00, 0x72, 0xb2),
        Implementation::Amqprs => RGBColor(0x00, 0x9e, 0x73),
        Implementation::Floor => RGBColor(0x99, 0x99, 0x99),
        Implementation::FullFloor => RGBColor(0x56, 0x56, 0x56),
    }
}

/// 0.001, 0.002, 0.005, 0.01 and so on.
fn marks() -> impl DoubleEndedIterator<Item = f64> {
    (-3..=9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| round_mark(digit, power)))
}

/// As it is written: ten to a power is not always that.
fn round_mark(digit: f64, power: i32) -> f64 {
    match power {
        0.. => digit * 10f64.powi(power),
        _ => digit / 10f64.powi(-power),
    }
}

/// The marks in a range; of a wide one the powers of ten alone.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let inside = |mark: &f64| (range.start * 0.999..=range.end * 1.001).contains(mark);
    let all = marks().filter(inside).collect::<Vec<_>>();
    if all.len() <= 8 {
        return all;
    }
    all.into_iter().filter(|mark| (mark.log10() - mark.log10().round()).abs() < 1e-9).collect()
}

/// A range with some room at both ends.
fn around(columns: &[f64]) -> Range<f64> {
    let first = columns.first().copied().unwrap_or(1.0);
    let last = columns.last().copied().unwrap_or(first);
    let room = (last / first).powf(0.04).max(1.1);
    first / room..last * room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_and_round() {
        assert_eq!(ticks(&(5.0..100.0)), [5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(ticks(&(50.0..1e6)), [100.0, 1e3, 1e4, 1e5, 1e6]);
    }

    #[test]
    fn all_points_lie_between_marks() {
        let line = |points| Line { implementation: Implementation::Floor, style: 0, points };
        let panel =
            |points| Panel { title: String::new(), ticks: Vec::new(), lines: vec![line(points)] };
        let plot = Plot {
            title: String::new(),
            x: String::new(),
            y: String::new(),
            styles: Vec::new(),
            panels: vec![panel(vec![(1.0, 7.0)]), panel(vec![(1.0, 190.0), (64.0, 30.0)])],
        };
        assert_eq!(plot.upwards(), 5.0..200.0);
    }
}
