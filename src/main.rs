//! `kubectl-argo_gc`: hands the process's streams, clock and signals to the library.

use argo_gc::cli::{Streams, run};
use argo_gc::error::exit;
use argo_gc::purge::execute::Stop;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;

/// Reading a cluster is mostly making and dropping small strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider for everything; a second call can't happen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).init();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    else {
        return ExitCode::from(exit::ERROR);
    };
    let stop = Arc::new(Stop::default());
    let mut streams = Streams {
        out: Box::new(std::io::BufWriter::with_capacity(1 << 16, stdout())),
        err: Box::new(stderr()),
        input: Box::new(stdin()),
        out_is_terminal: stdout().is_terminal(),
        err_is_terminal: stderr().is_terminal(),
        in_is_terminal: stdin().is_terminal(),
        stop: Arc::clone(&stop),
        width: terminal_size::terminal_size_of(stdout()).map(|(width, _)| usize::from(width.0)),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
    };
    let code = runtime.block_on(async {
        tokio::select! {
            code = run(std::env::args_os(), &mut streams, jiff::Timestamp::now()) => code,
            () = interrupted(&stop) => exit::INTERRUPTED,
        }
    });
    // A read that hangs must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Waits for the interrupt that ends the process: the first, or the second where the first only asks.
async fn interrupted(stop: &Stop) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if !stop.ask() {
            return;
        }
    }
    // Without a handler the system's default ends the process.
    std::future::pending::<()>().await;
}
