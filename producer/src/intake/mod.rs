//! What comes in: submissions of any AMQP client ([`amqp`]), what arrives for the owned partitions ([`inbox`]) and, of
//! that, what only a newer version can act on ([`parked`]), and the one way ([`gateway`]) by which all of it, and the API, reaches the owner of a partition and has its answer
//! ([`question`]).

pub(crate) mod amqp;
pub(crate) mod gateway;
pub(crate) mod inbox;
pub(crate) mod parked;
pub(crate) mod question;
