//! What relays of a drill do to connections between edge and application.

use super::rig::{drill, edge, edge_with, fault, free_address, origin, plan_at};
use portcullis_tests::origin::Answering;
use std::net::SocketAddr;

fn faults(between: SocketAddr, app: &Answering, kinds: &[&str]) -> String {
    let mut text = format!("[relay.app]\nlisten = \"{between}\"\nto = \"{}\"\n", app.endpoint());
    for kind in kinds {
        text.push_str(&format!(
            "[[fault]]\nname = \"{kind}\"\nkind = \"{kind}\"\nrelay = \"app\"\nhold = \"700ms\"\nsettle = \"500ms\"\n"
        ));
    }
    text
}

/// Nobody else could have answered: the drill has to see it.
#[tokio::test]
async fn half_closed_connections_and_a_black_hole_are_losses_where_nobody_else_is() {
    let (app, between) = (origin().await, free_address().await);
    let edge = edge_with(&[between.to_string()], "response_timeout = \"300ms\"").await;
    let folder =
        plan_at(&format!("http://{}", edge.address("http")), "", &faults(between, &app, &["half-close", "black-hole"]));
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(3), "{report:#}\n{said}");
    let half_close = fault(&report, "half-close");
    assert!(half_close["lost"].as_u64() > Some(5), "{report:#}");
    let black_hole = fault(&report, "black-hole");
    assert!(black_hole["lost"].as_u64() > Some(5), "{report:#}");
    assert!(black_hole["causes"].to_string().contains("status 504"), "{report:#}");
    assert_eq!(fault(&report, "no fault")["lost"], 0, "{report:#}");
}

/// One of two: whatever its connections do, the other answers.
#[tokio::test]
async fn no_way_in_which_one_of_two_misbehaves_costs_a_request() {
    let (app, other, between) = (origin().await, origin().await, free_address().await);
    let retry = "retry = { on = [\"connect\", \"reset\", \"timeout\"], attempts = 4, per_try_timeout = \"200ms\" }";
    let edge = edge_with(&[between.to_string(), other.endpoint()], retry).await;
    let kinds = ["half-close", "stall", "reset", "black-hole"];
    let admin = format!("admin = \"{}\"", edge.admin_address());
    let folder = plan_at(&format!("http://{}", edge.address("http")), &admin, &faults(between, &app, &kinds));
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(0), "{report:#}\n{said}");
    let retried: u64 = kinds.iter().filter_map(|kind| fault(&report, kind)["retried"].as_u64()).sum();
    assert!(retried >= 2, "the relay was met, and the edge told so: {report:#}");
    assert!(!app.received().is_empty() && !other.received().is_empty());
}

/// The relay listens before anything is asked, and says when it can't.
#[tokio::test]
async fn a_relay_whose_address_is_taken_is_told_before_anything_happens() {
    let app = origin().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let edge = edge(&[app.endpoint()]).await;
    let between = taken.local_addr().expect("an address");
    let folder = plan_at(&format!("http://{}", edge.address("http")), "", &faults(between, &app, &["stall"]));
    let (code, _, said) = drill(folder.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the relay \"app\" can't listen on"), "{said}");
    assert!(app.received().is_empty());
}
