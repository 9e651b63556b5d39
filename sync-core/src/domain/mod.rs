//! What documents say, typed: which kinds there are, the words they use, the numbers of the outside world.

pub mod identifier;
pub mod kind;
pub mod vocabulary;
