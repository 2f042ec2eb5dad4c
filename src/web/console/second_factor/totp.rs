//! One-time codes by time (RFC 6238): six digits for every thirty seconds, by HMAC-SHA-1, as every authenticator makes.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::domain::time::Timestamp;

/// RFC 4226, 4: a secret as long as the hash.
pub(super) const SECRET_BYTES: usize = 20;
const STEP_MS: i64 = 30_000;
const DIGITS: usize = 6;
/// A clock may be off by so many steps, and somebody may type slowly (RFC 6238, 5.2).
const STEPS_OFF: i64 = 1;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of time whose code was typed, if it is one of those around now and after the last that was used: a code
/// works once.
pub(super) fn step_of(secret: &[u8], typed: &str, now: Timestamp, last_step: i64) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let step = now.0.div_euclid(STEP_MS);
    let mut found = None;
    for candidate in step - STEPS_OFF..=step + STEPS_OFF {
        // All are compared, each in constant time.
        let same =
            code(secret, candidate).is_some_and(|code| bool::from(code.as_bytes().ct_eq(typed.as_bytes())));
        if same && candidate > last_step {
            found = Some(candidate);
        }
    }
    found
}

/// The code of one step (RFC 4226, 5.3).
fn code(secret: &[u8], step: i64) -> Option<String> {
    let number = truncated(secret, step)? % 10_u32.pow(DIGITS as u32);
    Some(format!("{number:0DIGITS$}"))
}

fn truncated(secret: &[u8], step: i64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash.last()? & 0x0f);
    let four: [u8; 4] = hash.get(offset..offset + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(four) & 0x7fff_ffff)
}

/// The secret as people type it into an authenticator (RFC 4648, 6, without padding).
pub(super) fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    let mut put = |five: u32| text.push(char::from(BASE32[(five & 31) as usize]));
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            put(held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        put(held << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret of the SHA-1 vectors.
    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, eight_digits) in [
            (59_i64, 94_287_082_u32),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let step = seconds / 30;
            assert_eq!(truncated(SECRET, step).unwrap() % 100_000_000, eight_digits, "{seconds}");
            assert_eq!(code(SECRET, step).unwrap(), format!("{:06}", eight_digits % 1_000_000));
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_late_and_only_once() {
        let now = Timestamp(1_111_111_111_000);
        let step = now.0 / STEP_MS;
        for (off, counts) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let typed = code(SECRET, step + off).unwrap();
            assert_eq!(step_of(SECRET, &typed, now, 0), counts.then_some(step + off), "{off}");
        }
        let typed = code(SECRET, step).unwrap();
        let (front, back) = typed.split_at(3);
        assert_eq!(step_of(SECRET, &format!(" {front} {back}"), now, step - 1), Some(step));
        assert_eq!(step_of(SECRET, &typed, now, step), None, "it was used");
        for bad in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"] {
            assert_eq!(step_of(SECRET, bad, now, 0), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_is_written_as_the_rfc_writes_it() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
