use UserErrorCode::{
    FileEmpty, FileTooLarge, HeicUnsupported, Invalid, TooManyFiles, UnsupportedContentType,
};

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn limits() -> Uploads {
    Uploads {
        max_byte_size: 1_000,
        max_files_per_request: 3,
        max_photos_per_gallery: 10,
        put_url_seconds: 900,
        reap_after_seconds: 900,
        max_pixels: 1,
    }
}

fn file() -> FileRequest {
    FileRequest {
        client_ref: None,
        filename: "a.jpg".into(),
        content_type: "image/jpeg".into(),
        byte_size: 10,
        sha256: HEX.into(),
    }
}

fn check(change: impl FnOnce(&mut FileRequest)) -> Result<AcceptedFile, Vec<UserErrorCode>> {
    let mut file = file();
    change(&mut file);
    check_file(0, &file, &limits())
        .map_err(|faults| faults.into_iter().map(|fault| fault.code).collect())
}

#[test]
fn names_stay_as_people_wrote_them() {
    for name in [
        "../../etc/passwd",
        "🎉 Fête.jpg",
        "a\"b.jpg",
        &"é".repeat(255),
    ] {
        assert_eq!(check(|f| f.filename = name.into()).unwrap().filename, name);
    }
    let cleaned = check(|f| f.filename = " a\0\r\n\u{85}b ".into()).unwrap();
    assert_eq!(cleaned.filename, "ab");
    for name in ["", " ", "\n\0", &"a".repeat(256)] {
        assert_eq!(check(|f| f.filename = name.into()), Err(vec![Invalid]));
    }
}

#[test]
fn types_are_those_that_we_decode() {
    for (given, kept) in [
        ("image/jpeg", "image/jpeg"),
        ("IMAGE/PNG", "image/png"),
        ("image/webp", "image/webp"),
    ] {
        let accepted = check(|f| f.content_type = given.into()).unwrap();
        assert_eq!(accepted.content_type, kept);
    }
    for heic in ["image/heic", "image/HEIF"] {
        let answer = check(|f| f.content_type = heic.into());
        assert_eq!(answer, Err(vec![HeicUnsupported]));
    }
    for other in [
        "",
        "image/gif",
        "image/svg+xml",
        "text/html",
        "image/jpeg; x=y",
    ] {
        let answer = check(|f| f.content_type = other.into());
        assert_eq!(answer, Err(vec![UnsupportedContentType]));
    }
}

#[test]
fn sizes_are_from_one_to_the_limit() {
    assert!(check(|f| f.byte_size = 1).is_ok());
    assert!(check(|f| f.byte_size = 1_000).is_ok());
    assert_eq!(check(|f| f.byte_size = 0), Err(vec![FileEmpty]));
    assert_eq!(check(|f| f.byte_size = -1), Err(vec![Invalid]));
    assert_eq!(check(|f| f.byte_size = 1_001), Err(vec![FileTooLarge]));
    assert_eq!(check(|f| f.byte_size = i64::MAX), Err(vec![FileTooLarge]));
}

#[test]
fn sums_become_lower_case_hex() {
    for sum in [HEX, &HEX.to_uppercase(), BASE64] {
        assert_eq!(check(|f| f.sha256 = sum.into()).unwrap().sha256, HEX);
    }
    for sum in ["", &HEX[1..], &HEX.replace('e', "g"), &"A".repeat(44)] {
        assert_eq!(check(|f| f.sha256 = sum.into()), Err(vec![Invalid]));
    }
}

#[test]
fn every_fault_is_named_with_its_field() {
    let file = FileRequest {
        client_ref: Some("\0".into()),
        filename: String::new(),
        content_type: "image/heic".into(),
        byte_size: 0,
        sha256: "x".into(),
    };
    let faults = check_file(7, &file, &limits()).unwrap_err();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.join(".")).collect();
    assert_eq!(
        fields,
        ["filename", "clientRef", "contentType", "byteSize", "sha256"]
            .map(|field| format!("input.files.7.{field}"))
    );
}

#[test]
fn calls_have_files_and_visible_keys() {
    let code = |key: Option<&str>, files| match check_call(key, files, &limits()) {
        Ok(()) => None,
        Err(Error::User(errors)) => Some(errors[0].code),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(code(None, 3), None);
    assert_eq!(code(Some("0b5c-1"), 1), None);
    assert_eq!(code(None, 0), Some(Invalid));
    assert_eq!(code(None, 4), Some(TooManyFiles));
    for key in ["", "a b", "a ", "ä", &"k".repeat(129)] {
        assert_eq!(code(Some(key), 1), Some(Invalid));
    }
}

#[test]
fn fingerprints_tell_files_apart() {
    let changes: [fn(&mut FileRequest); 6] = [
        |f| f.client_ref = Some(String::new()),
        |f| f.client_ref = Some("a".into()),
        |f| f.filename = "b.jpg".into(),
        |f| f.content_type = "image/png".into(),
        |f| f.byte_size = 11,
        |f| f.sha256 = BASE64.into(),
    ];
    let mut seen = vec![fingerprint(&[file()]), fingerprint(&[file(), file()])];
    assert_eq!(seen[0], fingerprint(&[file()]));
    for change in changes {
        let mut other = file();
        change(&mut other);
        seen.push(fingerprint(&[other]));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}
