//! Drives a target of `conn_observer::fuzz` with libFuzzer: the one that `CONN_OBSERVER_FUZZ` names.

#![no_main]

use std::{env, sync::OnceLock};

use conn_observer::fuzz::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = env::var("CONN_OBSERVER_FUZZ").unwrap_or_default();
        let Some(found) = target(&name) else { panic!("CONN_OBSERVER_FUZZ names no target: {name:?}") };
        TARGET.get_or_init(|| found);
    },
    |bytes: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(bytes);
        }
    }
);
