//! What every broker does.

mod delivering;
mod ending;
mod fixture;
mod routing;
mod settling;

pub(crate) use delivering::*;
pub(crate) use ending::*;
pub(crate) use fixture::run;
pub(crate) use routing::*;
pub(crate) use settling::*;
