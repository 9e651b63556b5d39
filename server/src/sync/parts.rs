//! An answer in parts: what is small first, then case by case what the device has nothing of.

use std::collections::{BTreeMap, VecDeque};

use sync_core::id::{CaseId, KeyId};
use sync_core::protocol::SyncReply;
use sync_core::protocol::sync::{Cursor, Progress, SignedReceipts};

use super::outgoing::{Outgoing, WholeCases};
use super::{Answer, Desk};
use crate::error::Problem;
use crate::storage::ledger::Ledger;
use sync_core::envelope::Signed;

/// From how many bytes on a part is sent before the next case is gathered.
pub(super) const PART: usize = 256 << 10;
/// About how many bytes a card takes.
const CARD: usize = 1 << 10;

/// How many cases are read first; then as many as were sent last and as many again, so that of large ones few are read
/// that go with no part.
const FIRST: usize = 4;

/// The parts of an answer, not signed yet; in memory are one of them and a few cases that were read together.
#[derive(Debug)]
pub struct Parts {
    /// What has been gathered of the next part; `None`: the last one is out.
    begun: Option<SyncReply>,
    whole: VecDeque<CaseId>,
    /// How many cases are read next.
    pace: usize,
    /// From how many bytes on a part is sent.
    most: usize,
    /// Whether one is out.
    out: bool,
    end: SyncReply,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it says.
    pub reply: SyncReply,
    /// Whether nothing comes behind it.
    pub last: bool,
}

impl Answer {
    /// The parts, the receipts in the first signed by `key`; `bearer` is for photos, the lease what
    /// the council grants. From `most` bytes on (before they are
    /// compressed) a part is sent before the next case is gathered; [`PART`] unless there is a reason.
    pub fn parts(
        self,
        (key, sign): (KeyId, impl FnOnce(&[u8]) -> Signed),
        bearer: Option<String>,
        lease_hours: Option<u16>,
        most: usize,
    ) -> Parts {
        let Self { receipts, refused, verdicts, position, first, whole } = self;
        let (epoch, at) = (receipts.epoch, receipts.at);
        let receipts = (!receipts.is_empty()).then(|| {
            let signature = sign(&receipts.to_bytes());
            SignedReceipts { receipts, key, signature }
        });
        let end = SyncReply {
            cursor: Some(Cursor { epoch, n: first.until, at }),
            more: first.more,
            digest: first.digest,
            ..SyncReply::new(epoch, at)
        };
        let begun = SyncReply {
            receipts,
            refused,
            verdicts,
            cards: first.cards,
            documents: first.documents,
            frames: first.frames,
            purge: first.purge,
            everything: first.everything,
            position,
            backup: first.backup,
            photo_wants: first.photo_wants,
            photo_bearer: bearer,
            lease_hours,
            ..SyncReply::new(epoch, at)
        };
        Parts { begun: Some(begun), whole: whole.into(), pace: FIRST, most, out: false, end }
    }
}

impl Parts {
    /// Whether a part of them is out.
    pub const fn have_begun(&self) -> bool {
        self.out
    }

    /// The next part; `None`: the last one is out.
    ///
    /// # Errors
    /// What storage says; then nothing more comes, and the device goes on from the last part it has.
    pub async fn next<L: Ledger>(&mut self, desk: &Desk<'_, L>) -> Result<Option<Part>, Problem> {
        let Some(mut reply) = self.begun.take() else { return Ok(None) };
        self.out = true;
        let (mut size, mut made) = (0, Vec::new());
        let chosen = if self.whole.is_empty() { BTreeMap::new() } else { desk.chosen().await? };
        let (mut read, mut sent) = (WholeCases::default(), 0);
        while let Some(case) = self.whole.front().copied() {
            // Anew for each part: what was read for cases that were not sent with it may have been long ago by then.
            if !read.has(case) {
                read = desk.next_whole(&self.whole, self.pace).await?;
                self.pace = self.pace.saturating_mul(2);
            }
            self.whole.pop_front();
            sent += 1;
            let Outgoing { cards, frames, made: more, .. } = desk.whole_case(case, &mut read, &chosen).await?;
            made.extend(more);
            size += CARD * cards.len() + frames.iter().map(|frame| frame.changes.as_bytes().len()).sum::<usize>();
            reply.cards.extend(cards);
            reply.frames.extend(frames);
            if size >= self.most && !self.whole.is_empty() {
                let n = self.end.cursor.map_or(0, |cursor| cursor.n);
                reply.progress = Some(Progress { n, after: case, epoch: Some(self.end.epoch) });
                self.begun = Some(SyncReply::new(self.end.epoch, self.end.at));
                self.pace = self.pace.min(sent * 2);
                desk.keep_frames(made).await;
                return Ok(Some(Part { reply, last: false }));
            }
        }
        desk.keep_frames(made).await;
        let SyncReply { cursor, more, digest, .. } = &self.end;
        (reply.cursor, reply.more, reply.digest) = (*cursor, *more, *digest);
        Ok(Some(Part { reply, last: true }))
    }
}
