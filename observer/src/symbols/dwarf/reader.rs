//! Lets `gimli` read from an [`Area`]: debug information of any size is looked at without being in memory.

use std::borrow::Cow;

use gimli::{Error, LittleEndian, Reader, ReaderOffsetId, Result};

use crate::symbols::area::Area;

/// Longest text or block that is copied: names of deeply nested generics reach some thousand bytes.
const COPIED: usize = 64 << 10;

/// A position in a section.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    section: Area,
    at: usize,
    end: usize,
}

impl Bytes {
    pub(super) fn new(section: Area) -> Self {
        Self { at: 0, end: usize::try_from(section.len()).unwrap_or(0), section }
    }

    fn eof(&self) -> Error {
        Error::UnexpectedEof(self.offset_id())
    }

    fn copied(&self) -> Result<Vec<u8>> {
        let part = self.section.part(self.at as u64, self.len() as u64);
        part.and_then(|part| part.bytes(COPIED)).ok_or_else(|| self.eof())
    }
}

impl Reader for Bytes {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    fn len(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    fn empty(&mut self) {
        self.end = self.at;
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        if len > self.len() {
            return Err(self.eof());
        }
        self.end = self.at + len;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.at.saturating_sub(base.at)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        ReaderOffsetId(self.at as u64)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let id = usize::try_from(id.0).ok()?;
        (self.at..=self.end).contains(&id).then(|| id - self.at)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let found = self.section.find(self.at as u64, byte, (self.len() as u64).min(COPIED as u64));
        found.and_then(|distance| usize::try_from(distance).ok()).ok_or_else(|| self.eof())
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        if len > self.len() {
            return Err(self.eof());
        }
        self.at += len;
        Ok(())
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        let mut first = self.clone();
        first.truncate(len)?;
        self.at += len;
        Ok(first)
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        self.copied().map(Cow::Owned)
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        String::from_utf8(self.copied()?).map(Cow::Owned).map_err(|_| Error::BadUtf8)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        Ok(Cow::Owned(String::from_utf8_lossy(&self.copied()?).into_owned()))
    }

    fn read_slice(&mut self, buffer: &mut [u8]) -> Result<()> {
        if buffer.len() > self.len() {
            return Err(self.eof());
        }
        self.section.read(self.at as u64, buffer).ok_or_else(|| self.eof())?;
        self.at += buffer.len();
        Ok(())
    }
}
