//! The kernel's own TCP counters of the calling thread's namespace, by their SNMP names: what the observer is held to.

use std::collections::HashMap;
use std::fs;

/// A reading of `/proc/net/netstat` and `/proc/net/snmp`.
#[derive(Clone, Debug)]
pub struct Counters(HashMap<String, i64>);

impl Counters {
    /// Reads the namespace of this thread, not of the process.
    pub fn read() -> Self {
        let mut values = HashMap::new();
        for file in ["netstat", "snmp"] {
            let path = format!("/proc/thread-self/net/{file}");
            parse(&fs::read_to_string(&path).expect(&path), &mut values);
        }
        Self(values)
    }

    /// A `TcpExt` counter, such as `TCPAbortOnClose`.
    pub fn tcp_ext(&self, name: &str) -> u64 {
        self.get(&format!("TcpExt:{name}"))
    }

    /// A `Tcp` counter, such as `OutRsts`.
    pub fn tcp(&self, name: &str) -> u64 {
        self.get(&format!("Tcp:{name}"))
    }

    /// What has been added since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let delta = |(name, value): (&String, &i64)| (name.clone(), value - before.0.get(name).unwrap_or(&0));
        Self(self.0.iter().map(delta).collect())
    }

    /// What RSTs can raise, and has been raised: `TCPAbort…` and the RSTs sent, by name.
    pub fn resets(&self) -> Vec<(&str, u64)> {
        let about_resets = |name: &str| name.starts_with("TcpExt:TCPAbort") || name == "Tcp:OutRsts";
        let raised = self.0.iter().filter(|(name, value)| about_resets(name) && **value != 0);
        let mut raised: Vec<_> = raised.map(|(name, _)| (name.split(':').nth(1).unwrap(), self.get(name))).collect();
        raised.sort_unstable();
        raised
    }

    fn get(&self, name: &str) -> u64 {
        let value = self.0.get(name).unwrap_or_else(|| panic!("the kernel has no counter {name}"));
        u64::try_from(*value).unwrap_or_else(|_| panic!("{name} went down by {}", -value))
    }
}

/// Both files are pairs of lines with the same prefix: the names, then their values.
fn parse(text: &str, values: &mut HashMap<String, i64>) {
    let mut lines = text.lines();
    while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
        let group = names.split(' ').next().unwrap_or_default();
        for (name, number) in names.split(' ').zip(numbers.split(' ')).skip(1) {
            values.insert(format!("{group}{name}"), number.parse().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_paired_by_group() {
        let mut values = HashMap::new();
        parse("TcpExt: A B\nTcpExt: 1 2\nTcp: A\nTcp: -1\n", &mut values);
        assert_eq!(values["TcpExt:B"], 2);
        assert_eq!(values["Tcp:A"], -1);
        let later = HashMap::from([("TcpExt:B".to_owned(), 5)]);
        assert_eq!(Counters(later).since(&Counters(values)).tcp_ext("B"), 3);
    }
}
