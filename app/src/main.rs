//! The binary `portcullis-app`.

/// Less memory for many small, short-lived pieces than with the C library's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    portcullis_app::cli::main()
}
