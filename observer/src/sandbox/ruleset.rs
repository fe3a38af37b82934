//! Landlock rules for threads that the outside talks to: outputs, and the one that asks the resolver. They read the
//! system's configuration and libraries, write to the folders of the outputs, and use the ports of the outputs.

use std::{io, path::Path, sync::mpsc, thread};

use anyhow::{Context as _, Result};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};

use super::{capabilities, needs::Needs};
use crate::options::Sinks;

/// What is asked for: see [`super::ABI`]. A kernel that has less restricts less.
const VERSION: ABI = ABI::V6;

/// What resolvers, TLS and the C library read: configuration, certificates, modules of the name service and their
/// sockets' folders.
const SYSTEM: [&str; 8] = ["/etc", "/usr", "/lib", "/lib64", "/run", "/var/lib", "/dev/null", "/dev/urandom"];

/// Rules that a thread puts itself under.
pub struct Confinement {
    ruleset: RulesetCreated,
    needs: Needs,
}

/// Starts a thread that the outside talks to. It works once it is under the rules, if there are any.
///
/// # Errors
/// When there can be no thread, or not under the rules.
pub fn spawn(name: &str, rules: Option<Confinement>, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let (ready, confined) = mpsc::sync_channel(1);
    let run = move || {
        let entered = rules.map_or(Ok(()), Confinement::enter);
        let may_work = entered.is_ok();
        if ready.send(entered).is_ok() && may_work {
            work();
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    confined.recv()?
}

impl Confinement {
    /// Makes the rules, without putting anybody under them.
    ///
    /// # Errors
    /// When a path of the needs cannot be opened, or the kernel refuses.
    pub(super) fn new(needs: &Needs) -> Result<Self> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(VERSION))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(VERSION)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(VERSION)))
            .and_then(Ruleset::create)
            .context("the kernel refuses Landlock rules")?;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        // Not every system has all of these.
        let system = SYSTEM.iter().map(Path::new).filter(|path| path.exists());
        for path in system.chain(needs.read.iter().map(AsRef::as_ref)) {
            ruleset = allow(ruleset, path, read)?;
        }
        for folder in &needs.write {
            ruleset = allow(ruleset, folder, read | in_folders())?;
        }
        let connect = needs.connect.iter().map(|port| NetPort::new(*port, AccessNet::ConnectTcp));
        let bind = needs.bind.iter().map(|port| NetPort::new(*port, AccessNet::BindTcp));
        for port in connect.chain(bind) {
            ruleset = ruleset.add_rule(port).context("the kernel refuses a Landlock rule for a port")?;
        }
        Ok(Self { ruleset, needs: needs.clone() })
    }

    /// The same rules for one more thread.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { ruleset: self.ruleset.try_clone()?, needs: self.needs.clone() })
    }

    /// The rules for threads that are started later, for these sinks. Which families of sockets there may be was decided
    /// at the start.
    ///
    /// # Errors
    /// When a path of theirs cannot be opened, or the kernel refuses.
    pub fn with(&self, sinks: &Sinks) -> Result<Self> {
        Self::new(&self.needs.with(sinks))
    }

    /// Puts this thread, and those that it starts, under the rules, without any capability.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter(self) -> Result<()> {
        capabilities::give_up_all()?;
        self.ruleset.restrict_self().context("the kernel refuses to restrict a thread by Landlock")?;
        Ok(())
    }
}

/// Everything about files, but no folders, devices, links or sockets are made.
fn in_folders() -> BitFlags<AccessFs> {
    AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Refer
}

fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated> {
    let opened = PathFd::new(path).with_context(|| format!("cannot open {} for a Landlock rule", path.display()))?;
    // Rights for folders mean nothing for a file.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(VERSION) };
    let rule = PathBeneath::new(opened, access);
    ruleset.add_rule(rule).with_context(|| format!("the kernel refuses a Landlock rule for {}", path.display()))
}
