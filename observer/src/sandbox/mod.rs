//! What the observer gives up once it observes, so that whoever takes it over through what it reads gets little.
//!
//! The order, each step for a reason:
//! 1. whatever needs a privilege is done: the hooks are attached, the owners of older connections looked up, the outputs
//!    opened, COMMAND forked (it keeps its privileges: they are the user's own);
//! 2. no other thread runs yet, but for the one that waits for COMMAND to be released and ends with that: user,
//!    capabilities, NO_NEW_PRIVS and filters belong to a thread, and those that start later inherit them;
//! 3. the user changes, with the capabilities kept; supplementary groups go first, while that is still allowed;
//! 4. the bounding set is emptied, while CAP_SETPCAP is there to do it;
//! 5. the capability sets are reduced to what going on observing needs, and what this run needs;
//! 6. NO_NEW_PRIVS, without which the kernel takes no rules from an unprivileged process;
//! 7. the Landlock rules are made ([`Confinement`]), since making them opens paths. They are put in force later, in the
//!    threads that the outside talks to: in a Landlock domain the kernel shows nothing of other processes
//!    (`hook_ptrace_access_check()` in security/landlock/task.c), so whoever looks into /proc must not be in one;
//! 8. the system call filters come last: they forbid what the steps before needed.
//!
//! Nothing is undone, and a step that the kernel refuses is told in `started`; under `strict` it ends the run.
//! docs/privileges.md tells why each capability is kept.

mod account;
mod calls;
mod capabilities;
mod filter;
mod needs;
mod offer;
mod ruleset;

use std::fs;

use anyhow::{Context as _, Result, bail};

pub use self::{
    account::Account,
    needs::Needs,
    offer::{ABI, Offer},
    ruleset::{Confinement, spawn},
};
use crate::{
    command::THREAD as COMMAND_THREAD,
    event,
    options::{Sandboxing, Sandboxing::Strict},
    procfile,
};

/// What is in force.
pub struct Sandbox {
    /// For the `started` event.
    pub state: event::Sandbox,
    confinement: Option<Confinement>,
}

impl Sandbox {
    /// The rules for one more thread that the outside talks to; None when there are none.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn rules(&self) -> Result<Option<Confinement>> {
        let copy = self.confinement.as_ref().map(Confinement::try_clone);
        copy.transpose().context("cannot duplicate the Landlock rules")
    }

    /// Gives up what is not needed any more, from here on. `reads_maps` tells whether the kernel side can be read with
    /// the capabilities that the thread has.
    ///
    /// # Errors
    /// When the user cannot be changed, or another thread runs already; under `strict` also when the kernel refuses
    /// anything else, and then it says what.
    pub fn enter(
        mode: Sandboxing,
        account: Option<&Account>,
        needs: &Needs,
        reads_maps: impl Fn() -> bool,
    ) -> Result<Self> {
        let mut sandbox = Self { state: unconfined(mode)?, confinement: None };
        if mode == Sandboxing::Off {
            return Ok(sandbox);
        }
        check_alone()?;
        let mut refused = Refused { strict: mode == Strict, told: Vec::new() };
        if let Some(account) = account {
            account.assume()?;
            sandbox.state.user = account.shown();
        }
        refused.note(capabilities::empty_bounding_set())?;
        let kept = capabilities::reduce(needs, reads_maps)?;
        sandbox.state.capabilities = capabilities::names(kept);
        let promised = rustix::thread::set_no_new_privs(true).context("the kernel knows no NO_NEW_PRIVS");
        sandbox.state.no_new_privs = refused.note(promised)?.is_some();
        let offer = Offer::read();
        refused.note(offer.check_landlock())?;
        if let (Some(abi), Some(confinement)) = (offer.landlock, refused.note(Confinement::new(needs))?) {
            sandbox.state.landlock = Some(event::Landlock { abi, complete: abi >= ABI });
            sandbox.confinement = Some(confinement);
        }
        sandbox.state.seccomp = refused.note(filter::apply(needs))?.is_some();
        sandbox.state.refused = refused.told;
        Ok(sandbox)
    }
}

/// What the kernel refused.
struct Refused {
    strict: bool,
    told: Vec<String>,
}

impl Refused {
    /// Notes an error, or passes it on under `strict`.
    fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.strict => {
                Err(error.context("--sandbox strict asks for more than is to be had here (or use best-effort)"))
            }
            Err(error) => {
                self.told.push(format!("{error:#}"));
                Ok(None)
            }
        }
    }
}

/// The state before anything is given up.
fn unconfined(mode: Sandboxing) -> Result<event::Sandbox> {
    Ok(event::Sandbox {
        mode: mode.name().to_owned(),
        user: event::User { id: rustix::process::geteuid().as_raw(), name: None },
        capabilities: capabilities::names(capabilities::held()?),
        no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
        landlock: None,
        seccomp: false,
        refused: Vec::new(),
    })
}

/// A thread that runs already would keep all that this one gives up, and share its memory.
fn check_alone() -> Result<()> {
    let own = u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap_or(0);
    for thread in procfile::ids("/proc/self/task").into_iter().filter(|thread| *thread != own) {
        // One that has ended meanwhile has no name.
        let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default();
        let name = name.trim_end();
        if !name.is_empty() && name != COMMAND_THREAD {
            bail!(
                "thread {name} was started before the privileges were dropped; please report this, and use --sandbox off"
            );
        }
    }
    Ok(())
}
