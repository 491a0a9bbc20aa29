//! The hostile corpus, sent to a real directory with a secret beside it.

use super::super::path::hostile;
use super::*;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn no_hostile_path_leaves_the_root_or_breaks_the_server() {
    for prefix in [None, Some("/".to_owned())] {
        let site = Site::with(&[("index.html", b"public"), ("ok/a.txt", b"public"), ("a/b", b"public")], |config| {
            config.strip_prefix.clone_from(&prefix);
        });
        std::fs::write(site.directory.path().join("secret"), "secret").expect("secret");
        for raw in hostile::all() {
            let headers = HeaderMap::new();
            let request = FileRequest { method: &Method::GET, raw_path: raw, query: None, headers: &headers };
            match site.server.serve(request, &site.files, site.start).await {
                Ok(response) => {
                    let location = response.headers().get("location").cloned();
                    let got = collect(response).await.expect("body");
                    assert!(got.body == "public" || location.is_some(), "{raw:?}");
                    assert!(location.is_none_or(|to| !to.as_bytes().starts_with(b"//")), "{raw:?}");
                }
                Err(FileError::NotFound { .. } | FileError::BadPath(_)) => {}
                Err(other) => panic!("{raw:?}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn links_are_not_followed_even_when_they_replace_a_served_file() {
    let mut site = Site::new(&[("a.txt", b"public")]);
    std::fs::write(site.directory.path().join("secret"), "secret").expect("secret");
    assert_eq!(site.get("/a.txt").await.expect("file").body, "public");
    std::fs::remove_file(site.path("a.txt")).expect("remove");
    symlink("../secret", site.path("a.txt")).expect("link");
    site.start += std::time::Duration::from_secs(1);
    assert_eq!(site.get("/a.txt").await.err(), Some(FileError::NotFound { no_store: true }));
}

#[tokio::test]
async fn a_directory_that_becomes_a_link_leads_nowhere() {
    let site = Site::new(&[("docs/page.html", b"public")]);
    std::fs::create_dir(site.directory.path().join("private")).expect("directory");
    std::fs::write(site.directory.path().join("private/page.html"), "secret").expect("secret");
    let (docs, spare) = (site.path("docs"), site.path("spare"));
    symlink("../private", site.path("link")).expect("link");
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            for _ in 0..2000 {
                std::fs::rename(&docs, &spare).expect("away");
                std::fs::rename(site.directory.path().join("site/link"), &docs).expect("link in");
                std::fs::rename(&docs, site.directory.path().join("site/link")).expect("link out");
                std::fs::rename(&spare, &docs).expect("back");
            }
        });
        let server = FileServer::internal(&site.path("")).expect("server");
        let reader = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
            runtime.block_on(async {
                for _ in 0..1000 {
                    let headers = HeaderMap::new();
                    let request = FileRequest {
                        method: &Method::GET,
                        raw_path: "/docs/page.html",
                        query: None,
                        headers: &headers,
                    };
                    let files = SmallFiles::default();
                    if let Ok(response) = server.serve(request, &files, Instant::now()).await {
                        assert_eq!(collect(response).await.expect("body").body, "public");
                    }
                }
            });
        });
        racer.join().expect("racer");
        reader.join().expect("reader");
    });
}
