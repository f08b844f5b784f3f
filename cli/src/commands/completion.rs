//! `completion`: prints a script by which a shell completes what is typed.

use clap::{Args, Command as Grammar, ValueHint};
use clap_complete::Shell;

use crate::error::CliError;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

/// Prints the script for the whole command line.
pub(crate) fn run(args: &CompletionArgs, grammar: Grammar) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut hinted(grammar), "millrace", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// The command line with a hint for each value, so that files are offered where a file goes only.
pub(crate) fn hinted(grammar: Grammar) -> Grammar {
    let grammar = grammar.mut_args(|arg| match arg.get_value_hint() {
        ValueHint::Unknown if arg.get_action().takes_values() => arg.value_hint(ValueHint::Other),
        _ => arg,
    });
    grammar.mut_subcommands(hinted)
}
