//! A drill on an edge that speaks TLS: over both versions of HTTP, and only to whom it can believe.

use super::rig::{NOTHING, drill_with, edge, fault, origin, plan_at};
use portcullis_tests::certs::Authority;

#[tokio::test]
async fn a_drill_speaks_tls_only_to_an_edge_that_it_can_believe() {
    let app = origin().await;
    let edge = edge(&[app.endpoint()]).await;
    let target = format!("https://localhost:{}", edge.address("https").port());
    let certificate = edge.folder().join("state/self-signed-any.pem").display().to_string();
    let believed = format!("ca = \"{certificate}\"");

    let folder = plan_at(&target, &believed, NOTHING);
    let (code, report, said) = drill_with(folder.path(), &[]).await;
    assert_eq!(code, Some(0), "{report:#}\n{said}");
    assert!(fault(&report, "nothing")["sent"].as_u64() > Some(10), "{report:#}");
    let protocols: Vec<_> = app.received().iter().filter_map(|one| one.head.field("via").map(str::to_owned)).collect();
    assert!(protocols.iter().any(|via| via.starts_with("1.1")), "{protocols:?}");
    assert!(protocols.iter().any(|via| via.starts_with('2')), "by ALPN: {protocols:?}");

    // Nobody's, and another authority's.
    Authority::new().write(&folder.path().join("other.pem"));
    let stranger = folder.path().join("other.pem").display().to_string();
    let folder = plan_at(&target, "", NOTHING);
    for arguments in [&[][..], &["--ca", &stranger][..]] {
        let before = app.received().len();
        let (code, _, said) = drill_with(folder.path(), arguments).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("before any fault") && said.contains("certificate"), "{said}");
        assert_eq!(app.received().len(), before, "nothing was asked");
    }

    // The command line comes before the plan, and `--insecure` is loud.
    let (code, _, said) = drill_with(folder.path(), &["--ca", &certificate]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
    let (code, _, said) = drill_with(folder.path(), &["--insecure"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("WARNING: --insecure"), "{said}");
}
