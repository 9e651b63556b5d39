//! Numbers of the outside world: NHS number, UPRN, HCPC number. Evidence about a person, a property, a therapist;
//! never the key of a row, and never in a document.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A text that is no NHS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Something other than ten digits, spaces and hyphens.
    #[error("an NHS number is ten digits")]
    NotTenDigits,
    /// The tenth digit does not follow from the nine before it: most often a slip of the hand.
    #[error("the last digit of the NHS number does not fit the others: check for a slip")]
    CheckDigit,
    /// 0000000000, which passes the sum and is nobody's.
    #[error("0000000000 is nobody's NHS number")]
    AllZero,
}

/// An NHS number that passes Modulus 11. Read with or without spaces and hyphens, shown as `943 476 5919`; JSON and
/// CBOR carry the ten digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NhsNumber([u8; 10]);

impl NhsNumber {
    /// The ten digits without spaces, as they are stored and sent.
    pub fn digits(&self) -> String {
        self.0.iter().map(|digit| char::from(b'0' + digit)).collect()
    }
}

impl FromStr for NhsNumber {
    type Err = NhsNumberError;

    fn from_str(text: &str) -> Result<Self, NhsNumberError> {
        let mut digits = [0u8; 10];
        let mut count = 0;
        for byte in text.trim().bytes().take(64) {
            match byte {
                b' ' | b'-' => {}
                b'0'..=b'9' if count < 10 => {
                    digits[count] = byte - b'0';
                    count += 1;
                }
                _ => return Err(NhsNumberError::NotTenDigits),
            }
        }
        if count != 10 || text.len() > 64 {
            return Err(NhsNumberError::NotTenDigits);
        }
        if digits == [0; 10] {
            return Err(NhsNumberError::AllZero);
        }
        // Weights 10 to 2 over the first nine; 11 counts as 0, and 10 has no digit.
        let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, weight)| u32::from(*digit) * weight).sum();
        let check = match 11 - sum % 11 {
            11 => 0,
            other => other,
        };
        if check == u32::from(digits[9]) { Ok(Self(digits)) } else { Err(NhsNumberError::CheckDigit) }
    }
}

impl fmt::Display for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        write!(f, "{} {} {}", &digits[..3], &digits[3..6], &digits[6..])
    }
}

/// A text that is no UPRN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UprnError {
    /// Empty, over twelve digits after leading zeros, or not digits.
    #[error("a UPRN is one to twelve digits")]
    NotOneToTwelveDigits,
    /// All zeros.
    #[error("0 is no property's UPRN")]
    Zero,
}

/// A Unique Property Reference Number: 1 to 12 digits, leading zeros not significant, no check digit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uprn(u64);

impl Uprn {
    /// The number, 1 to 999,999,999,999.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The digits without leading zeros, as they are stored and sent.
    pub fn digits(&self) -> String {
        self.0.to_string()
    }
}

impl FromStr for Uprn {
    type Err = UprnError;

    fn from_str(text: &str) -> Result<Self, UprnError> {
        let text = text.trim();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UprnError::NotOneToTwelveDigits);
        }
        let significant = text.trim_start_matches('0');
        if significant.is_empty() {
            return Err(UprnError::Zero);
        }
        if significant.len() > 12 {
            return Err(UprnError::NotOneToTwelveDigits);
        }
        significant.parse().map(Self).map_err(|_| UprnError::NotOneToTwelveDigits)
    }
}

impl fmt::Display for Uprn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A text that is no occupational therapist's registration number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HcpcNumberError {
    /// Another profession's prefix, or none.
    #[error("an occupational therapist's HCPC number begins with OT")]
    Prefix,
    /// No digits, or more than six, or something else after `OT`.
    #[error("an HCPC number is OT and one to six digits")]
    NotOneToSixDigits,
}

/// An occupational therapist's number in the register of the Health and Care Professions Council: `OT` and one to
/// six digits, kept as written (the register's leading zeros, if any, are its own).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HcpcNumber(String);

impl HcpcNumber {
    /// The number, `OT` and its digits, as it is stored and sent.
    pub fn digits(&self) -> String {
        self.0.clone()
    }
}

impl FromStr for HcpcNumber {
    type Err = HcpcNumberError;

    fn from_str(text: &str) -> Result<Self, HcpcNumberError> {
        let text = text.trim();
        let prefix = text.get(..2).ok_or(HcpcNumberError::Prefix)?;
        if !prefix.eq_ignore_ascii_case("ot") {
            return Err(HcpcNumberError::Prefix);
        }
        let digits = &text[2..];
        if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HcpcNumberError::NotOneToSixDigits);
        }
        Ok(Self(format!("OT{digits}")))
    }
}

impl fmt::Display for HcpcNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! travels_as_text {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // A number of the outside world must not reach a log by way of `{:?}`.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.digits())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(&self.digits())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.str()?.parse().map_err(minicbor::decode::Error::custom)
            }
        }
    )*};
}

travels_as_text! { NhsNumber Uprn HcpcNumber }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_nhs_numbers_are_read_with_spaces_or_hyphens_and_shown_3_3_4() {
        for text in ["9434765919", "4010232137", "9990000018", "9990000026", "943 476 5919", "943-476-5919"] {
            let number: NhsNumber = text.parse().unwrap();
            assert_eq!(number.digits(), text.replace([' ', '-'], ""));
            assert_eq!(number.to_string().parse(), Ok(number));
        }
        assert_eq!("9434765919".parse::<NhsNumber>().unwrap().to_string(), "943 476 5919");
    }

    #[test]
    fn an_nhs_number_with_one_digit_wrong_or_two_swapped_is_refused() {
        let good = "9434765919";
        for place in 0..10 {
            for digit in '0'..='9' {
                let mut other: Vec<char> = good.chars().collect();
                if other[place] != digit {
                    other[place] = digit;
                    let other: String = other.into_iter().collect();
                    assert_eq!(other.parse::<NhsNumber>(), Err(NhsNumberError::CheckDigit), "{other}");
                }
            }
        }
        assert_eq!("4934765919".parse::<NhsNumber>(), Err(NhsNumberError::CheckDigit));
    }

    #[test]
    fn nobodys_and_malformed_nhs_numbers_are_refused() {
        assert_eq!("0000000000".parse::<NhsNumber>(), Err(NhsNumberError::AllZero));
        assert_eq!("000 000 0000".parse::<NhsNumber>(), Err(NhsNumberError::AllZero));
        // 999000000x has no check digit at all: the sum gives 10.
        for digit in 0..10 {
            assert_eq!(format!("999000000{digit}").parse::<NhsNumber>(), Err(NhsNumberError::CheckDigit));
        }
        let long = " ".repeat(100_000) + "9434765919" + &"-".repeat(100_000);
        for text in ["", "943476591", "94347659190", "943476591x", "９434765919", "+9434765919", &long] {
            assert_eq!(text.parse::<NhsNumber>(), Err(NhsNumberError::NotTenDigits));
        }
    }

    #[test]
    fn a_uprns_leading_zeros_mean_nothing() {
        assert_eq!("000010033544614".parse::<Uprn>().unwrap(), "10033544614".parse().unwrap());
        assert_eq!("000010033544614".parse::<Uprn>().unwrap().to_string(), "10033544614");
        assert_eq!("999999999999".parse::<Uprn>().unwrap().number(), 999_999_999_999);
        assert_eq!("1".parse::<Uprn>().unwrap().number(), 1);
        assert_eq!("000".parse::<Uprn>(), Err(UprnError::Zero));
        for text in ["", "1234567890123", "12 34", "-1", "+1", "１"] {
            assert_eq!(text.parse::<Uprn>(), Err(UprnError::NotOneToTwelveDigits), "{text}");
        }
    }

    #[test]
    fn an_hcpc_number_is_ot_and_one_to_six_digits() {
        for text in ["OT1", "OT12345", "OT123456", "ot54321"] {
            assert_eq!(text.parse::<HcpcNumber>().unwrap().to_string(), text.to_uppercase());
        }
        for text in ["", "O", "PH12345", "12345", "é1", "HCPC"] {
            assert_eq!(text.parse::<HcpcNumber>(), Err(HcpcNumberError::Prefix), "{text}");
        }
        for text in ["OT", "OT1234567", "OT 123", "OT12a"] {
            assert_eq!(text.parse::<HcpcNumber>(), Err(HcpcNumberError::NotOneToSixDigits), "{text}");
        }
    }

    #[test]
    fn identifiers_travel_as_text_and_stay_out_of_debug_output() {
        let number: NhsNumber = "943 476 5919".parse().unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"9434765919\"");
        assert_eq!(serde_json::from_str::<NhsNumber>("\"9434765919\"").unwrap(), number);
        assert!(serde_json::from_str::<NhsNumber>("\"9434765918\"").is_err());
        let bytes = minicbor::to_vec(number).unwrap();
        assert_eq!(minicbor::decode::<NhsNumber>(&bytes).unwrap(), number);
        assert!(minicbor::decode::<HcpcNumber>(&bytes).is_err());
        assert!(!format!("{number:?}").contains('9'));
    }
}
