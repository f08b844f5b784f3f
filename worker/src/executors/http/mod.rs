//! `uses: http`: one request. [`request`] reads what the task wants, [`address`] says what may be reached,
//! [`client`] holds it to that at every hop, [`response`] makes outputs of the answer.

mod address;
mod client;
mod executor;
mod request;
mod response;

pub use executor::Http;
