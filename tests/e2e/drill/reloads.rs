//! Faults of the edge's own: other configurations, good and bad, and an upgrade.

use super::rig::{configuration, drill, edge, fault, origin, plan_at};
use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::exchange::ok;
use portcullis_tests::metrics::Metrics;
use portcullis_tests::origin::Origin;
use std::fs;

fn replaced(name: &str, file: &str, with: &str, refused: bool) -> String {
    format!(
        "[[fault]]\nname = \"{name}\"\nkind = \"configuration\"\nfile = \"{file}\"\nwith = \"{with}\"\n\
         refused = {refused}\nhold = \"200ms\"\nsettle = \"100ms\"\n"
    )
}

#[tokio::test]
async fn the_admin_listener_takes_good_configurations_and_refuses_bad_ones() {
    let (app, other) = (origin().await, Origin::start().await.always(ok("other")));
    let edge = edge(&[app.endpoint()]).await;
    let admin = edge.admin_address();
    let file = edge.folder().join("portcullis.toml").display().to_string();
    let faults = [
        "[[fault]]\nname = \"again\"\nkind = \"reload\"\nhold = \"100ms\"\nsettle = \"100ms\"\ntimes = 3\n".to_owned(),
        replaced("good", &file, "good.toml", false),
        replaced("bad", &file, "bad.toml", true),
        replaced("bad, unforeseen", &file, "bad.toml", false),
        replaced("good, unforeseen", &file, "good.toml", true),
    ];
    let target = format!("http://{}", edge.address("http"));
    let folder = plan_at(&target, &format!("admin = \"{admin}\""), &faults.concat());
    let good = configuration(&[other.endpoint()], "");
    fs::write(folder.path().join("good.toml"), &good).expect("written");
    fs::write(folder.path().join("bad.toml"), good.replace("[upstream.app]", "[upstream.ap]")).expect("written");
    let before = fs::read_to_string(&file).expect("text");
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(1), "{report:#}\n{said}");
    for name in ["no fault", "again", "good", "bad"] {
        assert_eq!(fault(&report, name)["verdict"], "ok", "{report:#}");
    }
    let failed = |name: &str| fault(&report, name)["failed"].as_str().unwrap_or_default().to_owned();
    assert!(failed("bad, unforeseen").contains("the edge did not reload"), "{report:#}");
    assert!(failed("good, unforeseen").contains("has to refuse"), "{report:#}");
    assert_eq!(
        report["faults"].as_array().expect("faults").iter().filter_map(|one| one["lost"].as_u64()).sum::<u64>(),
        0
    );
    assert!(!other.received().is_empty(), "the good configuration was in force for a while");
    assert_eq!(fs::read_to_string(&file).expect("text"), before, "and is no more");
    let metrics = Metrics::parse(Client::http(admin).get("/metrics").send().await.text());
    assert_eq!(metrics.sum("portcullis_reloads_total{outcome=\"failed\"}"), 2);
}

#[tokio::test]
async fn an_upgrade_is_a_fault_that_costs_nothing() {
    let app = origin().await;
    let mut edge = edge(&[app.endpoint()]).await;
    let (folder, program, admin) = (edge.folder().display(), binary("portcullis"), edge.admin_address());
    let upgrade = format!("cd {folder} && {} upgrade --admin {admin} > upgraded", program.display());
    let faults = format!(
        "[[fault]]\nname = \"upgrade\"\nrun = [\"sh\", \"-c\", \"{upgrade}\"]\nhold = \"300ms\"\nsettle = \"500ms\"\n"
    );
    let folder = plan_at(&format!("http://{}", edge.address("http")), "", &faults);
    let (code, report, said) = drill(folder.path()).await;
    if let Ok(text) = fs::read_to_string(edge.folder().join("upgraded"))
        && let Some(id) = text.strip_prefix("process ").and_then(|rest| rest.split(' ').next())
    {
        edge.succeeded_by(id);
    }
    assert_eq!(code, Some(0), "{report:#}\n{said}");
    assert!(fault(&report, "upgrade")["sent"].as_u64() > Some(10), "{report:#}");
    assert_eq!(edge.first_ended().await.code(), Some(0), "the old process has drained");
}
