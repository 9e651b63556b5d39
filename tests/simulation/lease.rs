//! The offline lease, held against the time that really passed.

use sync_core::device::{DeviceError, Lease, Status};
use sync_core::id::CaseId;

use crate::time::HOUR;
use crate::world::World;

impl World {
    /// Whether the lease is what it should be, and what was tried in a case was let and refused accordingly. `opens`:
    /// whether it opens a document.
    pub(crate) fn lease_binds(
        &mut self,
        who: usize,
        (lease, status): (Lease, &Status),
        case: CaseId,
        (opens, done): (bool, &Result<(), DeviceError>),
    ) -> Result<(), String> {
        let tablet = &mut self.tablets[who];
        let closed = lease == Lease::Closed;
        // As it was opened in this run before.
        let open = tablet.tried.get(&case).copied();
        *tablet.tried.entry(case).or_default() |= opens && done.is_ok() && !closed;
        let refused = matches!(done, Err(DeviceError::LeaseOver));
        if closed {
            self.council.counts("acts when the lease was over", 1);
        }
        if refused {
            self.council.counts("acts that the lease refused", 1);
        }
        if refused && (!closed || open == Some(true)) {
            return Err("the lease closed an open visit".to_owned());
        }
        let waits = status.waiting.changes + status.waiting.asks > 0;
        if closed && opens && done.is_ok() && open.is_none() && !waits {
            return Err("a case was opened when the lease was over".to_owned());
        }
        let (Some(contact), Some(hours)) = (status.contact, self.council.lease) else { return Ok(()) };
        if self.tablets[who].jumped >= Some(contact) {
            // By its clock it may be later or earlier than it is.
            return Ok(());
        }
        let since = self.council.now().millis() - contact.millis();
        if closed == (since >= i64::from(hours) * HOUR) {
            Ok(())
        } else {
            Err(format!("the lease is {lease:?} after {} of {hours} hours", since / HOUR))
        }
    }
}
