//! Names of Rust and C++ as people write them. A short mangled name can stand for a text without end: output is bounded.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Longest name that is told, bytes.
const LONGEST: usize = 512;

/// Longest mangled name that is parsed: time grows faster than its length.
const PARSED: usize = 4096;

/// Nesting that is followed, by recursion: worker threads have 2 MiB of stack.
const NESTING: u32 = 64;

/// The name of a function as its source has it; names that are not mangled stay what they are.
pub(super) fn demangle(name: &str) -> String {
    let mut bounded = Bounded(String::new());
    if name.len() <= PARSED && write(name, &mut bounded).is_some() {
        return bounded.0;
    }
    let mut bounded = Bounded(String::new());
    let _ = bounded.write_str(name);
    bounded.0
}

/// None when the name is not mangled.
fn write(name: &str, bounded: &mut Bounded) -> Option<()> {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash. What has been written when the bound is met stays.
        let _ = write!(bounded, "{rust:#}");
    } else if name.starts_with("_Z") {
        let options = ParseOptions::default().recursion_limit(NESTING);
        let symbol = Symbol::new_with_options(name, &options).ok()?;
        let _ = symbol.structured_demangle(bounded, &options_of_output());
    } else {
        return None;
    }
    (!bounded.0.is_empty()).then_some(())
}

/// Names of classes and functions; parameters and results would fill the line.
fn options_of_output() -> DemangleOptions {
    DemangleOptions::new().no_params().no_return_type().recursion_limit(NESTING)
}

/// Text that ends with an ellipsis where it would become too long.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        if !self.0.ends_with('…') {
            let cut = (0..=room).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(0);
            self.0.push_str(text.get(..cut).unwrap_or_default());
            self.0.push('…');
        }
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::symbols::mutate::Mutations;

    #[test]
    fn rust_and_cpp_read_like_their_source() {
        for (mangled, plain) in [
            ("_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place"),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("_ZN3net6Socket5closeEi", "net::Socket::close"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back"),
            ("main", "main"),
            ("net/http.(*persistConn).readLoop", "net/http.(*persistConn).readLoop"),
            ("_Zoo", "operator||"),
            ("_ZQ", "_ZQ"),
            ("", ""),
        ] {
            assert_eq!(demangle(mangled), plain, "{mangled}");
        }
    }

    #[test]
    fn output_is_bounded_where_the_input_doubles_it() {
        // Each substitution stands for all before it.
        let doubling = format!("_Z1fI1A{}E", "S_IT_T_E".repeat(40));
        let nested = format!("_Z1f{}", "1AI".repeat(400));
        for name in [doubling, nested, "x".repeat(100_000), format!("_ZN{}", "1a".repeat(2000) + "E")] {
            assert!(demangle(&name).len() <= LONGEST + '…'.len_utf8());
        }
    }

    #[test]
    fn names_of_any_bytes_are_told_in_bounded_time() {
        let seeds = [
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "_ZN4core3ptr13drop_in_place17h0123456789abcdefE",
            "_RNvXs_C7mycrateINtB4_3FooKpE1xINtNtC4core6option6OptiontE",
            "_ZZN1AIiE1fEvENKUlT_E_clIdEEDaS1_",
        ];
        let mut slowest = Duration::ZERO;
        for (index, seed) in seeds.iter().enumerate() {
            for bytes in Mutations::of(seed.as_bytes(), index as u64).take(5000) {
                let start = Instant::now();
                let name = demangle(&String::from_utf8_lossy(&bytes));
                slowest = slowest.max(start.elapsed());
                assert!(name.len() <= LONGEST + '…'.len_utf8());
            }
        }
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    }
}
