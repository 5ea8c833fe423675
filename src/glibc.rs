//! Two functions of the mathematical library that would tie the program to a young glibc.
//!
//! What draws pages asks for the length of vectors. glibc 2.35 gave `hypot` and `hypotf` a new
//! version, and a program that was linked there does not start with an older one: not on Ubuntu
//! 22.04's predecessors, and not on Amazon Linux 2023 (2.34). Defined here, they are linked into the
//! program, and the library is not asked. `.ci/release` checks that no other such function is used.

/// Squares of numbers beyond these bounds leave the range of an `f64`.
const LARGE: f64 = f64::from_bits((1023 + 510) << 52);
const SMALL: f64 = f64::from_bits((1023 - 450) << 52);
/// A power of two by which such numbers are scaled, without losing a bit.
const SCALE: f64 = f64::from_bits((1023 + 700) << 52);
const UNSCALE: f64 = f64::from_bits((1023 - 700) << 52);
/// Splits the 53 bits of a number into two halves (Veltkamp 1968).
const SPLIT: f64 = 134_217_729.0;

/// The length of the hypotenuse, within one unit in the last place: both squares are kept with their
/// rounding errors (Dekker 1971).
///
/// The C library promises this name; nobody may give it another meaning.
#[unsafe(no_mangle)]
pub extern "C" fn hypot(x: f64, y: f64) -> f64 {
    let (x, y) = (x.abs(), y.abs());
    if x.is_infinite() || y.is_infinite() {
        return f64::INFINITY;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let (large, small) = if x < y { (y, x) } else { (x, y) };
    // The other side is below the last bit.
    if small == 0.0 || large / small > SPLIT * SPLIT {
        return large + small;
    }
    let (factor, back) = if large > LARGE {
        (UNSCALE, SCALE)
    } else if small < SMALL {
        (SCALE, UNSCALE)
    } else {
        (1.0, 1.0)
    };
    let (large_square, large_rest) = square(large * factor);
    let (small_square, small_rest) = square(small * factor);
    (small_rest + large_rest + small_square + large_square).sqrt() * back
}

/// See [`hypot`]; the squares of `f32` fit into an `f64`.
#[unsafe(no_mangle)]
pub extern "C" fn hypotf(x: f32, y: f32) -> f32 {
    if x.is_infinite() || y.is_infinite() {
        return f32::INFINITY;
    }
    let (x, y) = (f64::from(x), f64::from(y));
    (x * x + y * y).sqrt() as f32
}

/// A square and what rounding took from it.
fn square(x: f64) -> (f64, f64) {
    let scaled = x * SPLIT;
    let high = x - scaled + scaled;
    let low = x - high;
    let square = x * x;
    (square, high * high - square + 2.0 * high * low + low * low)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hypotenuse_is_as_long_as_it_should_be() {
        // What the standard library offers ends in the functions above.
        for (x, y, length) in
            [(3.0, 4.0, 5.0), (-5.0, 12.0, 13.0), (8.0, -15.0, 17.0), (0.0, -7.5, 7.5)]
        {
            for scale in [1.0, 2_f64.powi(1000), 2_f64.powi(-1050)] {
                assert_eq!(f64::hypot(x * scale, y * scale), length * scale, "{x} {y} {scale}");
            }
            assert_eq!(f32::hypot(x as f32, y as f32), length as f32);
        }
        assert_eq!(f64::hypot(1.0, 1.0), std::f64::consts::SQRT_2);
        assert_eq!(f64::hypot(1e300, 1e-300), 1e300);
        assert_eq!(f32::hypot(3e38, 3e38), f32::INFINITY);
        assert_eq!(f32::hypot(1e-45, 0.0), 1e-45);
        assert_eq!(f64::hypot(f64::NAN, f64::NEG_INFINITY), f64::INFINITY);
        assert!(f64::hypot(f64::NAN, 1.0).is_nan() && f32::hypot(1.0, f32::NAN).is_nan());
    }

    #[test]
    fn the_square_of_the_hypotenuse_is_the_sum_of_the_squares() {
        // Whole numbers below 2^26 have exact squares, so each length can be judged exactly.
        let mut state = 42_u64;
        for _ in 0..100_000 {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 38
            };
            let (x, y) = (next(), next());
            let sum = u128::from(x * x + y * y);
            let length = f64::hypot(x as f64, y as f64);
            // One unit in the last place to both sides encloses the true length: compared as
            // squares of whole numbers, scaled by 2^26.
            let scaled = |length: f64| (length * 67_108_864.0) as u128;
            let (below, above) = (scaled(length.next_down()), scaled(length.next_up()) + 1);
            assert!(below * below <= sum << 52 && sum << 52 <= above * above, "{x} {y}");
        }
    }
}
