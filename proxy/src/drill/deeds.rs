//! What tagged requests have done: each exactly once, if it was answered.

use super::dialer::Version;
use super::load::Shared;
use super::phase::{Deed, Phase};
use super::session::Session;
use futures_util::StreamExt as _;
use http::Method;
use http::header::AUTHORIZATION;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Looks at once.
const AT_ONCE: usize = 4;
/// Looks that meet no answer are tried again so often.
const TRIES: u32 = 5;
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Looks for the deeds of a phase whose requests have all ended, and counts what is missing or there twice.
pub(super) async fn find(shared: &Shared, phase: &Phase) {
    let deeds = std::mem::take(&mut phase.tally.borrow_mut().deeds);
    let looks = deeds.iter().map(|deed| async move { (deed, look(shared, deed).await) });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
    let (mut unseen, mut acted_unanswered) = (0_u64, 0_u64);
    while let Some((deed, count)) = looks.next().await {
        let mut tally = phase.tally.borrow_mut();
        let id = format!("drill-{}", deed.tag);
        match count {
            None => unseen += 1,
            Some(0) if deed.is_answered => tally.lose("answered, but not done", &id),
            Some(0) => {}
            Some(1) => acted_unanswered += u64::from(!deed.is_answered),
            Some(_) => {
                tally.duplicated += 1;
                tally.notes.push(format!("done more than once: {id}"));
                tally.notes.truncate(16);
            }
        }
    }
    let mut tally = phase.tally.borrow_mut();
    if acted_unanswered > 0 {
        tally.notes.push(format!("{acted_unanswered} requests were done although their answers were lost"));
    }
    if unseen > 0 {
        tally.notes.push(format!("of {unseen} requests nobody knows whether they were done"));
    }
}

/// How often the answer of `find` holds the tag; none when there is no answer.
async fn look(shared: &Shared, deed: &Deed) -> Option<usize> {
    let path = shared.requests.get(deed.request)?.find.as_ref()?.of(&deed.tag);
    let version = if shared.load.connections > 0 { Version::Http1 } else { Version::Http2 };
    for turn in 0..TRIES {
        if turn > 0 {
            sleep(AGAIN_AFTER).await;
        }
        let mut request = shared.outgoing(&Method::GET, path.clone(), version, None);
        if let Some(bearer) = shared.session.as_ref().and_then(Session::bearer) {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        if let Ok(Ok(answer)) = timeout(shared.load.timeout, shared.pool.send(request, version)).await
            && answer.status.is_success()
        {
            return Some(String::from_utf8_lossy(&answer.body).matches(&deed.tag).count());
        }
    }
    None
}
