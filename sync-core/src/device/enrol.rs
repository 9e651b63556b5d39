//! Becoming a person's device.

use std::sync::{Arc, PoisonError};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::error::DeviceError;
use super::facade::Device;
use super::link::{HttpRequest, Link, LinkError, Method};
use super::rows::{Anew, Enrolling, Enrolment, Pending, Stopped, Unconfirmed, Writer};
use super::store::Shelf;
use crate::clock::Chance;
use crate::envelope::{self, sign};
use crate::protocol::CaseCard;
use crate::protocol::enrolment::{
    EnrolmentReply, EnrolmentRequest, EnrolmentText, Fingerprint, PublicKey, Signature, proof_of_possession,
};
use crate::protocol::sync::{Cursor, Progress};

impl Device {
    /// Makes this the device of whoever was given the enrolment text (`grabrail:enrol?…`); `name` is what they call
    /// it, 1 to 100 characters. Asked again after an answer was lost, it offers the same key.
    ///
    /// A device that the server stopped, because a copy of it had spoken, is enrolled anew for the same person, with a key
    /// and number of its own; what was typed on it and is not on the server yet is done again at the next sync.
    ///
    /// # Errors
    /// [`DeviceError::AlreadyEnrolled`]; [`DeviceError::OtherPerson`] when the code of a stopped device is another
    /// person's; [`DeviceError::Enrolment`] when the text is none; [`DeviceError::Link`];
    /// [`DeviceError::OtherServer`] when whoever answered is not the server that the text names.
    pub async fn enrol(&self, link: &Link, text: &str, name: &str) -> Result<(), DeviceError> {
        let _one = self.syncing.lock().await;
        self.recall_enrolment().await?;
        let before = self.enrolment().ok();
        let text: EnrolmentText = match &before {
            Some(enrolment) if self.reader().single::<Stopped>().await?.is_none() => {
                return Err(DeviceError::AlreadyEnrolled(enrolment.full_name.clone()));
            }
            Some(enrolment) => {
                let text: EnrolmentText = text.parse()?;
                if text.server != enrolment.server {
                    return Err(DeviceError::OtherServer);
                }
                text
            }
            None => text.parse()?,
        };
        let enrolling = self.enrolling(&text).await?;
        let key = SigningKey::from_bytes(&enrolling.secret);
        let device_key = PublicKey(key.verifying_key().to_bytes());
        let proof = proof_of_possession(text.server, &text.code, &device_key.0, enrolling.generation);
        let request = EnrolmentRequest {
            code: text.code.to_string(),
            device_key,
            generation: enrolling.generation,
            name: name.trim().to_owned(),
            proof: Signature(sign(&key, &proof).0),
        };
        let body = serde_json::to_vec(&request).map_err(|error| LinkError::Unreadable(error.to_string()))?;
        let reply = link
            .send(HttpRequest {
                method: Method::Post,
                url: format!("{}/v1/devices", text.url),
                content_type: Some("application/json"),
                bearer: None,
                body,
            })
            .await?;
        let reply: EnrolmentReply = serde_json::from_slice(&reply.body).map_err(|_| LinkError::NotOurServer)?;
        let signed = envelope::PublicKey(reply.reply_key.0)
            .verifies(&reply.signed_bytes(&request), &envelope::Signed(reply.signature.0));
        if Fingerprint::of(&reply.reply_key.0) != text.reply_key || reply.server != text.server || !signed {
            return Err(DeviceError::OtherServer);
        }
        if let Some(before) = before.filter(|before| before.account != reply.account) {
            return Err(DeviceError::OtherPerson { of: before.full_name.clone(), code_of: reply.full_name });
        }
        let enrolment = Enrolment {
            url: text.url.to_string(),
            server: reply.server,
            reply_key_id: reply.reply_key_id,
            reply_key: envelope::PublicKey(reply.reply_key.0),
            device: reply.device,
            number: reply.device_number,
            account: reply.account,
            full_name: reply.full_name,
            role: reply.role,
            organisation: reply.organisation,
            authority: reply.authority,
            secret: enrolling.secret,
            generation: enrolling.generation,
            name: request.name,
        };
        let _edits = self.editing.lock().await;
        let mut write = Writer::begin(&self.store).await?;
        if write.single::<Enrolment>().await?.is_some() {
            // Nothing that the old device had begun with the server goes on; what it typed is done again.
            write.remove_single::<Pending>().await?;
            write.remove_single::<Cursor>().await?;
            write.remove_single::<Progress>().await?;
            write.remove_single::<Stopped>().await?;
            write.put_single(&Anew(true)).await?;
            // Nobody knows of the new device what lies on it: whatever its first reply does not give it is not its to keep.
            let cards = write.whole_shelf::<CaseCard>(Shelf::Card).await?;
            write.put_single(&Unconfirmed(cards.into_iter().map(|(_, card)| card.case).collect())).await?;
        }
        write.put_single(&enrolment).await?;
        write.remove_single::<Enrolling>().await?;
        write.commit().await?;
        *self.enrolled.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(enrolment));
        Ok(())
    }

    /// The key to offer for this text: the one offered before, if its answer never came.
    async fn enrolling(&self, text: &EnrolmentText) -> Result<Enrolling, DeviceError> {
        let text = text.to_string();
        if let Some(before) = self.reader().single::<Enrolling>().await?
            && before.text == text
        {
            return Ok(before);
        }
        let mut secret = Zeroizing::new([0; 32]);
        self.draw(|chance| chance.fill(secret.as_mut()));
        let mut given = Given([0; 16]);
        self.draw(|chance| chance.fill(&mut given.0));
        let mut write = Writer::begin(&self.store).await?;
        // A generation belongs to one enrolment: a copy of this store may go on with the one before.
        let generation = match write.single::<Enrolment>().await? {
            Some(_) => write.0.renew_generation(&mut given).await?,
            None => self.store.generation(),
        };
        let enrolling = Enrolling { text, secret: (*secret).into(), generation };
        write.put_single(&enrolling).await?;
        write.commit().await?;
        Ok(enrolling)
    }
}

/// Bytes that were drawn before.
struct Given([u8; 16]);

impl Chance for Given {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, given) in bytes.iter_mut().zip(self.0) {
            *byte = given;
        }
    }
}
