//! The database's address: as sqlx wants it, and as it may be shown.

use std::path::Path;

/// What `database.url` may begin with.
pub(super) const SCHEMES: [&str; 3] = ["mysql://", "postgres://", "sqlite:"];

/// SQLAlchemy's spellings, which people have in their secrets already.
const SPELLINGS: [(&str, &str); 4] = [
    ("mysql+pymysql://", "mysql://"),
    ("mariadb://", "mysql://"),
    ("postgresql+psycopg2://", "postgres://"),
    ("postgresql://", "postgres://"),
];

/// SQLite in the data folder.
pub(super) fn in_folder(data_dir: &Path) -> String {
    format!(
        "sqlite://{}?mode=rwc",
        data_dir.join("eventgallery.db").display()
    )
}

/// The address as sqlx wants it.
pub(super) fn normal(url: &str) -> String {
    for (prefix, ours) in SPELLINGS {
        if let Some(rest) = url.strip_prefix(prefix) {
            return format!("{ours}{rest}");
        }
    }
    url.to_owned()
}

/// Whether the driver can take a normal address apart.
pub(super) fn is_well_formed(url: &str) -> bool {
    url.starts_with("sqlite:") || reqwest::Url::parse(url).is_ok()
}

/// Whether a password that was not percent-encoded may have ended the part of the address for user,
/// password and host too early: the driver then takes a piece of the password for the host.
pub(super) fn may_split_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let before = rest.rsplit_once('@').map_or("", |(before, _)| before);
    !url.starts_with("sqlite:") && before.contains(':') && before.contains(['/', '?', '#'])
}

/// Host, port and database of a normal address; nothing of user, password or parameters. Empty where
/// that cannot be told apart for sure.
pub(crate) fn shown(url: &str) -> String {
    if let Some(file) = url.strip_prefix("sqlite:") {
        let file = file.split('?').next().unwrap_or_default();
        return file.trim_start_matches("//").to_owned();
    }
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return String::new();
    };
    if may_split_password(url) || parsed.fragment().is_some() {
        return String::new();
    }
    let port = match (parsed.port(), parsed.scheme()) {
        (Some(port), _) => port,
        (None, "mysql") => 3306,
        (None, _) => 5432,
    };
    let host = parsed.host_str().unwrap_or_default();
    format!("{host}:{port}{}", parsed.path())
}

/// `text` without the address and without its user and password.
pub(super) fn without(text: &str, url: &str) -> String {
    let mut clean = text.replace(url, "DATABASE_URI");
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    if let Some((secret, _)) = rest.rsplit_once('@')
        && secret.contains(':')
    {
        clean = clean.replace(secret, "***");
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_database_are_shown_and_nothing_else() {
        for (url, expected) in [
            ("mysql://u:hunter2@h/x", "h:3306/x"),
            ("postgres://u:hunter2@h:7/x?password=hunter2", "h:7/x"),
            ("postgres://u:p@ss@h/x", "h:5432/x"),
            ("mysql://u:12/hunter2@h/x", ""),
            ("mysql://u:1#hunter2@h/x", ""),
            ("mysql://u:hunter2/a@h/x", ""),
            ("mysql://u:12?hunter2@h/x", ""),
            ("mysql://u:p@hunter2/a@h/x", ""),
            ("sqlite://a/b.db?mode=rwc", "a/b.db"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
        assert!(!is_well_formed("mysql://u:hunter2/a@h/x"));
    }

    #[test]
    fn passwords_that_end_too_early_are_suspected() {
        for split in ["u:12/a@h/x", "u:12?a@h/x", "u:12#a@h/x", "u:p@s/s@h/x"] {
            assert!(may_split_password(&format!("mysql://{split}")), "{split}");
        }
        for whole in ["u:p@h/x", "u:p@ss@h/x", "u@h/x", "h/x?a=b", "u:p@h/x?a=b#c"] {
            assert!(!may_split_password(&format!("mysql://{whole}")), "{whole}");
        }
        assert!(!may_split_password("sqlite://a:b/c@d.db"));
    }

    #[test]
    fn a_text_loses_the_address_and_the_password() {
        let url = "mysql://u:hunter2@h/x";
        let clean = without(&format!("no driver for {url}, u:hunter2, at h"), url);
        assert_eq!(clean, "no driver for DATABASE_URI, ***, at h");
        let secret = url.split_once("://").unwrap().1;
        assert!(!without(secret, url).contains("hunter2"));
    }
}
