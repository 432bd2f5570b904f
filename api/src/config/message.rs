//! What is wrong with a setting, in one line: its key, its names in the environment, the value where
//! it is no secret, and what would be right.

use figment::error::{Actual, Kind};
use figment::{Figment, Source};

use super::ENVIRONMENT;

/// Keys whose values are never shown.
const SECRETS: &[&str] = &[
    "database.url",
    "s3.access_key",
    "s3.secret_key",
    "rekognition.access_key",
    "rekognition.secret_key",
    "tokens.jwt_secret",
    "tokens.jwt_secret_previous",
];

/// `listen (EVENTGALLERY_LISTEN, LISTEN)`
pub(super) fn name(key: &str) -> String {
    let variable = ENVIRONMENT.iter().find(|variable| variable.key == key);
    match variable {
        Some(variable) => format!("{key} ({})", variable.names.join(", ")),
        None => key.to_owned(),
    }
}

/// Figment's error in our words. Its own would name types and source files of this program, and
/// could show a secret.
pub(super) fn of(error: &figment::Error, figment: &Figment) -> String {
    let key = error.path.join(".");
    let place = match error.metadata.as_ref().and_then(|m| m.source.as_ref()) {
        Some(Source::File(path)) => format!(" (in {})", path.display()),
        _ => String::new(),
    };
    let text = match &error.kind {
        Kind::UnknownField(field, known) => {
            // The path ends with the unknown key.
            let full = if key.is_empty() { field } else { &key };
            format!("{full}: there is no such setting, but {}", known.join(", "))
        }
        Kind::InvalidType(actual, wanted) | Kind::InvalidValue(actual, wanted) => {
            let wanted = wanted_for(&key, wanted);
            if SECRETS.contains(&key.as_str()) {
                format!("{}: is not {wanted}", name(&key))
            } else {
                format!("{}: {} is not {wanted}", name(&key), shown(actual))
            }
        }
        // Without a key the file itself cannot be read.
        Kind::Message(message) if key.is_empty() => syntax(message),
        Kind::Message(_) if is_address(&key) => {
            let value = figment.find_value(&key).ok();
            let value = value.as_ref().and_then(figment::value::Value::as_str);
            let wanted = wanted_for(&key, "");
            format!("{}: {:?} is not {wanted}", name(&key), value.unwrap_or(""))
        }
        other => format!("{}: {other}", name(&key)),
    };
    text + &place
}

fn is_address(key: &str) -> bool {
    matches!(key, "listen" | "metrics.listen")
}

/// What serde expected, for people.
fn wanted_for(key: &str, expected: &str) -> String {
    let most = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" => u64::MAX,
        "a boolean" => return "true or false".to_owned(),
        "f32" | "f64" => return "a number".to_owned(),
        "a string" => return "a text (in quotation marks)".to_owned(),
        _ if is_address(key) => return "an address like 127.0.0.1:8080".to_owned(),
        _ if expected.starts_with("struct ") => return format!("a table, [{key}]"),
        other => return other.to_owned(),
    };
    format!("a whole number from 0 to {most}")
}

fn shown(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("{value:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// The TOML parser's message without the excerpt of the file, which may hold a secret.
fn syntax(message: &str) -> String {
    let Some(rest) = message.strip_prefix("TOML parse error at ") else {
        return message.lines().collect::<Vec<_>>().join("; ");
    };
    let place = rest.lines().next().unwrap_or_default();
    let excerpt = |line: &&str| {
        let margin = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
        margin.starts_with('|')
    };
    let said: Vec<&str> = rest
        .lines()
        .skip(1)
        .filter(|line| !excerpt(line) && !line.trim().is_empty())
        .collect();
    format!("not TOML at {place}: {}", said.join("; "))
}
