//! `uses: http`: one request. [`request`] reads what the task wants, [`address`] says what may be reached,
//! [`client`] holds it to that at every hop, [`redirects`] says which hops there may be, [`response`] makes outputs of
//! the answer, whose [`text`] may be in any charset.

mod address;
mod client;
mod executor;
mod redirects;
mod request;
mod response;
mod text;

pub use executor::Http;
