//! twofold: arguments in, exit code out.

/// A run makes many small values (JSON, lines) and drops them page by page; this allocator gives the memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    twofold::cli::main()
}
