//! The text of a document as the language reads it.

/// What a text is made of, without what means nothing: white space, commas, comments. A variable comes
/// with its `$`, a number that is no whole one in pieces. Linear, and total: any text has tokens.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
    is_cut: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let (rest, is_cut) = (text, false);
        Self { text, rest, is_cut }
    }

    /// Where the token that came last ends, in bytes.
    pub(crate) fn end(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Whether the token that came last is a string that does not end.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.rest.trim_start_matches(means_nothing);
            let first = text.chars().next()?;
            let length = match first {
                '#' => text.find(['\n', '\r']).unwrap_or(text.len()),
                '"' => string(text).unwrap_or_else(|| {
                    self.is_cut = true;
                    text.len()
                }),
                '$' => 1 + word(&text[1..]),
                _ if is_name(first) => word(text),
                _ => first.len_utf8(),
            };
            self.rest = &text[length..];
            if first != '#' {
                return Some(&text[..length]);
            }
        }
    }
}

/// Whether names and numbers have it.
pub(crate) fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

fn means_nothing(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}')
}

fn word(text: &str) -> usize {
    text.find(|c| !is_name(c)).unwrap_or(text.len())
}

/// Length of the string that the text begins with, if it ends.
fn string(text: &str) -> Option<usize> {
    let (quote, escapes): (&str, &[&str]) = match text.strip_prefix("\"\"\"") {
        Some(_) => ("\"\"\"", &["\\\"\"\""]),
        None => ("\"", &["\\\\", "\\\""]),
    };
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return Some(at + quote.len());
        }
        at += match escapes.iter().find(|escape| rest.starts_with(**escape)) {
            Some(escape) => escape.len(),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_left_out() {
        let mut tokens = Tokens::of(
            "\u{feff}query Q($x:[I!]=1.5,) # }\n{ a(s:\"}\\\"\",t: \"\"\" \" \"\"\") ...F }",
        );
        let all: Vec<&str> = tokens.by_ref().collect();
        let expected =
            "query Q ( $x : [ I ! ] = 1 . 5 ) { a ( s : \"}\\\"\" t : \"\"\"_\"_\"\"\" ) . . . F }";
        let expected: Vec<String> = expected.split(' ').map(|t| t.replace('_', " ")).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn any_text_has_tokens() {
        for text in ["", "\"", "\"\\", "\"\"\"", "#", "$", "ä{", "{ a(b: \"ä"] {
            let mut tokens = Tokens::of(text);
            assert!(tokens.by_ref().count() <= text.len());
            assert_eq!(tokens.end(), text.len(), "{text}");
        }
    }
}
