//! Asks until an answer has what is wanted: a worker may be slow on a busy machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conn_observer::{
    event::Frame,
    symbols::{Limits, Request, Symbolizer},
};

/// Failure bound.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn symbolizer() -> Symbolizer {
    Symbolizer::start(Limits::default()).unwrap()
}

/// In how much time an event is to have its frames.
pub(crate) fn budget() -> Instant {
    Instant::now() + Duration::from_millis(5)
}

/// The frames of a stack in a process, as far as they are known by then.
pub(crate) fn user(symbolizer: &Symbolizer, request: &Request<'_>, deadline: Instant) -> Vec<Arc<Frame>> {
    let mut frames = Vec::new();
    symbolizer.user(request, deadline, &mut frames);
    frames
}

/// The frames, as soon as nothing is looked up for them any more.
pub(crate) fn settled(symbolizer: &Symbolizer, request: &Request<'_>) -> Vec<Arc<Frame>> {
    let start = Instant::now();
    loop {
        let before = symbolizer.stats().hits;
        let frames = user(symbolizer, request, budget());
        if symbolizer.stats().hits > before {
            return frames;
        }
        assert!(start.elapsed() < PATIENCE, "{frames:#?}");
    }
}

/// `symbol file:line`, with `?` for what is missing; `+` before what is inlined.
pub(crate) fn told(frames: &[Arc<Frame>]) -> Vec<String> {
    let tell = |frame: &Arc<Frame>| {
        let name = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
        let file = frame.file.as_ref().map(|file| file.rsplit('/').next().unwrap().to_owned());
        let line = frame.line.map_or_else(|| "?".into(), |line| line.to_string());
        let inlined = if frame.inlined == Some(true) { "+" } else { "" };
        format!("{inlined}{} {}:{line}", name(&frame.symbol), name(&file))
    };
    frames.iter().map(tell).collect()
}
