//! `eventgallery schema` and `eventgallery defaults`.

use std::io::Write as _;

/// Prints the schema as SDL.
///
/// # Errors
/// Where standard output is closed.
pub fn print() -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(crate::graphql::schema::sdl().as_bytes())?)
}

/// Prints every setting with its default.
///
/// # Errors
/// Where standard output is closed.
pub fn print_defaults() -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(crate::config::DEFAULTS.as_bytes())?)
}
