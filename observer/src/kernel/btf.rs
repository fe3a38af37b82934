//! What the running kernel's BTF says: field offsets, enumerators, functions and tracepoint parameters.
//! The only module that knows the BTF library. Nothing is guessed: a field whose type has another width than the
//! programs load counts as missing.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::Path,
    rc::Rc,
};

use anyhow::{Context as _, Result};
use btf_rs::{Backend, Btf, BtfType, Type};
use memmap2::{Mmap, MmapOptions};
use observer_ebpf::{FIELDS, Field, Layout};
use rustix::fs::{MemfdFlags, memfd_create};

use super::index::Index;

/// Where the kernel shows its BTF.
pub(crate) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Types within types that are followed: a file may have one that holds itself.
const NESTING: u32 = 32;

/// Types that are looked into for one member, since each may hold itself several times. `task_struct` takes dozens.
const LOOKS: u32 = 4_096;

/// Types of one kernel. What was looked up once is kept: a type is parsed anew each time.
pub(crate) struct KernelTypes {
    btf: Btf,
    index: Option<Index>,
    by_name: RefCell<HashMap<String, Rc<[u32]>>>,
    by_id: RefCell<HashMap<u32, Rc<Type>>>,
}

/// A member found: where it is and how wide.
struct Place {
    bit_offset: u32,
    /// Bits, for a bit field.
    bit_field: Option<u32>,
    type_id: u32,
}

impl KernelTypes {
    /// Reads a BTF file.
    ///
    /// # Errors
    /// When the file cannot be read or is no BTF.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        let context = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(context)?;
        let mut link = path.to_owned();
        // Mapped, only what is asked for is parsed. Kernels before 6.16 do not let this file be mapped: a copy in
        // memory serves as well.
        let mapped = map(&file).or_else(|_| {
            let copy = memfd_create("btf", MemfdFlags::CLOEXEC).map(File::from)?;
            io::copy(&mut &file, &mut &copy)?;
            link = format!("/proc/self/fd/{}", copy.as_raw_fd()).into();
            file = copy;
            map(&file)
        });
        let index = Index::of(&mapped.with_context(context)?);
        let btf = Btf::from_file_with_backend(link, Backend::Mmap).with_context(context)?;
        Ok(Self { btf, index, by_name: RefCell::default(), by_id: RefCell::default() })
    }

    /// Ids of the types of this name, of any kind.
    fn ids(&self, name: &str) -> Rc<[u32]> {
        if let Some(ids) = self.by_name.borrow().get(name) {
            return Rc::clone(ids);
        }
        let ids: Rc<[u32]> = match &self.index {
            Some(index) => index.find(name).filter(|id| self.is_named(*id, name)).collect(),
            None => self.btf.resolve_ids_by_name(name).unwrap_or_default().into(),
        };
        self.by_name.borrow_mut().insert(name.to_owned(), Rc::clone(&ids));
        ids
    }

    fn is_named(&self, id: u32, name: &str) -> bool {
        let found = self.by_id(id);
        let found = found.as_ref().and_then(|found| found.as_btf_type());
        found.is_some_and(|found| self.btf.resolve_name(found).is_ok_and(|found| found == name))
    }

    fn by_id(&self, id: u32) -> Option<Rc<Type>> {
        if let Some(found) = self.by_id.borrow().get(&id) {
            return Some(Rc::clone(found));
        }
        let found = Rc::new(if id == 0 { Type::Void } else { self.btf.resolve_type_by_id(id).ok()? });
        self.by_id.borrow_mut().insert(id, Rc::clone(&found));
        Some(found)
    }

    /// The types of this name, with their ids.
    fn named(&self, name: &str) -> impl Iterator<Item = (u32, Rc<Type>)> + use<'_> {
        let ids = self.ids(name);
        (0..ids.len()).filter_map(move |index| Some((ids[index], self.by_id(ids[index])?)))
    }

    /// Offsets of every field, and the fields that were not found.
    pub(crate) fn layout(&self) -> (Layout, Vec<&'static Field>) {
        let mut layout = Layout::UNKNOWN;
        let mut missing = Vec::new();
        for field in FIELDS {
            match self.offset(field.container, field.path, field.width) {
                Some(offset) => {
                    layout.set(field.name, offset);
                }
                None => missing.push(field),
            }
        }
        (layout, missing)
    }

    /// Byte offset of a member given by a dotted path, if it is `width` bytes wide. A one-byte load may take the
    /// low byte of a wider member on a little-endian machine (`tcp_skb_cb.tcp_flags` grew to two bytes in 6.18).
    pub(crate) fn offset(&self, container: &str, path: &str, width: u32) -> Option<u32> {
        let place = self.place(container, path)?;
        let size = self.size(place.type_id)?;
        let fits = size == width || (cfg!(target_endian = "little") && width == 1 && size == 2);
        (fits && place.bit_field.is_none() && place.bit_offset % 8 == 0).then_some(place.bit_offset / 8)
    }

    /// Byte offset and mask of a bit field that lies within one byte.
    pub(crate) fn bit_field(&self, container: &str, path: &str) -> Option<(u32, u32)> {
        let place = self.place(container, path)?;
        let bits = place.bit_field?;
        let shift = place.bit_offset % 8;
        (bits > 0 && shift + bits <= 8).then(|| (place.bit_offset / 8, ((1 << bits) - 1) << shift))
    }

    fn place(&self, container: &str, path: &str) -> Option<Place> {
        let mut looks = LOOKS;
        self.named(container).find_map(|(_, found)| self.walk(&found, path, 0, &mut looks, NESTING))
    }

    fn walk(&self, container: &Type, path: &str, base: u32, looks: &mut u32, nesting: u32) -> Option<Place> {
        let nesting = nesting.checked_sub(1)?;
        *looks = looks.checked_sub(1)?;
        let (Type::Struct(found) | Type::Union(found)) = container else { return None };
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        for member in &found.members {
            let member_name = self.btf.resolve_name(member).unwrap_or_default();
            let type_id = member.get_type_id()?;
            let bit_offset = base.checked_add(member.bit_offset())?;
            if member_name.is_empty() {
                if let Some(place) = self.walk(&self.resolved(type_id)?.1, path, bit_offset, looks, nesting) {
                    return Some(place);
                }
            } else if member_name == name {
                return match rest {
                    Some(rest) => self.walk(&self.resolved(type_id)?.1, rest, bit_offset, looks, nesting),
                    None => {
                        let bit_field = member.bitfield_size().filter(|bits| *bits > 0);
                        Some(Place { bit_offset, bit_field, type_id })
                    }
                };
            }
        }
        None
    }

    /// A type without typedefs and qualifiers, with its id.
    fn resolved(&self, mut id: u32) -> Option<(u32, Rc<Type>)> {
        for _ in 0..NESTING {
            let found = self.by_id(id)?;
            id = match &*found {
                Type::Typedef(inner) => inner.get_type_id()?,
                Type::Const(inner) | Type::Volatile(inner) | Type::Restrict(inner) => inner.get_type_id()?,
                Type::TypeTag(inner) => inner.get_type_id()?,
                _ => return Some((id, found)),
            };
        }
        None
    }

    fn size(&self, id: u32) -> Option<u32> {
        self.size_within(id, NESTING)
    }

    fn size_within(&self, id: u32, nesting: u32) -> Option<u32> {
        let size = match &*self.resolved(id)?.1 {
            Type::Int(found) => found.size(),
            Type::Ptr(_) => 8, // BPF and every kernel it observes are 64-bit
            Type::Struct(found) | Type::Union(found) => found.size(),
            Type::Enum(found) => found.size(),
            Type::Array(found) => {
                let element = self.size_within(found.get_type_id()?, nesting.checked_sub(1)?)?;
                found.len().checked_mul(element as usize)?
            }
            _ => return None,
        };
        u32::try_from(size).ok()
    }

    /// Enumerators of an `enum`: value by name. Empty when there is no such enum.
    pub(crate) fn enumerators(&self, name: &str) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        for (_, kind) in self.named(name) {
            if let Type::Enum(members) = &*kind {
                for member in &members.members {
                    if let Ok(name) = self.btf.resolve_name(member) {
                        found.insert(name, member.val());
                    }
                }
            }
        }
        found
    }

    /// Whether the kernel has a function of that name that hooks can find.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// Id of a function that hooks can find.
    pub(crate) fn function(&self, name: &str) -> Option<u32> {
        self.named(name).find(|(_, found)| matches!(**found, Type::Func(_))).map(|(id, _)| id)
    }

    /// Number of parameters of a function; None when there is no such function.
    pub(crate) fn function_parameters(&self, name: &str) -> Option<u32> {
        let function = self.by_id(self.function(name)?)?;
        let (_, prototype) = self.resolved(function.as_btf_type()?.get_type_id()?)?;
        let Type::FuncProto(prototype) = &*prototype else { return None };
        u32::try_from(prototype.parameters.len()).ok()
    }

    /// Id of the type by which a tracepoint's programs are loaded.
    pub(crate) fn tracepoint(&self, name: &str) -> Option<u32> {
        let mut types = self.named(&format!("btf_trace_{name}"));
        types.find(|(_, found)| matches!(**found, Type::Typedef(_))).map(|(id, _)| id)
    }

    /// Index, in a `tp_btf` program, of the tracepoint parameter whose type is the named enum. Prototypes of
    /// tracepoints keep no parameter names, only types.
    pub(crate) fn tracepoint_enum_arg(&self, tracepoint: &str, enum_name: &str) -> Option<u32> {
        let typedef = self.by_id(self.tracepoint(tracepoint)?)?;
        let (_, pointer) = self.resolved(typedef.as_btf_type()?.get_type_id()?)?;
        let (_, prototype) = self.resolved(pointer.as_btf_type()?.get_type_id()?)?;
        let Type::FuncProto(prototype) = &*prototype else { return None };
        let position = prototype.parameters.iter().position(|parameter| {
            let Some((_, found)) = parameter.get_type_id().and_then(|id| self.resolved(id)) else { return false };
            match &*found {
                Type::Enum(found) => self.btf.resolve_name(found).is_ok_and(|name| name == enum_name),
                _ => false,
            }
        })?;
        // The first parameter is the tracepoint's private data, which programs do not see.
        u32::try_from(position).ok()?.checked_sub(1)
    }
}

/// A file in memory, privately: the kernel does not share its BTF.
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the kernel's BTF never changes, and nobody else has the copy.
    unsafe { MmapOptions::new().map_copy_read_only(file) }
}

/// A door for fuzzing: all that is looked up in a BTF file.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(file: &File) -> bool {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(types) = KernelTypes::from_file(Path::new(&link)) else { return false };
    let (_, missing) = types.layout();
    let _ = SockFlags::of(&types);
    let _ = types.bit_field("tcp_sock", "nonagle");
    let _ = types.function_parameters("tcp_close");
    let _ = types.tracepoint_enum_arg("tcp_send_reset", "sk_rst_reason");
    missing.len() < FIELDS.len()
}

/// Bits of `sk_flags` that the programs test, by the names of `enum sock_flags`.
pub(crate) struct SockFlags {
    pub(crate) dead: u32,
    pub(crate) done: u32,
    pub(crate) linger: u32,
    pub(crate) keepopen: u32,
}

impl SockFlags {
    /// Looks the bits up.
    ///
    /// # Errors
    /// Names the enumerator that is missing.
    pub(crate) fn of(types: &KernelTypes) -> Result<Self> {
        let flags = types.enumerators("sock_flags");
        let bit = |name: &str| {
            flags.get(name).copied().with_context(|| format!("kernel BTF has no {name} in enum sock_flags"))
        };
        Ok(Self {
            dead: bit("SOCK_DEAD")?,
            done: bit("SOCK_DONE")?,
            linger: bit("SOCK_LINGER")?,
            keepopen: bit("SOCK_KEEPOPEN")?,
        })
    }
}
