//! What is said of a photo beside its caption: subject, angle, scale, who may see it in print.

use super::{text_in_cbor, words};

words! {
    /// What a photo shows. One that shows a person belongs in the clinical document.
    pub enum PhotoSubject = "a photo's subject" {
        /// A whole room or area.
        Room = "room",
        /// One feature of it: a door, a bath, a step.
        Feature = "feature",
        /// What stands in the way.
        Obstruction = "obstruction",
        /// Where something is to be fixed.
        FixingPoint = "fixing-point",
        /// A piece of equipment.
        Equipment = "equipment",
        /// The outside of the building or the way to it.
        Outside = "outside",
        /// A person.
        Person = "person",
        /// A sketch or drawing.
        Sketch = "sketch",
    }
}

words! {
    /// From where it was taken.
    pub enum Angle = "a photo's angle" {
        /// Facing the subject.
        Front = "front",
        /// From its left.
        Left = "left",
        /// From its right.
        Right = "right",
        /// From behind.
        Back = "back",
        /// From above.
        Above = "above",
        /// From below.
        Below = "below",
        /// So near that only a part is seen.
        Close = "close",
        /// From the door of the room.
        FromDoor = "from-door",
    }
}

words! {
    /// What in the picture tells its scale.
    pub enum ScaleReference = "a scale reference" {
        /// Nothing does.
        None = "none",
        /// A tape or rule held to the subject.
        Tape = "tape",
        /// A printed scale card.
        ScaleCard = "scale-card",
        /// A thing of known size.
        KnownObject = "known-object",
    }
}

words! {
    /// With whom a photo may be shared outside the council lane. Nobody, unless said.
    pub enum ShareWith = "someone to share a photo with" {
        /// Housing: surveyors and grants officers.
        Housing = "housing",
        /// The contractor, in print.
        Contractor = "contractor",
        /// The equipment store.
        Store = "store",
    }
}

text_in_cbor!(PhotoSubject);
text_in_cbor!(Angle);
text_in_cbor!(ScaleReference);
text_in_cbor!(ShareWith);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_photo_travels_by_name() {
        for subject in PhotoSubject::ALL {
            assert_eq!(subject.name().parse(), Ok(*subject));
            let bytes = minicbor::to_vec(subject).unwrap();
            assert_eq!(minicbor::decode::<PhotoSubject>(&bytes).unwrap(), *subject);
        }
        assert_eq!("from-door".parse(), Ok(Angle::FromDoor));
        assert_eq!("scale-card".parse(), Ok(ScaleReference::ScaleCard));
        assert_eq!("housing".parse(), Ok(ShareWith::Housing));
        assert!("press".parse::<ShareWith>().is_err());
    }
}
