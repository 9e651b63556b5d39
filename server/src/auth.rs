//! Who speaks: passwords, sessions, tokens.

mod passwords;
mod throttle;
pub mod tokens;

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use sync_core::access::Role;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, Hash, OrganisationId, SessionId};

pub use self::passwords::{BadPassword, Passwords};
pub use self::throttle::Throttle;
use self::tokens::{Audience, Bearer};
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::storage::accounts::{Account, SignInName};
use crate::storage::devices::Device;
use crate::storage::sessions::{Refreshed, Session};

/// A person whose token, session row and account row were all good a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub account: AccountId,
    /// What they are.
    pub role: Role,
    /// Where they work.
    pub organisation: OrganisationId,
    /// By which sign-in.
    pub session: SessionId,
    /// When they gave their password: some acts need that to be a moment ago.
    pub authenticated_at: Timestamp,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let bearer = tokens::verify(app, bearer_text(parts)?, Audience::Api).await?;
        let Bearer::Session { account, session } = bearer else { return Err(tokens::refused()) };
        let Some((session, found)) = app.storage.session(session).await? else { return Err(session_ended()) };
        if found.id != account || !found.enabled || !session.is_live(app.clock.now()) {
            return Err(session_ended());
        }
        Ok(Self {
            account,
            role: found.role,
            organisation: found.organisation,
            session: session.id,
            authenticated_at: session.authenticated_at,
        })
    }
}

/// A device that carries photo bytes by a token it was given in a signed reply; device and account rows were good a
/// moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoBearer {
    /// Whose device.
    pub account: Account,
    /// Which.
    pub device: Device,
}

impl FromRequestParts<App> for PhotoBearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let bearer = tokens::verify(app, bearer_text(parts)?, Audience::Photos).await?;
        let Bearer::Device { account, device } = bearer else { return Err(tokens::refused()) };
        let (Some(account), Some(device)) = (app.storage.account(account).await?, app.storage.device(device).await?)
        else {
            return Err(tokens::refused());
        };
        let good = device.account == account.id
            && account.enabled
            && device.revoked_at.is_none()
            && device.stopped_at.is_none();
        if good { Ok(Self { account, device }) } else { Err(tokens::refused()) }
    }
}

fn bearer_text(parts: &Parts) -> Result<&str, Problem> {
    let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = value.and_then(|value| value.split_once(' '));
    match scheme {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::new(
            ProblemKind::SignInNeeded,
            "Send `Authorization: Bearer …` with a token from POST /v1/sessions.",
        )),
    }
}

fn session_ended() -> Problem {
    Problem::new(ProblemKind::SessionEnded, "Sign in again at POST /v1/sessions.")
}

/// Where a request came from, as far as it can be known: through a proxy, what the proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        // Put there by the router's outermost layer; without it all clients are one.
        Ok(parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// What a person holds after signing in.
#[derive(Debug)]
pub struct Granted {
    /// The session.
    pub session: Session,
    /// Names the session and its present secret; good for one refresh.
    pub refresh: String,
    /// The token for the API.
    pub access: tokens::Minted,
}

/// Signs a person in.
///
/// # Errors
/// `sign-in-refused` (never which of name, password and account it was), `later` after failures.
pub async fn sign_in(app: &App, name: &str, password: &str, from: ClientAddress) -> Result<Granted, Problem> {
    let throttled = name.to_ascii_lowercase();
    if let Err(seconds) = app.throttle.may_try(&throttled, from.0, app.clock.elapsed()) {
        return Err(Problem::later(seconds, "Too many sign-ins failed; wait before the next."));
    }
    // Counted before it is looked at, and taken back when it is right: of many tries at once only the free ones pass.
    app.throttle.failed(&throttled, from.0, app.clock.elapsed());
    let found = match name.parse::<SignInName>() {
        Ok(name) => app.storage.account_to_sign_in(&name).await?,
        Err(_) => None,
    };
    let (account, hash) = found.map_or((None, None), |(account, hash)| (Some(account), hash));
    // An account that isn't there costs the time of one that is.
    let right = app.passwords.verify(hash, password).await.map_err(Problem::internal)?;
    match account {
        Some(account) if right && account.enabled => {
            app.throttle.succeeded(&throttled, from.0);
            let secret = app.chance.bytes::<32>();
            let lasts = app.config.limits.session_hours.saturating_mul(60 * 60 * 1000);
            let session = app.storage.begin_session(account.id, secret_hash(&secret), lasts).await?;
            grant(app, session, &secret).await
        }
        _ => Err(Problem::new(ProblemKind::SignInRefused, "Check the name and the password.")),
    }
}

/// Exchanges what [`Granted::refresh`] holds for the next; the old one is then spent.
///
/// # Errors
/// `session-ended`; also for a text that was used before, which ends the session for both who hold it.
pub async fn refresh(app: &App, held: &str) -> Result<Granted, Problem> {
    let parts = held.split_once('.').and_then(|(id, secret)| {
        let bytes = BASE32_NOPAD.decode(secret.to_ascii_uppercase().as_bytes()).ok()?;
        Some((id.parse::<SessionId>().ok()?, <[u8; 32]>::try_from(bytes).ok()?))
    });
    let Some((id, secret)) = parts else { return Err(session_ended()) };
    let next = app.chance.bytes::<32>();
    match app.storage.refresh_session(id, secret_hash(&secret), secret_hash(&next)).await? {
        Refreshed::Yes(session) => match app.storage.account(session.account).await? {
            Some(account) if account.enabled => grant(app, session, &next).await,
            _ => Err(session_ended()),
        },
        Refreshed::UsedBefore => {
            tracing::warn!(session = %id, "a session's refresh text was used twice; the session was ended");
            Err(session_ended())
        }
        Refreshed::Unknown => Err(session_ended()),
    }
}

async fn grant(app: &App, session: Session, secret: &[u8; 32]) -> Result<Granted, Problem> {
    let access = tokens::mint(app, Bearer::Session { account: session.account, session: session.id }).await?;
    let refresh = format!("{}.{}", session.id, BASE32_NOPAD.encode(secret).to_ascii_lowercase());
    Ok(Granted { session, refresh, access })
}

/// What is kept of a session's secret: 256 random bits need no slow hash.
fn secret_hash(secret: &[u8; 32]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"grabrail session secret 1\0");
    hasher.update(secret);
    Hash::from_bytes(hasher.finalize().into())
}
