//! `cargo xtask vm`: the live tests on real distribution kernels, once per hook plan, each in a guest of its own.
//!
//! The whole procedure: 1. build the programs, 2. fetch the kernels that the cache lacks, 3. per boot of the schedule, two
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
mod schedule;
mod tsc;
mod verdict;

use std::{
    env,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result};

use self::{
    guest::Programs,
    kernel::Kernel,
    matrix::{Lockdown, PLANS, Row},
    page::Line,
    schedule::Boot,
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

    /// Whether a plan's tests are run on this row, and it does not only declare itself.
    fn tests(&self, row: &Row, plan: &str) -> bool {
        // Where it is refused, each test would only tell the same refusal again.
        self.program.is_none() && !row.refuses(plan) && (!self.short || row.is_short(plan))
    }

    /// Whether each kernel has declared itself with each plan: only then is the result the page's.
    fn is_whole(&self) -> bool {
        let Self { kernels, plan, lockdown, program, filter, timeout: _, short: _, check: _ } = self;
        kernels.is_empty() && *plan == PLANS && lockdown.is_none() && program.is_none() && filter.is_empty()
    }
}

/// Runs the matrix and prints one verdict line per kernel and plan.
pub(crate) fn run(options: &Options) -> Result<Tally> {
    let rows = matrix::rows(&options.kernels, options.lockdown)?;
    let programs = guest::build(options)?;
    let start = Instant::now();
    // One after the other: apt locks its folders, and the network is the bottleneck anyhow.
    let cache = cache();
    let kernels: Vec<Result<Kernel>> = rows.iter().map(|row| Kernel::get(&cache, row.pinned)).collect();

    let verdicts = Mutex::new(Vec::new());
    schedule::run(schedule::boots(&rows, options), GUESTS, |Boot { row, plans }| {
        let new = test(&rows[row], &kernels[row], &plans, &programs, options);
        // The lock also keeps the lines of one boot together.
        let mut verdicts = verdicts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for verdict in &new {
            verdict.print(options.program.is_some());
        }
        verdicts.extend(new.into_iter().map(|verdict| (row, verdict)));
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Boots end in any order.
    verdicts.sort_by_key(|(row, verdict)| (*row, PLANS.iter().position(|plan| *plan == verdict.plan)));

    let tally: Tally = verdicts.iter().map(|(_, verdict)| verdict.tally).sum();
    let total =
        if options.is_whole() { tally + settle(&rows, &kernels, &verdicts, tally, options.check)? } else { tally };
    println!("vm: {total} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(total)
}

/// Writes or compares the page; what fails has no place on it.
fn settle(
    rows: &[Row],
    kernels: &[Result<Kernel>],
    verdicts: &[(usize, Verdict)],
    tally: Tally,
    check: bool,
) -> Result<Tally> {
    if tally.failed > 0 {
        println!("vm: docs/kernel-support.md is neither written nor compared, since the matrix has failures");
        return Ok(Tally::default());
    }
    let abi = |row: usize| kernels[row].as_ref().ok().map(Kernel::abi);
    let mut lines = Vec::new();
    for (row, Verdict { plan, declared, .. }) in verdicts {
        if let (Some(kernel), Some(declared)) = (abi(*row), declared) {
            lines.push(Line { kernel, lockdown: rows[*row].lockdown, plan, declared });
        }
    }
    let page = page::page(&lines);
    if !check {
        return page::write(&page).map(|()| Tally::default());
    }
    let substituted = (0..rows.len()).any(|row| abi(row) != Some(rows[row].pinned.abi));
    Ok(page::check(&page, substituted))
}

/// Where kernels and package lists stay between runs.
fn cache() -> PathBuf {
    env::var_os("CONN_OBSERVER_VM_CACHE").map_or_else(|| workspace::target_dir().join("vm"), PathBuf::from)
}

/// One boot; a machine that fails gives a verdict too.
fn test(row: &Row, kernel: &Result<Kernel>, plans: &[String], programs: &Programs, options: &Options) -> Vec<Verdict> {
    let failed = |error: &Error| vec![Verdict::no_machine(row, plans, error)];
    match kernel {
        Ok(kernel) => boot(row, kernel, plans, programs, options).unwrap_or_else(|error| failed(&error)),
        Err(error) => failed(error),
    }
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

fn boot(row: &Row, kernel: &Kernel, plans: &[String], programs: &Programs, options: &Options) -> Result<Vec<Verdict>> {
    let (modules, missing) = modules::load(&kernel.modules(), &MODULES)?;
    for name in missing {
        println!("vm: WARNING: {row}: {} has no module {name}", kernel.abi());
    }
    let content = guest::content(programs, row, plans, options);
    let initramfs = initramfs::archive(&content, &modules)?;
    let runs = u32::try_from(content.runs.len()).context("too many runs")?;
    let name = format!("{row} {}", plans.join(" ")).replace([' ', '='], "-");
    let dir = format!("vm-run-{}-{name}", std::process::id());
    let dir: &Path = &workspace::target_dir().join(dir);
    let output = machine::boot(kernel, &initramfs, dir, MEMORY_MIB, BOOT + content.timeout * runs)
        .with_context(|| format!("booting {}", kernel.abi()))?;
    for complaint in verdict::complaints(&output) {
        println!("vm: WARNING: {row}: the guest {complaint}");
    }
    Ok(verdict::of_guest(row, &content, plans, &output))
}
