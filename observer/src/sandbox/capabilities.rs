//! Capability sets: what is kept after attaching, and what each is for. docs/privileges.md has the same as a table.

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities,
    },
};

use super::needs::Needs;

/// One past the highest number that the kernel's sets have room for.
const NUMBERS: u32 = 64;

/// What this thread may use.
pub(super) fn held() -> Result<CapabilitySet> {
    Ok(sets()?.permitted)
}

/// Their names, as `CAP_SYS_PTRACE`, the lowest number first.
pub(super) fn names(set: CapabilitySet) -> Vec<String> {
    let name = |number: u32| {
        let one = CapabilitySet::from_bits_retain(1 << number);
        let known = one.iter_names().next().map(|(name, _)| format!("CAP_{name}"));
        known.unwrap_or_else(|| format!("CAP_{number}"))
    };
    (0..NUMBERS).filter(|number| set.bits() & (1 << number) != 0).map(name).collect()
}

/// Empties the bounding set: nothing that is executed can have any capability again.
///
/// # Errors
/// Without CAP_SETPCAP.
pub(super) fn empty_bounding_set() -> Result<()> {
    let sets = sets()?;
    // A change of the user has emptied the effective set.
    set(CapabilitySets { effective: sets.permitted, ..sets })?;
    for number in 0..NUMBERS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one)
                .context("cannot empty the capability bounding set: that takes CAP_SETPCAP")?,
            Ok(false) => {}
            Err(Errno::INVAL) => break, // past the last one of this kernel
            Err(error) => return Err(error).context("cannot read the capability bounding set"),
        }
    }
    Ok(())
}

/// Reduces this thread's sets to what going on needs; what is left.
///
/// # Errors
/// When the kernel refuses to take capabilities away.
pub(super) fn reduce(needs: &Needs, reads_maps: impl Fn() -> bool) -> Result<CapabilitySet> {
    // Kernels without it have no capabilities to raise there.
    let _ = clear_ambient_capability_set();
    let held = held()?;
    let kept = wanted(needs) & held;
    let for_maps = for_maps(held);
    set(CapabilitySets { effective: kept, permitted: kept | for_maps, inheritable: CapabilitySet::empty() })?;
    let kept = if reads_maps() { kept } else { kept | for_maps };
    set(CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })?;
    Ok(kept)
}

/// Gives up every capability of this thread.
///
/// # Errors
/// When the kernel refuses to take capabilities away.
pub(super) fn give_up_all() -> Result<()> {
    let none = CapabilitySet::empty();
    set(CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// What going on needs, if it is there.
fn wanted(needs: &Needs) -> CapabilitySet {
    // /proc/PID/exe, cwd, root, maps and ns of other users' processes; their files and folders.
    let mut wanted = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    if needs.symbols {
        // /proc/PID/map_files: mapped files that are deleted or replaced, or lie in another mount namespace.
        wanted |= CapabilitySet::CHECKPOINT_RESTORE;
    }
    if needs.kernel_symbols {
        // /proc/kallsyms with addresses.
        wanted |= CapabilitySet::SYSLOG;
    }
    if needs.command.is_some() {
        // COMMAND may have become another user.
        wanted |= CapabilitySet::KILL;
    }
    wanted
}

/// Where `kernel.unprivileged_bpf_disabled` is set, kernels before 5.19 want CAP_BPF also of those who have the
/// descriptor of a map.
fn for_maps(held: CapabilitySet) -> CapabilitySet {
    if held.contains(CapabilitySet::BPF) { CapabilitySet::BPF } else { held & CapabilitySet::SYS_ADMIN }
}

fn sets() -> Result<CapabilitySets> {
    capabilities(None).context("cannot read capabilities")
}

fn set(sets: CapabilitySets) -> Result<()> {
    set_capabilities(None, sets).context("cannot give up capabilities")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_the_names_of_the_kernel() {
        assert_eq!(
            names(CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH),
            ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
        );
        assert_eq!(names(CapabilitySet::from_bits_retain(1 << 63)), ["CAP_63"]);
        assert!(names(CapabilitySet::empty()).is_empty());
    }

    #[test]
    fn nothing_is_kept_that_a_run_does_not_use() {
        let none = Needs::default();
        assert_eq!(wanted(&none), CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH);
        let all = Needs { symbols: true, kernel_symbols: true, command: Some(1), ..none };
        assert_eq!(
            names(wanted(&all)),
            ["CAP_DAC_READ_SEARCH", "CAP_KILL", "CAP_SYS_PTRACE", "CAP_SYSLOG", "CAP_CHECKPOINT_RESTORE"]
        );
    }

    #[test]
    fn the_administrator_stands_in_for_bpf_only_where_there_is_nothing_less() {
        let (bpf, admin) = (CapabilitySet::BPF, CapabilitySet::SYS_ADMIN);
        assert_eq!(for_maps(bpf | admin), bpf);
        assert_eq!(for_maps(admin), admin);
        assert_eq!(for_maps(CapabilitySet::SYS_PTRACE), CapabilitySet::empty());
    }
}
