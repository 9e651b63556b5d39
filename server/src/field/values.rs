//! Values as people type them: `71.2cm`, `£450`, `yes`, `left,right`. What is not whole in its unit is refused, never
//! rounded; inches and stones are refused with what to do.

use sync_core::domain::record::{Cite, Dimension, Tolerance, Value};
use sync_core::domain::vocabulary::{Field, Measure, Unit, ValueKind};
use sync_core::id::AccountId;

use super::words::nearest;

/// A text that is no value of its field or measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadValue {
    /// Feet and inches.
    #[error("inches are not recorded: measure again in millimetres, off the metric side of the tape (1 in is 25.4 mm)")]
    Inches,
    /// Stones and pounds.
    #[error("stones and pounds are not recorded: weigh in kilograms (1 st is 6.35 kg)")]
    Stones,
    /// Not whole.
    #[error("{0} is not a whole number of {1}")]
    NotWhole(String, &'static str),
    /// Something else.
    #[error("{text:?} is not {what}")]
    Not {
        /// What was typed.
        text: String,
        /// What was expected.
        what: String,
    },
    /// A tolerance or citations where there is no dimension.
    #[error("{0} takes no tolerance: --exact, --min, --max and --within belong to prescribed lengths")]
    NoTolerance(&'static str),
    /// Citations for a value that rests on nothing.
    #[error("{0} cites nothing: --cites belongs to prescribed lengths and to fields of measurements, photos, drawings")]
    NoCites(&'static str),
    /// Records that were not named.
    #[error("{0} names records: give - as the value, and --cites DOCUMENT/KEY")]
    CitesMissing(&'static str),
    /// A field of an item without the item.
    #[error("{field} is said of an item: name it with --item KEY; {known}")]
    ItemMissing {
        /// The field.
        field: &'static str,
        /// The items it can be said of, in words.
        known: String,
    },
    /// A length without a tolerance.
    #[error("say how far the works may depart from it: --exact, --min, --max or --within MM")]
    ToleranceMissing,
}

fn not(text: &str, what: impl Into<String>) -> BadValue {
    BadValue::Not { text: text.chars().take(64).collect(), what: what.into() }
}

/// What is none of these words, with the ones that may have been meant.
fn none_of(text: &str, words: &[&'static str]) -> BadValue {
    let nearest = nearest(text, words.iter().copied());
    let meant = if nearest.is_empty() { String::new() } else { format!("; did you mean {}?", nearest.join(", ")) };
    not(text, format!("one of: {}{meant}", words.join(" ")))
}

/// A whole number of the smaller unit from a decimal of the larger one: 71.2 with 10 to 1 is 712.
fn scaled(text: &str, scale: i64, unit: &'static str) -> Result<i64, BadValue> {
    let refuse = || not(text, "a number");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || fraction.len() > 6 || !all_digits(whole) || !all_digits(fraction) {
        return Err(refuse());
    }
    let mut value = whole.parse::<i64>().map_err(|_| refuse())? * scale;
    let mut place = scale;
    for digit in fraction.bytes().map(|byte| i64::from(byte - b'0')) {
        if digit != 0 && place % 10 != 0 {
            return Err(BadValue::NotWhole(text.to_owned(), unit));
        }
        place /= 10;
        value += digit * place;
    }
    Ok(if negative { -value } else { value })
}

/// A number with its unit, in the unit's own measure.
fn number(text: &str, unit: Unit) -> Result<i64, BadValue> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let suffix = suffix.trim();
    let inches = ["\"", "'", "″", "′", "in", "ft", "inch", "inches", "foot", "feet"];
    match unit {
        Unit::Millimetre => match suffix {
            "" | "mm" => scaled(digits, 1, "millimetres"),
            "cm" => scaled(digits, 10, "millimetres"),
            "m" => scaled(digits, 1000, "millimetres"),
            _ if inches.iter().any(|mark| suffix.starts_with(mark)) => Err(BadValue::Inches),
            _ => Err(not(text, "a length: 712, 71.2cm or 0.712m")),
        },
        Unit::Kilogram => match suffix {
            "" | "kg" => scaled(digits, 1, "kilograms"),
            _ if ["st", "lb", "stone"].iter().any(|mark| suffix.starts_with(mark)) => Err(BadValue::Stones),
            _ => Err(not(text, "a weight: 82 or 82kg")),
        },
        Unit::Pence => match text.strip_prefix('£') {
            Some(pounds) => scaled(&pounds.replace(',', ""), 100, "pence"),
            None if suffix.is_empty() || suffix == "p" => scaled(digits, 1, "pence"),
            None => Err(not(text, "an amount: £450.00 or 45000 (pence)")),
        },
        Unit::Degree if suffix == "°" => scaled(digits, 1, "degrees"),
        Unit::Minute if suffix == "min" => scaled(digits, 1, "minutes"),
        Unit::Count | Unit::Score | Unit::Degree | Unit::Minute if suffix.is_empty() => scaled(digits, 1, "ones"),
        Unit::Code(words) => {
            let index = words.iter().position(|word| *word == text).and_then(|index| i64::try_from(index).ok());
            index.ok_or_else(|| none_of(text, words))
        }
        _ => Err(not(text, "a whole number")),
    }
}

/// A reading's value.
pub(super) fn reading(measure: Measure, text: &str) -> Result<i32, BadValue> {
    let value = number(text, measure.spec().unit)?;
    i32::try_from(value).map_err(|_| not(text, "a measurement"))
}

/// A field's value, with the tolerance and the citations given beside it.
pub(super) fn field(
    field: Field,
    text: &str,
    tolerance: Option<Tolerance>,
    cites: Vec<Cite>,
    me: AccountId,
) -> Result<Value, BadValue> {
    let spec = field.spec();
    if tolerance.is_some() && !matches!(spec.value, ValueKind::Dimension { .. }) {
        return Err(BadValue::NoTolerance(spec.name));
    }
    if !cites.is_empty() && !matches!(spec.value, ValueKind::Dimension { .. } | ValueKind::Cites) {
        return Err(BadValue::NoCites(spec.name));
    }
    let word = |words: &[&'static str], text: &str| {
        let known = words.iter().position(|word| *word == text);
        known.ok_or_else(|| none_of(text, words))
    };
    Ok(match spec.value {
        ValueKind::Flag => match text {
            "yes" | "true" => Value::Flag(true),
            "no" | "false" => Value::Flag(false),
            _ => return Err(not(text, "yes or no")),
        },
        ValueKind::Number { unit, .. } => Value::Number(number(text, unit)?),
        ValueKind::Text { .. } | ValueKind::Place => Value::Text(text.to_owned()),
        ValueKind::Choice(words) => Value::Choice(words[word(words, text)?].to_owned()),
        ValueKind::Choices(words) => {
            let chosen = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            let mut chosen = chosen.map(|text| word(words, text)).collect::<Result<Vec<_>, _>>()?;
            chosen.sort_unstable();
            chosen.dedup();
            Value::Choices(chosen.into_iter().map(|index| words[index].to_owned()).collect())
        }
        ValueKind::Date => Value::Date(text.to_owned()),
        ValueKind::Dimension { .. } => {
            let mm = number(text, Unit::Millimetre)?;
            let mm = i32::try_from(mm).map_err(|_| not(text, "a length"))?;
            Value::Dimension(Dimension { mm, tolerance: tolerance.ok_or(BadValue::ToleranceMissing)?, cites })
        }
        ValueKind::Cites if cites.is_empty() => return Err(BadValue::CitesMissing(spec.name)),
        ValueKind::Cites => Value::Cites(cites),
        ValueKind::Person if text == "me" => Value::Person(me),
        ValueKind::Person => Value::Person(text.parse().map_err(|_| not(text, "`me` or an account's id"))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mm(text: &str) -> Result<i64, BadValue> {
        number(text, Unit::Millimetre)
    }

    #[test]
    fn a_length_is_whole_millimetres_however_it_is_typed() {
        for text in ["712", "712mm", "712 mm", "71.2cm", "71.20 cm", "0.712m", "712.0"] {
            assert_eq!(mm(text), Ok(712), "{text}");
        }
        assert_eq!((mm("-150"), mm("-15cm"), mm("2m")), (Ok(-150), Ok(-150), Ok(2000)));
        for text in ["71.25cm", "712.5", "0.7125m"] {
            assert!(matches!(mm(text), Err(BadValue::NotWhole(..))), "{text}");
        }
        for text in ["", "mm", "x", "1e3", "--1", "1.2.3", "71,2cm", "712 km", "9999999999999"] {
            assert!(matches!(mm(text), Err(BadValue::Not { .. })), "{text}");
        }
    }

    #[test]
    fn inches_and_stones_are_refused_with_what_to_do() {
        for text in ["28\"", "28in", "28 inches", "2'4\"", "2 ft"] {
            assert_eq!(mm(text), Err(BadValue::Inches), "{text}");
        }
        assert!(BadValue::Inches.to_string().contains("millimetres"));
        assert_eq!(number("12st", Unit::Kilogram), Err(BadValue::Stones));
        assert_eq!(number("82.5kg", Unit::Kilogram), Err(BadValue::NotWhole("82.5".to_owned(), "kilograms")));
    }

    #[test]
    fn money_is_pence() {
        assert_eq!(number("£1,450.50", Unit::Pence), Ok(145_050));
        assert_eq!((number("450p", Unit::Pence), number("450", Unit::Pence)), (Ok(450), Ok(450)));
        assert!(number("£4.505", Unit::Pence).is_err());
    }

    #[test]
    fn a_fields_value_is_read_by_its_vocabulary() {
        let me = AccountId::from_bytes([1; 16]);
        let named = |name: &str| Field::named(name).unwrap();
        let plain = |name: &str, text: &str| field(named(name), text, None, vec![], me);
        assert_eq!(plain("person.weight", "82kg"), Ok(Value::Number(82)));
        assert_eq!(plain("prescription.route", "dfg"), Ok(Value::Choice("dfg".to_owned())));
        let meeting = plain("prescription.site-meeting", "client, ot,client").unwrap();
        assert_eq!(meeting, Value::Choices(vec!["ot".to_owned(), "client".to_owned()]));
        assert!(plain("prescription.route", "bus").unwrap_err().to_string().contains("minor"));
        assert!(plain("prescription.route", "dgf").unwrap_err().to_string().ends_with("did you mean dfg?"));
        assert_eq!(plain("stairlift.seat-height", "450"), Err(BadValue::ToleranceMissing));
        assert_eq!(plain("survey.drawings", "plan.pdf"), Err(BadValue::CitesMissing("survey.drawings")));
        assert_eq!(plain("survey.surveyor", "me"), Ok(Value::Person(me)));
        let loose = field(named("person.weight"), "82", Some(Tolerance::Min), vec![], me);
        assert_eq!(loose, Err(BadValue::NoTolerance("person.weight")));
        let length = field(named("stairlift.seat-height"), "45cm", Some(Tolerance::Within(5)), vec![], me);
        let expected = Dimension { mm: 450, tolerance: Tolerance::Within(5), cites: vec![] };
        assert_eq!(length, Ok(Value::Dimension(expected)));
    }
}
