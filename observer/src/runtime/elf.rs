//! The few parts of an ELF file that are looked at. Each read has a bound, whatever the file says of its sizes.

use std::{fs::File, ops::Range, os::unix::fs::FileExt as _};

use object::{
    Endianness, FileKind, ReadCache, ReadRef, elf,
    read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _},
};

pub(super) const GO_BUILD_INFO: &str = ".go.buildinfo";
pub(super) const READ_ONLY_DATA: &str = ".rodata";
pub(super) const COMMENT: &str = ".comment";
pub(super) const DYNAMIC_STRINGS: &str = ".dynstr";

const SECTIONS: [&str; 4] = [GO_BUILD_INFO, READ_ONLY_DATA, COMMENT, DYNAMIC_STRINGS];

/// Sections and segments looked at; executables have some dozens.
const MOST_HEADERS: usize = 1_024;

/// Largest table of headers, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// How much of a section is searched at a time.
const WINDOW: usize = 1 << 16;

/// What a match must fit in, with all that belongs to it.
const OVERLAP: usize = 256;

/// A part of the file that is loaded to an address.
struct Segment {
    address: u64,
    bytes: Range<u64>,
    writable: bool,
}

/// An executable, and where its parts are.
pub(super) struct Image<'file> {
    file: &'file File,
    sections: Vec<(&'static str, Range<u64>)>,
    segments: Vec<Segment>,
}

impl<'file> Image<'file> {
    /// None when it is no ELF file.
    pub(super) fn of(file: &'file File) -> Option<Self> {
        let cache = ReadCache::new(file);
        let data = Bounded(&cache);
        match FileKind::parse(data).ok()? {
            FileKind::Elf64 => Self::read::<elf::FileHeader64<Endianness>>(file, data),
            FileKind::Elf32 => Self::read::<elf::FileHeader32<Endianness>>(file, data),
            _ => None,
        }
    }

    /// A file of which no part is known.
    pub(super) fn nothing(file: &'file File) -> Self {
        Self { file, sections: Vec::new(), segments: Vec::new() }
    }

    fn read<'data, Elf>(file: &'file File, data: Bounded<'data, 'file>) -> Option<Self>
    where
        Elf: FileHeader<Endian = Endianness>,
        'file: 'data,
    {
        let header = Elf::parse(data).ok()?;
        let endian = header.endian().ok()?;
        let mut image = Self::nothing(file);
        let sections = header.sections(endian, data).unwrap_or_default();
        for section in sections.iter().take(MOST_HEADERS) {
            let name = sections.section_name(endian, section).unwrap_or_default();
            let known = SECTIONS.into_iter().find(|known| known.as_bytes() == name);
            if let Some((known, (start, size))) = known.zip(section.file_range(endian)) {
                image.sections.push((known, start..start.saturating_add(size)));
            }
        }
        for segment in header.program_headers(endian, data).unwrap_or_default().iter().take(MOST_HEADERS) {
            if segment.p_type(endian) == elf::PT_LOAD {
                let (start, size) = segment.file_range(endian);
                let writable = segment.p_flags(endian) & elf::PF_W != 0;
                let address = segment.p_vaddr(endian).into();
                image.segments.push(Segment { address, bytes: start..start.saturating_add(size), writable });
            }
        }
        Some(image)
    }

    /// The beginning of a section; empty when there is none.
    pub(super) fn contents(&self, section: &str, most: usize) -> Vec<u8> {
        self.section(section).map(|range| self.bytes(range, most)).unwrap_or_default()
    }

    /// The beginning of what is loaded from this address on.
    pub(super) fn loaded(&self, address: u64, most: usize) -> Vec<u8> {
        let range = self.segments.iter().find_map(|segment| {
            let start = segment.bytes.start.checked_add(address.checked_sub(segment.address)?)?;
            (start < segment.bytes.end).then_some(start..segment.bytes.end)
        });
        range.map(|range| self.bytes(range, most)).unwrap_or_default()
    }

    /// The beginning of the data that the program may change.
    pub(super) fn writable(&self, most: usize) -> Vec<u8> {
        let segment = self.segments.iter().find(|segment| segment.writable);
        segment.map(|segment| self.bytes(segment.bytes.clone(), most)).unwrap_or_default()
    }

    /// The size that the file says a section has.
    pub(super) fn size(&self, section: &str) -> u64 {
        self.section(section).map_or(0, |range| range.end - range.start)
    }

    /// The first answer to be had from the first `most` bytes of a section, asked window by window. Windows overlap.
    pub(super) fn search<T>(&self, section: &str, most: u64, ask: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let range = self.section(section)?;
        let end = range.end.min(range.start.saturating_add(most));
        let mut start = range.start;
        while start < end {
            let window = self.bytes(start..end, WINDOW);
            if let Some(answer) = ask(&window) {
                return Some(answer);
            }
            if window.len() < WINDOW {
                break;
            }
            start += (WINDOW - OVERLAP) as u64;
        }
        None
    }

    fn section(&self, name: &str) -> Option<Range<u64>> {
        self.sections.iter().find(|(known, _)| *known == name).map(|(_, range)| range.clone())
    }

    /// What the file has of a range, at most so many bytes.
    fn bytes(&self, range: Range<u64>, most: usize) -> Vec<u8> {
        let size = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX).min(most);
        let mut bytes = vec![0; size];
        let mut filled = 0;
        while filled < size {
            match self.file.read_at(&mut bytes[filled..], range.start.saturating_add(filled as u64)) {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        bytes.truncate(filled);
        bytes
    }
}

/// Reads headers, as long as they are of a sensible size.
#[derive(Clone, Copy)]
struct Bounded<'data, 'file>(&'data ReadCache<&'file File>);

impl<'data> ReadRef<'data> for Bounded<'data, '_> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        if size > LARGEST_READ {
            return Err(());
        }
        self.0.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'data [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}
