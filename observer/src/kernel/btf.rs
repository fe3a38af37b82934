//! What the running kernel's BTF says: field offsets, enumerators, functions and tracepoint parameters.
//! The only module that knows the BTF library. Nothing is guessed: a field whose type has another width than the
//! programs load counts as missing.

use std::{collections::BTreeMap, fs::File, io, os::fd::AsRawFd as _, path::Path};

use anyhow::{Context as _, Result};
use btf_rs::{Backend, Btf, BtfType, Type};
use observer_ebpf::{FIELDS, Field, Layout};
use rustix::fs::{MemfdFlags, memfd_create};

/// Where the kernel shows its BTF.
pub(crate) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Types of one kernel.
pub(crate) struct KernelTypes {
    btf: Btf,
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
        // Mapped, only what is asked for is parsed. Kernels before 6.16 do not let this file be mapped: a copy in
        // memory serves as well.
        if let Ok(btf) = Btf::from_file_with_backend(path, Backend::Mmap) {
            return Ok(Self { btf });
        }
        let context = || format!("cannot read {}", path.display());
        let copy = memfd_create("btf", MemfdFlags::CLOEXEC).map(File::from).with_context(context)?;
        io::copy(&mut File::open(path).with_context(context)?, &mut &copy).with_context(context)?;
        let link = format!("/proc/self/fd/{}", copy.as_raw_fd());
        let btf = Btf::from_file_with_backend(link, Backend::Mmap).with_context(context)?;
        Ok(Self { btf })
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
        let mut types = self.btf.resolve_types_by_name(container).ok()?.into_iter();
        types.find_map(|found| self.walk(&found, path, 0))
    }

    fn walk(&self, container: &Type, path: &str, base: u32) -> Option<Place> {
        let (Type::Struct(found) | Type::Union(found)) = container else { return None };
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        for member in &found.members {
            let member_name = self.btf.resolve_name(member).unwrap_or_default();
            let type_id = member.get_type_id()?;
            let bit_offset = base + member.bit_offset();
            if member_name.is_empty() {
                if let Some(place) = self.walk(&self.resolved(type_id)?.1, path, bit_offset) {
                    return Some(place);
                }
            } else if member_name == name {
                return match rest {
                    Some(rest) => self.walk(&self.resolved(type_id)?.1, rest, bit_offset),
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
    fn resolved(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..32 {
            let found = if id == 0 { Type::Void } else { self.btf.resolve_type_by_id(id).ok()? };
            id = match &found {
                Type::Typedef(inner) => inner.get_type_id()?,
                Type::Const(inner) | Type::Volatile(inner) | Type::Restrict(inner) => inner.get_type_id()?,
                Type::TypeTag(inner) => inner.get_type_id()?,
                _ => return Some((id, found)),
            };
        }
        None
    }

    fn size(&self, id: u32) -> Option<u32> {
        let size = match self.resolved(id)?.1 {
            Type::Int(found) => found.size(),
            Type::Ptr(_) => 8, // BPF and every kernel it observes are 64-bit
            Type::Struct(found) | Type::Union(found) => found.size(),
            Type::Enum(found) => found.size(),
            Type::Array(found) => {
                let element = self.size(found.get_type_id()?)?;
                found.len() * element as usize
            }
            _ => return None,
        };
        u32::try_from(size).ok()
    }

    /// Enumerators of an `enum`: value by name. Empty when there is no such enum.
    pub(crate) fn enumerators(&self, name: &str) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        for kind in self.btf.resolve_types_by_name(name).unwrap_or_default() {
            if let Type::Enum(members) = kind {
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
        let types = self.btf.resolve_types_by_name(name).unwrap_or_default();
        types.iter().any(|found| matches!(found, Type::Func(_)))
    }

    /// Number of parameters of a function; None when there is no such function.
    pub(crate) fn function_parameters(&self, name: &str) -> Option<u32> {
        let types = self.btf.resolve_types_by_name(name).ok()?;
        let function = types.into_iter().find(|found| matches!(found, Type::Func(_)))?;
        let (_, prototype) = self.resolved(function.as_btf_type()?.get_type_id()?)?;
        let Type::FuncProto(prototype) = prototype else { return None };
        u32::try_from(prototype.parameters.len()).ok()
    }

    /// Index, in a `tp_btf` program, of the tracepoint parameter whose type is the named enum. Prototypes of
    /// tracepoints keep no parameter names, only types.
    pub(crate) fn tracepoint_enum_arg(&self, tracepoint: &str, enum_name: &str) -> Option<u32> {
        let name = format!("btf_trace_{tracepoint}");
        let types = self.btf.resolve_types_by_name(&name).ok()?;
        let typedef = types.into_iter().find(|found| matches!(found, Type::Typedef(_)))?;
        let (_, pointer) = self.resolved(typedef.as_btf_type()?.get_type_id()?)?;
        let (_, prototype) = self.resolved(pointer.as_btf_type()?.get_type_id()?)?;
        let Type::FuncProto(prototype) = prototype else { return None };
        let position = prototype.parameters.iter().position(|parameter| {
            let Some((_, found)) = parameter.get_type_id().and_then(|id| self.resolved(id)) else { return false };
            match &found {
                Type::Enum(found) => self.btf.resolve_name(found).is_ok_and(|name| name == enum_name),
                _ => false,
            }
        })?;
        // The first parameter is the tracepoint's private data, which programs do not see.
        u32::try_from(position).ok()?.checked_sub(1)
    }
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
