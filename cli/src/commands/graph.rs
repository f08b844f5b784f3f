//! `validate --graph`: the DAG of each workflow, drawn in the form that is asked for.

use clap::ValueEnum;
use millrace_domain::definition::Workflow;

use crate::drawing::{Picture, dot, mermaid, svg, text};
use crate::error::CliError;
use crate::options::{Common, Output};
use crate::output;

/// The form of a drawing: for the terminal, for Graphviz, for Mermaid, or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Dot,
    Mermaid,
    Svg,
}

/// Draws workflows, one after another.
pub(crate) fn show(common: &Common, workflows: &[&Workflow], format: Format) -> Result<(), CliError> {
    let pictures: Vec<Picture> = workflows.iter().map(|workflow| Picture::of(workflow)).collect();
    if let (Format::Svg, [_, _, ..]) = (format, pictures.as_slice()) {
        let names: Vec<&str> = pictures.iter().map(|picture| picture.title.as_str()).collect();
        let message = "svg is one drawing, and there are the workflows";
        return Err(CliError::Usage(format!(
            "{message} {}: give a file with one workflow",
            names.join(", ")
        )));
    }
    let mut drawn = Vec::with_capacity(pictures.len());
    for picture in &pictures {
        drawn.push(draw(picture, format).map_err(CliError::Usage)?);
    }
    if common.output == Output::Table {
        output::line(&drawn.join("\n\n"));
        return Ok(());
    }
    let rows = pictures.iter().zip(drawn).map(|(picture, drawn)| {
        let mut row = picture.to_json();
        row["graph"] = drawn.into();
        row
    });
    output::list(common.output, &rows.collect::<Vec<_>>(), &[]);
    Ok(())
}

fn draw(picture: &Picture, format: Format) -> Result<String, String> {
    Ok(match format {
        Format::Text => text::draw(picture),
        Format::Dot => dot::draw(picture),
        Format::Mermaid => mermaid::draw(picture),
        Format::Svg => svg::draw(picture)?,
    })
}
