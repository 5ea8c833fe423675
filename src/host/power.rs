//! Moments before something becomes durable. A test lets the power fail at each of them in turn; in the
//! program itself nothing happens there.

/// # Errors
/// In a test, when the power is gone: this, and everything after it, is not done any more.
#[cfg(not(test))]
pub fn check() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub use self::failing::{check, fails_after, is_gone};

#[cfg(test)]
mod failing {
    use std::{cell::Cell, io};

    thread_local! {
        /// How many moments there are left; `None` while the power stays.
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub fn check() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }

    /// From here on, on this thread; `None` brings it back.
    pub fn fails_after(moments: Option<u32>) {
        LEFT.set(moments);
    }

    pub fn is_gone() -> bool {
        LEFT.get() == Some(0)
    }
}
