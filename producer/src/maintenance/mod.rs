//! What runs beside the loop, once in a while.

pub(crate) mod fullness;
pub(crate) mod retention;
