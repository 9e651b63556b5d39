//! `POST /v1/devices`: a device becomes its person's, by a one-time code.

use axum::extract::State;
use axum::http::StatusCode;
use ed25519_dalek::{Signature, VerifyingKey};
use sync_core::protocol::enrolment::{
    self, EnrolmentCode, EnrolmentReply, EnrolmentRequest, PublicKey, proof_of_possession,
};
use utoipa::ToSchema;

use super::{Json, ProblemBody};
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::storage::devices::NewDevice;
use crate::storage::keys::KeyPurpose;

/// Enrol a device.
#[utoipa::path(post, path = "/v1/devices", tag = "devices", request_body = EnrolmentRequestBody, responses(
    (status = 201, description = "Enrolled", body = EnrolmentReplyBody),
    (status = 403, description = "Code or proof refused", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Enrolled before", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn enrol(
    State(app): State<App>,
    Json(request): Json<EnrolmentRequest>,
) -> Result<(StatusCode, Json<EnrolmentReply>), Problem> {
    let code: EnrolmentCode = request.code.parse().map_err(|_| {
        Problem::new(ProblemKind::CodeRefused, "A code is sixteen letters and digits; ask for a new one.")
    })?;
    let name = request.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::new(ProblemKind::BadValue, "`name` has 1 to 100 printable characters."));
    }
    let server = app.keys.server();
    let proof = proof_of_possession(server, &code, &request.device_key.0, request.generation);
    let proven = VerifyingKey::from_bytes(&request.device_key.0)
        .and_then(|key| key.verify_strict(&proof, &Signature::from_bytes(&request.proof.0)));
    if proven.is_err() {
        return Err(Problem::new(
            ProblemKind::ProofRefused,
            "The proof must be the offered key's, for this server and code.",
        ));
    }
    let device = NewDevice { generation: request.generation, public_key: request.device_key.0, name: name.to_owned() };
    let (device, account) = app.storage.enrol(code.hash(), device).await??;
    let authority = app.storage.authority(&app.config.authority).await?;
    let signer = app.keys.signer(KeyPurpose::Reply).await?;
    let mut reply = EnrolmentReply {
        server,
        epoch: app.keys.epoch().await?,
        reply_key_id: signer.key.id,
        reply_key: PublicKey(signer.key.public),
        device: device.id,
        device_number: device.number,
        account: account.id,
        full_name: account.full_name,
        role: account.role,
        organisation: account.organisation,
        authority: authority.name,
        signature: enrolment::Signature([0; 64]),
    };
    reply.signature = enrolment::Signature(signer.sign(&reply.signed_bytes(&request)));
    tracing::info!(device = %device.id, account = %account.id, "a device was enrolled");
    Ok((StatusCode::CREATED, Json(reply)))
}

/// The request as the API's description shows it; [`EnrolmentRequest`] is what is read.
#[derive(Debug, ToSchema)]
#[schema(as = EnrolmentRequest)]
#[allow(dead_code, reason = "it only describes sync-core's type, which knows no OpenAPI")]
pub(super) struct EnrolmentRequestBody {
    /// The one-time code, as people type it.
    code: String,
    /// The device's new Ed25519 public key, 64 hexadecimal digits.
    device_key: String,
    /// The life of its store.
    generation: String,
    /// What its person calls it, 1 to 100 characters.
    name: String,
    /// The key's signature that it is held, 128 hexadecimal digits.
    proof: String,
}

/// The reply as the API's description shows it; [`EnrolmentReply`] is what is written.
#[derive(Debug, ToSchema)]
#[schema(as = EnrolmentReply)]
#[allow(dead_code, reason = "it only describes sync-core's type, which knows no OpenAPI")]
pub(super) struct EnrolmentReplyBody {
    /// The data folder.
    server: String,
    /// Its present life.
    epoch: String,
    /// The id of the key that signs replies.
    reply_key_id: String,
    /// That key, 64 hexadecimal digits.
    reply_key: String,
    /// The device's id.
    device: String,
    /// The device's number.
    device_number: u32,
    /// Whose device it is.
    account: String,
    /// Their name.
    full_name: String,
    /// Their role.
    role: String,
    /// Where they work.
    organisation: String,
    /// The Welfare Authority's name.
    authority: String,
    /// The reply key's signature of all this and of the request's key, 128 hexadecimal digits.
    signature: String,
}
