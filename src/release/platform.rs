//! Whether a file is a program for this machine, by its ELF header (elf(5)).

use std::{fs::File, io::Read, path::Path};

use anyhow::Context;

use crate::error::{Error, Result};

/// As `uname -m` and the names of archives say it.
pub const MACHINE: &str = std::env::consts::ARCH;

/// `e_machine` and its name.
const MACHINES: [(u16, &str); 6] =
    [(3, "x86"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64"), (21, "ppc64")];
/// `e_type`: a program, alone or at any address.
const PROGRAMS: [u16; 2] = [2, 3];

/// # Errors
/// `Invalid` for what this machine cannot run.
pub fn check_platform(path: &Path) -> Result<()> {
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(20).read_to_end(&mut header))
        .with_context(|| format!("reading {}", path.display()))?;
    check_header(&header)
}

fn check_header(header: &[u8]) -> Result<()> {
    let refused = |what: String| {
        Err(Error::invalid(format!("This is {what}, and this machine is {MACHINE} Linux.")))
    };
    let [0x7f, b'E', b'L', b'F', class, order, _, _, _, _, _, _, _, _, _, _, kind @ .., a, b] =
        header
    else {
        return refused("no program".into());
    };
    let &[low, high] = kind else { return refused("no program".into()) };
    let number = |low, high| match order {
        1 => u16::from_le_bytes([low, high]),
        _ => u16::from_be_bytes([low, high]),
    };
    if !PROGRAMS.contains(&number(low, high)) {
        return refused("no program, but a part of one".into());
    }
    let machine = number(*a, *b);
    let name = MACHINES.iter().find(|(known, _)| *known == machine).map(|(_, name)| *name);
    match name {
        Some(MACHINE) if (*class, *order) == own_form() => Ok(()),
        Some(name) => refused(format!("a program for {name}")),
        None => refused("a program for another machine".into()),
    }
}

/// Width and byte order, as ELF counts them.
fn own_form() -> (u8, u8) {
    let class = if cfg!(target_pointer_width = "64") { 2 } else { 1 };
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    (class, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_for_this_machine_are_taken() {
        let own = std::fs::read("/proc/self/exe").unwrap()[..20].to_vec();
        check_header(&own).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut header = own.clone();
            header[at..at + bytes.len()].copy_from_slice(bytes);
            check_header(&header).unwrap_err().to_string()
        };
        assert!(with(18, &[243, 0]).contains("a program for riscv64"));
        assert!(with(18, &[0xee, 0xee]).contains("another machine"));
        assert!(with(16, &[1, 0]).contains("a part of one"));
        assert!(with(0, b"#!/b").contains("no program"));
        assert!(check_header(b"\x7fELF").unwrap_err().to_string().contains("no program"));
    }
}
