//! Rows of the table: medians and ranges.

use std::{fmt, time::Duration};

use super::{contender::Told, load::Measured, usage::Usage};

/// The head of the table.
pub(super) const HEAD: &str = "| attached | load | throughput left | events told | lost | processor time per event | peak memory | start |\n\
                               |---|---|---|---|---|---|---|---|";

/// One contender under one load.
pub(super) struct Row {
    name: String,
    pub(super) mode: String,
    ratios: Vec<f64>,
    /// Connections a second with nothing attached.
    alone: Vec<f64>,
    told: u64,
    /// Bad closes that were made.
    pub(super) truth: u64,
    lost: Option<u64>,
    micros: Vec<f64>,
    pub(super) peak_mib: f64,
    starts: Vec<f64>,
}

impl Row {
    pub(super) fn of(name: &str, mode: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode: mode.to_owned(),
            ratios: Vec::new(),
            alone: Vec::new(),
            told: 0,
            truth: 0,
            lost: None,
            micros: Vec::new(),
            peak_mib: 0.0,
            starts: Vec::new(),
        }
    }

    /// One pair of runs: with nothing attached, then with the contender, at first to warm up; what it had taken before and
    /// after the latter.
    pub(super) fn add(
        &mut self,
        [alone, warm, observed]: [&Measured; 3],
        [before, after]: [Usage; 2],
        start: Option<Duration>,
        told: &Told,
    ) {
        self.ratios.push(observed.rate() / alone.rate());
        self.alone.push(alone.rate());
        self.told += told.events;
        self.truth += warm.bad + observed.bad;
        if let Some(lost) = told.lost {
            self.lost = Some(self.lost.unwrap_or(0) + lost);
        }
        if observed.bad > 0 {
            self.micros.push((after.seconds - before.seconds) * 1e6 / observed.bad as f64);
        }
        self.peak_mib = self.peak_mib.max(after.peak_mib);
        self.starts.extend(start.map(|start| start.as_secs_f64() * 1e3));
    }

    /// Throughput that is left, in the middle.
    pub(super) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }

    /// Processor time of an event, in connections of this load with nothing attached.
    pub(super) fn event(&self) -> Option<f64> {
        (!self.micros.is_empty()).then(|| median(&self.micros) / 1e6 * median(&self.alone))
    }

    /// Time of a start, in the same.
    pub(super) fn start(&self) -> Option<f64> {
        (!self.starts.is_empty()).then(|| median(&self.starts) / 1e3 * median(&self.alone))
    }

    /// Events that were lost by their teller's own account.
    pub(super) fn lost(&self) -> u64 {
        self.lost.unwrap_or(0)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = range(&self.ratios);
        write!(out, "| {} | {} | {:.3} ({low:.3} to {high:.3}) | ", self.name, self.mode, self.ratio())?;
        match self.truth {
            0 => write!(out, "{} of none | ", self.told)?,
            truth => write!(out, "{:.1} % | ", self.told as f64 / truth as f64 * 100.0)?,
        }
        match self.lost {
            Some(lost) => write!(out, "{lost} | ")?,
            None => out.write_str("not told | ")?,
        }
        match self.micros.as_slice() {
            [] => out.write_str("– | ")?,
            micros => write!(out, "{:.1} µs | ", median(micros))?,
        }
        write!(out, "{:.1} MiB | ", self.peak_mib)?;
        match self.starts.as_slice() {
            [] => out.write_str("– |"),
            starts => write!(out, "{:.0} ms |", median(starts)),
        }
    }
}

/// The middle one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn range(values: &[f64]) -> (f64, f64) {
    let fold = |first: f64, choose: fn(f64, f64) -> f64| values.iter().copied().fold(first, choose);
    (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_told() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(range(&[3.0, 1.0, 2.0]), (1.0, 3.0));
        let measured = |cycles, bad| Measured { cycles, bad, seconds: 1.0 };
        let usage = |seconds| Usage { seconds, peak_mib: 12.0 };
        let mut row = Row::of("x", "unread");
        let told = Told { events: 900, lost: Some(1) };
        let runs = [&measured(2_000, 0), &measured(10, 0), &measured(1_800, 1_000)];
        row.add(runs, [usage(1.0), usage(1.004)], None, &told);
        let thousandths = |share: f64| (share * 1e3).round();
        assert_eq!((row.event().map(thousandths), row.start()), (Some(8.0), None));
        let mut started = Row::of("x", "clean");
        let idle = measured(500, 0);
        started.add([&idle; 3], [usage(1.0); 2], Some(Duration::from_millis(100)), &told);
        assert_eq!((started.event(), started.start().map(thousandths)), (None, Some(50_000.0)));
        assert_eq!(row.to_string(), "| x | unread | 0.900 (0.900 to 0.900) | 90.0 % | 1 | 4.0 µs | 12.0 MiB | – |");
    }
}
