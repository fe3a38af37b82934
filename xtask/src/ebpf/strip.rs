//! Takes the DWARF out of the object and leaves `.BTF` and `.BTF.ext`: the kernel reads only these, and DWARF is
//! nine tenths of the file.

use anyhow::{Context as _, Result};
use object::{
    build::elf::{Builder, SectionData},
    elf,
};

/// The same object without `.debug_*`, what relocates them, and the symbols that point into them.
pub(super) fn dwarf(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object).context("the kernel object is no ELF file")?;
    for section in &mut builder.sections {
        let name = section.name.to_string();
        let target = name.strip_prefix(".rel").unwrap_or(&name);
        // `.rel.BTF` and `.rel.BTF.ext` only serve a linker; loaders read the sections as they are.
        section.delete = target.starts_with(".debug_") || name.starts_with(".rel.BTF");
    }
    builder.delete_orphans();
    // LLVM keeps section and symbol names in one table; the writer wants one for each.
    let separate = builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString));
    if !separate {
        let names = builder.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    let mut stripped = Vec::new();
    builder.write(&mut stripped).context("writing the stripped kernel object")?;
    Ok(stripped)
}
