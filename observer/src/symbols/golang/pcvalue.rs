//! A value that changes along a function, such as the line: pairs of differences, of value and address, as in
//! `runtime/symtab.go` (`step`).

use crate::symbols::area::Area;

/// The value at an address, of a function that begins at `entry`; None behind the end of the table.
pub(super) fn value_at(table: &Area, entry: u64, address: u64) -> Option<i32> {
    let mut at = 0;
    let mut value = -1i32;
    let mut end = entry;
    loop {
        let zigzag = varint(table, &mut at)?;
        // A difference of 0 ends the table; only its first value may be the -1 that it starts from.
        if zigzag == 0 && end != entry {
            return None;
        }
        let difference = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
        value = value.wrapping_add(difference);
        end = end.checked_add(u64::from(varint(table, &mut at)?))?;
        if address < end {
            return Some(value);
        }
    }
}

fn varint(table: &Area, at: &mut u64) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = table.u8(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_addresses() {
        // +11 for 4 bytes (10), -3 for 200 bytes (7), then the end.
        let table = Area::memory(vec![22, 4, 5, 0xc8, 1, 0]);
        for (address, value) in [(100, Some(10)), (103, Some(10)), (104, Some(7)), (303, Some(7)), (304, None)] {
            assert_eq!(value_at(&table, 100, address), value, "{address}");
        }
    }

    #[test]
    fn a_table_may_begin_with_minus_one_and_end_anywhere() {
        let table = Area::memory(vec![0, 8, 4, 8]);
        assert_eq!(value_at(&table, 100, 100), Some(-1));
        assert_eq!(value_at(&table, 100, 110), Some(1));
        assert_eq!(value_at(&table, 100, 116), None);
        assert_eq!(value_at(&Area::memory(vec![0x80; 9]), 0, 0), None, "a number without end");
    }
}
