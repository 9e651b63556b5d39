//! Access tokens: EdDSA and nothing else, minutes long, judged by the injected clock.

use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, DeviceId, KeyId, ServerId, SessionId};

use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::storage::keys::KeyPurpose;

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 2048;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The API, for a person.
    Api,
    /// Photo bytes, for a device.
    Photos,
}

impl Audience {
    const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Photos => "photos",
        }
    }
}

/// Whom a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// A person, by a sign-in.
    Session {
        /// Who.
        account: AccountId,
        /// By which.
        session: SessionId,
    },
    /// A device, by a signed request.
    Device {
        /// Whose.
        account: AccountId,
        /// Which.
        device: DeviceId,
    },
}

impl Bearer {
    const fn audience(self) -> Audience {
        match self {
            Self::Session { .. } => Audience::Api,
            Self::Device { .. } => Audience::Photos,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// Seconds since 1970, as RFC 7519 has it; also `nbf`.
    exp: i64,
    nbf: i64,
    sub: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    jti: String,
}

/// A token and when it ends.
#[derive(Clone)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// Not good from then on.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whoever reads a log must not get in.
        write!(f, "Minted(until {})", self.expires_at)
    }
}

fn issuer(server: ServerId) -> String {
    format!("urn:grabrail:server:{server}")
}

/// A token of the configured minutes for `bearer`: a person's for the API, a device's for photo bytes.
///
/// # Errors
/// What storage says.
pub async fn mint(app: &App, bearer: Bearer) -> Result<Minted, Problem> {
    let signer = app.keys.signer(KeyPurpose::Token).await?;
    let nbf = app.clock.now().seconds();
    let exp = nbf.saturating_add(app.config.limits.token_minutes.saturating_mul(60));
    let (sub, sid, device) = match bearer {
        Bearer::Session { account, session } => (account, Some(session), None),
        Bearer::Device { account, device } => (account, None, Some(device)),
    };
    let claims = Claims {
        iss: issuer(app.keys.server()),
        aud: bearer.audience().name().to_owned(),
        exp,
        nbf,
        sub,
        sid,
        device,
        jti: data_encoding::HEXLOWER.encode(&app.chance.bytes::<16>()),
    };
    let header = Header { kid: Some(signer.key.id.to_string()), ..Header::new(Algorithm::EdDSA) };
    let secret = signer.secret().to_pkcs8_der().map_err(Problem::internal)?;
    let key = EncodingKey::from_ed_der(secret.as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &key).map_err(Problem::internal)?;
    Ok(Minted { token, expires_at: Timestamp::from_millis(exp.saturating_mul(1000)) })
}

/// Whom `token` stands for, if it is this server's, for `audience`, and good now. The rows it names aren't looked at.
///
/// # Errors
/// `token-refused` or `token-expired`.
pub async fn verify(app: &App, token: &str, audience: Audience) -> Result<Bearer, Problem> {
    if token.len() > LONGEST {
        return Err(refused());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
    if header.alg != Algorithm::EdDSA {
        return Err(refused());
    }
    let id = header.kid.as_deref().and_then(|kid| kid.parse::<KeyId>().ok()).ok_or_else(refused)?;
    let key = app.keys.key(id).await?.filter(|key| key.purpose == KeyPurpose::Token).ok_or_else(refused)?;
    let now = app.clock.now();
    let lasts = app.config.limits.token_minutes.saturating_mul(60);
    // What a key signed before it was retired runs out with it; it can sign no more.
    if key.retired_at.is_some_and(|retired| now >= retired.plus_millis(lasts.saturating_mul(1000))) {
        return Err(expired());
    }
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
    validation.set_issuer(&[issuer(app.keys.server())]);
    validation.set_audience(&[audience.name()]);
    // The library would read the machine's clock; ours is judged below.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let decoding = DecodingKey::from_ed_der(&key.public);
    let claims = jsonwebtoken::decode::<Claims>(token, &decoding, &validation).map_err(|_| refused())?.claims;
    if claims.exp.checked_sub(claims.nbf).is_none_or(|whole| whole > lasts) {
        return Err(refused());
    }
    if now.seconds() < claims.nbf || now.seconds() >= claims.exp {
        return Err(expired());
    }
    let bearer = match (claims.sid, claims.device) {
        (Some(session), None) => Bearer::Session { account: claims.sub, session },
        (None, Some(device)) => Bearer::Device { account: claims.sub, device },
        _ => return Err(refused()),
    };
    if bearer.audience() == audience { Ok(bearer) } else { Err(refused()) }
}

/// The answer to a token that isn't good: never which of its parts.
pub(super) fn refused() -> Problem {
    Problem::new(ProblemKind::TokenRefused, "This token is not good here; get a new one.")
}

fn expired() -> Problem {
    Problem::new(ProblemKind::TokenExpired, "Refresh the session for a new token (a device: sync again).")
}
