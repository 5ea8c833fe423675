//! Measurements: run by hand with `cargo nextest run --run-ignored only measure --no-capture`.

use std::{fs, io::Write, process::Command, time::Instant};

use appliance::hash::Digest;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::{Home, MIB, NO_LIMIT, Room, content};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: writes several GiB"]
async fn measure_upload_and_download_of_a_gibibyte() {
    const ROUNDS: usize = 4;
    let room = Room::new(Home::Disk);
    let block = content(600, MIB);
    let source = room.folder.join("source");
    let mut file = fs::File::create(&source).unwrap();
    for _ in 0..1_024 {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    for _ in 0..ROUNDS {
        let copy = room.folder.join("copy");
        let watch = Watch::start("cp and sync");
        let copied = Command::new("sh")
            .args(["-c", "cp \"$0\" \"$1\" && sync \"$1\""])
            .args([&source, &copy])
            .status();
        watch.stop();
        assert!(copied.unwrap().success());
        fs::remove_file(copy).unwrap();

        let watch = Watch::start("SHA-256 alone");
        let mut digest = Digest::new();
        (0..1_024).for_each(|_| digest.update(&block));
        let hash = digest.finish();
        watch.stop();

        let watch = Watch::start("upload");
        let mut incoming = room.blobs.begin(NO_LIMIT, Some(1 << 30)).await.unwrap();
        for _ in 0..1_024 {
            for chunk in block.chunks(64 << 10) {
                incoming.write(chunk).await.unwrap();
            }
        }
        let spooled = incoming.finish().await.unwrap();
        watch.stop();
        assert_eq!(spooled.hash, hash);

        let watch = Watch::start("move");
        room.blobs.store(hash).await.unwrap();
        watch.stop();

        let watch = Watch::start("download");
        let mut pieces = room.blobs.open(hash, None).await.unwrap().into_stream();
        let mut read_bytes = 0;
        while let Some(piece) = pieces.next().await {
            read_bytes += piece.unwrap().len();
        }
        watch.stop();
        assert_eq!(read_bytes, 1 << 30);

        let watch = Watch::start("remove");
        room.blobs.remove(hash, Timestamp::MAX).await.unwrap();
        watch.stop();
        println!();
    }
}

/// Says how long something of one GiB took, and how much of a processor of ours.
struct Watch {
    what: &'static str,
    began: Instant,
    processor_s: f64,
}

impl Watch {
    fn start(what: &'static str) -> Self {
        Watch { what, began: Instant::now(), processor_s: processor_s() }
    }

    fn stop(self) {
        let elapsed_s = self.began.elapsed().as_secs_f64();
        let processor_s = processor_s() - self.processor_s;
        let rate = 1_024.0 / elapsed_s;
        println!(
            "{:>14}: {elapsed_s:6.3} s ({processor_s:5.2} s of CPU), {rate:6.0} MiB/s",
            self.what
        );
    }
}

/// Seconds of processor time of this process, in user and kernel.
fn processor_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // proc(5): utime and stime, in ticks of a hundredth of a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}
