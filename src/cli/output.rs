//! How commands write: results on stdout, talk on stderr. Macros of the names that one would type anyway, because those of the standard
//! library panic where nobody reads any more (`twofold status | head -1`).

use super::hints;
use std::fmt::Arguments;
use std::io::Write;
use twofold_cycle::report::exit;

/// What a shell shows of a program that wrote into a pipe without a reader: 128 + SIGPIPE (signal(7)).
const NO_READER: i32 = 141;

/// Writes a result. Where nobody reads any more the command ends, without a word; where it cannot be written, with one.
pub(super) fn result(words: Arguments<'_>) {
    match std::io::stdout().write_fmt(words) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(NO_READER),
        Err(error) => {
            talk(format_args!("twofold: the result cannot be written ({error}); what was done is done\n"));
            std::process::exit(exit::FAILED);
        }
    }
}

/// Writes talk, with each command as it is typed here. Where nobody listens any more the work goes on.
pub(super) fn talk(words: Arguments<'_>) {
    let _ = std::io::stderr().write_all(hints::put(&words.to_string()).as_bytes());
}

macro_rules! print {
    ($($words:tt)*) => { $crate::cli::output::result(format_args!($($words)*)) };
}

macro_rules! println {
    ($($words:tt)*) => { $crate::cli::output::result(format_args!("{}\n", format_args!($($words)*))) };
}

macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::output::talk(format_args!($($words)*)) };
}

macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::output::talk(format_args!("{}\n", format_args!($($words)*))) };
}
