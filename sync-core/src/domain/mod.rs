//! The field: what documents say, how values merge, what is missing or doubtful, what was signed.

mod cited;
pub mod container;
pub mod document;
pub mod edit;
pub mod finding;
pub mod fit;
pub mod identifier;
mod joined;
pub mod kind;
mod paragraph;
pub mod record;
pub mod references;
pub mod register;
pub mod returned;
pub mod signed;
pub mod signoff;
pub mod specification;
#[cfg(test)]
pub(crate) mod testing;
pub mod view;
pub mod vocabulary;
