//! Sections: under which heading a note (a prose entry, signed by its author) stands.

use super::{text_in_cbor, words};
use crate::domain::kind::Kind;

words! {
    /// The heading of a note. CBOR and JSON carry the name.
    pub enum Section = "a section of notes" {
        /// How to get in, park, reach the door; never a door code.
        Access = "access",
        /// The building and what was seen of it.
        Property = "property",
        /// Equipment in place.
        Equipment = "equipment",
        /// The client's views, in their own words.
        ClientViews = "client-views",
        /// The carer's views, in their own words, kept apart from the client's.
        CarerViews = "carer-views",
        /// The home visit itself: who was there, what was agreed.
        Visit = "visit",
        /// Consent and capacity.
        Consent = "consent",
        /// Who lives in the home and who helps.
        Household = "household",
        /// Medical and social history.
        History = "history",
        /// What the person can do and how.
        Function = "function",
        /// What the assessor saw during the visit.
        Observation = "observation",
        /// Risks and interim measures.
        Risk = "risk",
        /// Wishes and outcomes.
        Outcome = "outcome",
        /// Option considered.
        Option = "option",
        /// The assessor's analysis.
        Analysis = "analysis",
        /// What was done or will be.
        Action = "action",
        /// A contact by telephone, letter or message.
        Contact = "contact",
        /// A safeguarding concern.
        Safeguarding = "safeguarding",
        /// Domestic abuse.
        DomesticAbuse = "domestic-abuse",
        /// The carer's own assessment.
        CarerAssessment = "carer-assessment",
        /// An alternative to what is prescribed, and why it was not chosen.
        Alternative = "alternative",
        /// Why what is prescribed is necessary and appropriate: an author's own entry beside the shared reasoning.
        Justification = "justification",
        /// A remark of the surveyor's.
        Remark = "remark",
        /// Condition of the dwelling, as the surveyor found it.
        Condition = "condition",
        /// A question to the other lane.
        Question = "question",
        /// Its answer.
        Answer = "answer",
    }
}

text_in_cbor!(Section);

impl Section {
    /// The kinds of document that have it.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Access | Self::Property | Self::Equipment => &[Kind::Home],
            Self::ClientViews
            | Self::CarerViews
            | Self::Visit
            | Self::Consent
            | Self::Household
            | Self::History
            | Self::Function
            | Self::Observation
            | Self::Risk
            | Self::Outcome
            | Self::Option
            | Self::Analysis
            | Self::Action
            | Self::Contact => &[Kind::Clinical],
            Self::Safeguarding | Self::DomesticAbuse | Self::CarerAssessment => &[Kind::Restricted],
            Self::Alternative | Self::Justification => &[Kind::Prescription],
            Self::Remark | Self::Condition => &[Kind::Survey],
            Self::Question | Self::Answer => &[Kind::Thread],
        }
    }

    /// Whether a document of `kind` has it.
    pub fn is_in(self, kind: Kind) -> bool {
        self.kinds().contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_document_has_sections() {
        for kind in Kind::ALL {
            assert!(Section::ALL.iter().any(|section| section.is_in(*kind)), "{kind}");
        }
        assert!(Section::ALL.iter().all(|section| !section.kinds().is_empty()));
    }

    #[test]
    fn a_section_travels_by_name_and_an_unknown_one_is_refused() {
        for section in Section::ALL {
            let bytes = minicbor::to_vec(section).unwrap();
            assert_eq!(bytes, minicbor::to_vec(section.name()).unwrap());
            assert_eq!(minicbor::decode::<Section>(&bytes).unwrap(), *section);
            let json = serde_json::to_string(section).unwrap();
            assert_eq!(serde_json::from_str::<Section>(&json).unwrap(), *section);
        }
        let error = minicbor::decode::<Section>(&minicbor::to_vec("gossip").unwrap()).unwrap_err();
        assert!(error.is_custom());
    }
}
