//! The hooks of a plan, loaded, attached and detached in an order that keeps the story straight.

use std::{
    collections::HashMap,
    num::NonZero,
    os::fd::{AsFd as _, AsRawFd as _},
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result};
use aya::{
    Btf, Ebpf,
    programs::{Program, ProgramError},
};

use super::{
    attach::Refused,
    btf::KernelTypes,
    grace, probe, refusal,
    runs::{Figures, ProgramRuns},
    standin::StandIn,
};
use crate::{options::Options, plan::Plan};

/// Tracepoints of every plan, as program and tracepoint, in the order of attaching: `tcp_destroy_sock` comes last, and
/// goes first, since it takes data that nobody was seen to reset for data left behind after the peer's RST.
const TRACEPOINTS: [(&str, &str); 4] = [
    ("set_state", "inet_sock_set_state"),
    ("receive_reset", "tcp_receive_reset"),
    ("send_reset", "tcp_send_reset"),
    ("destroy_sock", "tcp_destroy_sock"),
];

/// The tracepoint of a read, where no function may be hooked.
const READ: &str = "tcp_rcv_space_adjust";

/// The function that accepts a connection.
const ACCEPT: &str = "inet_csk_accept";

/// Functions that answer a segment with a RST, as address family and function.
const ANSWERS: [(&str, &str); 2] = [("4", "tcp_v4_send_reset"), ("6", "tcp_v6_send_reset")];

/// Tracepoints that follow the lives of processes.
const FAMILY_TRACEPOINTS: [(&str, &str); 3] = [
    ("process_fork", "sched_process_fork"),
    ("process_exec", "sched_process_exec"),
    ("process_free", "sched_process_free"),
];

/// Programs that are verified at a time: four are long.
const MOST_LOADERS: usize = 4;

/// What the running kernel has to hook.
pub(crate) struct Targets {
    /// The function that closes: `__tcp_close`, or `tcp_close` before 5.11.
    pub(crate) close: &'static str,
    /// Its id in the kernel's BTF.
    close_id: Option<u32>,
    /// Number of parameters of `inet_csk_accept()`, as far as there is a program for it.
    pub(crate) accept: Option<u32>,
    /// Functions that answer with RSTs which no tracepoint tells, as address family and name; from 6.10 on none.
    pub(crate) answers: Vec<(&'static str, &'static str)>,
}

impl Targets {
    /// Looks the functions up; also gives the kernel's ids of all of them, and of the tracepoints.
    pub(crate) fn of(types: &KernelTypes, has_reasons: bool) -> (Self, StandIn) {
        let mut answers = ANSWERS.to_vec();
        answers.retain(|(_, function)| !has_reasons && types.has_function(function));
        let close = if types.has_function("__tcp_close") { "__tcp_close" } else { "tcp_close" };
        let mut ids = StandIn::default();
        for function in [close, ACCEPT].into_iter().chain(answers.iter().map(|(_, function)| *function)) {
            if let Some(id) = types.function(function) {
                ids.function(function, id);
            }
        }
        let tracepoints = FAMILY_TRACEPOINTS.into_iter().chain(TRACEPOINTS).map(|(_, tracepoint)| tracepoint);
        for tracepoint in tracepoints.chain([READ]) {
            if let Some(id) = types.tracepoint(tracepoint) {
                ids.tracepoint(tracepoint, id);
            }
        }
        let targets = Self {
            close,
            close_id: types.function(close),
            accept: types.function_parameters(ACCEPT).filter(|count| [2, 4].contains(count)),
            answers,
        };
        (targets, ids)
    }
}

/// One hook.
struct Hook {
    program: String,
    target: String,
    /// As `tp_btf/tcp_send_reset`.
    name: String,
}

/// Attached hooks.
pub(crate) struct Hooks {
    hooks: Vec<Hook>,
    fds: Vec<i32>,
    /// Runs that programs now gone had missed.
    missed: u64,
}

impl Hooks {
    /// Loads all hooks of a plan, then attaches them; or gives the first refusal. Nothing is attached before all is
    /// loaded: verification takes milliseconds, in which half of the hooks would tell half of the truth.
    pub(crate) fn attach(
        ebpf: &mut Ebpf,
        plan: Plan,
        targets: &Targets,
        ids: &Btf,
        options: &Options,
    ) -> Result<Self, Refused> {
        let hooks = wanted(plan, targets);
        let refused = |hook: &Hook, error: ProgramError| {
            if options.kernel_log {
                refusal::show_log(&hook.name, &error);
            }
            Refused { plan, hook: hook.name.clone(), error: refusal::of_program(&error) }
        };
        load(ebpf, &hooks, ids).map_err(|(hook, error)| refused(hook, error))?;
        for hook in &hooks {
            place(ebpf, hook).map_err(|error| refused(hook, error))?;
        }
        let mut fds = Vec::new();
        for hook in &hooks {
            fds.push(descriptor(ebpf, hook).map_err(|error| refused(hook, error))?);
        }
        Ok(Self { hooks, fds, missed: 0 })
    }

    /// Whether the kernel refuses the first hook of a plan, which needs no program of ours to find out.
    pub(crate) fn probe(plan: Plan, targets: &Targets, options: &Options) -> Option<Refused> {
        let asked = match plan {
            Plan::Fentry => targets.close_id.map_or(Ok(()), probe::fentry),
            Plan::Kprobe => probe::kprobe(),
            Plan::Tracepoint => Ok(()),
        };
        let probe::Refusal { error, log } = asked.err()?;
        let hook = wanted(plan, targets).swap_remove(0).name;
        if options.kernel_log {
            refusal::show_log_text(&hook, &log);
        }
        Some(Refused { plan, hook, error: refusal::with_verdict(&error, &log) })
    }

    /// Names, in the order of attaching.
    pub(crate) fn names(&self) -> Vec<String> {
        self.hooks.iter().map(|hook| hook.name.clone()).collect()
    }

    /// Runs that the kernel has skipped.
    pub(crate) fn missed(&self) -> u64 {
        self.missed + self.fds.iter().map(|fd| Figures::read(*fd).misses).sum::<u64>()
    }

    /// How often each has run, in the order of attaching; nothing once they are detached.
    pub(crate) fn runs(&self) -> Vec<ProgramRuns> {
        let each = |(hook, fd): (&Hook, &i32)| {
            let Figures { runs, time, misses: _ } = Figures::read(*fd);
            ProgramRuns { hook: hook.name.clone(), runs, time }
        };
        self.hooks.iter().zip(&self.fds).map(each).collect()
    }

    /// Detaches in reverse order. Afterwards no program runs.
    ///
    /// # Errors
    /// When a hook cannot be detached.
    pub(crate) fn detach(&mut self, ebpf: &mut Ebpf) -> Result<()> {
        self.missed = self.missed();
        self.fds.clear();
        for hook in self.hooks.drain(..).rev() {
            match program(ebpf, &hook.program)? {
                Program::BtfTracePoint(program) => program.unload(),
                Program::FEntry(program) => program.unload(),
                Program::FExit(program) => program.unload(),
                Program::KProbe(program) => program.unload(),
                _ => Ok(()),
            }
            .with_context(|| format!("cannot detach {}", hook.name))?;
        }
        // Unlinking does not wait for programs that run at this moment on another CPU. Where nothing does, what such a
        // program submits is counted, but may come too late.
        grace::wait();
        Ok(())
    }
}

fn wanted(plan: Plan, targets: &Targets) -> Vec<Hook> {
    let mut hooks = Vec::new();
    let mut add = |kind: &str, program: &str, target: &str| {
        hooks.push(Hook { program: program.to_owned(), target: target.to_owned(), name: format!("{kind}/{target}") });
    };
    // What the plan is named after comes first: of several that are refused the first counts.
    match plan {
        Plan::Fentry => {
            add("fentry", "close_fentry", targets.close);
            if let Some(parameters) = targets.accept {
                add("fexit", &format!("accept{parameters}_fexit"), ACCEPT);
            }
        }
        Plan::Kprobe => {
            add("kprobe", "close_kprobe", targets.close);
            if targets.accept.is_some() {
                add("kretprobe", "accept_kretprobe", ACCEPT);
            }
        }
        Plan::Tracepoint => add("tp_btf", "rcv_space_adjust", READ),
    }
    if plan.has_close_hook() {
        for (family, function) in &targets.answers {
            add(plan.name(), &format!("answer{family}_{}", plan.name()), function);
        }
    }
    for (program, tracepoint) in FAMILY_TRACEPOINTS.into_iter().chain(TRACEPOINTS) {
        add("tp_btf", program, tracepoint);
    }
    hooks
}

/// Loads programs, on several processors where there are: what takes its time is the kernel's verifier. Of several that
/// are refused the first counts.
fn load<'a>(ebpf: &mut Ebpf, hooks: &'a [Hook], ids: &Btf) -> Result<(), (&'a Hook, ProgramError)> {
    let mut programs: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let mut wanted = Vec::new();
    for (index, hook) in hooks.iter().enumerate() {
        let program = programs.remove(hook.program.as_str()).ok_or_else(|| (hook, no_program(&hook.program)))?;
        wanted.push((index, program));
    }
    // Taken from the end: the last are the longest to verify.
    let queue = Mutex::new(wanted);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        let mut refused = None;
        while let Some((index, program)) = next() {
            if let Err(error) = load_one(program, &hooks[index], ids) {
                refused = Some((index, error));
            }
        }
        refused
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_LOADERS).min(hooks.len());
    let refused = thread::scope(|scope| {
        // A thread that cannot be started leaves its work to the others.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut all: Vec<_> = work().into_iter().collect();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    match refused.into_iter().min_by_key(|(index, _)| *index) {
        Some((index, error)) => Err((&hooks[index], error)),
        None => Ok(()),
    }
}

fn load_one(program: &mut Program, hook: &Hook, btf: &Btf) -> Result<(), ProgramError> {
    match program {
        Program::BtfTracePoint(program) => program.load(&hook.target, btf),
        Program::FEntry(program) => program.load(&hook.target, btf),
        Program::FExit(program) => program.load(&hook.target, btf),
        Program::KProbe(program) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn place(ebpf: &mut Ebpf, hook: &Hook) -> Result<(), ProgramError> {
    match program(ebpf, &hook.program)? {
        Program::BtfTracePoint(program) => program.attach().map(drop),
        Program::FEntry(program) => program.attach().map(drop),
        Program::FExit(program) => program.attach().map(drop),
        Program::KProbe(program) => program.attach(&hook.target, 0).map(drop),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn descriptor(ebpf: &mut Ebpf, hook: &Hook) -> Result<i32, ProgramError> {
    let fd = match program(ebpf, &hook.program)? {
        Program::BtfTracePoint(program) => program.fd()?,
        Program::FEntry(program) => program.fd()?,
        Program::FExit(program) => program.fd()?,
        Program::KProbe(program) => program.fd()?,
        _ => return Err(ProgramError::UnexpectedProgramType),
    };
    Ok(fd.as_fd().as_raw_fd())
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, ProgramError> {
    ebpf.program_mut(name).ok_or_else(|| no_program(name))
}

fn no_program(name: &str) -> ProgramError {
    ProgramError::InvalidName { name: name.to_owned() }
}
