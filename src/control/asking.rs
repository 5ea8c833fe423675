//! The command line's side of the control socket.

use std::{io, path::Path, time::Duration};

use anyhow::{Context, anyhow};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixStream, unix::OwnedReadHalf},
};

use super::{
    Reply, Request,
    socket::SocketPath,
    wire::{ANSWER_BYTES_MAX, Answer, line},
};
use crate::{
    app::Reporter,
    error::{Error, Result},
};

/// A server that lives says something every two seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no reply.
#[derive(Debug)]
pub enum AskError {
    /// There is a server, and it says nothing.
    Silent,
    /// The server said no, or the conversation broke off.
    Failed(Error),
}

impl From<Error> for AskError {
    fn from(error: Error) -> Self {
        AskError::Failed(error)
    }
}

/// Asks the server that has this data folder open, and passes on how far it is. `None` when no
/// server answers.
pub async fn ask(
    data: &Path,
    request: &Request,
    reporter: &Reporter,
) -> Result<Option<Reply>, AskError> {
    let Some(stream) = connect(data).await? else { return Ok(None) };
    let (reader, mut writer) = stream.into_split();
    let line = line(request)?;
    match tokio::time::timeout(PATIENCE, writer.write_all(&line)).await {
        Err(_) => return Err(AskError::Silent),
        // It went away between the two, so nothing was begun.
        Ok(Err(error)) if is_gone(&error) => return Ok(None),
        Ok(sent) => sent.context("asking the running server").map_err(Error::from)?,
    }
    let mut reader = BufReader::new(reader);
    let mut was_heard = false;
    loop {
        let answer = match tokio::time::timeout(PATIENCE, receive(&mut reader)).await {
            Err(_) if was_heard => return Err(AskError::Failed(broken_off())),
            Err(_) => return Err(AskError::Silent),
            Ok(Ok(None)) if was_heard => return Err(AskError::Failed(broken_off())),
            // It was just ending, and closed the door before it looked at the request.
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(answer))) => answer,
            Ok(Err(error)) => return Err(AskError::Failed(error)),
        };
        was_heard = true;
        match answer {
            Answer::Step(step) => reporter.repeat(step),
            Answer::Done(reply) => return Ok(Some(*reply)),
            Answer::Failed(failed) => return Err(AskError::Failed(failed.into())),
        }
    }
}

/// A connection; `None` when there is no socket, or nobody listens behind it.
async fn connect(data: &Path) -> Result<Option<UnixStream>, AskError> {
    let path = match SocketPath::of(data) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let chain = anyhow!(error).context(format!("opening the folder {}", data.display()));
            return Err(AskError::Failed(Error::Internal(chain)));
        }
    };
    match tokio::time::timeout(PATIENCE, UnixStream::connect(path.path())).await {
        Ok(Ok(stream)) => Ok(Some(stream)),
        Ok(Err(error)) if is_gone(&error) => Ok(None),
        // So many wait in front of it that the system sends further ones away.
        Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(AskError::Silent),
        Ok(Err(error)) => {
            let doing = format!("asking the server that runs on {}", data.display());
            Err(AskError::Failed(Error::Internal(anyhow!(error).context(doing))))
        }
        Err(_) => Err(AskError::Silent),
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotADirectory, NotFound};
    matches!(
        error.kind(),
        NotFound | NotADirectory | ConnectionRefused | ConnectionReset | BrokenPipe
    )
}

async fn receive(reader: &mut BufReader<OwnedReadHalf>) -> Result<Option<Answer>> {
    let mut text = Vec::new();
    let bytes_max = ANSWER_BYTES_MAX as u64;
    match reader.take(bytes_max).read_until(b'\n', &mut text).await {
        Err(error) if is_gone(&error) => return Ok(None),
        read => read.context("reading the server's answer")?,
    };
    if text.last() != Some(&b'\n') {
        return Ok(None);
    }
    serde_json::from_slice(&text).map(Some).map_err(|fault| {
        Error::Internal(anyhow!(fault).context(
            "The running server answers in another way than this program expects. Restart it, so \
             that both are the same version",
        ))
    })
}

fn broken_off() -> Error {
    Error::Internal(anyhow!(
        "The server stopped answering before it was done. Look at its log, then see whether the \
         change was made"
    ))
}
