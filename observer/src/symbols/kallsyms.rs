//! Functions of the kernel and its modules, from `/proc/kallsyms`: eight bytes and a name each.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

/// All code of an x86-64 kernel and its modules lies in the last 2 GiB.
const BASE: u64 = 0xffff_ffff_0000_0000;

/// Functions have no length here: the last one before a gap would reach to what follows it.
const LONGEST: u64 = 256 << 10;

/// The kernel's functions.
#[derive(Default)]
pub(super) struct Kallsyms {
    functions: Vec<Function>,
    /// `name` or `name<TAB>module`, each ended by a newline.
    names: String,
}

#[derive(Clone, Copy)]
struct Function {
    /// Counted from [`BASE`].
    start: u32,
    name: u32,
}

/// A function of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) module: Option<String>,
    pub(super) start: u64,
}

impl Kallsyms {
    /// Reads them; none are there when the kernel hides addresses (`kernel.kptr_restrict`).
    pub(super) fn read() -> io::Result<Self> {
        Self::parse(BufReader::with_capacity(64 << 10, File::open("/proc/kallsyms")?))
    }

    /// From its text.
    pub(super) fn parse(mut text: impl BufRead) -> io::Result<Self> {
        let mut all = Self::default();
        let mut line = String::new();
        while text.read_line(&mut line)? > 0 {
            all.add(line.trim_end_matches('\n'));
            line.clear();
        }
        all.functions.sort_by_key(|function| function.start);
        all.functions.shrink_to_fit();
        all.names.shrink_to_fit();
        Ok(all)
    }

    /// `ffffffff81e0a1b0 T tcp_close` or `ffffffffc0a31000 t nft_do_chain<TAB>[nf_tables]`
    fn add(&mut self, line: &str) -> Option<()> {
        let (address, rest) = line.split_once(' ')?;
        let (kind, name) = rest.split_once(' ')?;
        let start = u64::from_str_radix(address, 16).ok()?.checked_sub(BASE)?;
        let code = matches!(kind, "t" | "T" | "w" | "W");
        // Bytes before a function for the case that one is replaced at run time, not a name of its own.
        if start != 0 && code && !name.starts_with("__pfx_") {
            let at = u32::try_from(self.names.len()).ok()?;
            self.functions.push(Function { start: u32::try_from(start).ok()?, name: at });
            self.names.push_str(name);
            self.names.push('\n');
        }
        Some(())
    }

    /// The function at an address.
    pub(super) fn find(&self, address: u64) -> Option<Symbol> {
        let offset = address.checked_sub(BASE)?;
        let end = self.functions.partition_point(|function| u64::from(function.start) <= offset);
        let before = self.functions.get(..end)?;
        let start = before.last()?.start;
        if offset - u64::from(start) >= LONGEST {
            return None;
        }
        let names = before.iter().rev().take_while(|function| function.start == start);
        let names = names.filter_map(|function| self.names.get(function.name as usize..)?.lines().next());
        // As with other files: of several names the plain one.
        let name = names.min_by_key(|name| (name.len() - name.trim_start_matches('_').len(), name.len()))?;
        let (name, module) = name.split_once('\t').map_or((name, None), |(name, module)| (name, Some(module)));
        let module = module.map(|module| module.trim_matches(['[', ']']).to_owned());
        Some(Symbol { name: name.to_owned(), module, start: BASE + u64::from(start) })
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.functions.capacity() * size_of::<Function>() + self.names.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::mutate::Mutations;

    const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T __stext
ffffffff81000ff0 t __pfx_tcp_close
ffffffff81001000 T tcp_close
ffffffff81001100 d tcp_prot
ffffffffc0a31000 t nft_do_chain\t[nf_tables]
";

    fn find(text: &str, address: u64) -> Option<(String, Option<String>, u64)> {
        let found = Kallsyms::parse(text.as_bytes()).unwrap().find(address)?;
        Some((found.name, found.module, address - found.start))
    }

    #[test]
    fn functions_are_found_with_their_module() {
        assert_eq!(find(TEXT, 0xffff_ffff_8100_0fff), Some(("_stext".into(), None, 0xfff)));
        assert_eq!(find(TEXT, 0xffff_ffff_8100_1234), Some(("tcp_close".into(), None, 0x234)));
        assert_eq!(find(TEXT, 0xffff_ffff_c0a3_1001), Some(("nft_do_chain".into(), Some("nf_tables".into()), 1)));
        assert_eq!(find(TEXT, 0xffff_ffff_9000_0000), None, "far behind the last function");
        assert_eq!(find(TEXT, 0x7fff_0000_0000), None);
    }

    #[test]
    fn hidden_addresses_are_no_addresses() {
        let hidden = TEXT.lines().map(|line| format!("0000000000000000{}\n", &line[16..])).collect::<String>();
        assert_eq!(find(&hidden, 0xffff_ffff_8100_1000), None);
    }

    #[test]
    fn any_text_is_read() {
        for bytes in Mutations::of(TEXT.as_bytes(), 3).take(2000) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for address in [0, 0xffff_ffff_8100_1234, u64::MAX] {
                find(&text, address);
            }
        }
    }
}
