//! The command against real directories.

use super::*;
use crate::config::Coding;
use crate::files::coding::is_coded_form;
use clap::Parser as _;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    options: Options,
}

fn precompress(directory: &Path, flags: &[&str]) -> Summary {
    let name = directory.to_str().expect("a name");
    let flags = Flags::try_parse_from(["precompress", name].iter().chain(flags)).expect("flags");
    run(&flags.options).expect("a directory")
}

fn page(words: usize) -> Vec<u8> {
    b"<p>the same words again and again</p>\n".repeat(words)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7u32;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    });
    next.take(length).collect()
}

fn site() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(root.join("assets/deep")).expect("directories");
    fs::create_dir_all(root.join(".git")).expect("directories");
    for (name, content) in [
        ("index.html", page(100)),
        ("assets/deep/app.js", page(300)),
        ("tiny.html", page(2)),
        ("photo.jpg", page(100)),
        ("noise.txt", noise(4000)),
        (".git/config.txt", page(100)),
        ("../outside.html", page(100)),
    ] {
        fs::write(root.join(name), content).expect("a file");
    }
    folder
}

fn names(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).expect("directory") {
        let entry = entry.expect("entry");
        if entry.file_type().expect("type").is_dir() {
            names.extend(self::names(&entry.path()));
        } else {
            names.push(entry.file_name().into_string().expect("name"));
        }
    }
    names.sort();
    names
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("file");
    file.set_times(FileTimes::new().set_modified(time)).expect("time");
}

#[test]
fn twins_are_made_where_they_pay() {
    let folder = site();
    let root = folder.path().join("site");
    fs::set_permissions(root.join("index.html"), fs::Permissions::from_mode(0o640)).expect("mode");
    let mut summary = precompress(&root, &["--threads", "3"]);
    assert!(summary.failures().is_empty(), "{summary:?}");
    let expected = [
        "app.js",
        "app.js.br",
        "app.js.gz",
        "app.js.zst",
        "config.txt",
        "index.html",
        "index.html.br",
        "index.html.gz",
        "index.html.zst",
        "noise.txt",
        "photo.jpg",
        "tiny.html",
    ];
    assert_eq!(names(&root), expected);
    for coding in Coding::ALL {
        let twin = root.join(format!("index.html{}", coding.extension()));
        assert!(is_coded_form(coding, &fs::read(&twin).expect("twin"), &page(100)), "{coding:?}");
        let (file, twin) = (fs::metadata(root.join("index.html")).expect("file"), fs::metadata(&twin).expect("twin"));
        assert_eq!((twin.mtime(), twin.mtime_nsec()), (file.mtime(), file.mtime_nsec()));
        assert_eq!(twin.permissions().mode() & 0o777, 0o640);
        let counts = *summary.of(coding);
        assert_eq!((counts.made, counts.current, counts.no_gain), (2, 0, 1), "{coding:?}");
    }
    assert_eq!((summary.files, summary.too_small, summary.too_large), (4, 1, 0));
    assert!(summary.to_string().ends_with("4 files, 1 too small, 0 too large, 0 failures"), "{summary}");
}

#[test]
fn a_second_run_finds_everything_current_and_changes_nothing() {
    let folder = site();
    let root = folder.path().join("site");
    precompress(&root, &[]);
    let of = |name: &str| fs::metadata(root.join(name)).expect("twin").ino();
    let before = ["index.html.br", "index.html.gz", "assets/deep/app.js.zst"].map(of);
    let mut summary = precompress(&root, &[]);
    assert_eq!((summary.of(Coding::Brotli).made, summary.of(Coding::Brotli).current), (0, 2));
    assert_eq!(["index.html.br", "index.html.gz", "assets/deep/app.js.zst"].map(of), before);
}

#[test]
fn the_same_files_give_the_same_twins() {
    let (one, other) = (site(), site());
    for folder in [&one, &other] {
        precompress(&folder.path().join("site"), &[]);
    }
    for name in ["index.html.br", "index.html.zst", "index.html.gz"] {
        let read = |folder: &TempDir| fs::read(folder.path().join("site").join(name)).expect("twin");
        assert_eq!(read(&one), read(&other), "{name}");
    }
}

#[test]
fn a_changed_file_gets_new_twins_also_when_it_is_older_than_they_are() {
    let folder = site();
    let root = folder.path().join("site");
    precompress(&root, &[]);
    for time in [SystemTime::now() + Duration::from_secs(10), SystemTime::now() - Duration::from_secs(7200)] {
        let content = if time > SystemTime::now() { page(120) } else { page(80) };
        fs::write(root.join("index.html"), &content).expect("a deploy");
        set_modified(&root.join("index.html"), time);
        let mut summary = precompress(&root, &[]);
        assert_eq!((summary.of(Coding::Gzip).made, summary.of(Coding::Gzip).current), (1, 1));
        for coding in Coding::ALL {
            let twin = fs::read(root.join(format!("index.html{}", coding.extension()))).expect("twin");
            assert!(is_coded_form(coding, &twin, &content), "{coding:?}");
        }
    }
}

#[test]
fn links_are_neither_followed_nor_replaced() {
    let folder = site();
    let root = folder.path().join("site");
    symlink("..", root.join("up")).expect("link to a directory");
    symlink("../outside.html", root.join("linked.html")).expect("link to a file");
    fs::write(folder.path().join("target"), "untouched").expect("target");
    symlink("../target", root.join("index.html.br")).expect("link in a twin's place");
    let mut summary = precompress(&root, &["--remove-stale"]);
    assert_eq!(fs::read(folder.path().join("target")).expect("target"), b"untouched");
    assert!(root.join("index.html.br").is_symlink());
    assert!(!folder.path().join("outside.html.br").exists() && !root.join("linked.html.br").exists());
    assert_eq!(summary.failures().len(), 1, "{summary:?}");
    assert!(summary.failures()[0].starts_with("index.html.br: "), "{summary:?}");
    assert_eq!(summary.of(Coding::Gzip).made, 2, "the others are made all the same");
}

#[test]
fn stale_twins_are_removed_only_when_asked() {
    let folder = site();
    let root = folder.path().join("site");
    for name in ["noise.txt.gz", "alone.txt.gz"] {
        fs::write(root.join(name), "of another file").expect("twin");
    }
    for (flags, removed, stale, is_there) in
        [(&[][..], 0, 1, true), (&["--remove-stale", "--dry-run"], 1, 0, true), (&["--remove-stale"], 1, 0, false)]
    {
        let mut summary = precompress(&root, flags);
        let counts = *summary.of(Coding::Gzip);
        assert_eq!((counts.removed, counts.stale), (removed, stale), "{flags:?}");
        assert_eq!(root.join("noise.txt.gz").exists(), is_there, "{flags:?}");
    }
    assert!(root.join("alone.txt.gz").exists(), "it may be a download");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = site();
    let root = folder.path().join("site");
    let before = names(&root);
    let mut summary = precompress(&root, &["--dry-run"]);
    assert_eq!(summary.of(Coding::Brotli).made, 2);
    assert_eq!(names(&root), before);
}

#[test]
fn flags_choose_codings_types_and_sizes() {
    let folder = site();
    let root = folder.path().join("site");
    let flags = ["--codings", "gzip", "--types", "text/html", "--bytes-min", "10", "--gain-min", "60"];
    let summary = precompress(&root, &flags);
    assert_eq!((summary.files, summary.too_large), (2, 0));
    assert_eq!(names(&root).into_iter().filter(|name| name.ends_with(".gz")).count(), 1, "{:?}", names(&root));
    let summary = precompress(&root, &["--bytes-min", "1", "--bytes-max", "100"]);
    assert_eq!((summary.files, summary.too_large), (4, 3));
    for bad in [["--codings", "deflate"], ["--types", "html"], ["--gain-min", "100"], ["--threads", "0"]] {
        assert!(Flags::try_parse_from(["precompress", "."].iter().chain(&bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let flags = Flags::try_parse_from(["precompress", "/no/such/directory"]).expect("flags");
    assert!(run(&flags.options).is_err());
}
