//! The server's side of the control socket.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior},
};

use super::{
    Reply, Request, Running, carry_out,
    socket::SocketPath,
    wire::{Answer, Failed, REQUEST_BYTES_MAX, line},
};
use crate::{
    app::{App, Reporter},
    error::{Error, Result},
};

/// How many may ask at the same time; the next one waits.
const CONNECTIONS_MAX: usize = 16;
/// Who connects and says nothing, or reads nothing, is cut off after this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was begun may go on when the server stops.
const GRACE: Duration = Duration::from_secs(20);
/// Between two words about how far it is, at least and at most.
const STEP_EVERY: Duration = Duration::from_millis(100);
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(2);

/// A socket that is ready to be served.
pub struct Listener {
    listener: UnixListener,
    path: SocketPath,
}

/// Makes the socket in a data folder. Whoever has the data open may do so: a socket that is there
/// already was left behind by a process that is gone.
pub fn listen(data: &Path) -> Result<Listener> {
    let path = SocketPath::of(data).context("finding the way to the control socket")?;
    path.remove().context("removing the control socket of an earlier run")?;
    let listener = UnixListener::bind(path.path())
        .with_context(|| format!("making the control socket in {}", data.display()))?;
    fs::set_permissions(path.path(), Permissions::from_mode(0o600))
        .context("closing the control socket to others")?;
    Ok(Listener { listener, path })
}

/// A socket that is being served.
pub struct Listening {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Serves the socket in the background. Needs a tokio runtime.
    pub fn serve(self, app: Arc<App>, running: Running) -> Listening {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(self, app, running, stopped));
        Listening { stop, task }
    }
}

impl Listening {
    /// Takes no more requests, finishes those that are under way, and removes the socket.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(fault) = self.task.await {
            tracing::error!("the control socket's task panicked: {fault}");
        }
    }
}

async fn accept(
    socket: Listener,
    app: Arc<App>,
    running: Running,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let running = Arc::new(running);
    let mut conversations = JoinSet::new();
    while !*stopped.borrow() {
        let connection = tokio::select! {
            () = ended(&mut stopped) => break,
            Some(_) = conversations.join_next() => continue,
            connection = accept_one(&socket.listener, &places) => connection,
        };
        match connection {
            Ok((stream, place)) => {
                let (app, running, stopped) = (app.clone(), running.clone(), stopped.clone());
                conversations.spawn(async move {
                    if let Err(fault) = converse(stream, app, running, stopped).await {
                        tracing::debug!("a conversation on the control socket: {fault:#}");
                    }
                    drop(place);
                });
            }
            Err(fault) => {
                tracing::error!("the control socket: {fault:#}");
                tokio::time::sleep(STEP_EVERY).await;
            }
        }
    }
    if let Err(fault) = socket.path.remove() {
        tracing::warn!("removing the control socket: {fault}");
    }
    drop(socket);
    let finish = async { while conversations.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::warn!("a request on the control socket was cut off");
    }
}

async fn accept_one(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> anyhow::Result<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn converse(
    stream: UnixStream,
    app: Arc<App>,
    running: Arc<Running>,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let asker = stream.peer_cred().context("asking who is there")?.uid();
    let own = rustix::process::geteuid().as_raw();
    let (reader, mut writer) = stream.into_split();
    if asker != own && asker != 0 {
        let message = "Only the owner of the data may use the control socket.";
        return send(&mut writer, &Answer::Failed(Error::forbidden(message).into())).await;
    }
    let mut reader = BufReader::new(reader);
    let request = match tokio::time::timeout(PATIENCE, receive(&mut reader)).await {
        Ok(Ok(Some(request))) => request,
        // Gone again, or silent: nobody to answer.
        Ok(Ok(None)) | Err(_) => return Ok(()),
        Ok(Err(refusal)) => return send(&mut writer, &Answer::Failed(refusal.into())).await,
    };
    let only_looks = request.only_looks();
    let (reporter, _) = Reporter::new();
    // A task of its own: what was begun is finished, also when the one who asked has gone away.
    let mut work = {
        let reporter = reporter.clone();
        tokio::spawn(async move { carry_out(&app, Some(&running), request, &reporter).await })
    };
    let told = tokio::select! {
        told = tell(&mut reader, &mut writer, &reporter, &mut work) => told,
        () = ended(&mut stopped), if only_looks => {
            let message = "The server stops. Ask again when it is back.";
            let answer = Answer::Failed(Error::Busy { message: message.into(), retry_after_s: 1 }.into());
            send(&mut writer, &answer).await?;
            Err(anyhow!("the server stops"))
        }
    };
    if told.is_err() && only_looks {
        work.abort();
    } else if told.is_err() {
        // Waited for, so that the server does not end in the middle of it.
        let _nobody_asks = work.await;
    }
    told
}

async fn ended(stopped: &mut watch::Receiver<bool>) {
    // Whoever could say so is gone: the end too.
    let _said_so = stopped.wait_for(|stopped| *stopped).await;
}

/// The request; `None` when the other side closed without one.
async fn receive(reader: &mut BufReader<OwnedReadHalf>) -> Result<Option<Request>> {
    let mut text = Vec::new();
    let bytes_max = REQUEST_BYTES_MAX as u64 + 1;
    reader.take(bytes_max).read_until(b'\n', &mut text).await.context("reading a request")?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.last() != Some(&b'\n') {
        return Err(Error::TooLarge("The request is too long, or it was cut off.".into()));
    }
    serde_json::from_slice(&text).map(Some).map_err(|fault| {
        tracing::debug!("a request that is not understood: {fault}");
        Error::invalid(format!(
            "The running server ({}) does not understand this request. Restart it, so that both \
             are the same version.",
            crate::version::number()
        ))
    })
}

/// Says how far the work is until it is done, then what came of it.
async fn tell(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    reporter: &Reporter,
    work: &mut JoinHandle<Result<Reply>>,
) -> anyhow::Result<()> {
    let mut steps = reporter.listen();
    // The first word comes at once: it says that somebody is at home.
    steps.mark_changed();
    let mut ticks = tokio::time::interval(STEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent_since = Instant::now();
    loop {
        tokio::select! {
            done = &mut *work => {
                let answer = match done {
                    Ok(Ok(reply)) => Answer::Done(reply.into()),
                    Ok(Err(error)) => Answer::Failed(error.into()),
                    Err(end) => Answer::Failed(Failed::from(Error::Internal(
                        anyhow!(end).context("carrying out a request"),
                    ))),
                };
                return send(writer, &answer).await;
            }
            _ = ticks.tick() => {
                let has_moved = steps.has_changed().unwrap_or(false);
                if has_moved || silent_since.elapsed() >= SIGN_OF_LIFE_EVERY {
                    let step = steps.borrow_and_update().clone();
                    send(writer, &Answer::Step(step)).await?;
                    silent_since = Instant::now();
                }
            }
            // Nothing is expected any more, so whatever comes is the end.
            _ = reader.read_u8() => anyhow::bail!("the one who asked has gone"),
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, answer: &Answer) -> anyhow::Result<()> {
    let line = line(answer).map_err(|fault| anyhow!(fault.chain()))?;
    tokio::time::timeout(PATIENCE, writer.write_all(&line))
        .await
        .context("the one who asked does not read the answer")?
        .context("answering")
}
