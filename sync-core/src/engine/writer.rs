//! Making a reply, part by part.

use minicbor::bytes::ByteVec;

use crate::envelope::{PROTOCOL, Signed};
use crate::id::{Hash, KeyId, ServerId};
use crate::protocol::codec::{self, Packer};
use crate::protocol::sync::reply_bytes;
use crate::protocol::{SignedReply, SyncReply};

/// Writes the parts of one reply: the counterpart of [`super::ReplyReader`].
#[derive(Debug)]
pub struct ReplyWriter {
    server: ServerId,
    request: Hash,
    key: KeyId,
    number: u32,
    packer: Option<Packer>,
}

impl ReplyWriter {
    /// Of the reply to `request` (the bytes that came), to be signed with the server's key of this id.
    pub fn new(server: ServerId, request: &[u8], key: KeyId) -> Self {
        Self { server, request: Hash::of(request), key, number: 0, packer: None }
    }

    /// The bytes of the next part, signed by `sign`.
    ///
    /// # Errors
    /// When there is no memory to compress it with.
    pub fn write(
        &mut self,
        reply: &SyncReply,
        last: bool,
        sign: impl FnOnce(&[u8]) -> Signed,
    ) -> std::io::Result<Vec<u8>> {
        let body = if self.number == 0 && last {
            // All there is: packed as one message, which takes fewer bytes and less time.
            codec::pack(reply)
        } else {
            let packer = match &mut self.packer {
                Some(packer) => packer,
                None => self.packer.insert(Packer::new()?),
            };
            packer.pack(reply, last)?
        };
        let signature = sign(&reply_bytes(self.server, self.request, self.number, last, Hash::of(&body)));
        self.number += 1;
        let part = SignedReply { protocol: PROTOCOL, key: self.key, signature, body: ByteVec::from(body), last };
        // Writing CBOR to a vector does not fail.
        Ok(minicbor::to_vec(part).unwrap_or_default())
    }
}
