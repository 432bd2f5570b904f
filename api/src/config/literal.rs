//! Values of the environment that are no text.

use figment::providers::Serialized;
use serde::Serialize;

use super::ConfigError;

/// A number or boolean from the environment.
pub(super) fn value(key: &str, name: &str, text: &str) -> Result<Serialized<Value>, ConfigError> {
    let value = match (
        text.parse::<i64>(),
        text.parse::<f64>(),
        text.to_ascii_lowercase().as_str(),
    ) {
        (Ok(number), _, _) => Value::Integer(number),
        (_, Ok(number), _) => Value::Number(number),
        (_, _, "true" | "on" | "yes") => Value::Switch(true),
        (_, _, "false" | "off" | "no") => Value::Switch(false),
        _ => {
            return Err(ConfigError(format!(
                "{key} ({name}): {text:?} is neither a number nor true/false"
            )));
        }
    };
    Ok(Serialized::default(key, value))
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Integer(i64),
    Number(f64),
    Switch(bool),
}
