//! Bytes of a file or of memory, read by offset. Whatever lies outside is None: parsers built on it are total. Files are
//! read, never mapped: the pages of a mapped file that somebody truncates kill the process that touches them.

use std::{fs::File, io, os::unix::fs::MetadataExt as _, sync::Arc};

use super::window::{self, Disk};

/// A stretch of bytes.
#[derive(Clone, Debug)]
pub(super) struct Area {
    source: Source,
    start: u64,
    len: u64,
}

#[derive(Clone, Debug)]
enum Source {
    Disk(Arc<Disk>),
    Memory(Arc<[u8]>),
}

impl Area {
    /// All of a regular file.
    ///
    /// # Errors
    /// When its length cannot be read, or it is no regular file: reading a device or a pipe has effects, or no end.
    pub(super) fn file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { source: Source::Disk(Arc::new(Disk::new(file))), start: 0, len: metadata.size() })
    }

    pub(super) fn memory(bytes: Vec<u8>) -> Self {
        Self { len: bytes.len() as u64, source: Source::Memory(bytes.into()), start: 0 }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes that it keeps in memory.
    pub(super) fn held(&self) -> usize {
        match &self.source {
            Source::Disk(_) => 0,
            Source::Memory(bytes) => bytes.len(),
        }
    }

    /// The part of a given length at an offset; None unless all of it lies inside.
    pub(super) fn part(&self, at: u64, len: u64) -> Option<Self> {
        let inside = at.checked_add(len)? <= self.len;
        inside.then(|| Self { source: self.source.clone(), start: self.start + at, len })
    }

    /// What follows an offset, at most so much of it.
    pub(super) fn rest(&self, at: u64, most: u64) -> Option<Self> {
        self.part(at, self.len.checked_sub(at)?.min(most))
    }

    /// Fills the buffer with what is at an offset.
    pub(super) fn read(&self, at: u64, buffer: &mut [u8]) -> Option<()> {
        if at.checked_add(buffer.len() as u64)? > self.len {
            return None;
        }
        match &self.source {
            Source::Disk(disk) => window::read(disk, self.start + at, buffer),
            Source::Memory(bytes) => {
                window::charge(buffer.len())?;
                let start = usize::try_from(self.start + at).ok()?;
                buffer.copy_from_slice(bytes.get(start..)?.get(..buffer.len())?);
                Some(())
            }
        }
    }

    pub(super) fn u8(&self, at: u64) -> Option<u8> {
        self.array(at).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Some(bytes)
    }

    /// Copies everything; None when it is longer than `most` bytes.
    pub(super) fn bytes(&self, most: usize) -> Option<Vec<u8>> {
        let len = usize::try_from(self.len).ok().filter(|len| *len <= most)?;
        let mut bytes = vec![0; len];
        self.read(0, &mut bytes)?;
        Some(bytes)
    }

    /// Distance from an offset to the next such byte, looking at no more than `most` bytes.
    pub(super) fn find(&self, at: u64, byte: u8, most: u64) -> Option<u64> {
        const STEP: u64 = 128;
        let rest = self.rest(at, most)?;
        let mut buffer = [0; STEP as usize];
        let mut done = 0;
        while done < rest.len {
            let step = buffer.get_mut(..(rest.len - done).min(STEP) as usize)?;
            rest.read(done, step)?;
            if let Some(index) = step.iter().position(|other| *other == byte) {
                return Some(done + index as u64);
            }
            done += STEP;
        }
        None
    }

    /// The text at an offset, up to its NUL; None when there is none within `most` bytes.
    pub(super) fn text(&self, at: u64, most: u64) -> Option<String> {
        let len = self.find(at, 0, most)?;
        let bytes = self.part(at, len)?.bytes(most as usize)?;
        Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn on_disk(bytes: &[u8]) -> Area {
        let path = std::env::temp_dir().join(format!("area-{}-{}", std::process::id(), bytes.len()));
        let mut file = File::create(&path).unwrap();
        file.write_all(bytes).unwrap();
        let area = Area::file(File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
        area
    }

    #[test]
    fn files_and_memory_read_alike() {
        let bytes: Vec<u8> = (0..70_000u32).map(|index| (index % 251) as u8).collect();
        for area in [on_disk(&bytes), Area::memory(bytes.clone())] {
            assert_eq!(area.len(), 70_000);
            assert_eq!(area.bytes(70_000).unwrap(), bytes);
            assert_eq!(area.u32(16_382), Some(u32::from_le_bytes(bytes[16_382..16_386].try_into().unwrap())));
            assert_eq!(area.find(1, 0, 1000), Some(250));
            assert_eq!(area.find(1, 0, 250), None, "beyond the limit");
            assert_eq!(area.find(0, 255, u64::MAX), None);
            let part = area.part(60_000, 10_000).unwrap();
            assert_eq!(part.u8(9_999), Some(bytes[69_999]));
            assert_eq!(part.u8(10_000), None);
        }
    }

    #[test]
    fn nothing_outside_is_read() {
        let area = Area::memory(b"name\0tail".to_vec());
        assert_eq!(area.text(0, 100), Some("name".to_owned()));
        assert_eq!(area.text(5, 100), None, "no NUL");
        assert_eq!(area.text(99, 100), None);
        assert_eq!(area.u64(2), None);
        assert_eq!(area.u64(u64::MAX), None);
        assert!(area.part(u64::MAX, 2).is_none());
        assert!(area.rest(10, 5).is_none());
        assert_eq!(area.rest(9, 5).unwrap().len(), 0);
        assert!(area.bytes(3).is_none());
    }

    #[test]
    fn a_file_that_shrinks_ends_earlier() {
        let path = std::env::temp_dir().join(format!("area-shrinks-{}", std::process::id()));
        std::fs::write(&path, vec![7; 100_000]).unwrap();
        let area = Area::file(File::open(&path).unwrap()).unwrap();
        assert_eq!(area.u8(99_999), Some(7));
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        assert_eq!(area.u8(50_000), None);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn only_regular_files_are_read() {
        assert!(Area::file(File::open("/dev/null").unwrap()).is_err());
        assert!(Area::file(File::open("/").unwrap()).is_err());
    }
}
