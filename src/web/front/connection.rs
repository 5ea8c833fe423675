//! A connection that ends when nobody uses it: without a request for too long, with a reader that
//! takes nothing, or when the server stops. One rule for HTTP/1.1 and HTTP/2: what counts is whether a
//! request is under way ([`underway`](super::underway)), not whether bytes trickle in.

use std::{
    cell::Cell,
    io,
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
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    farewell::Farewell,
    gate::{Gate, Pass},
};

/// While the server stops, a connection on which nothing has come for so long is closed: a request
/// may be on its way to it.
const QUIET: Duration = Duration::from_millis(300);

/// What a request can know of its connection.
pub struct State {
    pub is_tls: bool,
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

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

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
    /// Of a connection by HTTP/2.
    farewell: Option<Farewell>,
    _pass: Pass,
}

impl Connection {
    pub fn new(stream: Stream, is_h2: bool, gate: Arc<Gate>, pass: Pass) -> Self {
        let now = Instant::now();
        let state = State {
            is_tls: matches!(stream, Stream::Tls(_)),
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
            farewell: is_h2.then(Farewell::default),
            moved_at: now,
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
            let blocked = self.blocked_since.map(|since| since + self.state.gate.idle_timeout);
            if blocked.is_some_and(|at| at <= now) {
                return Poll::Ready(End::Stuck);
            }
            if unused.is_some_and(|at| at <= now) {
                return Poll::Ready(End::Unused);
            }
            let Some(next) = [unused, blocked].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    /// While the server stops, a client of HTTP/2 is told so before anything else is written.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_draining {
            return Poll::Ready(Ok(()));
        }
        let Some(farewell) = &mut self.farewell else { return Poll::Ready(Ok(())) };
        while !farewell.due().is_empty() {
            let written = match &mut self.stream {
                Stream::Plain(stream) => Pin::new(stream).poll_write(cx, farewell.due()),
                Stream::Tls(stream) => Pin::new(stream).poll_write(cx, farewell.due()),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => farewell.say(bytes),
            }
        }
        Poll::Ready(Ok(()))
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
            true => end.min(idle_since.max(self.moved_at) + QUIET),
            false => end,
        })
    }

    /// These bytes have been written.
    fn moved(&mut self, bytes: &[u8]) {
        self.moved_at = Instant::now();
        if let Some(farewell) = &mut self.farewell {
            farewell.follow(bytes);
        }
    }

    /// Notes whether the other end takes what is written.
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.blocked_since = None;
            return written;
        }
        self.blocked_since.get_or_insert_with(Instant::now);
        match self.poll_end(cx) {
            Poll::Ready(End::Stuck) => Poll::Ready(Err(stuck())),
            _ => Poll::Pending,
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

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if read.is_ready() {
            this.moved_at = Instant::now();
            return read;
        }
        match ready!(this.poll_end(cx)) {
            // As if the other end had closed: what is still to be sent is sent.
            End::Unused => Poll::Ready(Ok(())),
            End::Stuck => Poll::Ready(Err(stuck())),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_farewell(cx))?;
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(length)) = written {
            self.moved(&bytes[..length]);
        }
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_farewell(cx))?;
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
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
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_farewell(cx))?;
        let flushed = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        self.wrote(cx, closed)
    }
}
