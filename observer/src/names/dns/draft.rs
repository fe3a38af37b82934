//! DNS messages for tests, put together by hand, so that they may be wrong in any way.

/// Types of records.
pub(in crate::names) const A: u16 = 1;
pub(in crate::names) const NS: u16 = 2;
pub(in crate::names) const CNAME: u16 = 5;
pub(in crate::names) const AAAA: u16 = 28;

/// A section that follows the question.
#[derive(Clone, Copy)]
pub(in crate::names) enum Section {
    Answer = 6,
    Authority = 8,
    Additional = 10,
}

/// A message in the making.
#[derive(Clone)]
pub(in crate::names) struct Draft {
    pub(in crate::names) bytes: Vec<u8>,
}

impl Draft {
    /// A query with recursion desired.
    pub(in crate::names) fn query(id: u16, name: &str, kind: u16) -> Self {
        let [high, low] = id.to_be_bytes();
        let mut draft = Self { bytes: vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] };
        draft.bytes.extend(labels(name));
        draft.words(&[kind, 1]);
        draft
    }

    /// An answer without records.
    pub(in crate::names) fn answer(id: u16, name: &str, kind: u16) -> Self {
        Self::query(id, name, kind).with(2, 0x81).with(3, 0x80)
    }

    /// One byte of it.
    pub(in crate::names) fn with(mut self, place: usize, byte: u8) -> Self {
        self.bytes[place] = byte;
        self
    }

    /// A record of class IN, its name given as bytes.
    pub(in crate::names) fn record(mut self, section: Section, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        let place = section as usize;
        let count = u16::from_be_bytes([self.bytes[place], self.bytes[place + 1]]) + 1;
        self.bytes[place..place + 2].copy_from_slice(&count.to_be_bytes());
        self.bytes.extend(owner);
        self.words(&[kind, 1]);
        self.bytes.extend(ttl.to_be_bytes());
        self.words(&[u16::try_from(data.len()).unwrap()]);
        self.bytes.extend(data);
        self
    }

    /// An address of a name.
    pub(in crate::names) fn address(self, owner: &str, ttl: u32, address: &str) -> Self {
        let owner = labels(owner);
        match address.parse().unwrap() {
            std::net::IpAddr::V4(address) => self.record(Section::Answer, &owner, A, ttl, &address.octets()),
            std::net::IpAddr::V6(address) => self.record(Section::Answer, &owner, AAAA, ttl, &address.octets()),
        }
    }

    /// An alias.
    pub(in crate::names) fn alias(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.record(Section::Answer, &labels(owner), CNAME, ttl, &labels(target))
    }

    fn words(&mut self, words: &[u16]) {
        self.bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
}

/// A name as it is sent, not compressed.
pub(in crate::names) fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A pointer to a place in the message.
pub(in crate::names) fn pointer(place: u16) -> [u8; 2] {
    (0xc000 | place).to_be_bytes()
}
