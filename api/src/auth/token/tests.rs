use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn tokens() -> Tokens {
    Tokens {
        jwt_secret: None,
        jwt_secret_file: None,
        jwt_secret_previous: None,
        jwt_secret_previous_file: None,
        issuer: "eventgallery".into(),
        audience: "guests".into(),
        access_seconds: 900,
        refresh_seconds: 3600,
    }
}

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET, &tokens()).unwrap()
}

fn user() -> UserId {
    UserId(Uuid::from_u128(7))
}

fn signed(header: &Header, change: impl FnOnce(&mut serde_json::Value), secret: &[u8]) -> String {
    let mut claims = serde_json::json!({
        "iss": "eventgallery", "aud": "guests", "sub": user().0, "iat": 1000, "exp": 1900, "typ": "access",
    });
    change(&mut claims);
    jsonwebtoken::encode(header, &claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn verified(token: &str, seconds: i64) -> bool {
    keys()
        .verify(token, Timestamp::default().plus_seconds(seconds))
        .is_ok()
}

#[test]
fn issued_token_lives_by_the_given_clock_only() {
    let now = Timestamp::default().plus_seconds(1000);
    let (token, ends) = keys().issue(user(), now).unwrap();
    assert_eq!(ends.seconds(), 1900);
    let (whose, until) = keys().verify(&token, now).unwrap();
    assert_eq!((whose, until.seconds()), (Viewer::User(user()), 1905));
    assert!(verified(&token, 1904));
    assert!(!verified(&token, 1905));
}

#[test]
fn a_rotated_secret_is_taken_until_it_is_forgotten_and_signs_nothing() {
    let now = Timestamp::default().plus_seconds(1000);
    let from = |secret: &str, previous: Option<&str>| {
        let settings = Tokens {
            jwt_secret: Some(secret.into()),
            jwt_secret_previous: previous.map(Into::into),
            ..tokens()
        };
        TokenKeys::from_config(&settings, Path::new("not read"), &Clock::manual()).unwrap()
    };
    let (old, new) = (
        "0123456789abcdef0123456789abcdef",
        "fedcba9876543210fedcba9876543210",
    );
    let token = from(old, None).issue(user(), now).unwrap().0;
    let overlapping = from(new, Some(old));
    assert!(overlapping.verify(&token, now).is_ok());
    assert!(from(new, None).verify(&token, now).is_err());
    let fresh = overlapping.issue(user(), now).unwrap().0;
    assert!(from(new, None).verify(&fresh, now).is_ok());
    assert!(from(old, None).verify(&fresh, now).is_err());
}

#[test]
fn every_wrong_claim_is_refused() {
    let header = Header::new(Algorithm::HS256);
    assert!(verified(&signed(&header, |_| {}, SECRET), 1000));
    for (claim, value) in [
        ("iss", "someone"),
        ("aud", "others"),
        ("typ", "refresh"),
        ("sub", "not-a-uuid"),
    ] {
        let token = signed(&header, |c| c[claim] = value.into(), SECRET);
        assert!(!verified(&token, 1000), "{claim}");
    }
    for claim in ["iss", "aud", "sub", "exp", "typ"] {
        let without = |c: &mut serde_json::Value| {
            c.as_object_mut().unwrap().remove(claim);
        };
        assert!(
            !verified(&signed(&header, without, SECRET), 1000),
            "{claim}"
        );
    }
}

#[test]
fn a_guests_token_names_its_link_and_ends_with_it() {
    let now = Timestamp::default().plus_seconds(1000);
    let guest = Guest {
        link: ShareLinkId(Uuid::from_u128(1)),
        gallery: GalleryId(Uuid::from_u128(2)),
    };
    for (end, expected) in [(None, 1900), (Some(1060), 1060), (Some(5000), 1900)] {
        let end = end.map(|end| Timestamp::default().plus_seconds(end));
        let (token, ends) = keys().issue_guest(guest, now, end).unwrap();
        assert_eq!(ends.seconds(), expected);
        let (viewer, until) = keys().verify(&token, now).unwrap();
        assert_eq!((viewer, until), (Viewer::Guest(guest), ends));
        assert!(verified(&token, expected - 1));
        assert!(!verified(&token, expected), "without leeway");
    }
    // Neither kind can be had from the other by a claim more or less.
    let header = Header::new(Algorithm::HS256);
    let gallery = Uuid::from_u128(2).to_string();
    let user = signed(&header, |c| c["gallery"] = gallery.clone().into(), SECRET);
    assert!(!verified(&user, 1000));
    let guest = signed(&header, |c| c["typ"] = "guest".into(), SECRET);
    assert!(!verified(&guest, 1000));
}

#[test]
fn who_signed_is_told_by_the_algorithm() {
    let of = |alg: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
        origin(&format!("{header}.e30.AAAA")).ok()
    };
    assert_eq!(of("HS256"), Some(Origin::Own));
    assert_eq!(of("RS256"), Some(Origin::External));
    assert_eq!(of("none"), None);
    assert!(origin(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_err());
}

#[test]
fn other_keys_and_algorithms_are_refused() {
    let header = Header::new(Algorithm::HS256);
    let other = b"another secret of at least 32 bytes";
    assert!(!verified(&signed(&header, |_| {}, other), 1000));
    let hs512 = Header::new(Algorithm::HS512);
    assert!(!verified(&signed(&hs512, |_| {}, SECRET), 1000));
    let token = signed(&header, |_| {}, SECRET);
    let claims = token.split('.').nth(1).unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    assert!(!verified(&format!("{none}.{claims}."), 1000));
    assert!(!verified("", 1000));
}

#[test]
fn short_secrets_are_refused() {
    assert!(TokenKeys::new(&SECRET[..31], &tokens()).is_err());
}

#[test]
fn secret_is_made_once_and_private() {
    let clock = Clock::system();
    let folder = std::env::temp_dir().join(format!("eventgallery-{}", clock.new_token()));
    let first = kept_secret(&folder, &clock).unwrap();
    assert_eq!(first.len(), 64);
    assert_eq!(kept_secret(&folder, &clock).unwrap(), first);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("jwt_secret"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    fs::remove_dir_all(folder).unwrap();
}
