//! twofold: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    twofold::cli::main()
}
