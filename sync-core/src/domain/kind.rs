//! The kinds of document: one per audience, because a document travels whole, history and all.

use minicbor::{Decode, Encode};

use super::vocabulary::words;

words! {
    /// A kind of document. Which kind a fact is recorded in decides who may ever read it.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub enum Kind = "a kind of document" {
        /// One per property: rooms, readings, photos of the building, equipment in place, visitor risks.
        #[n(0)] Home = "home",
        /// One per assessment: function, health, views, consent, scores. Never Housing's.
        #[n(1)] Clinical = "clinical",
        /// One per case, when needed: safeguarding, domestic abuse, the carer's own assessment.
        #[n(2)] Restricted = "restricted",
        /// A specification, which Housing reads once signed, and its justification, which Housing never reads.
        #[n(3)] Prescription = "prescription",
        /// One per surveyor's visit: feasibility, own readings, remarks, alternatives.
        #[n(4)] Survey = "survey",
        /// One per prescription: questions and answers between both lanes.
        #[n(5)] Thread = "thread",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_keeps_its_number_and_its_name_for_ever() {
        let expected = ["home", "clinical", "restricted", "prescription", "survey", "thread"];
        for (number, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind.name(), expected[number]);
            assert_eq!(minicbor::to_vec(kind).unwrap(), [u8::try_from(number).unwrap()]);
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("{:?}", kind.name()));
            assert_eq!(serde_json::from_str::<Kind>(&format!("{:?}", kind.name())).unwrap(), *kind);
        }
        assert!(minicbor::decode::<Kind>(&[6]).is_err());
        assert!("Home".parse::<Kind>().is_err());
    }
}
