//! Line charts as SVG, both axes logarithmic.

use std::ops::RangeInclusive;

use crate::peer::Peer;

/// A chart of some peers.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What the horizontal axis means, with the unit.
    pub(crate) across: &'static str,
    /// What the vertical axis means, with the unit.
    pub(crate) up: &'static str,
    pub(crate) series: Vec<Series>,
}

/// One line, through these points in this order. All coordinates are positive.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) peer: Peer,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Chart {
    /// `None` if there is no point in it.
    pub(crate) fn svg(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let across = Axis::over(points().map(|point| point.0), LEFT..=RIGHT)?;
        let up = Axis::over(points().map(|point| point.1), BOTTOM..=TOP)?;
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="15">{}</text>
<text x="{}" y="{}" text-anchor="middle">{}</text>
<text transform="translate(18 {}) rotate(-90)" text-anchor="middle">{}</text>
"##,
            self.title,
            f64::midpoint(LEFT, RIGHT),
            HEIGHT - 10.0,
            self.across,
            f64::midpoint(TOP, BOTTOM),
            self.up,
        );
        for (value, place) in across.ticks() {
            line(&mut svg, (place, TOP), (place, BOTTOM));
            let y = BOTTOM + 18.0;
            text(&mut svg, (place, y), "middle", &number(value));
        }
        for (value, place) in up.ticks() {
            line(&mut svg, (LEFT, place), (RIGHT, place));
            text(&mut svg, (LEFT - 8.0, place + 4.0), "end", &number(value));
        }
        for (index, series) in self.series.iter().enumerate() {
            let places: Vec<_> = (series.points.iter())
                .map(|&(x, y)| (across.place(x), up.place(y)))
                .collect();
            let key = TOP + 10.0 + 20.0 * index as f64;
            series.draw(&mut svg, &places, key);
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

impl Series {
    /// The line, and its entry in the legend at that height.
    fn draw(&self, svg: &mut String, places: &[(f64, f64)], key: f64) {
        let (colour, dashes) = style(self.peer);
        let stroke = format!(r#"stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}""#);
        let path = |places: &[(f64, f64)]| {
            let places: Vec<_> = places
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            format!(
                "<polyline points=\"{}\" fill=\"none\" {stroke}/>\n",
                places.join(" ")
            )
        };
        svg.push_str(&path(places));
        for (x, y) in places {
            svg.push_str(&format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"
            ));
        }
        svg.push_str(&path(&[(RIGHT + 14.0, key), (RIGHT + 42.0, key)]));
        text(svg, (RIGHT + 48.0, key + 4.0), "start", self.peer.name());
    }
}

/// A logarithmic axis, which maps values to positions.
struct Axis {
    /// Base-10 logarithms.
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// `None` if there are no values.
    fn over(values: impl Iterator<Item = f64>, places: RangeInclusive<f64>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value.log10());
            high = high.max(value.log10());
        }
        low.is_finite().then(|| Self {
            // A margin, so that no point lies on the frame, and equal values do not make an axis of
            // length zero.
            low: low - 0.1,
            high: high + 0.1,
            start: *places.start(),
            end: *places.end(),
        })
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.start + share * (self.end - self.start)
    }

    /// Round values on the axis, with their positions.
    fn ticks(&self) -> Vec<(f64, f64)> {
        // If the axis spans few powers of ten, these alone would be too few labels.
        let steps: &[f64] = if self.high - self.low > 3.0 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let mut ticks = Vec::new();
        let mut power = self.low.floor();
        while power <= self.high {
            for step in steps {
                let value = step * 10f64.powf(power);
                if (self.low..=self.high).contains(&value.log10()) {
                    ticks.push((value, self.place(value)));
                }
            }
            power += 1.0;
        }
        ticks
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    svg.push_str(&format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\n",
        from.0, from.1, to.0, to.1
    ));
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    svg.push_str(&format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>\n"
    ));
}

/// `100`, `20 k`, `0.05`.
fn number(value: f64) -> String {
    match value {
        1e6.. => format!("{:.0} M", value / 1e6),
        1e3.. => format!("{:.0} k", value / 1e3),
        1.0.. => format!("{value:.0}"),
        _ => format!("{value:.4}").trim_end_matches('0').to_owned(),
    }
}

/// A colour for each family of peers, and dashes to distinguish its members.
fn style(peer: Peer) -> (&'static str, &'static str) {
    match peer {
        Peer::RpcCore => ("#c0392b", "none"),
        Peer::RpcCoreBatchingOff => ("#c0392b", "6 3"),
        Peer::RpcCoreUntyped => ("#e67e22", "2 3"),
        Peer::LapinOneByOne => ("#2c7fb8", "6 3"),
        Peer::LapinTasks => ("#2c7fb8", "none"),
        Peer::AioPika => ("#b8a000", "none"),
        Peer::Nats => ("#27864f", "none"),
        Peer::Tarpc => ("#7d3c98", "none"),
        Peer::Memory => ("#555", "none"),
        Peer::Channel => ("#999", "6 3"),
    }
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 384.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_on_their_axis() {
        let axis = Axis::over([1.0, 1000.0].into_iter(), BOTTOM..=TOP).unwrap();
        assert!(axis.place(1000.0) > TOP && axis.place(1.0) < BOTTOM);
        let middle = axis.place(31.623) - f64::midpoint(TOP, BOTTOM);
        assert!(middle.abs() < 0.1);
        let ticks = axis.ticks().into_iter().map(|(value, _)| value);
        let ticks: Vec<_> = ticks.map(number).collect();
        assert_eq!(ticks, ["1", "10", "100", "1 k"]);
        assert!(Axis::over([].into_iter(), LEFT..=RIGHT).is_none());
    }
}
