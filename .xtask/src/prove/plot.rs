//! Pictures as SVG inside the page: latency over time, with the moments at which something was done.
//! Colours come from the page, so that a picture fits light, dark and paper.

use maud::{Markup, html};
use std::{fmt::Write, time::Duration};

use super::{
    caller::Outcome,
    load::Sample,
    question::Kind,
    samples::{Samples, percentile},
};

/// The size of the drawing, in units of its own; the page scales it.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// Steps of time; a point is drawn for each.
const N_BUCKETS: u32 = 240;

/// Something that was done, from when to when.
#[derive(Debug, Clone)]
pub struct Mark {
    pub from: Duration,
    pub to: Duration,
    pub text: String,
}

/// A picture.
#[derive(Debug, Clone)]
pub struct Plot {
    title: String,
    from: Duration,
    to: Duration,
    /// Of each step of time: its middle, the median, the 99th percentile and the longest, in
    /// milliseconds.
    points: Vec<[f64; 4]>,
    marks: Vec<Mark>,
}

impl Plot {
    /// The latencies of fast requests between two moments.
    pub fn latencies(
        title: &str,
        samples: &Samples,
        times: (Duration, Duration),
        marks: &[Mark],
    ) -> Self {
        Self::of(Kind::Fast, title, samples, times, marks)
    }

    /// The latencies of the good answers to requests of a kind.
    pub fn of(
        kind: Kind,
        title: &str,
        samples: &Samples,
        (from, to): (Duration, Duration),
        marks: &[Mark],
    ) -> Self {
        let step = (to.saturating_sub(from) / N_BUCKETS).max(Duration::from_millis(1));
        let mut buckets = vec![Vec::new(); N_BUCKETS as usize + 1];
        let is_wanted = |sample: &&Sample| {
            sample.question.kind == kind && matches!(sample.outcome, Outcome::Good(_))
        };
        for sample in samples.0.iter().filter(is_wanted) {
            let Some(since) = sample.due.checked_sub(from) else { continue };
            let place = usize::try_from(since.as_micros() / step.as_micros()).unwrap_or(usize::MAX);
            if let Some(bucket) = buckets.get_mut(place) {
                bucket.push(sample.latency_ms());
            }
        }
        let middle = |place: usize| {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            (from + step * place + step / 2).as_secs_f64()
        };
        let points = buckets.iter().enumerate().filter(|(_, bucket)| !bucket.is_empty());
        let points = points.map(|(place, bucket)| {
            let at = |hundredths| percentile(bucket, hundredths);
            [middle(place), at(50.0), at(99.0), at(100.0)]
        });
        let points = points.collect();
        let is_inside = |mark: &&Mark| mark.to >= from && mark.from <= to;
        let marks = marks.iter().filter(is_inside).cloned().collect();
        Self { title: title.to_owned(), from, to, points, marks }
    }

    /// The picture with its caption.
    pub fn markup(&self) -> Markup {
        let top = self.top_ms();
        html! {
            figure {
                figcaption { (self.title) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.summary()) {
                    @for tick in self.ticks_ms() { (self.line_at(tick, top)) }
                    @for second in self.ticks_s() {
                        text.tick x=(one(self.x(second))) y=(HEIGHT - 14.0) text-anchor="middle" {
                            (trimmed(second)) " s"
                        }
                    }
                    @for mark in &self.marks { (self.marked(mark)) }
                    @for (place, class) in [(3, "longest"), (2, "p99"), (1, "median")] {
                        polyline class=(class) points=(self.polyline(place, top)) {}
                    }
                }
                p.legend {
                    span.median { "median" } " " span.p99 { "99th percentile" } " "
                    span.longest { "longest" } " "
                    @if !self.marks.is_empty() { span.mark { "the change, from order to effect" } }
                }
            }
        }
    }

    /// The picture in words, for those who do not see it.
    fn summary(&self) -> String {
        let longest = self.points.iter().map(|point| point[3]).fold(0.0, f64::max);
        let medians: Vec<f64> = self.points.iter().map(|point| point[1]).collect();
        format!(
            "{}: from {:.1} to {:.1} seconds; the median is mostly {:.1} ms, the longest latency \
             {:.0} ms; {} changes.",
            self.title,
            self.from.as_secs_f64(),
            self.to.as_secs_f64(),
            percentile(&medians, 50.0),
            longest,
            self.marks.len()
        )
    }

    /// The highest value that is drawn; the scale is logarithmic, because a pause is a hundred times a
    /// latency.
    fn top_ms(&self) -> f64 {
        let longest = self.points.iter().map(|point| point[3]).fold(1.0, f64::max);
        10f64.powf(longest.log10().ceil()).max(10.0)
    }

    fn ticks_ms(&self) -> Vec<f64> {
        let powers = std::iter::successors(Some(BOTTOM_MS), |tick| Some(tick * 10.0));
        powers.take_while(|tick| *tick <= self.top_ms() * 1.001).collect()
    }

    fn ticks_s(&self) -> Vec<f64> {
        let (from, to) = (self.from.as_secs_f64(), self.to.as_secs_f64());
        let rough = ((to - from) / 8.0).max(0.1);
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (from / step).ceil() * step;
        std::iter::successors(Some(first), |at| Some(at + step))
            .take_while(|at| *at <= to)
            .collect()
    }

    fn line_at(&self, tick: f64, top: f64) -> Markup {
        let y = one(y(tick, top));
        html! {
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
            text.tick x=(LEFT - 6.0) y=(y) dy="4" text-anchor="end" { (trimmed(tick)) " ms" }
        }
    }

    fn marked(&self, mark: &Mark) -> Markup {
        let from = self.x(mark.from.as_secs_f64().max(self.from.as_secs_f64()));
        let to = self.x(mark.to.as_secs_f64().min(self.to.as_secs_f64()));
        html! {
            rect.mark x=(one(from)) y=(TOP) width=(one((to - from).max(1.0)))
                height=(HEIGHT - TOP - BOTTOM) {
                title {
                    (mark.text) " at " (format!("{:.2}", mark.from.as_secs_f64())) " s, "
                    (format!("{:.0}", (mark.to - mark.from).as_secs_f64() * 1_000.0)) " ms"
                }
            }
        }
    }

    fn polyline(&self, place: usize, top: f64) -> String {
        let mut text = String::new();
        for point in &self.points {
            // Writing to a text cannot fail.
            let _ = write!(text, "{},{} ", one(self.x(point[0])), one(y(point[place], top)));
        }
        text
    }

    fn x(&self, second: f64) -> f64 {
        let (from, to) = (self.from.as_secs_f64(), self.to.as_secs_f64());
        LEFT + (second - from) / (to - from).max(0.001) * (WIDTH - LEFT - RIGHT)
    }
}

/// The lowest value that is drawn, in milliseconds.
const BOTTOM_MS: f64 = 0.1;

fn y(value_ms: f64, top: f64) -> f64 {
    let decades = (top / BOTTOM_MS).log10();
    let above = (value_ms.max(BOTTOM_MS) / BOTTOM_MS).log10() / decades;
    HEIGHT - BOTTOM - above * (HEIGHT - TOP - BOTTOM)
}

fn one(value: f64) -> String {
    format!("{value:.1}")
}

/// A number without zeros that say nothing.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Mark, Plot};
    use crate::prove::{
        caller::Outcome,
        load::Sample,
        question::{Kind, Question, Target},
        samples::Samples,
    };
    use std::time::Duration;

    #[test]
    fn every_moment_with_an_answer_is_drawn_and_named_in_words() {
        let at = Duration::from_millis;
        let sample = |due, took| Sample {
            question: Question { of: Target::Upgrade, kind: Kind::Fast },
            due: at(due),
            sent: at(due),
            done: at(due + took),
            outcome: Outcome::Good(1),
        };
        let samples =
            Samples(vec![sample(0, 1), sample(500, 90), sample(900, 2), sample(2_000, 1)]);
        let mark = Mark { from: at(490), to: at(510), text: "1 → 2".to_owned() };
        let plot = Plot::latencies("Title", &samples, (at(0), at(1_000)), &[mark]);
        assert_eq!(plot.points.len(), 3, "the last one is outside");
        let svg = plot.markup().into_string();
        assert!(svg.contains("longest latency 90 ms; 1 changes"), "{svg}");
        assert!(svg.contains("<title>1 → 2 at 0.49 s, 20 ms</title>"), "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
