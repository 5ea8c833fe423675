//! Jobs: durable, in order, tried again, and never lost.

use appliance::{
    domain::{
        access::{Actor, Role},
        blobs::{self, Extraction},
        jobs::{self, Job, Lane, Progress, State, Task},
    },
    error::Result,
    id::Id,
};
use jiff::SignedDuration;

use super::world::*;

fn extract(content: u8) -> Task {
    Task::ExtractBlob { blob: blob(content) }
}

fn store(content: u8) -> Task {
    Task::StoreBlob { blob: blob(content) }
}

fn enqueue(world: &World, task: Task) -> Id<Job> {
    world.write(move |tx| jobs::enqueue(tx, task)).unwrap().id
}

fn claim(world: &World, limit: usize) -> Vec<Id<Job>> {
    let claimed = world.write(move |tx| claim_jobs(tx, limit)).unwrap();
    claimed.iter().for_each(|job| assert_eq!(job.state, State::Running));
    claimed.into_iter().map(|job| job.id).collect()
}

fn fail(world: &World, id: Id<Job>, is_final: bool) -> Job {
    world.write(move |tx| jobs::fail(tx, id, &failure(is_final))).unwrap();
    get(world, id)
}

fn get(world: &World, id: Id<Job>) -> Job {
    world.see(&world.ada, |tx, ada| jobs::get(tx, ada, id)).unwrap()
}

#[test]
fn jobs_are_claimed_once_in_the_order_in_which_they_are_due() {
    let world = World::new();
    let later = world
        .write(|tx| jobs::enqueue_after(tx, extract(1), SignedDuration::from_secs(60)))
        .unwrap()
        .id;
    let [a, b, c] = [2, 3, 4].map(|content| enqueue(&world, extract(content)));
    assert_eq!(claim(&world, 2), [a, b]);
    assert_eq!(claim(&world, 2), [c]);
    assert_eq!(claim(&world, 2), []);
    assert_eq!(world.read(jobs::next_due).unwrap(), Some(get(&world, later).run_at));
    world.advance(SignedDuration::from_secs(59));
    assert_eq!(claim(&world, 2), []);
    world.advance(SignedDuration::from_secs(1));
    let d = enqueue(&world, extract(5));
    assert_eq!(claim(&world, 2), [later, d]);
    assert_eq!(world.read(jobs::next_due).unwrap(), None);
}

#[test]
fn a_job_that_is_done_is_done() {
    let world = World::new();
    let id = enqueue(&world, extract(1));
    claim(&world, 1);
    let half = Progress { done: 5, total: Some(10) };
    world.write(move |tx| jobs::note_progress(tx, id, half)).unwrap();
    assert_eq!(get(&world, id).progress, Some(half));
    world.advance(SignedDuration::from_secs(3));
    world.write(move |tx| jobs::complete(tx, id)).unwrap();
    let job = get(&world, id);
    assert_eq!((job.state, job.finished_at), (State::Done, Some(world.clock.now())));
    assert!(claim(&world, 1).is_empty());
    assert!(world.read(jobs::is_idle).unwrap());
}

#[test]
fn a_job_that_failed_waits_longer_each_time_and_then_is_left_to_a_person() {
    let world = World::new();
    let id = enqueue(&world, extract(1));
    for seconds in [2, 4, 8, 16] {
        assert_eq!(claim(&world, 1), [id]);
        let job = fail(&world, id, false);
        assert_eq!((job.state, job.error.as_deref()), (State::Queued, Some("the disk is gone")));
        assert_eq!(job.run_at, world.clock.now() + SignedDuration::from_secs(seconds));
        world.advance(SignedDuration::from_secs(seconds) - SignedDuration::from_millis(1));
        assert!(claim(&world, 1).is_empty());
        world.advance(SignedDuration::from_millis(1));
    }
    assert_eq!(claim(&world, 1), [id]);
    let job = fail(&world, id, false);
    assert_eq!((job.state, job.attempts), (State::Failed, 5));
    world.advance(days(100));
    assert!(claim(&world, 1).is_empty());
}

#[test]
fn a_failure_that_is_final_is_not_tried_again() {
    let world = World::new();
    let id = enqueue(&world, extract(1));
    claim(&world, 1);
    assert_eq!(fail(&world, id, true).state, State::Failed);
}

#[test]
fn moving_bytes_never_gives_up_and_waits_ten_minutes_at_most() {
    let world = World::new();
    let id = enqueue(&world, store(1));
    let mut longest = SignedDuration::ZERO;
    for _ in 0..50 {
        assert_eq!(claim(&world, 1), [id]);
        let job = fail(&world, id, false);
        assert_eq!(job.state, State::Queued);
        let wait = job.run_at.duration_since(world.clock.now());
        longest = longest.max(wait);
        world.advance(wait);
    }
    assert_eq!(longest, SignedDuration::from_mins(10));
}

#[test]
fn what_ran_when_the_program_ended_runs_again() {
    let world = World::new();
    let (running, waiting) = (enqueue(&world, store(1)), enqueue(&world, store(2)));
    assert_eq!(claim(&world, 1), [running]);
    assert!(!world.read(jobs::is_idle).unwrap());
    assert_eq!(world.write(|tx| jobs::requeue_interrupted(tx, &[])).unwrap(), 1);
    assert_eq!(world.write(|tx| jobs::requeue_interrupted(tx, &[])).unwrap(), 0);
    assert_eq!(claim(&world, 9).len(), 2);
    assert_eq!(get(&world, running).attempts, 2);
    assert_eq!(get(&world, waiting).attempts, 1);
}

#[test]
fn a_job_that_ends_the_program_each_time_is_not_started_for_ever() {
    let world = World::new();
    let (bad, bytes) = (enqueue(&world, extract(1)), enqueue(&world, store(2)));
    for _ in 0..5 {
        assert_eq!(claim(&world, 9), [bad, bytes]);
        assert_eq!(world.write(|tx| jobs::requeue_interrupted(tx, &[])).unwrap(), 2);
    }
    assert_eq!(claim(&world, 9), [bytes]);
    let job = get(&world, bad);
    assert_eq!(job.state, State::Failed);
    assert!(job.error.unwrap().contains("ended"));
}

#[test]
fn a_failed_job_can_be_started_over_with_all_its_tries() {
    let world = World::new();
    let id = enqueue(&world, extract(1));
    claim(&world, 1);
    let retry = || world.act(&world.ada, move |tx, ada| jobs::retry(tx, ada, id));
    assert_conflict(retry());
    fail(&world, id, true);
    let job = retry().unwrap();
    assert_eq!((job.state, job.attempts, job.finished_at), (State::Queued, 0, None));
    assert_eq!(claim(&world, 1), [id]);
    // One that waits for its next try is started at once.
    fail(&world, id, false);
    assert!(claim(&world, 1).is_empty());
    retry().unwrap();
    assert_eq!(claim(&world, 1), [id]);
    world.write(move |tx| jobs::complete(tx, id)).unwrap();
    assert_conflict(retry());
}

#[test]
fn only_reading_a_file_can_be_cancelled_and_only_while_it_waits() {
    let world = World::new();
    let (reading, moving) = (enqueue(&world, extract(1)), enqueue(&world, store(1)));
    let cancel = |id| world.act(&world.ada, move |tx, ada| jobs::cancel(tx, ada, id));
    assert_conflict(cancel(moving));
    assert_eq!(cancel(reading).unwrap().state, State::Cancelled);
    assert_conflict(cancel(reading));
    assert_eq!(claim(&world, 9), [moving]);
    assert_conflict(cancel(moving));
    world.act(&world.ada, move |tx, ada| jobs::retry(tx, ada, reading)).unwrap();
    assert_eq!(claim(&world, 9), [reading]);
    assert_conflict(cancel(reading));
}

#[test]
fn jobs_belong_to_administrators_of_the_instance() {
    let world = World::new();
    let id = enqueue(&world, extract(1));
    let bob = world.person("bob", Role::Admin);
    assert_forbidden(world.see(&bob, |tx, bob| jobs::list(tx, bob, None, 10)));
    assert_forbidden(world.see(&bob, |tx, bob| jobs::get(tx, bob, id)));
    assert_forbidden(world.act(&bob, move |tx, bob| jobs::retry(tx, bob, id)));
    assert_forbidden(world.act(&bob, move |tx, bob| jobs::cancel(tx, bob, id)));
    assert_sign_in(world.read(|tx| jobs::list(tx, &Actor::stranger(), None, 10)));
    let nothing = Id::from_uuid(uuid::Uuid::from_u128(7));
    assert_not_found(world.see(&world.ada, |tx, ada| jobs::get(tx, ada, nothing)));
}

#[test]
fn jobs_are_listed_and_counted_by_state_the_newest_first() {
    let world = World::new();
    let all: Vec<Id<Job>> = (0..6).map(|content| enqueue(&world, extract(content))).collect();
    claim(&world, 3);
    world
        .write({
            let all = all.clone();
            move |tx| {
                jobs::complete(tx, all[0])?;
                jobs::fail(tx, all[1], &failure(true))
            }
        })
        .unwrap();
    let ids = |state, limit| -> Vec<Id<Job>> {
        let list = world.see(&world.ada, |tx, ada| jobs::list(tx, ada, state, limit)).unwrap();
        list.into_iter().map(|job| job.id).collect()
    };
    let reversed: Vec<_> = all.iter().rev().copied().collect();
    assert_eq!(ids(None, 10), reversed);
    assert_eq!(ids(None, 4), reversed[..4]);
    assert_eq!(ids(Some(State::Done), 10), all[..1]);
    assert_eq!(ids(Some(State::Failed), 10), all[1..2]);
    assert_eq!(ids(Some(State::Queued), 2), reversed[..2]);
    assert_eq!(ids(Some(State::Cancelled), 10), []);
    let counts: Vec<(&str, u64)> = world
        .read(jobs::counts)
        .unwrap()
        .into_iter()
        .map(|(state, count)| (state.name(), count))
        .collect();
    assert_eq!(
        counts,
        [("queued", 3), ("running", 1), ("failed", 1), ("done", 1), ("cancelled", 0)]
    );
}

#[test]
fn what_was_over_long_ago_is_forgotten_and_what_failed_is_not() {
    let world = World::new();
    let [done, failed, cancelled, waiting] =
        [1, 2, 3, 4].map(|content| enqueue(&world, extract(content)));
    world.act(&world.ada, move |tx, ada| jobs::cancel(tx, ada, cancelled)).unwrap();
    claim(&world, 2);
    // Due long ago, over just now.
    world.advance(days(10));
    world
        .write(move |tx| {
            jobs::complete(tx, done)?;
            jobs::fail(tx, failed, &failure(true))
        })
        .unwrap();
    let sweep = |limit| -> usize {
        let before = world.clock.now() - days(2);
        world.write(move |tx| jobs::sweep(tx, before, limit)).unwrap()
    };
    assert_eq!(sweep(10), 1);
    let exists = |id| world.see(&world.ada, |tx, ada| jobs::get(tx, ada, id)).is_ok();
    assert_eq!([done, failed, cancelled, waiting].map(exists), [true, true, false, true]);
    world.advance(days(3));
    assert_eq!(sweep(10), 1);
    assert_eq!([done, failed, cancelled, waiting].map(exists), [false, true, false, true]);
}

#[test]
fn a_sweep_keeps_to_its_limit() {
    let world = World::new();
    let cancelled = [1, 2].map(|content| enqueue(&world, extract(content)));
    for id in cancelled {
        world.act(&world.ada, move |tx, ada| jobs::cancel(tx, ada, id)).unwrap();
    }
    let done = [3, 4].map(|content| enqueue(&world, extract(content)));
    claim(&world, 9);
    for id in done {
        world.write(move |tx| jobs::complete(tx, id)).unwrap();
    }
    world.advance(days(5));
    let now = world.clock.now();
    let sweep = || world.write(move |tx| jobs::sweep(tx, now, 3)).unwrap();
    assert_eq!([sweep(), sweep(), sweep()], [3, 1, 0]);
}

#[test]
fn a_job_and_its_cause_are_written_together_or_not_at_all() {
    let world = World::new();
    let refused: Result<()> = world.write(|tx| {
        jobs::enqueue(tx, extract(1))?;
        Err(appliance::error::Error::invalid("no"))
    });
    assert!(refused.is_err());
    assert!(claim(&world, 1).is_empty());
}

#[test]
fn files_that_wait_to_be_read_hold_up_no_other_job() {
    let world = World::new();
    for content in 0..20 {
        enqueue(&world, extract(content));
    }
    let moving = enqueue(&world, store(99));
    let claim = |lane, limit| world.write(move |tx| jobs::claim(tx, lane, limit)).unwrap();
    assert_eq!(claim(Lane::Reading, 3).len(), 3);
    let others: Vec<_> = claim(Lane::Other, 8).into_iter().map(|job| job.id).collect();
    assert_eq!(others, [moving]);
    let is_due = |lane| world.read(|tx| jobs::is_due(tx, lane)).unwrap();
    assert_eq!(Lane::ALL.map(is_due), [true, false]);
}

#[test]
fn a_job_that_does_run_is_not_taken_for_one_that_was_cut_off() {
    let world = World::new();
    let [lost, runs] = [1, 2].map(|content| enqueue(&world, store(content)));
    assert_eq!(claim(&world, 9), [lost, runs]);
    assert_eq!(world.write(move |tx| jobs::requeue_interrupted(tx, &[runs])).unwrap(), 1);
    assert_eq!(get(&world, lost).state, State::Queued);
    assert_eq!(get(&world, runs).state, State::Running);
}

/// Nobody must wait for a preview that never comes.
#[test]
fn a_file_whose_reading_is_given_up_says_so_until_it_is_tried_again() {
    let world = World::new();
    let extraction = || world.read(|tx| blobs::get(tx, blob(1))).unwrap().extraction;
    let reason = || match extraction() {
        Extraction::Failed { reason } => reason,
        other => panic!("{other:?}"),
    };
    world.write(|tx| blobs::adopt(tx, file("a.pdf", 1).blob)).unwrap();
    let queued = world.see(&world.ada, |tx, ada| jobs::list(tx, ada, Some(State::Queued), 9));
    let id = queued.unwrap().into_iter().find(|job| job.task == extract(1)).unwrap().id;
    let retry = || world.act(&world.ada, move |tx, ada| jobs::retry(tx, ada, id)).unwrap();

    world.act(&world.ada, move |tx, ada| jobs::cancel(tx, ada, id)).unwrap();
    assert!(reason().contains("cancelled"), "{}", reason());
    retry();
    assert_eq!(extraction(), Extraction::Pending);

    claim(&world, 9);
    fail(&world, id, false);
    assert_eq!(extraction(), Extraction::Pending, "it is tried again by itself");
    retry();
    claim(&world, 9);
    fail(&world, id, true);
    assert_eq!(reason(), "The disk is gone.");

    retry();
    for _ in 0..5 {
        claim(&world, 9);
        world.write(|tx| jobs::requeue_interrupted(tx, &[])).unwrap();
    }
    assert!(reason().contains("cut off"), "{}", reason());
    retry();
    let done = Extraction::Done(blobs::Facts::default());
    world.write(|tx| blobs::mark_extracted(tx, blob(1), done)).unwrap();
    claim(&world, 9);
    fail(&world, id, true);
    assert!(matches!(extraction(), Extraction::Done(_)), "what was read stays read");
}
