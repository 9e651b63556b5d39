use super::*;
use crate::domain::record::{SharedText, Value};
use crate::domain::testing::Tablet;
use crate::domain::vocabulary::ItemKind;

fn reason(item: Option<Key>, field: Option<&str>) -> Anchored {
    let field = field.map(|field| Field::named(field).unwrap());
    Anchored { item, field, text: "Look again".to_owned() }
}

/// A rail with a load, and its key.
fn rail() -> (Tablet, Key) {
    let mut tablet = Tablet::new(Kind::Prescription, 3);
    let item = tablet.item(ItemKind::GrabRail);
    tablet.say(Some(item), "item.required-load", Value::Number(135));
    tablet.say(None, "prescription.need", Value::Text("To stand up".to_owned()));
    tablet.write(SharedText::Reasoning, 0, "Falls.");
    (tablet, item)
}

#[test]
fn a_reason_is_anchored_to_what_is_there_and_a_field_may_be_empty() {
    let (mut tablet, item) = rail();
    let anchored = |tablet: &Tablet, item, field| anchors(&reason(item, field), &tablet.view());
    for field in [None, Some("item.required-load"), Some("grab-rail.height")] {
        assert_eq!(anchored(&tablet, Some(item), field), Ok(()), "{field:?}");
    }
    assert_eq!(anchored(&tablet, None, None), Ok(()));
    assert_eq!(anchored(&tablet, None, Some("prescription.cost")), Ok(()));
    let no_field = |name| Err(NoAnchor::Field(Field::named(name).unwrap()));
    assert_eq!(anchored(&tablet, Some(item), Some("stairlift.track")), no_field("stairlift.track"));
    assert_eq!(anchored(&tablet, None, Some("item.required-load")), no_field("item.required-load"));
    assert_eq!(anchored(&tablet, None, Some("person.weight")), no_field("person.weight"));
    let unknown = Key { device: 9, counter: 9 };
    assert_eq!(anchored(&tablet, Some(unknown), None), Err(NoAnchor::Item(unknown)));
    tablet.strike(item);
    assert_eq!(anchored(&tablet, Some(item), None), Err(NoAnchor::Item(item)));
}

#[test]
fn a_reason_is_answered_when_what_it_is_anchored_to_says_something_else() {
    let (tablet, item) = rail();
    let load = reason(Some(item), Some("item.required-load"));
    let (whole_item, whole) = (reason(Some(item), None), reason(None, None));
    let need = reason(None, Some("prescription.need"));
    let all = [&load, &whole_item, &whole, &need];
    let answered = |work: &dyn Fn(&mut Tablet)| {
        let mut later = tablet.clone();
        work(&mut later);
        all.map(|reason| is_answered(reason, &tablet.view(), &later.view()))
    };
    assert_eq!(answered(&|_| {}), [false; 4]);
    let of = |item, field: &'static str, value: Value| {
        move |tablet: &mut Tablet| {
            tablet.correct(item, field, value.clone());
        }
    };
    assert_eq!(answered(&of(Some(item), "item.required-load", Value::Number(160))), [true, true, true, false]);
    assert_eq!(answered(&of(Some(item), "item.required-load", Value::Number(135))), [false; 4], "the same again");
    let words = Value::Text("To stand up and sit down".to_owned());
    assert_eq!(answered(&of(None, "prescription.need", words)), [false, false, true, true]);
    assert_eq!(answered(&|tablet| tablet.write(SharedText::Reasoning, 0, "Two ")), [false, false, true, false]);
    let strike = |tablet: &mut Tablet| {
        tablet.strike(item);
    };
    assert_eq!(answered(&strike), [true, true, true, false], "it is gone");
}
