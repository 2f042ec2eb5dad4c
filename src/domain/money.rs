//! Amounts of money: whole minor units and a currency, never a float.

use serde::{Deserialize, Serialize};

/// An amount in minor units (cents) of one currency (ISO 4217, upper case).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units, for example cents.
    pub minor: i64,
    /// ISO 4217 code, for example `EUR`.
    pub currency: String,
}

/// How many decimal digits the minor unit of `currency` has (ISO 4217).
pub fn exponent(currency: &str) -> u32 {
    match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" | "UGX" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = exponent(&self.currency) as usize;
        let scale = 10_u64.pow(digits as u32);
        let (whole, part) = (self.minor.unsigned_abs() / scale, self.minor.unsigned_abs() % scale);
        let number = if digits == 0 { format!("{whole}") } else { format!("{whole}.{part:0digits$}") };
        match self.currency.as_str() {
            "EUR" => write!(f, "{sign}€{number}"),
            "USD" => write!(f, "{sign}${number}"),
            "GBP" => write!(f, "{sign}£{number}"),
            other => write!(f, "{sign}{number} {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_shows_its_minor_units_and_its_currency() {
        let shown = |minor, currency: &str| Money { minor, currency: currency.to_owned() }.to_string();
        assert_eq!(shown(12_905, "EUR"), "€129.05");
        assert_eq!(shown(-5, "USD"), "-$0.05");
        assert_eq!(shown(900, "JPY"), "900 JPY");
        assert_eq!(shown(i64::MIN, "CHF"), "-92233720368547758.08 CHF");
    }
}
