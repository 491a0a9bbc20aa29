//! Nobody learns from the time of an answer whether an account exists, or how old its hash is.

use crate::app::App;
use http::StatusCode;
use portcullis_app::config::SignInConfig;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

const SAMPLES: usize = 500;
/// How far the medians may be apart.
const DIFFERENCE_MAX: f64 = 0.02;

/// What this process has used of the processor. It is what an answer takes on a machine that does nothing else, and no
/// neighbour of the test can change it by being busy.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).expect("not negative"), u32::try_from(used.tv_nsec).expect("a part"))
}

async fn time(app: &App, username: &str) -> Duration {
    let begun = processor_time();
    let answer = app.post("/api/token/", json!({"username": username, "password": "battery staple"})).await;
    let taken = processor_time().saturating_sub(begun);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    taken
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How far the answers for these names are apart, as a share: the largest of the medians, over all rounds, of what one
/// name took in a round against what another took in the same round. Each name comes first as often as last. What else
/// the machine does changes from second to second and so meets all names of a round alike.
#[expect(clippy::print_stdout, reason = "a measurement is worth reading even where it holds")]
async fn difference(app: &App, names: &[&str], samples: usize) -> f64 {
    let mut rounds = Vec::with_capacity(samples);
    for round in 0..samples {
        let mut times = vec![0.0; names.len()];
        for turn in 0..names.len() {
            let at = (round + turn) % names.len();
            times[at] = time(app, names[at]).await.as_secs_f64();
        }
        rounds.push(times);
    }
    let medians: Vec<f64> = (0..names.len()).map(|at| median(rounds.iter().map(|times| times[at]).collect())).collect();
    let ratio = |one: usize, other: usize| median(rounds.iter().map(|times| times[one] / times[other]).collect());
    let pairs = (0..names.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    let apart = pairs.map(|(one, other)| (ratio(one, other) - 1.0).abs()).fold(0.0, f64::max);
    println!("{names:?}: medians {medians:?} s, apart by {:.2} %", apart * 100.0);
    apart
}

fn unbounded() -> SignInConfig {
    let (account_burst, address_burst) = (NonZeroU32::MAX, NonZeroU32::MAX);
    SignInConfig { account_burst, address_burst, ..SignInConfig::default() }
}

/// One test, so that its halves do not disturb each other.
#[tokio::test]
async fn an_unknown_user_and_an_old_hash_take_as_long_as_a_wrong_password() {
    let mut app = App::with(|config| config.sign_in = unbounded()).await;
    app.sign_in("ada").await;
    let apart = difference(&app, &["ada", "eve"], SAMPLES).await;
    assert!(apart < DIFFERENCE_MAX, "an unknown user: {:.2} %", apart * 100.0);

    // One account is known by a hash of ours, one by a hash of Django, and one not at all.
    app.post("/api/register/", json!({"username": "dan", "password": "correct horse"})).await;
    app.execute(
        "UPDATE users SET password_hash = 'pbkdf2_sha256$30000$saltsalt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
         WHERE username = 'dan'",
    )
    .await;
    // The kinds of hashes are counted at the start.
    app.restart(|config| config.sign_in = unbounded()).await;
    let apart = difference(&app, &["ada", "dan", "eve"], SAMPLES / 4).await;
    assert!(apart < DIFFERENCE_MAX, "an old hash: {:.2} %", apart * 100.0);
}
