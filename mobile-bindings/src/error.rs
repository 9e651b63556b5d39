//! The public errors: few, and each asks for another thing to be done.

use sync_core::device::{DeviceError, LinkError, StoreError};

/// What an app can do about a failure. Whatever it is, nothing typed before was lost.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum GrabrailError {
    /// Ask for the passphrase again.
    #[error("{why}")]
    WrongKey {
        /// For the person.
        why: String,
    },
    /// Another process has the store: close it there.
    #[error("{why}")]
    InUse {
        /// For the person.
        why: String,
    },
    /// Make room, then do it again: nothing of it was saved.
    #[error("{why}")]
    DiskFull {
        /// For the person.
        why: String,
    },
    /// The store or a document can't be read; it was set aside, not deleted. Call the helpdesk.
    #[error("{why}")]
    Damaged {
        /// For the person.
        why: String,
    },
    /// Ask for an enrolment code, or for another one.
    #[error("{why}")]
    Enrolment {
        /// For the person.
        why: String,
    },
    /// The person may not do this.
    #[error("{why}")]
    NotAllowed {
        /// For the person.
        why: String,
    },
    /// It is not, or no longer, on this device: show the list anew.
    #[error("{why}")]
    NotHere {
        /// For the person.
        why: String,
    },
    /// Show it beside what was typed: it does not fit there, or something has to be put right first.
    #[error("{why}")]
    BadInput {
        /// For the person.
        why: String,
    },
    /// Try later: there is no way to the server now.
    #[error("{why}")]
    Offline {
        /// For the person.
        why: String,
    },
    /// The server, the machine or its keystore refused: show it.
    #[error("{why}")]
    Refused {
        /// For the person.
        why: String,
    },
}

impl GrabrailError {
    pub(crate) fn bad_input(error: impl std::fmt::Display) -> Self {
        Self::BadInput { why: error.to_string() }
    }
}

impl From<DeviceError> for GrabrailError {
    fn from(error: DeviceError) -> Self {
        let why = error.to_string();
        match error {
            DeviceError::Store(StoreError::WrongKey) => Self::WrongKey { why },
            DeviceError::Store(StoreError::InUse) => Self::InUse { why },
            DeviceError::Store(StoreError::DiskFull | StoreError::CantWrite) => Self::DiskFull { why },
            DeviceError::Store(StoreError::Corrupt { .. } | StoreError::Newer { .. })
            | DeviceError::SetAside(_)
            | DeviceError::Unreadable(_) => Self::Damaged { why },
            DeviceError::NotEnrolled
            | DeviceError::AlreadyEnrolled(_)
            | DeviceError::OtherPerson { .. }
            | DeviceError::Enrolment(_)
            | DeviceError::OtherServer => Self::Enrolment { why },
            DeviceError::NotAllowed | DeviceError::OwnCase(_) | DeviceError::LeaseOver | DeviceError::WaitsForSync => {
                Self::NotAllowed { why }
            }
            DeviceError::Store(StoreError::Missing)
            | DeviceError::NoSuchCase(_)
            | DeviceError::NoSuchDocument(_)
            | DeviceError::NoSuchRecord { .. }
            | DeviceError::NoSuchPhoto(_) => Self::NotHere { why },
            DeviceError::Unfit(_)
            | DeviceError::Refused(_)
            | DeviceError::Findings(_)
            | DeviceError::NothingThere(_)
            | DeviceError::Photo(_)
            | DeviceError::File { .. }
            | DeviceError::Store(StoreError::TooLarge { .. } | StoreError::AlreadyExists) => Self::BadInput { why },
            DeviceError::Link(error) if error.is_passing() => Self::Offline { why },
            DeviceError::Link(_) | DeviceError::Store(_) => Self::Refused { why },
        }
    }
}

impl From<LinkError> for GrabrailError {
    fn from(error: LinkError) -> Self {
        DeviceError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_out_has_its_error() {
        let told = |error: DeviceError| GrabrailError::from(error);
        assert!(matches!(told(StoreError::WrongKey.into()), GrabrailError::WrongKey { .. }));
        assert!(matches!(told(StoreError::InUse.into()), GrabrailError::InUse { .. }));
        assert!(matches!(told(StoreError::DiskFull.into()), GrabrailError::DiskFull { .. }));
        assert!(matches!(told(StoreError::Corrupt { set_aside: None }.into()), GrabrailError::Damaged { .. }));
        assert!(matches!(told(StoreError::Missing.into()), GrabrailError::NotHere { .. }));
        assert!(matches!(told(DeviceError::NotEnrolled), GrabrailError::Enrolment { .. }));
        assert!(matches!(told(DeviceError::NotAllowed), GrabrailError::NotAllowed { .. }));
    }

    #[test]
    fn a_captive_portal_and_a_dead_spot_are_waited_out_and_a_refusal_is_shown() {
        let told = |error: LinkError| GrabrailError::from(error);
        assert!(matches!(told(LinkError::NotOurServer), GrabrailError::Offline { .. }));
        assert!(matches!(told(LinkError::Offline("no signal".to_owned())), GrabrailError::Offline { .. }));
        let (kind, title, detail) = ("device-revoked".to_owned(), "Revoked".to_owned(), "It was.".to_owned());
        let problem = LinkError::Problem { status: 403, kind, title, detail };
        let GrabrailError::Refused { why } = told(problem) else { panic!("a refusal is no dead spot") };
        assert_eq!(why, "Revoked: It was.");
    }
}
