//! Keeping the index: commits, crashes, rebuilding.

use super::*;

#[test]
fn a_commit_is_searchable_at_once_and_the_cursor_moves_with_it() {
    let index = Library::new();
    assert_eq!(index.cursor(), 0);
    let before = index.generation();
    index.index.apply(0, vec![put(titled(1, "hello"))], 17).unwrap();
    assert_eq!(index.cursor(), 17);
    assert!(index.generation() > before);
    assert_eq!(index.find("hello "), [1]);
    index.index.apply(17, Vec::new(), 18).unwrap();
    assert_eq!(index.cursor(), 18);
}

#[test]
fn changes_that_do_not_follow_on_are_refused() {
    let index = Library::new();
    index.index.apply(0, vec![put(titled(1, "hello"))], 17).unwrap();
    let gap = index.index.apply(20, vec![put(titled(2, "world"))], 21);
    assert!(matches!(gap, Err(Error::Conflict(_))));
    assert_eq!(index.cursor(), 17);
}

#[test]
fn reopening_keeps_entries_and_cursor() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    index.remove([1]);
    index.put([titled(2, "world")]);
    let cursor = index.cursor();
    let index = index.reopen();
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.cursor(), cursor);
    assert_eq!(index.find(""), [2]);
    index.put([titled(3, "more")]);
    assert_eq!(index.find(""), [2, 3]);
}

#[test]
fn a_new_folder_is_an_empty_index() {
    let index = Library::new();
    assert_eq!(index.opened(), &Opened::Created);
    assert_eq!(index.page("").total, 0);
    assert!(index.damaged_files().unwrap().is_empty());
}

#[test]
fn a_damaged_index_is_replaced_by_an_empty_one_that_says_so() {
    let damages: [(&str, fn(&Path)); 7] = [
        ("meta.json emptied", |edition| fs::write(edition.join("meta.json"), "").unwrap()),
        ("meta.json garbled", |edition| {
            fs::write(edition.join("meta.json"), "{\"segments\": 7}").unwrap()
        }),
        ("meta.json removed", |edition| fs::remove_file(edition.join("meta.json")).unwrap()),
        ("term dictionary cut off", |edition| cut_off(edition, ".term")),
        ("columns cut off", |edition| cut_off(edition, ".fast")),
        ("stored texts overwritten", |edition| {
            let path = file_with(edition, ".store");
            let length = fs::metadata(&path).unwrap().len() as usize;
            fs::write(path, vec![0xA5; length]).unwrap();
        }),
        ("a segment removed", |edition| fs::remove_file(file_with(edition, ".idx")).unwrap()),
    ];
    for (what, damage) in damages {
        let index = Library::new();
        index.put([titled(1, "hello").with_body("some text")]);
        let index = index.reopen_after(|folder| damage(&current_edition(folder)));
        assert!(matches!(index.opened(), Opened::Rebuilt { .. }), "{what}: {:?}", index.opened());
        assert_eq!((index.cursor(), index.page("").total), (0, 0), "{what}");
        index.put([titled(1, "hello")]);
        assert_eq!(index.find("hello "), [1], "{what}");
        let index = index.reopen();
        assert_eq!(index.opened(), &Opened::Existing, "{what}");
    }
}

#[test]
fn an_index_of_another_version_is_replaced() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        let current = fs::read_to_string(folder.join("current")).unwrap();
        fs::write(folder.join("current"), current.replace("format ", "format 9")).unwrap();
    });
    let Opened::Rebuilt { reason } = index.opened() else { panic!("{:?}", index.opened()) };
    assert!(reason.contains("format 9"), "{reason}");
    assert_eq!(index.page("").total, 0);
}

#[test]
fn a_folder_that_was_lost_in_part_is_replaced() {
    for lost in ["current", "edition-1"] {
        let index = Library::new();
        index.put([titled(1, "hello")]);
        let index = index.reopen_after(|folder| {
            let lost = folder.join(lost);
            if lost.is_dir() {
                fs::remove_dir_all(lost).unwrap()
            } else {
                fs::remove_file(lost).unwrap()
            }
        });
        assert!(matches!(index.opened(), Opened::Rebuilt { .. }));
        assert_eq!(index.cursor(), 0);
    }
}

#[test]
fn flipped_bits_are_found_by_the_check() {
    let index = Library::new();
    index.put([titled(1, "hello").with_body(&"some text ".repeat(100))]);
    let path = file_with(&current_edition(index.folder.path()), ".pos");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    assert_eq!(index.damaged_files().unwrap().len(), 1);
}

#[test]
fn a_lock_left_by_a_dead_process_does_not_matter() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        for lock in [".tantivy-writer.lock", ".tantivy-meta.lock"] {
            fs::write(current_edition(folder).join(lock), "").unwrap();
        }
    });
    assert_eq!(index.opened(), &Opened::Existing);
    index.put([titled(2, "world")]);
    assert_eq!(index.find(""), [1, 2]);
}

/// The other half of the next test: writes until it is killed. Entry `n` is the change `n`.
#[test]
#[ignore = "runs as a child of another test"]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let index = Index::open(Path::new(&folder), Options::default()).unwrap();
    for cursor in index.cursor()..100_000 {
        let next = cursor + 1;
        index.apply(cursor, vec![put(titled(u128::from(next), "word"))], next).unwrap();
        println!("\napplied {next}");
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_an_index_as_new_as_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..8_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "search::keeping::writes_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_FOLDER, folder.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let until = acknowledged + 3 + round * 4;
        for line in output.lines() {
            if let Some(cursor) = line.unwrap().strip_prefix("applied ") {
                acknowledged = cursor.parse().unwrap();
                if acknowledged >= until {
                    // Somewhere within the next commit, or in a merge beside it.
                    std::thread::sleep(Duration::from_micros(round * 1_700));
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let index = Index::open(folder.path(), Options::default()).unwrap();
        assert_eq!(index.opened(), &Opened::Existing);
        let cursor = index.cursor();
        assert!(cursor >= acknowledged, "{cursor} after {acknowledged}");
        let found = all_pages(&index, &Request { limit: 500, ..request("word ") });
        assert_eq!(found.len() as u64, cursor);
        assert_eq!(
            found.iter().copied().collect::<HashSet<_>>(),
            (1..=u128::from(cursor)).collect()
        );
        assert!(index.damaged_files().unwrap().is_empty());
        acknowledged = cursor;
    }
}

#[test]
fn what_a_crash_left_lying_about_is_swept_away() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    let index = index.reopen_after(|folder| {
        fs::create_dir(folder.join("edition-77")).unwrap();
        fs::write(folder.join("edition-77/meta.json"), "{}").unwrap();
        fs::write(folder.join("current.new"), "format 1\nedition-77\n").unwrap();
    });
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.find("hello "), [1]);
    assert!(!index.folder.path().join("edition-77").exists());
}

#[test]
fn the_old_index_answers_and_follows_on_while_a_new_one_is_built() {
    let index = Library::new();
    index.put([titled(1, "old")]);
    let mut rebuild = index.rebuild(1).unwrap();
    rebuild.put(vec![titled(1, "new"), titled(2, "new")]).unwrap();
    rebuild.put(vec![titled(2, "newer")]).unwrap();
    index.put([titled(3, "old too")]);
    assert_eq!(index.find("old "), [1, 3]);
    assert!(matches!(index.index.rebuild(2), Err(Error::Conflict(_))));

    assert_eq!(index.index.needless_until(), 1, "the new one begins there");
    let generation = index.generation();
    rebuild.finish().unwrap();
    assert_eq!(index.cursor(), 1, "what came later must be applied again");
    assert!(index.generation() > generation);
    assert_eq!(index.find(""), [1, 2]);
    assert_eq!(index.find("newer "), [2]);
    assert_eq!(index.find("old "), []);
    index.put([titled(3, "old too")]);
    assert_eq!(index.find(""), [1, 2, 3]);

    let index = index.reopen();
    assert_eq!(index.opened(), &Opened::Existing);
    assert_eq!(index.find(""), [1, 2, 3]);
    assert_eq!(editions(index.folder.path()), 1);
    assert_eq!(index.index.needless_until(), index.cursor());
    index.rebuild(2).unwrap();
}

#[test]
fn a_rebuild_that_is_given_up_changes_nothing() {
    let index = Library::new();
    index.put([titled(1, "old")]);
    let mut rebuild = index.rebuild(0).unwrap();
    rebuild.put(vec![titled(2, "new")]).unwrap();
    drop(rebuild);
    assert_eq!(index.index.needless_until(), 1);
    assert_eq!(index.find(""), [1]);
    let index = index.reopen();
    assert_eq!(index.find(""), [1]);
    assert_eq!(editions(index.folder.path()), 1);
}

#[test]
fn a_cleared_index_is_empty_and_begins_at_zero() {
    let index = Library::new();
    index.put([titled(1, "hello")]);
    index.clear().unwrap();
    assert_eq!((index.cursor(), index.page("").total), (0, 0));
    index.put([titled(2, "world")]);
    let index = index.reopen();
    assert_eq!(index.find(""), [2]);
}

#[test]
fn many_small_commits_leave_few_segments() {
    let index = Library::new();
    for number in 0..60 {
        index.put([titled(number, "x")]);
    }
    let settled = wait_until(|| index.status().unwrap().segments <= 8);
    assert!(settled, "{:?}", index.status().unwrap());
    assert_eq!(index.page("x ").total, 60);
    index.optimize().unwrap();
    assert_eq!(index.status().unwrap().segments, 1);
    assert_eq!(index.page("x ").total, 60);
}

#[test]
fn the_writer_goes_home_when_nothing_changes() {
    let index =
        Library::with(Options { writer_idle: Duration::from_millis(50), ..Options::default() });
    index.put([titled(1, "hello")]);
    assert!(wait_until(|| !index.status().unwrap().writer_is_open));
    index.put([titled(2, "world")]);
    assert_eq!(index.find(""), [1, 2]);
}

#[test]
fn what_is_being_built_waits_for_slow_readers() {
    let index =
        Library::with(Options { writer_idle: Duration::from_millis(20), ..Options::default() });
    let mut rebuild = index.rebuild(5).unwrap();
    rebuild.put(vec![titled(1, "first")]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    rebuild.put(vec![titled(2, "second")]).unwrap();
    rebuild.finish().unwrap();
    assert_eq!(index.find(""), [1, 2]);
}

#[test]
fn searches_and_changes_go_on_side_by_side() {
    let index = Library::new();
    index.put((0..50).map(|number| titled(number, "shared word")));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    // Each entry is replaced over and over: there are always exactly fifty.
                    assert_eq!(index.page("shared ").total, 50);
                }
            });
        }
        for round in 0..20 {
            index.put((0..50).map(|number| titled(number, &format!("shared word {round}"))));
        }
    });
    assert_eq!(index.page("19 ").total, 50);
}
