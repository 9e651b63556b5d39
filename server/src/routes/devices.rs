//! `POST /v1/devices`: a device becomes its person's, by a one-time code.

use axum::extract::State;
use axum::http::StatusCode;
use ed25519_dalek::{Signature, VerifyingKey};
use sync_core::protocol::enrolment::{
    self, EnrolmentCode, EnrolmentReply, EnrolmentRequest, PublicKey, proof_of_possession,
};

use super::Json;
use super::problems::problems;
use super::schemas::enrolment as schemas;
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::storage::devices::NewDevice;
use crate::storage::keys::KeyPurpose;

problems!(EnrolProblems = READS_JSON WRITES, CodeRefused, ProofRefused, Conflict);

/// Enrol a device.
///
/// Takes no bearer: the one-time code is the right, and the proof shows that the device holds the key it offers.
#[utoipa::path(post, path = "/v1/devices", tag = "devices", request_body = schemas::EnrolmentRequest, responses(
    (status = 201, description = "Enrolled", body = schemas::EnrolmentReply),
    EnrolProblems,
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
