//! What an ELF file tells about itself: where its parts lie in memory, its sections and its build id. 64-bit and
//! little-endian only: the observer runs nowhere else.

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::area::Area;

/// Entries of a table that are looked at: linkers make dozens.
const ENTRIES: u64 = 1024;

/// A header of a section, bytes.
const SECTION_HEADER: u64 = 64;

/// A header of a segment, bytes.
const SEGMENT_HEADER: u64 = 56;

/// Longest name of a section that anybody asks for.
const NAME: u64 = 64;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PF_X: u32 = 1;
const SHT_NOBITS: u32 = 8;
const SHF_EXECINSTR: u64 = 4;
const SHF_COMPRESSED: u64 = 1 << 11;
const ELFCOMPRESS_ZLIB: u32 = 1;
const EM_X86_64: u16 = 62;
const NT_GNU_BUILD_ID: u32 = 3;

/// Bytes of a build id: SHA-1 has 20.
const BUILD_ID: usize = 64;

/// An ELF file.
pub(super) struct Elf {
    pub(super) area: Area,
    /// What is loaded into memory, in the order of the file.
    pub(super) segments: Vec<Segment>,
    pub(super) sections: Vec<Section>,
    pub(super) build_id: Option<Vec<u8>>,
    pub(super) is_x86_64: bool,
}

/// A part that is loaded into memory (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) address: u64,
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) size: u64,
    pub(super) executable: bool,
}

/// A section.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) size: u64,
    /// Number of the section that belongs to it: of its names, for symbols.
    pub(super) link: usize,
    pub(super) executable: bool,
    offset: u64,
    compressed: bool,
    in_file: bool,
}

impl Section {
    /// Whether the file has its contents: what was moved to another file leaves a section without any.
    pub(super) fn is_in_file(&self) -> bool {
        self.in_file
    }
}

impl Elf {
    /// Reads the headers; None when it is no such file.
    pub(super) fn open(area: Area) -> Option<Self> {
        const IDENT: [u8; 6] = *b"\x7fELF\x02\x01";
        let mut ident = [0; 6];
        area.read(0, &mut ident)?;
        if ident != IDENT {
            return None;
        }
        let mut segments = Vec::new();
        let mut build_id = None;
        let count = u64::from(area.u16(56)?).min(ENTRIES);
        let headers = area.part(area.u64(32)?, count * SEGMENT_HEADER)?;
        for at in (0..count).map(|index| index * SEGMENT_HEADER) {
            let segment = Segment {
                address: headers.u64(at + 16)?,
                offset: headers.u64(at + 8)?,
                size: headers.u64(at + 32)?,
                executable: headers.u32(at + 4)? & PF_X != 0,
            };
            match headers.u32(at)? {
                PT_LOAD => segments.push(segment),
                PT_NOTE if build_id.is_none() => {
                    build_id = area.part(segment.offset, segment.size).and_then(|notes| note(&notes));
                }
                _ => {}
            }
        }
        let sections = sections(&area).unwrap_or_default();
        let is_x86_64 = area.u16(18)? == EM_X86_64;
        Some(Self { area, segments, sections, build_id, is_x86_64 })
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// What a section holds in the file, unless it is compressed.
    pub(super) fn contents(&self, section: &Section) -> Option<Area> {
        let usable = section.in_file && !section.compressed;
        usable.then(|| self.area.part(section.offset, section.size)).flatten()
    }

    /// What a section holds, decompressed when that takes at most so many bytes.
    pub(super) fn inflated(&self, section: &Section, most: usize) -> Option<Area> {
        if !section.compressed || !section.in_file {
            return self.contents(section);
        }
        let raw = self.area.part(section.offset, section.size)?;
        let packed = raw.rest(24, u64::MAX)?.bytes(most)?;
        if raw.u32(0)? != ELFCOMPRESS_ZLIB {
            return None;
        }
        decompress_to_vec_zlib_with_limit(&packed, most).ok().map(Area::memory)
    }

    /// Address in memory, before relocation, of an offset in the file.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let holds = |segment: &&Segment| offset.checked_sub(segment.offset).is_some_and(|into| into < segment.size);
        // Neighbouring segments may share a page: code is what is asked for.
        let code = self.segments.iter().filter(|segment| segment.executable).find(holds);
        let segment = code.or_else(|| self.segments.iter().find(holds))?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// What is loaded from an address on, before relocation, up to the end of its segment.
    pub(super) fn memory_behind(&self, address: u64) -> Option<Area> {
        self.segments.iter().find_map(|segment| {
            let into = address.checked_sub(segment.address).filter(|into| *into < segment.size)?;
            self.area.part(segment.offset.checked_add(into)?, segment.size - into)
        })
    }
}

fn sections(area: &Area) -> Option<Vec<Section>> {
    let count = u64::from(area.u16(60)?).min(ENTRIES);
    let headers = area.part(area.u64(40)?, count * SECTION_HEADER)?;
    let names = u64::from(area.u16(62)?) * SECTION_HEADER;
    let names = area.part(headers.u64(names + 24)?, headers.u64(names + 32)?)?;
    let section = |at: u64| {
        let flags = headers.u64(at + 8)?;
        Some(Section {
            name: names.text(u64::from(headers.u32(at)?), NAME).unwrap_or_default(),
            address: headers.u64(at + 16)?,
            size: headers.u64(at + 32)?,
            link: headers.u32(at + 40)? as usize,
            executable: flags & SHF_EXECINSTR != 0,
            offset: headers.u64(at + 24)?,
            compressed: flags & SHF_COMPRESSED != 0,
            in_file: headers.u32(at + 4)? != SHT_NOBITS,
        })
    };
    (0..count).map(|index| section(index * SECTION_HEADER)).collect()
}

/// The build id among notes.
fn note(notes: &Area) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let (name_len, len, kind) = (u64::from(notes.u32(at)?), u64::from(notes.u32(at + 4)?), notes.u32(at + 8)?);
        let name = at + 12;
        let value = name + name_len.next_multiple_of(4);
        if kind == NT_GNU_BUILD_ID && notes.text(name, name_len)? == "GNU" {
            return notes.part(value, len)?.bytes(BUILD_ID);
        }
        at = value + len.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn own() -> Elf {
        Elf::open(Area::file(File::open("/proc/self/exe").unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn offsets_in_the_file_and_addresses_in_memory_name_the_same_bytes() {
        let own = own();
        let text = own.section(".text").unwrap();
        assert!(text.executable);
        let loaded = own.memory_behind(text.address + 100).unwrap();
        assert_eq!(loaded.u64(0), own.contents(text).unwrap().u64(100));
        let code = own.segments.iter().find(|segment| segment.executable).unwrap();
        assert_eq!(own.address(code.offset + 100), Some(code.address + 100));
        assert_eq!(own.area.u64(code.offset + 100), own.memory_behind(code.address + 100).unwrap().u64(0));
        assert_eq!(own.address(u64::MAX), None);
        assert!(own.memory_behind(u64::MAX).is_none());
    }

    #[test]
    fn every_prefix_of_a_file_is_read_or_refused() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        for len in (0..300).chain((300..bytes.len()).step_by(bytes.len() / 50)) {
            if let Some(elf) = Elf::open(Area::memory(bytes[..len].to_vec())) {
                assert!(!elf.segments.is_empty());
            }
        }
    }

    #[test]
    fn a_build_id_is_found_among_other_notes() {
        let mut notes = Vec::new();
        for (kind, name, value) in
            [(5u32, &b"GNU\0"[..], &[9; 6][..]), (3, b"Go\0\0", &[8; 4]), (3, b"GNU\0", &[1; 20])]
        {
            notes.extend([4u32, value.len() as u32, kind].iter().flat_map(|word| word.to_le_bytes()));
            notes.extend(name);
            notes.extend(value);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(note(&Area::memory(notes.clone())), Some(vec![1; 20]));
        assert_eq!(note(&Area::memory(notes[..50].to_vec())), None);
    }
}
