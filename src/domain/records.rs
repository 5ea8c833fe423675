//! The number of the records, and how older ones become those of today.
//!
//! A version that needs other records than the one before it raises the number in
//! [`version`](crate::version) and adds a [`Conversion`]. A program refuses records with a higher
//! number than its own: it would misread them.

use super::settings::Settings;
use crate::{
    error::{Error, Result},
    store::{ReadTx, WriteTx},
    version,
};

/// Changes the records of one number to those of the next. It may stop in the middle of nothing: all
/// of an opening is one transaction.
type Conversion = fn(&mut WriteTx) -> Result<()>;

/// The first converts records 1 to records 2.
const CONVERSIONS: &[Conversion] = &[];

/// The name of the fact in the store.
const NUMBER: &str = "records";

/// Before the first look at the records.
///
/// # Errors
/// `Conflict` when they are of a later version.
pub fn convert(tx: &mut WriteTx) -> Result<()> {
    convert_with(tx, CONVERSIONS, version::records())
}

/// The number of the records in this store. The first ones had none.
pub fn number(tx: &ReadTx) -> Result<u32> {
    Ok(tx.meta(NUMBER)?.unwrap_or(1))
}

/// For records that come from elsewhere.
pub fn set_number(tx: &mut WriteTx, number: u32) -> Result<()> {
    tx.set_meta(NUMBER, &number)
}

fn convert_with(tx: &mut WriteTx, conversions: &[Conversion], own: u32) -> Result<()> {
    let found = number(tx)?;
    if found > own {
        return Err(Error::conflict(format!(
            "These data belong to a later version: their records have number {found}, and this is \
             version {}, which reads them up to {own}. Use the later version, or go back with its \
             “appliance rollback”.",
            version::number()
        )));
    }
    // A new store has nothing to convert.
    if tx.get::<Settings>(&())?.is_some() {
        for (from, conversion) in (1..own).zip(conversions) {
            if from >= found {
                conversion(tx)?;
                // What is shipped from here on fits no snapshot of before.
                tx.forget_lineage();
            }
        }
    }
    if found == own {
        return Ok(());
    }
    // Without it nothing starts, however full the disk is.
    tx.draw_on_reserve();
    set_number(tx, own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::Clock,
        store::{MemoryEngine, Store},
    };

    const TO_2: Conversion = |tx| change(tx, |settings| settings.session_days += 1);
    const TO_3: Conversion = |tx| change(tx, |settings| settings.session_days *= 10);

    fn change(tx: &mut WriteTx, how: fn(&mut Settings)) -> Result<()> {
        let mut settings = tx.get::<Settings>(&())?.expect("settings");
        how(&mut settings);
        tx.put(&settings)
    }

    #[test]
    fn each_conversion_is_made_once_and_in_order() {
        let store = Store::over(Arc::new(MemoryEngine::default()), Clock::system()).unwrap();
        let with = |conversions: &'static [Conversion], own: u32| {
            store.write_blocking(move |tx| convert_with(tx, conversions, own))
        };
        let days = || {
            store.read_blocking(|tx| Ok(tx.get::<Settings>(&())?.expect("settings").session_days))
        };
        let number = || store.read_blocking(number).unwrap();
        let first = Settings { session_days: 14, ..Settings::default() };
        store.write_blocking(move |tx| tx.put(&first)).unwrap();
        with(&[], 1).unwrap();
        assert_eq!((days().unwrap(), number()), (14, 1));
        with(&[TO_2], 2).unwrap();
        assert_eq!((days().unwrap(), number()), (15, 2));
        with(&[TO_2, TO_3], 3).unwrap();
        with(&[TO_2, TO_3], 3).unwrap();
        assert_eq!((days().unwrap(), number()), (150, 3));
        let refused = with(&[TO_2], 2).unwrap_err().to_string();
        assert!(refused.contains("a later version"), "{refused}");
        assert_eq!((days().unwrap(), number()), (150, 3));
    }
}
