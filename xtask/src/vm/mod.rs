//! `cargo xtask vm`: the live tests on real distribution kernels, each booted once, the tests run once per hook plan.
//!
//! The whole procedure: 1. build the programs, 2. fetch the kernels that the cache lacks, 3. per row of the matrix, two
//! at a time: pack an initramfs, boot it in QEMU, cut the output into runs, 4. print a verdict line per kernel and plan,
//! 5. write what the whole matrix came to into `docs/kernel-support.md`, or compare it with that.
//! Nothing stops at a failure: the value of a matrix is to see which half of it broke.

mod apt;
mod bzimage;
mod cpio;
mod declared;
mod guest;
mod initramfs;
mod kernel;
mod kernels;
pub(crate) mod libraries;
mod machine;
mod matrix;
pub(crate) mod mirror;
mod modules;
mod page;
mod report;
mod tsc;
mod verdict;

use std::{
    env,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use self::{
    guest::Programs,
    kernel::Kernel,
    matrix::{Lockdown, PLANS, Row},
    page::Line,
    verdict::Verdict,
};
use crate::{tally::Tally, workspace};

/// Loaded where a kernel has them as modules: SOCK_DESTROY, virtual links, packets made by hand, delay.
const MODULES: [&str; 6] = ["inet_diag", "tcp_diag", "veth", "tun", "dummy", "sch_netem"];
/// Guests at a time.
const GUESTS: usize = 2;
/// MiB of memory of a guest. The programs unpacked in it take about 30.
const MEMORY_MIB: u32 = 512;
/// What a boot may take besides its runs; usually it is two seconds.
const BOOT: Duration = Duration::from_secs(60);
/// Seconds for the tests of one plan: two hundred to four hundred on an idle machine, where every test starts an observer.
const TIMEOUT: u64 = 1200;

/// What to run where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Kernels by name, e.g. 6.1; without one, the whole matrix.
    kernels: Vec<String>,
    /// Hook plans to test.
    #[arg(long, value_name = "PLAN", value_delimiter = ',', default_values = PLANS)]
    plan: Vec<String>,
    /// Lock the kernels down first, as Secure Boot does.
    #[arg(long, value_name = "LEVEL")]
    lockdown: Option<Lockdown>,
    /// Seconds that the tests of one plan may take.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    timeout: u64,
    /// See every plan attached on every kernel, but run the tests only with every plan of the oldest and the locked-down
    /// kernel, and with the first one of the newest and of the one that makes close_phantom.
    #[arg(long, conflicts_with_all = ["kernels", "plan", "lockdown", "program", "filter"])]
    short: bool,
    /// Only check that docs/kernel-support.md is what the whole matrix gives.
    #[arg(long, conflicts_with_all = ["kernels", "plan", "lockdown", "program", "filter"])]
    check: bool,
    /// Run this program, with the words after `--` as its arguments, in place of the tests.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Part of the tests' names, in place of `core::`: all that need no other program.
    #[arg(last = true, value_name = "FILTER")]
    filter: Vec<String>,
}

impl Options {
    /// Every kernel, in a third of the time of every kernel with every plan; the page is compared.
    pub(crate) fn short_check() -> Self {
        let plan = PLANS.map(str::to_owned).to_vec();
        let (kernels, filter) = (Vec::new(), Vec::new());
        Self { kernels, plan, lockdown: None, timeout: TIMEOUT, short: true, check: true, program: None, filter }
    }

    /// Whether each kernel has declared itself with each plan: only then is the result the page's.
    fn is_whole(&self) -> bool {
        let Self { kernels, plan, lockdown, program, filter, timeout: _, short: _, check: _ } = self;
        kernels.is_empty() && *plan == PLANS && lockdown.is_none() && program.is_none() && filter.is_empty()
    }
}

/// What one boot came to.
struct Booted {
    row: Row,
    /// The build, if there is one.
    abi: Option<String>,
    verdicts: Vec<Verdict>,
}

/// Runs the matrix and prints one verdict line per kernel and plan.
pub(crate) fn run(options: &Options) -> Result<Tally> {
    let rows = matrix::rows(&options.kernels, options.lockdown)?;
    let programs = guest::build(options)?;
    let start = Instant::now();
    // One after the other: apt locks its folders, and the network is the bottleneck anyhow.
    let cache = cache();
    let ready: Vec<(Row, Result<Kernel>)> = rows.iter().map(|&row| (row, Kernel::get(&cache, row.pinned))).collect();

    let all = Mutex::new(Vec::new());
    let queue = Mutex::new(ready.into_iter().enumerate());
    let work = || {
        while let Some((index, (row, kernel))) = next(&queue) {
            let booted = test_row(row, kernel, &programs, options);
            // The lock also keeps the lines of one kernel together.
            let mut all = all.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            for verdict in &booted.verdicts {
                verdict.print(options.program.is_some());
            }
            all.push((index, booted));
        }
    };
    thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(work);
        }
    });
    let mut all = all.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.sort_by_key(|(index, _)| *index);
    let all: Vec<Booted> = all.into_iter().map(|(_, booted)| booted).collect();

    let tally = all.iter().flat_map(|booted| &booted.verdicts).map(|verdict| verdict.tally).sum();
    let total = if options.is_whole() { tally + settle(&all, tally, options.check)? } else { tally };
    println!("vm: {total} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(total)
}

/// Writes or compares the page; what fails has no place on it.
fn settle(all: &[Booted], tally: Tally, check: bool) -> Result<Tally> {
    if tally.failed > 0 {
        println!("vm: docs/kernel-support.md is neither written nor compared, since the matrix has failures");
        return Ok(Tally::default());
    }
    let mut lines = Vec::new();
    for Booted { row, abi, verdicts } in all {
        for verdict in verdicts {
            if let (Some(kernel), Some(declared)) = (abi, &verdict.declared) {
                let Row { lockdown, .. } = *row;
                lines.push(Line { kernel, lockdown, plan: &verdict.plan, declared });
            }
        }
    }
    let page = page::page(&lines);
    if !check {
        return page::write(&page).map(|()| Tally::default());
    }
    let substituted = all.iter().any(|booted| booted.abi.as_deref() != Some(booted.row.pinned.abi));
    Ok(page::check(&page, substituted))
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next()
}

/// Where kernels and package lists stay between runs.
fn cache() -> PathBuf {
    env::var_os("CONN_OBSERVER_VM_CACHE").map_or_else(|| workspace::target_dir().join("vm"), PathBuf::from)
}

/// Boots one row; a machine that fails gives a verdict too.
fn test_row(row: Row, kernel: Result<Kernel>, programs: &Programs, options: &Options) -> Booted {
    let abi = kernel.as_ref().ok().map(|kernel| kernel.abi().to_owned());
    let verdicts = match kernel.and_then(|kernel| boot(&row, &kernel, programs, options)) {
        Ok(verdicts) => verdicts,
        Err(error) => vec![Verdict::no_machine(&row, &error)],
    };
    Booted { row, abi, verdicts }
}

/// Boots a kernel of the matrix with a root of somebody else's, which must end it; what was said on its console.
pub(crate) fn console(kernel: &str, initramfs: &[u8], memory_mib: u32, limit: Duration) -> Result<String> {
    let rows = matrix::rows(&[kernel.to_owned()], None)?;
    let row = rows.first().context("no such kernel")?;
    let kernel = Kernel::get(&cache(), row.pinned)?;
    let dir = workspace::target_dir().join(format!("vm-console-{}", std::process::id()));
    let output = machine::boot(&kernel, initramfs, &dir, memory_mib, limit)
        .with_context(|| format!("booting {}", kernel.abi()))?;
    Ok(output.console + &output.end)
}

fn boot(row: &Row, kernel: &Kernel, programs: &Programs, options: &Options) -> Result<Vec<Verdict>> {
    let (modules, missing) = modules::load(&kernel.modules(), &MODULES)?;
    for name in missing {
        println!("vm: WARNING: {row}: {} has no module {name}", kernel.abi());
    }
    let content = guest::content(programs, row, options);
    let initramfs = initramfs::archive(&content, &modules)?;
    let runs = u32::try_from(content.runs.len()).context("too many runs")?;
    let dir = format!("vm-run-{}-{}", std::process::id(), row.to_string().replace([' ', '='], "-"));
    let dir: &Path = &workspace::target_dir().join(dir);
    let output = machine::boot(kernel, &initramfs, dir, MEMORY_MIB, BOOT + content.timeout * runs)
        .with_context(|| format!("booting {}", kernel.abi()))?;
    for complaint in verdict::complaints(&output) {
        println!("vm: WARNING: {row}: the guest {complaint}");
    }
    Ok(verdict::of_guest(row, &content, &options.plan, &output))
}
