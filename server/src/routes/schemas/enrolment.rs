//! Enrolling a device.

use utoipa::ToSchema;

use super::words::{
    AccountId, DeviceId, Epoch, Generation, KeyId, OrganisationId, PublicKey, Role, ServerId, Signature,
};

/// A device's request to be its person's.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct EnrolmentRequest {
    /// The one-time code, as people type it.
    code: String,
    /// The device's new Ed25519 public key.
    device_key: PublicKey,
    /// The life of its store.
    generation: Generation,
    /// What its person calls it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The key's signature that it is held.
    proof: Signature,
}

/// What the device keeps of the server.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct EnrolmentReply {
    /// The data folder.
    server: ServerId,
    /// Its present life.
    epoch: Epoch,
    /// The id of the key that signs replies.
    reply_key_id: KeyId,
    /// That key.
    reply_key: PublicKey,
    /// The device's id.
    device: DeviceId,
    /// The device's number.
    device_number: u32,
    /// Whose device it is.
    account: AccountId,
    /// Their name.
    full_name: String,
    /// Their role.
    role: Role,
    /// Where they work.
    organisation: OrganisationId,
    /// The Welfare Authority's name.
    authority: String,
    /// The reply key's signature of all this and of the request's key.
    signature: Signature,
}
