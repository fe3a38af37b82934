//! Recorded stacks as frames.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::whole::Whole;
use crate::{
    decode::Recorded,
    event::{Frame, Process, Stack, SymbolCounts},
    options::{Options, Stacks as Wanted},
    processes::Image,
    symbols::{Executable, Limits, Request, Symbolizer},
};

/// Names the functions of stacks.
pub(super) struct Stacks {
    symbolizer: Symbolizer,
    whole: Whole,
    /// The frames of one stack, while they are looked at.
    frames: Vec<Arc<Frame>>,
    wanted: Wanted,
    /// Most addresses of a stack.
    depth: usize,
    /// How long an event may wait for symbols.
    budget: Duration,
}

impl Stacks {
    /// # Errors
    /// When the threads that look up symbols cannot be started.
    pub(super) fn new(options: &Options) -> io::Result<Self> {
        let keep_kernel = matches!(options.stacks, Wanted::Kernel | Wanted::Both);
        let symbolizer = Symbolizer::start(Limits { keep_kernel, ..Limits::default() })?;
        let depth = options.stack_depth as usize;
        Ok(Self {
            symbolizer,
            whole: Whole::default(),
            frames: Vec::new(),
            wanted: options.stacks,
            depth,
            budget: options.symbol_budget,
        })
    }

    /// Reads the kernel's symbols, if its stacks are wanted.
    pub(super) fn prepare(&self) {
        if matches!(self.wanted, Wanted::Kernel | Wanted::Both) {
            self.symbolizer.prepare_kernel();
        }
    }

    /// The stacks of a finding in that process, which runs that program. None when no stack was recorded.
    pub(super) fn of(&mut self, recorded: Recorded<'_>, process: Option<(&Process, Option<&Image>)>) -> Option<Stack> {
        if recorded.user.is_empty() && recorded.kernel.is_empty() {
            return None;
        }
        let deadline = Instant::now() + self.budget;
        self.frames.clear();
        if !recorded.kernel.is_empty() {
            self.symbolizer.kernel(recorded.kernel, deadline, &mut self.frames);
        }
        let kernel = self.whole.shared(observed(&self.frames));
        self.frames.clear();
        match (recorded.user, process) {
            ([], _) => {}
            (addresses, None) => self.frames.extend(addresses.iter().map(raw)),
            (_, Some((process, image))) => self.user(recorded, process, image, deadline),
        }
        Some(Stack { user: self.whole.shared(&self.frames), kernel })
    }

    fn user(&mut self, recorded: Recorded<'_>, process: &Process, image: Option<&Image>, deadline: Instant) {
        let (text_start, text_end) = image.and_then(|image| image.text).unwrap_or_default();
        let executable = image.and_then(|image| {
            let path = image.reachable(process.parents.first().map(|parent| parent.pid))?;
            Some(Executable { path, file: image.file })
        });
        let request = Request {
            pid: process.pid,
            start_ns: process.start_ns,
            executable: executable.as_ref(),
            text_start,
            text_end,
            addresses: recorded.user,
            top: recorded.top,
        };
        self.symbolizer.user(&request, deadline, &mut self.frames);
        // Callers that were found on the stack come on top of the recorded ones. Inlined functions have no address.
        let mut addresses = self.frames.iter().enumerate().filter(|(_, frame)| frame.address.is_some());
        if let Some((last, _)) = addresses.nth(self.depth.saturating_sub(1)) {
            self.frames.truncate(last + 1);
        }
    }

    /// What was counted until now.
    pub(super) fn counts(&self) -> SymbolCounts {
        let stats = self.symbolizer.stats();
        SymbolCounts {
            hits: stats.hits,
            misses: stats.misses,
            late: stats.late,
            shed: stats.shed,
            evicted: stats.evicted,
        }
    }
}

/// Functions through which a hook of ours is called.
const HOOKS: [&str; 9] = [
    "bpf_prog_",
    "bpf_trace_run",
    "bpf_trampoline_",
    "__bpf_trace_",
    "__traceiter_",
    "trace_call_bpf",
    "kprobe_",
    "kretprobe_",
    "ftrace_",
];

/// Most frames that those take.
const HOOK_FRAMES: usize = 10;

/// A kernel stack without the way to our own hook, which is its innermost part.
fn observed(frames: &[Arc<Frame>]) -> &[Arc<Frame>] {
    let is_hook = |frame: &Arc<Frame>| {
        frame.symbol.as_ref().is_some_and(|symbol| HOOKS.iter().any(|start| symbol.starts_with(start)))
    };
    let last = frames.iter().take(HOOK_FRAMES).rposition(is_hook);
    last.and_then(|last| frames.get(last + 1..)).unwrap_or(frames)
}

/// A frame without a symbol.
fn raw(address: &u64) -> Arc<Frame> {
    Arc::new(Frame { address: Some(format!("{address:#x}")), ..Frame::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Arc<Frame>> {
        let frame = |name: &&str| Frame { symbol: Some((*name).to_owned()), ..Frame::default() };
        names.iter().map(frame).map(Arc::new).collect()
    }

    #[test]
    fn a_kernel_stack_begins_where_it_was_observed() {
        let tracepoint = named(&["bpf_prog_3d9b276ae60d69ea_send_reset", "bpf_trace_run3", "tcp_send_active_reset"]);
        assert_eq!(observed(&tracepoint), named(&["tcp_send_active_reset"]));
        let mut kprobe = named(&["trace_call_bpf", "kprobe_perf_func", "kprobe_ftrace_handler"]);
        kprobe.push(Arc::default()); // the trampoline has no name
        kprobe.extend(named(&["ftrace_call", "__tcp_close", "tcp_close"]));
        assert_eq!(observed(&kprobe), named(&["__tcp_close", "tcp_close"]));
        let nameless = vec![Arc::<Frame>::default(); 3];
        assert_eq!(observed(&nameless), nameless);
    }
}
