//! The only types that travel between a device and the server.

pub mod enrolment;
