//! Many writers at once: what they share, what they must never notice of each other, and when they
//! are answered.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::anyhow;
use appliance::{
    error::{Error, Result},
    store::{Change, Engine, MemoryEngine, Reader, Store, WriteTx, Writer},
};
use futures_util::{
    FutureExt,
    future::{join_all, ready},
};

use super::{BY_NAME, Item, changes, item, items, latest, memory_store, noon};

type Pending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A memory engine that counts its commits and does with them what a test wants.
#[derive(Default)]
struct Stage {
    inner: MemoryEngine,
    commits: AtomicU64,
    /// Called when a transaction's work is done and it is not committed yet.
    before_commit: Mutex<Option<Box<dyn FnMut() -> anyhow::Result<()> + Send>>>,
    /// Called when it is committed and nobody knows yet.
    after_commit: Mutex<Option<Box<dyn FnMut() -> anyhow::Result<()> + Send>>>,
}

fn call(hook: &Mutex<Option<Box<dyn FnMut() -> anyhow::Result<()> + Send>>>) -> anyhow::Result<()> {
    hook.lock().unwrap().as_mut().map_or(Ok(()), |hook| hook())
}

impl Engine for Stage {
    fn read(&self) -> anyhow::Result<Box<dyn Reader + '_>> {
        self.inner.read()
    }

    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn Writer) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.inner.write(&mut |writer| {
            work(writer)?;
            call(&self.before_commit)
        })?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        call(&self.after_commit)
    }
}

fn staged() -> (Arc<Stage>, Store) {
    let stage = Arc::new(Stage::default());
    let store = Store::over(stage.clone(), noon()).unwrap();
    (stage, store)
}

/// Holds the writer's thread until it is dropped, so that what is queued meanwhile is one batch.
struct Held {
    release: Option<mpsc::Sender<()>>,
    blocker: Pending<()>,
}

async fn hold(store: &Store) -> Held {
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let blocker = queue(store, move |_| {
        started.send(()).unwrap();
        released.recv().ok();
        Ok(())
    });
    has_started.await.unwrap();
    Held { release: Some(release), blocker }
}

impl Held {
    async fn release(mut self) {
        self.release = None;
        self.blocker.await.unwrap();
    }
}

/// Puts a write into the queue, now, and gives what to wait for.
fn queue<T: Send + 'static>(
    store: &Store,
    closure: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
) -> Pending<T> {
    let store = store.clone();
    let mut pending: Pending<T> = Box::pin(async move { store.write(closure).await });
    match (&mut pending).now_or_never() {
        Some(answer) => Box::pin(ready(answer)),
        None => pending,
    }
}

#[tokio::test]
async fn writes_that_waited_together_are_one_commit() {
    let (stage, store) = staged();
    let held = hold(&store).await;
    let pending: Vec<_> = (0..64).map(|n| queue(&store, move |tx| tx.put(&item(n)))).collect();
    let before = stage.commits.load(Ordering::SeqCst);
    held.release().await;
    for write in pending {
        write.await.unwrap();
    }
    // The one that held the writer, and one for all the others.
    assert_eq!(stage.commits.load(Ordering::SeqCst) - before, 2);
    assert_eq!(items(&store).len(), 64);
    assert_eq!(latest(&store), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_need_far_fewer_commits_than_they_write() {
    let (stage, store) = staged();
    // A disk takes its time to sync.
    *stage.before_commit.lock().unwrap() = Some(Box::new(|| {
        thread::sleep(Duration::from_millis(2));
        Ok(())
    }));
    let clients = (0..64u8).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                let own =
                    Item { section: round, name: format!("{client}.{round}"), ..item(client) };
                store.write(move |tx| tx.put(&own)).await.unwrap();
            }
        })
    });
    for client in join_all(clients).await {
        client.unwrap();
    }
    let commits = stage.commits.load(Ordering::SeqCst);
    println!("640 writes of 64 clients were {commits} commits");
    assert!(commits < 640 / 4, "{commits} commits for 640 writes");
    assert_eq!(items(&store).len(), 640);
}

#[tokio::test]
async fn an_error_or_a_panic_in_a_shared_commit_harms_no_other() {
    let store = memory_store();
    let held = hold(&store).await;
    let mut pending = Vec::new();
    for number in 0..60 {
        pending.push(queue(&store, move |tx| {
            tx.put(&item(number))?;
            match number % 3 {
                0 => Ok(number),
                1 => Err(Error::invalid("on purpose")),
                _ => panic!("on purpose"),
            }
        }));
    }
    held.release().await;
    for (number, write) in pending.into_iter().enumerate() {
        match (number % 3, write.await) {
            (0, Ok(own)) => assert_eq!(usize::from(own), number),
            (1, Err(Error::Invalid { .. })) | (2, Err(Error::Internal(_))) => {}
            (_, answer) => panic!("{number} was answered with {answer:?}"),
        }
    }
    let there: Vec<u8> = items(&store).iter().map(|item| item.number).collect();
    assert_eq!(there, (0..60).step_by(3).collect::<Vec<u8>>());
    let logged: Vec<_> = changes(&store, 0).iter().filter_map(Change::key_of::<Item>).collect();
    assert_eq!(logged, there.iter().map(|number| (1, *number)).collect::<Vec<_>>());
    store
        .read_blocking(|tx| {
            assert_eq!(tx.index(&BY_NAME).count()?, 20);
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn writes_of_one_commit_see_those_before_them_in_the_order_of_the_queue() {
    let store = memory_store();
    let held = hold(&store).await;
    let count = |tx: &mut WriteTx| -> Result<u64> {
        let count = tx.records::<Item>().count()?;
        tx.put(&item(count as u8))?;
        Ok(count)
    };
    let pending: Vec<_> = (0..10).map(|_| queue(&store, count)).collect();
    // Its unique key is taken by the first of the same commit.
    let twin = queue(&store, |tx| tx.put(&Item { name: "item 0".into(), ..item(99) }));
    held.release().await;
    for (position, write) in pending.into_iter().enumerate() {
        assert_eq!(write.await.unwrap(), position as u64);
    }
    assert!(matches!(twin.await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn nobody_is_answered_and_nothing_is_seen_before_the_commit() {
    let (stage, store) = staged();
    let (reached, mut is_reached) = tokio::sync::mpsc::channel(1);
    let (release, released) = mpsc::channel::<()>();
    *stage.before_commit.lock().unwrap() = Some(Box::new(move || {
        reached.blocking_send(()).unwrap();
        released.recv().ok();
        Ok(())
    }));
    let mut pending = queue(&store, |tx| tx.put(&item(1)));
    is_reached.recv().await.unwrap();
    // The closure has run; the disk does not have it yet.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!((&mut pending).now_or_never().is_none());
    assert!(items(&store).is_empty());
    assert_eq!(*store.latest_change().borrow(), 0);
    drop(release);
    pending.await.unwrap();
    assert_eq!(items(&store).len(), 1);
    is_reached.close();
}

#[tokio::test]
async fn when_the_commit_fails_everybody_hears_it_and_nothing_happened() {
    let (stage, store) = staged();
    store.write(|tx| tx.put(&item(1))).await.unwrap();
    *stage.before_commit.lock().unwrap() = Some(Box::new(|| Err(anyhow!("the disk is gone"))));
    let held = hold(&store).await;
    let good = queue(&store, |tx| tx.put(&item(2)));
    let refused = queue(&store, |tx| {
        tx.put(&item(3))?;
        Err::<(), _>(Error::invalid("on purpose"))
    });
    let Held { release, blocker } = held;
    drop(release);
    assert!(matches!(blocker.await, Err(Error::Internal(_))));
    assert!(matches!(good.await, Err(Error::Internal(_))));
    // What it was refused for is still the answer of the one that was.
    assert!(matches!(refused.await, Err(Error::Invalid { .. })));
    assert_eq!(items(&store), [item(1)]);
    assert_eq!(latest(&store), 1);
    *stage.before_commit.lock().unwrap() = None;
    store.write(|tx| tx.put(&item(4))).await.unwrap();
    let sequences: Vec<u64> = changes(&store, 0).iter().map(|change| change.sequence).collect();
    assert_eq!(sequences, [1, 2]);
}

#[tokio::test]
async fn a_full_disk_is_said_in_a_sentence() {
    let (stage, store) = staged();
    *stage.before_commit.lock().unwrap() = Some(Box::new(|| {
        let fault = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Err(anyhow!(fault).context("committing"))
    }));
    match store.write(|tx| tx.put(&item(1))).await {
        Err(Error::Full(message)) => assert!(message.contains("full"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// A disk that took the commit and then failed to say so.
#[tokio::test]
async fn changes_are_counted_on_after_a_commit_that_happened_unnoticed() {
    let (stage, store) = staged();
    *stage.after_commit.lock().unwrap() = Some(Box::new(|| Err(anyhow!("no answer"))));
    store.write(|tx| tx.put(&item(1))).await.unwrap_err();
    *stage.after_commit.lock().unwrap() = None;
    store.write(|tx| tx.put(&item(2))).await.unwrap();
    let logged: Vec<_> = changes(&store, 0)
        .iter()
        .map(|change| (change.sequence, change.key_of::<Item>().unwrap().1))
        .collect();
    assert_eq!(logged, [(1, 1), (2, 2)]);
    assert_eq!(latest(&store), 2);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_still_happens() {
    let store = memory_store();
    let held = hold(&store).await;
    drop(queue(&store, |tx| tx.put(&item(1))));
    held.release().await;
    store.write(|_| Ok(())).await.unwrap();
    assert_eq!(items(&store).len(), 1);
}

#[tokio::test]
async fn a_dropped_store_waits_for_its_writer() {
    let stage = Arc::new(Stage::default());
    let store = Store::over(stage.clone(), noon()).unwrap();
    for number in 0..5 {
        drop(queue(&store, move |tx| {
            thread::sleep(Duration::from_millis(10));
            tx.put(&item(number))
        }));
    }
    drop(store);
    let reopened = Store::over(stage, noon()).unwrap();
    assert_eq!(items(&reopened).len(), 5);
}

#[tokio::test]
async fn the_last_handle_may_go_inside_of_a_write() {
    let store = memory_store();
    let last = store.clone();
    let (others_gone, are_others_gone) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    drop(queue(&store, move |_| {
        are_others_gone.recv().ok();
        drop(last);
        done.send(()).unwrap();
        Ok(())
    }));
    drop(store);
    drop(others_gone);
    is_done.recv_timeout(Duration::from_secs(60)).unwrap();
}

/// The queue holds 1,024: more writers than that wait for a place in it and are all served.
#[tokio::test]
async fn more_writers_than_the_queue_has_places_are_all_served() {
    let (stage, store) = staged();
    let held = hold(&store).await;
    let pending: Vec<_> = (0..1_500u32)
        .map(|number| {
            let (section, number) = ((number / 250) as u8, (number % 250) as u8);
            let own = Item { section, name: format!("{section}.{number}"), ..item(number) };
            queue(&store, move |tx| tx.put(&own))
        })
        .collect();
    held.release().await;
    for written in join_all(pending).await {
        written.unwrap();
    }
    assert_eq!(items(&store).len(), 1_500);
    let commits = stage.commits.load(Ordering::SeqCst);
    assert!(commits < 100, "{commits} commits");
}
