//! An S3 for measuring: checks signatures and checksums, and keeps its objects as plain files. It
//! stands in for a provider next door, without the network between.
//!
//! `s3 FOLDER PORT` has one bucket, `documents`, for the keys that `benches/storage.py` names.

use std::{env, error::Error, fs, path::PathBuf};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

const BUCKET: &str = "documents";
const USAGE: &str = "s3 FOLDER PORT";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let port: u16 = arguments.next().ok_or(USAGE)?.parse()?;
    fs::create_dir_all(folder.join(BUCKET))?;
    let file_system = FileSystem::new(&folder).map_err(|fault| format!("{fault:?}"))?;
    let mut service = S3ServiceBuilder::new(file_system);
    let (key, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
    service.set_auth(SimpleAuth::from_single(key, secret));
    let service = service.build();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            if let Err(fault) = builder.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("a connection: {fault}");
            }
        });
    }
}
