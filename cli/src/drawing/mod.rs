//! Draws the DAG of a workflow: as text, for DOT, for Mermaid, or as SVG. Pure functions of the definition; no run is
//! looked at, see [`render`](crate::render) for those.
//!
//! [`picture`] says what is drawn, the same for all forms: a new field that should be seen in a drawing is a line there.
//! [`text`], [`dot`], [`mermaid`] and [`svg`] are a form each; [`layout`] places the steps for the last.

pub(crate) mod dot;
mod layout;
pub(crate) mod mermaid;
mod picture;
pub(crate) mod svg;
pub(crate) mod text;

pub(crate) use picture::Picture;
