//! What text that people write may hold, and when two e-mail addresses are one.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Whether every character of a name belongs there: no control character, and none of those that
/// turn the direction of the text around them, with which a name can show as another one.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    name.chars().all(is_plain_char)
}

/// Whether a name is plain, and there is something of it to see.
#[must_use]
pub fn is_visible(name: &str) -> bool {
    is_plain(name) && name.chars().any(is_seen)
}

/// See [`is_plain`].
#[must_use]
pub fn is_plain_char(c: char) -> bool {
    !c.is_control() && !turns_direction(c)
}

/// Embeddings, overrides and isolates. The marks (U+200E, U+200F) reach no further than their place
/// and stand in honest Arabic and Hebrew names.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The form of an e-mail address in which it is compared: two spellings that look alike because
/// accents are composed or not, or by their case, are one account.
#[must_use]
pub fn email_key(email: &str) -> String {
    let composed: String = email.trim().nfc().collect();
    // Lower case can bring marks of its own.
    composed.to_lowercase().nfc().collect()
}

/// Whether a character may stand in an e-mail address: nothing that is not seen.
#[must_use]
pub fn is_seen(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::SpaceSeparator
                | GeneralCategory::Unassigned
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_show_as_others() {
        for good in ["Ada", "Zoë 🎉", "עדה\u{200F}", "👩\u{200D}🚀", "علي"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", " ", "\u{FEFF}", "\u{200B}\u{200F}", "\u{3000}"] {
            assert!(!is_visible(bad), "{bad:?}");
        }
        assert!(is_visible("עדה\u{200F}"));
        for bad in ["a\0", "a\nb", "\u{202E}adA", "a\u{2066}b", "\u{85}"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        assert_eq!(
            email_key(" Zoe\u{308}@Example.ORG "),
            "zo\u{eb}@example.org"
        );
        assert_eq!(email_key("ZO\u{cb}@example.org"), "zo\u{eb}@example.org");
        assert_ne!(email_key("zoe@example.org"), "zo\u{eb}@example.org");
        for unseen in [
            '\u{200B}', '\u{202E}', '\u{FEFF}', '\u{AD}', '\u{2028}', ' ', '\t',
        ] {
            assert!(!is_seen(unseen), "{unseen:?}");
        }
        assert!("zoë+1@例え.jp".chars().all(is_seen));
    }
}
