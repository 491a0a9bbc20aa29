//! Tokens from one end to the other: written, read, refused.

use super::*;
use crate::domain::account::{Role, Username};

fn tokens(change: impl FnOnce(&mut TokensConfig)) -> Tokens {
    let mut config = TokensConfig::new("https://id.test".to_owned(), "api".to_owned());
    change(&mut config);
    Tokens::new(KeyRing::new(SigningKey::generate().expect("a key"), Vec::new()), config)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a moment")
}

fn ada() -> User {
    User {
        id: Uuid::now_v7(),
        username: Username::parse("ada").expect("a name"),
        role: Role::Admin,
        active: true,
        created_at: at(0),
        last_login: None,
    }
}

#[test]
fn tokens_are_read_until_they_expire() {
    let tokens = tokens(|_| {});
    let (ada, session) = (ada(), Uuid::new_v4());
    let link = tokens.new_refresh(at(0));
    let refresh = tokens.sign_refresh(&ada, session, &link).expect("signed");
    let access = tokens.sign_access(&ada, session, at(0)).expect("signed");

    let read = tokens.read_refresh(&refresh, at(1)).expect("ours");
    assert_eq!((read.jti, read.sid, read.user), (link.id, session, ada.id));
    assert_eq!(tokens.read_any(&access, at(299)).expect("ours").sid, session);
    let day = 24 * 3600;
    for (token, second, error) in [
        (&access, 1, TokenError::WrongType),
        (&access, 300, TokenError::Expired),
        (&refresh, day, TokenError::Expired),
        (&"garbage".to_owned(), 1, TokenError::Invalid),
        (&format!("{refresh}x"), 1, TokenError::Invalid),
        (&"a".repeat(TOKEN_BYTES_MAX + 1), 1, TokenError::Invalid),
    ] {
        assert_eq!(tokens.read_refresh(token, at(second)).err(), Some(error), "{token} at {second}");
    }
}

#[test]
fn leeway_prolongs_what_has_expired_and_no_more() {
    let tokens = tokens(|config| config.leeway = Duration::from_secs(10));
    let access = tokens.sign_access(&ada(), Uuid::new_v4(), at(0)).expect("signed");
    assert!(tokens.read_any(&access, at(309)).is_ok());
    assert_eq!(tokens.read_any(&access, at(310)).err(), Some(TokenError::Expired));
}

#[test]
fn another_key_or_issuer_is_not_ours() {
    let ours = tokens(|_| {});
    let stranger = tokens(|_| {});
    let renamed = tokens(|config| config.issuer = "https://other.test".to_owned());
    for stranger in [stranger, renamed] {
        let link = stranger.new_refresh(at(0));
        let refresh = stranger.sign_refresh(&ada(), Uuid::new_v4(), &link).expect("signed");
        assert_eq!(ours.read_any(&refresh, at(1)).err(), Some(TokenError::Invalid));
    }
}

#[test]
fn a_retiring_key_is_read_until_it_is_gone_and_signs_no_more() {
    let tokens = tokens(|_| {});
    let (first, second) = (SigningKey::generate().expect("a key"), SigningKey::generate().expect("a key"));
    let copy = |key: &SigningKey| SigningKey::from_pkcs8(key.private()).expect("a key");
    let sign = || tokens.sign_access(&ada(), Uuid::new_v4(), at(0)).expect("signed");
    tokens.replace(KeyRing::new(copy(&first), vec![copy(&second)]));
    let old = sign();
    tokens.replace(KeyRing::new(copy(&second), vec![copy(&first)]));
    let new = sign();
    let kid = |token: &str| jsonwebtoken::decode_header(token).expect("a header").kid;
    assert_eq!((kid(&old).as_deref(), kid(&new).as_deref()), (first.id(), second.id()));
    assert!(tokens.read_any(&old, at(1)).is_ok() && tokens.read_any(&new, at(1)).is_ok());
    tokens.replace(KeyRing::new(second, Vec::new()));
    assert_eq!(tokens.read_any(&old, at(1)).err(), Some(TokenError::Invalid));
    assert!(tokens.read_any(&new, at(1)).is_ok());
}

#[test]
fn a_token_does_not_choose_its_algorithm() {
    let tokens = tokens(|_| {});
    let public = tokens.ring().jwks()["keys"][0].clone();
    let id = public["kid"].as_str().expect("a name").to_owned();
    let access = tokens.sign_access(&ada(), Uuid::new_v4(), at(0)).expect("signed");
    let payload = tokens.read_any(&access, at(1)).expect("ours").all;
    let header = Header { kid: Some(id), ..Header::new(jsonwebtoken::Algorithm::HS256) };
    let secret = jsonwebtoken::EncodingKey::from_secret(public["x"].as_str().expect("x").as_bytes());
    let forged = jsonwebtoken::encode(&header, &payload, &secret).expect("signed");
    assert_eq!(tokens.read_any(&forged, at(1)).err(), Some(TokenError::Invalid));
}

#[test]
fn the_same_link_gives_the_same_token() {
    let tokens = tokens(|_| {});
    let (user, session, link) = (ada(), Uuid::new_v4(), tokens.new_refresh(at(0)));
    let sign = || tokens.sign_refresh(&user, session, &link).expect("signed");
    assert_eq!(sign(), sign());
}

#[test]
fn claims_have_the_names_that_were_set() {
    let tokens = tokens(|config| {
        config.claims.user_id = "user".to_owned();
        config.claims.token_type = "typ".to_owned();
        config.claims.jti = "id".to_owned();
        config.user_id_field = crate::config::UserIdField::Username;
    });
    let user = ada();
    let access = tokens.sign_access(&user, Uuid::new_v4(), at(0)).expect("signed");
    let read = tokens.read_any(&access, at(1)).expect("ours");
    assert_eq!((&read.all["user"], &read.all["typ"]), (&json!("ada"), &json!("access")));
    assert_eq!((&read.all["id"], &read.all["sub"]), (&json!(read.jti.simple().to_string()), &json!(user.id)));
    assert!(["user_id", "token_type", "jti"].iter().all(|name| !read.all.contains_key(*name)));
}

#[test]
fn a_sliding_token_slides_to_the_end_of_its_sign_in() {
    let tokens = tokens(|_| {});
    let sliding = SlidingConfig { lifetime: Duration::from_secs(60), refresh_lifetime: Duration::from_secs(100) };
    let (user, session, link) = (ada(), Uuid::new_v4(), tokens.new_sliding(&sliding, at(0)));
    let sign = |second| tokens.sign_sliding(&sliding, &user, session, &link, at(second)).expect("signed");
    let (claims, end) = tokens.read_sliding(&sign(0), at(59)).expect("ours");
    assert_eq!((claims.jti, end), (link.id, at(100)));
    assert_eq!(tokens.read_sliding(&sign(0), at(60)).err(), Some(TokenError::Expired));
    assert_eq!(tokens.read_sliding(&sign(59), at(100)).err(), Some(TokenError::RefreshExpired));
    let access = tokens.sign_access(&user, session, at(0)).expect("signed");
    assert_eq!(tokens.read_sliding(&access, at(1)).err(), Some(TokenError::WrongType));
}
