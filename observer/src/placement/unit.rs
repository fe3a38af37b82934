//! The systemd unit of a control group, as systemd itself reads it back (`cg_path_get_unit()` and its kin): slices
//! first, then the unit; below `user@UID.service` the same again for the user's own manager. Names are as `systemctl`
//! shows them, `\x2d` and all.

use crate::event::Systemd;

/// Kinds of units that have processes. A slice only holds other units.
const SUFFIXES: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Unit and slice of the system's manager, and of a user's. Those of a systemd inside a container are not: the host's
/// `systemctl` does not know them.
pub(super) fn of(parts: &[&str]) -> Option<Systemd> {
    let (mut slices, rest) = split(parts);
    let user_id = slices.iter().find_map(|slice| slice.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok());
    let unit = rest.first().and_then(|part| unit(part));
    let mut user_unit = None;
    if unit.is_some_and(is_user_manager) {
        let (inner, rest) = split(rest.get(1..)?);
        user_unit = rest.first().and_then(|part| self::unit(part));
        if !inner.is_empty() {
            slices = inner;
        }
    }
    let slice = slices.last().map(|slice| (*slice).to_owned());
    let known = unit.is_some() || slice.is_some();
    known.then(|| Systemd { unit: unit.map(str::to_owned), user_unit: user_unit.map(str::to_owned), slice, user_id })
}

/// The slices, and what is in the innermost one.
fn split<'parts, 'path>(parts: &'parts [&'path str]) -> (&'parts [&'path str], &'parts [&'path str]) {
    let slices = parts.iter().take_while(|part| part.strip_suffix(".slice").is_some_and(is_name)).count();
    parts.split_at(slices)
}

/// A unit, unless the part is not one. systemd writes `_` before what could be taken for a file of the kernel's.
fn unit(part: &str) -> Option<&str> {
    let name = part.strip_prefix('_').unwrap_or(part);
    let stem = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix))?;
    // `getty@.service` is a template, which cannot run.
    (is_name(stem) && !stem.ends_with('@')).then_some(name)
}

fn is_name(stem: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    !stem.is_empty() && !stem.starts_with('@') && stem.bytes().all(allowed)
}

fn is_user_manager(unit: &str) -> bool {
    let id = unit.strip_prefix("user@").and_then(|rest| rest.strip_suffix(".service"));
    id.is_some_and(|id| id.parse::<u32>().is_ok())
}
