//! `kubectl-argo_gc`: hands the process's streams, clock and signals to the library.

use argo_gc::cli::app::run;
use argo_gc::cli::complete;
use argo_gc::cli::completion::VARIABLE;
use argo_gc::cli::progress::Signs;
use argo_gc::cli::streams::Streams;
use argo_gc::error::exit;
use argo_gc::interrupt::Stop;
use std::io::{BufWriter, IsTerminal, stderr, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Reading a cluster is mostly making and dropping small strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nested templates are decoded by recursion; a main thread's usual share is plenty.
const STACK: usize = 8 << 20;

/// Bytes of standard output that are written together.
const BUFFER: usize = 1 << 16;

fn main() -> ExitCode {
    // One TLS provider for everything; a second call can't happen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // kube logs failures as errors even where another try succeeds: nothing is logged unless asked for.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).from_env_lossy();
    let colour = stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(stderr);
    let log = log.with_filter_reloading();
    let filter = log.reload_handle();
    // Whatever is asked for: at that level AWS's libraries show the headers that tokens are in.
    let harmless = |of: &Metadata<'_>| *of.level() != Level::TRACE || !of.target().starts_with("aws_");
    log.finish().with(FilterFn::new(harmless)).init();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
    else {
        return ExitCode::from(exit::ERROR);
    };
    let stop = Arc::new(Stop::default());
    let signs = Signs::default();
    match stderr().is_terminal() {
        true => drop(runtime.spawn(signs.clone().draw(|| width(stderr())))),
        false => drop(runtime.spawn(signs.clone().write_lines(stderr()))),
    }
    let mut streams = Streams {
        out: match stdout().is_terminal() {
            true => Box::new(BufWriter::with_capacity(BUFFER, signs.beside(stdout()))),
            false => Box::new(BufWriter::with_capacity(BUFFER, stdout())),
        },
        err: Box::new(signs.beside(stderr())),
        input: Box::new(stdin()),
        out_is_terminal: stdout().is_terminal(),
        err_is_terminal: stderr().is_terminal(),
        in_is_terminal: stdin().is_terminal(),
        progress: signs.progress(),
        stop: Arc::clone(&stop),
        // Of our own words only: what the libraries log may hold headers.
        log: Box::new(move |level| {
            let level = if level < 6 { "debug" } else { "trace" };
            let _ = filter.reload(EnvFilter::new(format!("off,argo_gc={level}")));
        }),
        width: width(stdout()),
        err_width: width(stderr()),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
    };
    // On a thread of its own: a file, pipe or credential plugin it waits for must not hold up Ctrl-C.
    let handle = runtime.handle().clone();
    let arguments = complete::arguments(std::env::var_os(VARIABLE), std::env::args_os());
    let work =
        runtime.spawn_blocking(move || handle.block_on(run(arguments, &mut streams, jiff::Timestamp::now())));
    let code = runtime.block_on(async {
        tokio::select! {
            code = work => code.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())),
            () = interrupted(&stop) => exit::INTERRUPTED,
        }
    });
    // A read that hangs must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// The number of columns, if it is a terminal.
#[cfg(unix)]
fn width(stream: impl std::os::fd::AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

#[cfg(windows)]
fn width(stream: impl std::os::windows::io::AsHandle) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

/// Waits for the interrupt that ends the process: the first, or the second where the first only asks.
async fn interrupted(stop: &Stop) {
    while signal().await.is_ok() {
        if !stop.ask() {
            return;
        }
    }
    // Without a handler the system's default ends the process.
    std::future::pending::<()>().await;
}

/// Ctrl-C, or what the cluster sends to a pod that is to end; a container's first process has no default for it.
#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    let mut ends = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = ends.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
