//! A panic ends the program, whichever thread it is in: nobody is served by half of an observer.

use std::{panic, process};

/// From here on a panic aborts the process, once it has been told: with SIGABRT, and a core where those are kept. As
/// `panic = "abort"` does, which tests cannot be built with; so programs and tests have the same dependencies.
pub fn abort() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        tell(panicked);
        process::abort()
    }));
}

#[cfg(test)]
mod tests {
    use std::{env, os::unix::process::ExitStatusExt as _, process::Command, thread};

    /// Tells the process that it is to panic.
    const PANIC: &str = "CONN_OBSERVER_TEST_PANIC";

    #[test]
    fn a_panic_of_any_thread_ends_the_process_and_is_told() {
        if env::var_os(PANIC).is_some() {
            super::abort();
            let _ = thread::spawn(|| panic!("so be it")).join();
            return;
        }
        let name = "panics::tests::a_panic_of_any_thread_ends_the_process_and_is_told";
        let mut command = Command::new(env::current_exe().unwrap());
        let ended = command.args(["--exact", name, "--nocapture"]).env(PANIC, "1").output().unwrap();
        assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("so be it"), "{ended:?}");
    }
}
