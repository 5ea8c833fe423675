//! A connection that ends when nobody uses it: without a request for too long, with a reader that
//! takes nothing, or when the server stops. One rule for HTTP/1.1 and HTTP/2: what counts is whether a
//! request is under way ([`underway`](super::underway)) and something of it moves, not whether bytes
//! trickle in.

use std::{
    cell::Cell,
    io,
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{either::Either, sync::WaitForCancellationFutureOwned};

use super::{
    gate::{Gate, Pass},
    http2::Http2,
    proxy_protocol::Header,
};

/// While the server stops, a connection on which nothing has come for so long is closed: a request
/// may be on its way to it. HTTP/1.1 has no word for that between two answers; the closing tells it, and
/// a client asks again on another connection (RFC 9112, 9.3.1 and 9.5).
const QUIET: Duration = Duration::from_millis(500);
/// Whoever has just connected has a request to send, and would not understand to be turned away.
const FIRST_REQUEST: Duration = Duration::from_secs(3);

/// And for so long it waits for a reader that takes nothing.
const STUCK: Duration = Duration::from_secs(10);

/// What a request can know of its connection.
pub struct State {
    pub is_tls: bool,
    /// What the proxy said that passes it on, where the PROXY protocol is spoken.
    pub proxy: Option<Header>,
    pub gate: Arc<Gate>,
    under_way: Cell<u32>,
    has_served: Cell<bool>,
    idle_since: Cell<Instant>,
}

impl State {
    pub(super) fn begin_request(&self) {
        self.under_way.set(self.under_way.get() + 1);
        self.has_served.set(true);
    }

    pub(super) fn end_request(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.idle_since.set(Instant::now());
    }
}

pub type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

pub struct Connection {
    stream: Stream,
    state: Rc<State>,
    timer: Pin<Box<Sleep>>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    is_draining: bool,
    /// Since when the other end takes nothing of what is written.
    blocked_since: Option<Instant>,
    /// When bytes went last, in either direction.
    moved_at: Instant,
    opened_at: Instant,
    /// Where it is spoken.
    http2: Option<Http2>,
    greeting: Option<Greeting>,
    _pass: Pass,
}

/// What is written in the place of the library's first bytes.
struct Greeting {
    bytes: Vec<u8>,
    written: usize,
    stands_for: usize,
}

impl Connection {
    pub fn new(
        stream: Stream,
        is_h2: bool,
        proxy: Option<Header>,
        gate: Arc<Gate>,
        pass: Pass,
    ) -> Self {
        let now = Instant::now();
        let state = State {
            is_tls: matches!(stream, Either::Right(_)),
            proxy,
            under_way: Cell::new(0),
            has_served: Cell::new(false),
            idle_since: Cell::new(now),
            gate: gate.clone(),
        };
        Connection {
            stream,
            state: Rc::new(state),
            timer: Box::pin(tokio::time::sleep_until(now + gate.head_timeout)),
            drained: Box::pin(gate.draining().clone().cancelled_owned()),
            is_draining: false,
            blocked_since: None,
            http2: is_h2.then(|| Http2::new(now)),
            greeting: None,
            moved_at: now,
            opened_at: now,
            _pass: pass,
        }
    }

    pub fn state(&self) -> Rc<State> {
        self.state.clone()
    }

    /// Ready when the connection has to end; until then the task is woken when that may be so.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if !self.is_draining {
            self.is_draining = self.drained.as_mut().poll(cx).is_ready();
        }
        loop {
            let now = Instant::now();
            let unused = self.unused_until();
            let idle = self.state.gate.idle_timeout;
            let patience = if self.is_draining { idle.min(STUCK) } else { idle };
            let stuck = self.stuck_since().map(|since| since + patience);
            if stuck.is_some_and(|at| at <= now) {
                return Poll::Ready(End::Stuck);
            }
            if unused.is_some_and(|at| at <= now) {
                return Poll::Ready(End::Unused);
            }
            let Some(next) = [unused, stuck].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    /// Since when the other end takes nothing: of the bytes, or of the answers that they carry.
    fn stuck_since(&self) -> Option<Instant> {
        self.blocked_since.or_else(|| self.http2.as_ref()?.stuck_since())
    }

    /// `None` while a request is under way, or the end of an answer.
    fn unused_until(&self) -> Option<Instant> {
        if self.state.under_way.get() > 0 || self.blocked_since.is_some() {
            return None;
        }
        let gate = &self.state.gate;
        let patience =
            if self.state.has_served.get() { gate.idle_timeout } else { gate.head_timeout };
        let idle_since = self.state.idle_since.get();
        let end = idle_since + patience;
        Some(match self.is_draining {
            true => {
                let quiet = idle_since.max(self.moved_at) + QUIET;
                let has_served = self.state.has_served.get();
                let first = if has_served { quiet } else { self.opened_at + FIRST_REQUEST };
                end.min(quiet.max(first))
            }
            false => end,
        })
    }

    /// Writes the server's first frame of HTTP/2; says for how many of `first` it stands.
    fn poll_greeting(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
    ) -> Poll<io::Result<Option<usize>>> {
        let Some(http2) = &mut self.http2 else { return Poll::Ready(Ok(None)) };
        if self.greeting.is_none() {
            let greeting = http2.greeting(first);
            self.greeting =
                greeting.map(|(bytes, stands_for)| Greeting { bytes, written: 0, stands_for });
        }
        let Some(greeting) = &mut self.greeting else { return Poll::Ready(Ok(None)) };
        while greeting.written < greeting.bytes.len() {
            let left = &greeting.bytes[greeting.written..];
            greeting.written += ready!(poll_some(&mut self.stream, cx, left))?;
        }
        let stands_for = greeting.stands_for;
        self.greeting = None;
        Poll::Ready(Ok(Some(stands_for)))
    }

    /// While the server stops, a client of HTTP/2 is told so before anything else is written.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(http2) = self.http2.as_mut().filter(|_| self.is_draining) else {
            return Poll::Ready(Ok(()));
        };
        while !http2.farewell().is_empty() {
            http2.say(ready!(poll_some(&mut self.stream, cx, http2.farewell()))?);
        }
        Poll::Ready(Ok(()))
    }

    /// These bytes have been written.
    fn moved(&mut self, bytes: &[u8]) {
        self.moved_at = Instant::now();
        if let Some(http2) = &mut self.http2 {
            http2.send(bytes, self.moved_at);
        }
    }

    /// Notes whether the other end takes what is written.
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(_) => self.blocked_since = None,
            Poll::Pending => {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
        }
        // Also after a success: what was written may be the beginning of an answer that nobody takes.
        match self.poll_end(cx) {
            Poll::Ready(End::Stuck) => Poll::Ready(Err(stuck())),
            _ => written,
        }
    }
}

enum End {
    Unused,
    Stuck,
}

fn stuck() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")
}

/// Whether the kernel holds something that nobody has read yet.
fn has_bytes(stream: &Stream) -> bool {
    let socket = match stream {
        Either::Left(stream) => stream.as_raw_fd(),
        Either::Right(stream) => stream.get_ref().0.as_raw_fd(),
    };
    let mut byte = 0_u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: one byte of our own is written at most, and the socket is open.
    unsafe { libc::recv(socket, (&raw mut byte).cast(), 1, flags) > 0 }
}

/// Writes at least one byte.
fn poll_some(stream: &mut Stream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(stream).poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        length => Poll::Ready(Ok(length)),
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_ready() {
            this.moved_at = Instant::now();
            if let Some(http2) = &mut this.http2 {
                http2.receive(&buffer.filled()[before..], this.moved_at);
                if http2.is_overrun() {
                    buffer.set_filled(before);
                    return Poll::Ready(Err(io::Error::other("too many streams at once")));
                }
            }
            return read;
        }
        match ready!(this.poll_end(cx)) {
            // On a busy machine the timer may be heard before the request that came in time.
            End::Unused if has_bytes(&this.stream) => {
                this.moved_at = Instant::now();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            // As if the other end had closed: what is still to be sent is sent.
            End::Unused => Poll::Ready(Ok(())),
            End::Stuck => Poll::Ready(Err(stuck())),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_farewell(cx))?;
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        let written = match self.poll_greeting(cx, first) {
            Poll::Ready(Ok(Some(stands_for))) => Poll::Ready(Ok(stands_for)),
            Poll::Ready(Ok(None)) => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => Poll::Pending,
        };
        if let Poll::Ready(Ok(length)) = written {
            let mut left = length;
            for slice in slices {
                let taken = left.min(slice.len());
                self.moved(&slice[..taken]);
                left -= taken;
            }
        }
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_farewell(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.wrote(cx, closed)
    }
}
