//! `cargo xtask vm`: the live tests on real distribution kernels, each booted once, the tests run once per hook plan.
//!
//! The whole procedure: 1. build the programs, 2. fetch the kernels that the cache lacks, 3. per kernel, two at a
//! time: pack an initramfs, boot it in QEMU, cut the output into runs, 4. print a verdict line per kernel and plan.
//! Nothing stops at a failure: the value of a matrix is to see which half of it broke.

mod apt;
mod bzimage;
mod cpio;
mod initramfs;
mod kernel;
mod kernels;
pub(crate) mod libraries;
mod machine;
mod mirror;
mod modules;
mod report;
mod tsc;
mod verdict;

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use self::{
    initramfs::{Content, Run},
    kernel::Kernel,
    kernels::Pinned,
    verdict::Verdict,
};
use crate::{artifacts, tally::Tally, workspace};

/// The observer's hook plans; each is tested on its own, as `auto` would only ever show the first that works.
const PLANS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];
/// Loaded where a kernel has them as modules: SOCK_DESTROY, virtual links, packets made by hand, delay.
const MODULES: [&str; 6] = ["inet_diag", "tcp_diag", "veth", "tun", "dummy", "sch_netem"];
/// Guests at a time.
const GUESTS: usize = 2;
/// What a boot may take besides its runs; usually it is two seconds.
const BOOT: Duration = Duration::from_secs(60);

/// What to run where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Kernel series, e.g. 6.1; without one, the whole matrix.
    kernels: Vec<String>,
    /// Hook plans to test.
    #[arg(long, value_name = "PLAN", value_delimiter = ',', default_values = PLANS)]
    plan: Vec<String>,
    /// Lock the kernels down first, as Secure Boot does: integrity or confidentiality.
    #[arg(long, value_name = "LEVEL")]
    lockdown: Option<String>,
    /// Seconds that the tests of one plan may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    timeout: u64,
    /// Run this program, with the words after `--` as its arguments, in place of the tests.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Part of the tests' names, in place of `core::`: all that need no other program.
    #[arg(last = true, value_name = "FILTER")]
    filter: Vec<String>,
}

impl Options {
    /// Every kernel, every plan, every test.
    pub(crate) fn whole_matrix() -> Self {
        let plan = PLANS.map(str::to_owned).to_vec();
        Self { kernels: Vec::new(), plan, lockdown: None, timeout: 180, program: None, filter: Vec::new() }
    }
}

/// Runs the matrix and prints one verdict line per kernel and plan.
pub(crate) fn run(options: &Options) -> Result<Tally> {
    if let Some(level) = &options.lockdown
        && !["integrity", "confidentiality"].contains(&level.as_str())
    {
        bail!("no lockdown level `{level}`: it is integrity or confidentiality");
    }
    let kernels = kernels::select(&options.kernels)?;
    let content = content(options)?;
    let start = Instant::now();
    // One after the other: apt locks its folders, and the network is the bottleneck anyhow.
    let cache = cache();
    let ready: Vec<(&Pinned, Result<Kernel>)> =
        kernels.into_iter().map(|pinned| (pinned, Kernel::get(&cache, pinned))).collect();

    let total = Mutex::new(Tally::default());
    let queue = Mutex::new(ready.into_iter());
    let work = || {
        while let Some((pinned, kernel)) = next(&queue) {
            let verdicts = test_kernel(pinned, kernel, &content, options);
            // The lock also keeps the lines of one kernel together.
            let mut total = total.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            for verdict in verdicts {
                verdict.print(options.program.is_some());
                *total = *total + verdict.tally;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    println!("vm: {total} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(total)
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next()
}

/// Where kernels and package lists stay between runs.
fn cache() -> PathBuf {
    env::var_os("CONN_OBSERVER_VM_CACHE").map_or_else(|| workspace::target_dir().join("vm"), PathBuf::from)
}

/// Builds the programs and lists the runs.
fn content(options: &Options) -> Result<Content> {
    let timeout = Duration::from_secs(options.timeout);
    let lockdown = options.lockdown.clone();
    if let Some(program) = &options.program {
        let [init] = artifacts::release([artifacts::GUEST_INIT])?;
        let program = fs::canonicalize(program).with_context(|| format!("no program {}", program.display()))?;
        let run = run_of("program", &["/bin/program"], &options.filter, &[]);
        return Ok(Content { init, programs: vec![(program, "bin/program")], runs: vec![run], timeout, lockdown });
    }
    let [init, live, observer] = artifacts::release([artifacts::GUEST_INIT, artifacts::LIVE, artifacts::OBSERVER])?;
    // The tests under `core::` need nothing but these two programs. The test program takes one filter only.
    let core = ["core::".to_owned()];
    let filter = if options.filter.is_empty() { &core[..] } else { &options.filter };
    let runs = options.plan.iter().map(|plan| {
        let env = [("CONN_OBSERVER_HOOKS", plan.as_str()), ("CONN_OBSERVER_BIN", "/bin/conn-observer")];
        run_of(plan, &["/bin/live", "--test-threads=1"], filter, &env)
    });
    let runs = runs.collect();
    Ok(Content { init, programs: vec![(live, "bin/live"), (observer, "bin/conn-observer")], runs, timeout, lockdown })
}

fn run_of(name: &str, argv: &[&str], more: &[String], env: &[(&str, &str)]) -> Run {
    let fixed = [("HOME", "/root"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("RUST_BACKTRACE", "1")];
    Run {
        name: name.to_owned(),
        argv: argv.iter().map(|&word| word.to_owned()).chain(more.iter().cloned()).collect(),
        env: fixed.iter().chain(env).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// Boots one kernel; a machine that fails gives a verdict too.
fn test_kernel(pinned: &Pinned, kernel: Result<Kernel>, content: &Content, options: &Options) -> Vec<Verdict> {
    let series = match &options.lockdown {
        Some(level) => format!("{} lockdown={level}", pinned.series),
        None => pinned.series.to_owned(),
    };
    let output = kernel.and_then(|kernel| boot(&kernel, content, pinned.series));
    match output {
        Ok(output) => verdict::of_guest(&series, content, &output),
        Err(error) => vec![Verdict::no_machine(&series, &error)],
    }
}

fn boot(kernel: &Kernel, content: &Content, series: &str) -> Result<machine::Output> {
    let modules = modules::load(&kernel.modules(), &MODULES)?;
    let initramfs = initramfs::archive(content, &modules)?;
    let runs = u32::try_from(content.runs.len()).context("too many runs")?;
    let dir: &Path = &workspace::target_dir().join(format!("vm-run-{}-{series}", std::process::id()));
    machine::boot(kernel, &initramfs, dir, BOOT + content.timeout * runs)
        .with_context(|| format!("booting {}", kernel.abi()))
}
