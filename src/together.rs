//! Checks that do not wait for each other: whoever fills in a form hears of all that is wrong with it
//! at once, and not of one thing after another.

use crate::error::{Error, Result};

/// All values, in the order of the checks.
///
/// ```
/// use appliance::{error::Error, together::together};
///
/// let title = Err::<(), _>(Error::invalid_field("title", "Fill in the title."));
/// let tags = Err::<(), _>(Error::invalid_field("tags", "A document has at most 30 tags."));
/// let error = together((title, Ok(1), tags)).unwrap_err();
/// assert_eq!(error.complaints().len(), 2);
/// ```
///
/// # Errors
/// The only one there is. Of several, `Invalid` with all that is wrong with the input, or `Taken` when
/// it is nothing but names that are taken; but what the input cannot mend (a fault of ours, a missing
/// right) comes before it and stands alone.
pub fn together<Checks: Together>(checks: Checks) -> Result<Checks::Values> {
    checks.together()
}

/// A tuple of results.
pub trait Together {
    type Values;

    fn together(self) -> Result<Self::Values>;
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name),+> Together for ($(Result<$name>,)+) {
            type Values = ($($name,)+);

            #[expect(non_snake_case, reason = "a value is named like its type")]
            fn together(self) -> Result<Self::Values> {
                match self {
                    ($(Ok($name),)+) => Ok(($($name,)+)),
                    ($($name,)+) => Err(joined([$($name.err()),+])),
                }
            }
        }
    )+};
}

tuples! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

fn joined<const CHECKS: usize>(errors: [Option<Error>; CHECKS]) -> Error {
    let mut errors: Vec<Error> = errors.into_iter().flatten().collect();
    let is_of_input = |error: &Error| matches!(error, Error::Invalid { .. } | Error::Taken { .. });
    // The caller has one error at least.
    let alone =
        if errors.len() == 1 { Some(0) } else { errors.iter().position(|it| !is_of_input(it)) };
    if let Some(at) = alone {
        return errors.swap_remove(at);
    }
    let are_taken = errors.iter().all(|error| matches!(error, Error::Taken { .. }));
    let mut complaints = errors.iter().flat_map(Error::complaints);
    let (field, message) = complaints.next().unwrap_or_default();
    let more = complaints.collect();
    match field {
        Some(field) if are_taken => Error::Taken { field, message, more },
        field => Error::Invalid { field, message, more },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(field: &'static str) -> Result<()> {
        Err(Error::invalid_field(field, format!("Fill in the {field}.")))
    }

    #[test]
    fn what_is_right_comes_back_in_order() {
        assert_eq!(together((Ok(1), Ok("two"))).unwrap(), (1, "two"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let inner = together((wrong("b"), wrong("c")));
        let taken = Err::<(), _>(Error::taken("d", "“d” is taken."));
        let error = together((wrong("a"), inner, Ok(()), taken)).unwrap_err();
        let fields: Vec<_> =
            error.complaints().into_iter().filter_map(|(field, _)| field).collect();
        assert_eq!(fields, ["a", "b", "c", "d"]);
        assert_eq!(error.to_string(), "Fill in the a. Fill in the b. Fill in the c. “d” is taken.");
    }

    #[test]
    fn what_the_input_cannot_mend_stands_alone() {
        let error = together((wrong("a"), Err::<(), _>(Error::forbidden("No.")))).unwrap_err();
        assert!(matches!(error, Error::Forbidden(_)));
    }

    #[test]
    fn names_that_are_taken_stay_a_conflict() {
        let taken = |field| Err::<(), _>(Error::taken(field, "It is taken."));
        let error = together((Ok(()), taken("d"))).unwrap_err();
        assert!(matches!(error, Error::Taken { .. }));
        let error = together((taken("d"), taken("e"))).unwrap_err();
        assert!(matches!(error, Error::Taken { .. }));
        assert_eq!(error.complaints().len(), 2);
    }
}
