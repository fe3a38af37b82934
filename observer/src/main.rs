//! The program: parses, runs, and turns the outcome into an exit status.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use conn_observer::{
    cli::{Cli, Task},
    diagnose::diagnose,
    doctor, event, memory, observe, panics,
};

/// Most of what is allocated here is freed by another thread.
mod allocator {
    use std::{ffi::c_char, ptr};

    use tikv_jemalloc_sys::mallctl;
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// A pointer that threads may share.
    #[repr(transparent)]
    struct Options(*const c_char);

    // SAFETY: what it points to is never written.
    unsafe impl Sync for Options {}

    /// What jemalloc reads before `main()` (`malloc_conf` of its manual): few arenas, and memory that is free for a second goes
    /// back, for an observer that has seen a flood has little to do afterwards.
    // SAFETY: the name that this build of jemalloc looks for, and a C string, as it expects.
    #[unsafe(export_name = "_rjem_malloc_conf")]
    #[used]
    static OPTIONS: Options = Options(c"narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0".as_ptr());

    /// Returns the free memory of all arenas to the system.
    pub(super) fn release() {
        // `MALLCTL_ARENAS_ALL` of jemalloc's header.
        let purge = c"arena.4096.purge";
        // SAFETY: a C string; this control reads and writes nothing else, and may be used at any time from any thread.
        unsafe {
            mallctl(purge.as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0);
        }
    }
}

/// It could not run.
const CANNOT_RUN: u8 = 2;

fn main() -> ExitCode {
    panics::abort();
    memory::released_by(allocator::release);
    match Cli::from_arguments().and_then(Cli::task).and_then(perform) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            diagnose(format_args!("{error:#}"));
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn perform(task: Task) -> Result<u8> {
    match task {
        Task::Schema => {
            let schema = schemars::schema_for!(event::Event);
            let text = serde_json::to_string_pretty(&schema).context("cannot render the schema")?;
            print(&(text + "\n")).context("cannot write the schema")?;
            Ok(0)
        }
        Task::Print(text) => {
            print(&text).context("cannot write to standard output")?;
            Ok(0)
        }
        Task::Write { folder, files } => write(&folder, &files).map(|()| 0),
        Task::Doctor(request) => {
            let report = doctor::examine(&request);
            print(&report.render(request.options.format)?).context("cannot write the report")?;
            Ok(report.exit_code())
        }
        Task::Look(look) => look.perform(),
        Task::Observe(options) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the event loop")?;
            let outcome = runtime.block_on(observe::run(*options, &Cli::options_again))?;
            Ok(if outcome.failed { 1 } else { outcome.command.unwrap_or(0) })
        }
    }
}

/// Writes to standard output. A reader that has seen enough is no error.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn write(folder: &Path, files: &[(String, String)]) -> Result<()> {
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
