//! Attachments' files on a real disk.

use super::*;
use bytes::Bytes;

async fn files() -> (tempfile::TempDir, Files) {
    let root = tempfile::tempdir().expect("a directory");
    let files = Files::open(root.path().join("attachments")).await.expect("files");
    (root, files)
}

async fn received(files: &Files, content: &[u8]) -> Received {
    let mut upload = files.receive(1024 * 1024).await.expect("an upload");
    for piece in content.chunks(10_000) {
        upload.write(Bytes::copy_from_slice(piece)).await.expect("written");
    }
    upload.finish().await.expect("finished")
}

fn incoming_count(files: &Files) -> usize {
    fs::read_dir(incoming::directory(&files.root)).expect("a list").count()
}

#[tokio::test]
async fn an_upload_lands_under_its_digest() {
    let (_root, files) = files().await;
    // The first vector of FIPS 180-2 appendix B.1, and a length past the gathering buffer.
    let abc = received(&files, b"abc").await;
    assert_eq!(abc.digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let large = received(&files, &[7; 700_001]).await;
    assert_eq!(large.size_bytes, 700_001);
    for received in [abc, large] {
        let (digest, size_bytes) = (received.digest, received.size_bytes);
        files.lock(digest).await.expect("a lock").put(received).await.expect("put");
        let found = fs::metadata(files.root.join(digest.path())).expect("the file");
        assert_eq!(found.len(), size_bytes);
    }
    assert_eq!(incoming_count(&files), 0);
    assert_eq!(files.digests().await.expect("a list").len(), 2);
}

#[tokio::test]
async fn the_same_content_is_one_file_and_a_damaged_one_is_replaced() {
    let (_root, files) = files().await;
    let digest = received(&files, b"same").await.digest;
    let path = files.root.join(digest.path());
    for damage in [None, None, Some("sa")] {
        if let Some(damage) = damage {
            fs::write(&path, damage).expect("damaged");
        }
        let received = received(&files, b"same").await;
        files.lock(digest).await.expect("a lock").put(received).await.expect("put");
        assert_eq!(fs::read(&path).expect("the file"), b"same");
    }
    files.lock(digest).await.expect("a lock").remove().await.expect("removed");
    files.lock(digest).await.expect("a lock").remove().await.expect("nothing to remove");
    assert!(!path.exists());
}

#[tokio::test]
async fn too_much_leaves_nothing() {
    let (_root, files) = files().await;
    let mut upload = files.receive(10).await.expect("an upload");
    upload.write(Bytes::from_static(b"0123456789")).await.expect("fits");
    let error = upload.write(Bytes::from_static(b"x")).await;
    assert!(matches!(error, Err(UploadError::TooLarge { bytes_max: 10 })), "{error:?}");
    assert_eq!(incoming_count(&files), 0);
    assert!(upload.write(Bytes::from_static(b"")).await.is_err() || upload.finish().await.is_err());
}

#[test]
fn a_dropped_upload_leaves_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (_root, files) = runtime.block_on(files());
    runtime.block_on(async {
        let mut upload = files.receive(10).await.expect("an upload");
        upload.write(Bytes::from_static(b"0123")).await.expect("fits");
        assert_eq!(incoming_count(&files), 1);
        drop(upload);
    });
    // Dropping the runtime waits for its blocking pool.
    drop(runtime);
    assert_eq!(incoming_count(&files), 0);
}

#[tokio::test]
async fn only_one_holds_the_lock_of_a_content() {
    let (_root, files) = files().await;
    // A second opening stands for a second process: it shares only the directory.
    let other = Files::open(files.root.to_path_buf()).await.expect("files");
    let digest = received(&files, b"x").await.digest;
    let lock = files.lock(digest).await.expect("a lock");
    let waiting = tokio::spawn(async move { other.lock(digest).await.expect("a lock") });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(lock);
    waiting.await.expect("no panic");
}
