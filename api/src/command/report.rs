//! Why a command failed, in one line.

/// The error and its causes, each once: many errors already say their cause themselves.
#[must_use]
pub fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_an_error_says_itself_is_said_once() {
        let error = anyhow::anyhow!("refused")
            .context("listen on a: refused")
            .context("cannot start");
        assert_eq!(line(&error), "cannot start: listen on a: refused");
    }
}
