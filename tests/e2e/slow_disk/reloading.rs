//! Reloads while a disk does not answer: what they wait for, nobody else does, not even the operator.

use super::{FOR_EVER, Site};
use portcullis_tests::client::Client;
use portcullis_tests::process::Process;
use portcullis_tests::slow_disk::{Kept, Operation, SlowDisk};
use std::future::ready;
use std::pin::pin;

/// The folder that the disk holds back here.
const FOLDER: &str = "folder";

/// A site, and its configuration with a route more, whose root is the folder.
async fn with_folder(disk_timeout: &str) -> Option<(Site, String)> {
    let site = Site::start(Kept::NOTHING).await?;
    let root = site.disk.path(FOLDER);
    let route = format!(
        r#"
        [[route]]
        match = "/folder/**"
        auth = "public"
        files = {{ root = "{}", strip_prefix = true, disk_timeout = "{disk_timeout}" }}
        "#,
        root.display()
    );
    let config = [site.config.as_str(), &route].concat();
    Some((site, config))
}

#[tokio::test]
async fn it_fails_and_names_the_directory_and_all_goes_on_as_before() {
    let Some((site, config)) = with_folder("300ms").await else { return };
    let read = site.edge.read(&config).expect("the disk answers");
    site.disk.hold(Operation::Lookup, FOLDER);
    // Whether it is the check that finds it, or what comes after.
    let checked = site.edge.read(&config).map(drop).expect_err("the disk does not answer");
    assert!(checked.contains("/folder has not answered within 300ms"), "{checked}");
    let built = site.edge.put_in_force(read).await.expect_err("the disk does not answer");
    assert!(built.contains("/folder has not answered within 300ms (`disk_timeout`)"), "{built}");
    let client = site.edge.http();
    site.others_go_on(&client, None).await;
    assert_eq!(client.get("/folder/one.txt").send().await.status.as_u16(), 404, "the old configuration");
    site.disk.release();
    site.edge.reload(&config).await.expect("the disk answers");
    assert_eq!(client.get("/folder/one.txt").send().await.expect_status(200).text(), "one");
}

#[tokio::test]
async fn the_operator_is_answered_meanwhile_and_the_next_reload_comes_after_it() {
    let Some((site, config)) = with_folder(FOR_EVER).await else { return };
    let next = config.replace("/folder/**", "/next/**");
    let [config, next] = [config, next].map(|config| site.edge.read(&config).expect("the disk answers"));
    site.disk.hold(Operation::Lookup, FOLDER);
    let mut first = pin!(site.edge.put_in_force(config));
    tokio::select! {
        outcome = &mut first => unreachable!("nothing has answered: {outcome:?}"),
        () = site.disk.hanging(1) => {}
    }
    let mut second = pin!(site.edge.put_in_force(next));
    tokio::select! {
        biased;
        outcome = &mut second => unreachable!("it has to wait: {outcome:?}"),
        () = ready(()) => {}
    }
    site.edge.ready().await;
    let reloads = "portcullis_reloads_total{outcome=\"good\"}";
    let before = site.edge.metrics().await.get(reloads);
    site.others_go_on(&site.edge.http(), None).await;
    assert_eq!(site.disk.hanging_now(), 1);
    site.disk.release();
    let (first, second) = tokio::join!(first, second);
    first.expect("the disk answers");
    second.expect("the disk answers");
    assert_eq!(site.edge.metrics().await.get(reloads), before + 2);
    let client = site.edge.http();
    assert_eq!(client.get("/next/one.txt").send().await.expect_status(200).text(), "one");
    assert_eq!(client.get("/folder/one.txt").send().await.status.as_u16(), 404, "of the first");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_it() {
    let Some((site, config)) = with_folder(FOR_EVER).await else { return };
    let config = site.edge.read(&config).expect("the disk answers");
    let Site { disk, edge, .. } = site;
    disk.hold(Operation::Lookup, FOLDER);
    {
        let mut reload = pin!(edge.put_in_force(config));
        tokio::select! {
            outcome = &mut reload => unreachable!("nothing has answered: {outcome:?}"),
            () = disk.hanging(1) => {}
        }
    }
    assert_eq!(edge.drain().await, 0);
    assert_eq!(disk.hanging_now(), 1, "the disk has answered nobody");
}

/// They are looked at each second.
#[tokio::test]
async fn files_of_the_configuration_that_are_on_it_hold_up_nobody_either() {
    let Some(disk) = SlowDisk::mount(Kept::NOTHING, [("body.txt", b"first".to_vec())]) else { return };
    let config = format!(
        r#"
        [server]
        reload_on_change = true

        [admin]
        address = "unix:admin.sock"

        [listener.front]
        address = "unix:front.sock"

        [[route]]
        match = "/**"
        auth = "public"
        respond = {{ body = "${{file:{}}}" }}
        "#,
        disk.path("body.txt").display()
    );
    let mut process = Process::start(&config).await;
    let [front, operator] = ["front.sock", "admin.sock"].map(|name| Client::unix(&process.folder().join(name)));
    disk.hold(Operation::Lookup, "body.txt");
    disk.hanging(1).await;
    assert_eq!(front.get("/").send().await.expect_status(200).text(), "first");
    let _ = operator.get("/metrics").send().await.expect_status(200);
    // A reload hangs behind it, and the operator is answered all the same.
    process.signal("HUP").await;
    let _ = operator.get("/metrics").send().await.expect_status(200);
    disk.release();
    process.says("configuration reloaded").await;
    disk.write("body.txt", "second");
    process.says("files of the configuration have changed").await;
    process.says("configuration reloaded").await;
    assert_eq!(front.get("/").send().await.expect_status(200).text(), "second");
}
