//! Plots as SVG, made from numbers alone: no script, no style of their own but classes, and words for whoever cannot see
//! them. Colours are those of the page's style sheet.

use std::fmt::Write as _;

mod scale;

use scale::{Scale, short};

/// The drawing, in its own units; the page stretches it.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Labels that fit under a plot.
const LABELS_MAX: usize = 8;
/// A spark, in its own units.
const SPARK: (f64, f64) = (120.0, 28.0);

/// What a plot is called, and what it shows in words.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// Its name.
    pub title: &'a str,
    /// What it shows, for whoever cannot see it.
    pub text: &'a str,
}

/// One column or point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Under it.
    pub label: String,
    /// One value for each series; none where there is nothing to say.
    pub values: Vec<Option<f64>>,
    /// What it says when pointed at.
    pub told: String,
}

/// How values are written beside a plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Numbers of things.
    Number,
    /// Shares from 0 to 1, as per cent.
    Share,
}

/// Text as it may stand in SVG.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// A drawing under way. A `String` takes every write.
struct Drawing(String);

impl Drawing {
    fn begin(told: Told<'_>) -> Self {
        let (id, title, text) = (escaped(told.id), escaped(told.title), escaped(told.text));
        Self(format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{text}</desc>"
        ))
    }

    /// Lines across, with their values, and labels below.
    fn axes(&mut self, scale: &Scale, unit: Unit, points: &[Point]) {
        for tick in scale.ticks() {
            let y = place_y(scale, tick);
            let value = match unit {
                Unit::Number => short(tick),
                Unit::Share => format!("{}%", short(tick * 100.0)),
            };
            _ = write!(
                self.0,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            );
        }
        let every = points.len().div_ceil(LABELS_MAX).max(1);
        for (at, point) in points.iter().enumerate().filter(|(at, _)| at % every == 0) {
            let x = place_x(points.len(), at);
            _ = write!(
                self.0,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - 8.0,
                escaped(&point.label)
            );
        }
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>");
        self.0
    }
}

fn column(count: usize) -> f64 {
    (WIDTH - LEFT - RIGHT) / count.max(1) as f64
}

/// The middle of a column.
fn place_x(count: usize, at: usize) -> f64 {
    LEFT + column(count) * (at as f64 + 0.5)
}

fn place_y(scale: &Scale, value: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - scale.share(value))
}

/// Columns, each of parts that stand on each other, the first at the bottom.
pub fn columns(told: Told<'_>, points: &[Point]) -> String {
    let sum = |point: &Point| point.values.iter().flatten().sum::<f64>();
    let scale = Scale::whole(points.iter().map(sum).fold(0.0, f64::max));
    let mut drawing = Drawing::begin(told);
    drawing.axes(&scale, Unit::Number, points);
    let wide = (column(points.len()) * 0.78).clamp(1.0, 44.0);
    for (at, point) in points.iter().enumerate() {
        let left = place_x(points.len(), at) - wide / 2.0;
        _ = write!(drawing.0, "<g class=\"col\"><title>{}</title>", escaped(&point.told));
        let mut below = 0.0;
        for (series, value) in point.values.iter().enumerate() {
            let value = value.unwrap_or_default().max(0.0);
            if value > 0.0 {
                let (from, to) = (place_y(&scale, below), place_y(&scale, below + value));
                _ = write!(
                    drawing.0,
                    "<rect class=\"s{series}\" x=\"{left:.1}\" y=\"{to:.1}\" width=\"{wide:.1}\" height=\"{:.1}\"/>",
                    (from - to).max(0.5)
                );
            }
            below += value;
        }
        // The whole height can be pointed at, also over an empty day.
        _ = write!(
            drawing.0,
            "<rect class=\"hit\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/></g>",
            place_x(points.len(), at) - column(points.len()) / 2.0,
            column(points.len()),
            HEIGHT - TOP - BOTTOM
        );
    }
    drawing.end()
}

/// Lines over time; a gap where there is nothing to say. Series beyond the first are told apart by how they are dashed
/// as well as by colour.
pub fn lines(told: Told<'_>, unit: Unit, points: &[Point]) -> String {
    let most = points.iter().flat_map(|point| point.values.iter().flatten()).copied().fold(0.0, f64::max);
    let scale = match unit {
        Unit::Share => Scale::shares(),
        Unit::Number => Scale::whole(most),
    };
    let mut drawing = Drawing::begin(told);
    drawing.axes(&scale, unit, points);
    let series = points.iter().map(|point| point.values.len()).max().unwrap_or_default();
    for nth in 0..series {
        let mut path = String::new();
        let mut drawn = false;
        for (at, point) in points.iter().enumerate() {
            let Some(value) = point.values.get(nth).copied().flatten() else {
                drawn = false;
                continue;
            };
            let (x, y) = (place_x(points.len(), at), place_y(&scale, value));
            _ = write!(path, "{}{x:.1} {y:.1}", if drawn { "L" } else { "M" });
            drawn = true;
            _ = write!(
                drawing.0,
                "<circle class=\"d{nth}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}</title></circle>",
                escaped(&point.told)
            );
        }
        _ = write!(drawing.0, "<path class=\"l{nth}\" d=\"{path}\"/>");
    }
    drawing.end()
}

/// A small line without axes, beside a number that says what it is.
pub fn spark(values: &[Option<f64>]) -> String {
    let (wide, high) = SPARK;
    let known = || values.iter().flatten().copied();
    if known().count() < 2 {
        return String::new();
    }
    let (least, most) = known().fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(value), b.max(value)));
    let span = if most > least { most - least } else { 1.0 };
    let step = wide / (values.len() - 1).max(1) as f64;
    let mut path = String::new();
    let mut drawn = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            drawn = false;
            continue;
        };
        let y = 2.0 + (high - 4.0) * (1.0 - (value - least) / span);
        let y = if most > least { y } else { high / 2.0 };
        _ = write!(path, "{}{:.1} {y:.1}", if drawn { "L" } else { "M" }, step * at as f64);
        drawn = true;
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {wide} {high}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path d=\"{path}\"/></svg>"
    )
}

/// A bar of parts that make up a whole, for a cell of a table; what it says stands beside it.
pub fn bar(parts: &[f64], whole: f64) -> String {
    let mut text = String::from(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    text.push_str("<rect class=\"rest\" width=\"100\" height=\"8\"/>");
    let mut from = 0.0;
    for (series, part) in parts.iter().enumerate() {
        let wide = if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0 - from) } else { 0.0 };
        _ = write!(text, "<rect class=\"s{series}\" x=\"{from:.2}\" width=\"{wide:.2}\" height=\"8\"/>");
        from += wide;
    }
    text.push_str("</svg>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[&[Option<f64>]]) -> Vec<Point> {
        let point = |(at, values): (usize, &&[Option<f64>])| Point {
            label: format!("{at} <b>"),
            values: values.to_vec(),
            told: format!("\"{at}\" & more"),
        };
        values.iter().enumerate().map(point).collect()
    }

    const TOLD: Told<'static> = Told { id: "x", title: "Cases <script>", text: "All & any" };

    #[test]
    fn whatever_is_drawn_is_marked_up_whole_and_nothing_in_it_is_active() {
        let some = points(&[&[Some(3.0), Some(0.0)], &[None, Some(2.5)], &[Some(0.25), None]]);
        for svg in [
            columns(TOLD, &some),
            columns(TOLD, &[]),
            lines(TOLD, Unit::Share, &some),
            lines(TOLD, Unit::Number, &points(&[&[None]])),
            spark(&[Some(1.0), None, Some(1.0)]),
            bar(&[1.0, 2.0], 3.0),
            bar(&[1.0], 0.0),
        ] {
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
            assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
            for never in ["<script", "<b>", "style=", "NaN", "inf", "\"\"0"] {
                assert!(!svg.contains(never), "{never}: {svg}");
            }
        }
        assert!(columns(TOLD, &some).contains("<desc id=\"x-d\">All &amp; any</desc>"));
    }

    #[test]
    fn a_line_is_broken_where_there_is_nothing_to_say() {
        let svg = lines(TOLD, Unit::Share, &points(&[&[Some(0.1)], &[None], &[Some(0.2)], &[Some(0.3)]]));
        let path = svg.split("class=\"l0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    }

    #[test]
    fn parts_stand_on_each_other_and_never_leave_the_drawing() {
        let svg = columns(TOLD, &points(&[&[Some(4.0), Some(6.0)]]));
        let heights: Vec<f64> = svg
            .split("<rect class=\"s")
            .skip(1)
            .map(|rect| rect.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!((heights[1] / heights[0] - 1.5).abs() < 0.01, "{heights:?}");
        assert!(heights.iter().sum::<f64>() <= HEIGHT - TOP - BOTTOM + 0.1);
        assert_eq!(spark(&[Some(1.0)]), "", "one point is no line");
    }
}
