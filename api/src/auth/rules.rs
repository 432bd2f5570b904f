//! What an account's address, name and password must be.

use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::text::{email_key, is_seen, is_visible};

/// Longest e-mail address, as RFC 5321 has it.
pub(super) const MAX_EMAIL_BYTES: usize = 254;
/// Longest name in characters.
const MAX_NAME_CHARS: usize = 200;
/// Characters of a password.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=256;

/// # Errors
/// User error `Invalid` for each field that does not do.
pub(super) fn check_registration(email: &str, name: &str, password: &str) -> Result<()> {
    let mut errors = Vec::new();
    let mut must = |ok: bool, field: &str, message: &str| {
        if !ok {
            let path = ["input", field];
            errors.push(UserError::new(UserErrorCode::Invalid, &path, message));
        }
    };
    must(is_email(email), "email", "not an e-mail address");
    must(
        is_name(name),
        "name",
        "a name has 1 to 200 characters and no control characters",
    );
    must(is_password(password), "password", PASSWORD);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::User(errors))
    }
}

/// # Errors
/// User error `Invalid` at this field of the input.
pub(super) fn check_password(password: &str, field: &str) -> Result<()> {
    if is_password(password) {
        return Ok(());
    }
    let path = ["input", field];
    Err(Error::user(UserErrorCode::Invalid, &path, PASSWORD))
}

const PASSWORD: &str = "a password has 8 to 256 characters";

fn is_password(password: &str) -> bool {
    PASSWORD_CHARS.contains(&password.chars().count())
}

/// Whether somebody can be called that.
pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && is_visible(name)
}

/// Only what no address can be is refused: whether it exists, only a letter to it can tell.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63;
    text.len() <= MAX_EMAIL_BYTES
        && email_key(text).len() <= MAX_EMAIL_BYTES
        && (1..=64).contains(&local.len())
        && text.chars().all(is_seen)
        && !local.contains('@')
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["a@b.example", "guest+1@localhost", "zoë@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b..c",
            "a@.b",
            "a b@c",
            "a@b\n",
            "a@@b",
            "a\u{200b}@b",
            "\u{202e}a@b",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(!is_email(&format!("{}@b", "a".repeat(65))));
    }
}
