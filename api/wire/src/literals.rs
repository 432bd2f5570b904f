//! Names that stand twice in one place of a document.
//!
//! The parser keeps the last of two fields with one name in an input object, where the specification
//! wants the document refused (5.6.3): the client's text and what is executed would differ. The
//! parsed document does not show it any more, so this reads the text.

use std::collections::HashSet;

use super::problem::Problem;

/// Refuses a document in which an input object has two fields, or a field or directive two
/// arguments, of one name. The document is known to parse.
///
/// # Errors
/// The name.
pub fn check_unique(document: &str) -> Result<(), Problem> {
    // Within parentheses, a set for each `(` and `{` that is open; outside of them braces are
    // selection sets.
    let mut open: Vec<HashSet<&str>> = Vec::new();
    let mut name = None;
    for token in Tokens(document) {
        match token {
            "(" => open.push(HashSet::new()),
            "{" if !open.is_empty() => open.push(HashSet::new()),
            ")" | "}" => {
                open.pop();
            }
            ":" => {
                if let (Some(name), Some(names)) = (name, open.last_mut())
                    && !names.insert(name)
                {
                    let what = format!("`{name}` stands twice in one place");
                    return Err(Problem::invalid(what));
                }
            }
            _ => {}
        }
        name = token.starts_with(is_name).then_some(token);
    }
    Ok(())
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// What the language is made of, without what means nothing. Strings come as their first quote.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0;
            let first = text.chars().next()?;
            let length = match first {
                '#' => text.find(['\n', '\r']).unwrap_or(text.len()),
                '"' => string(text),
                // With its name it is none of an argument.
                '$' => 1 + word(&text[1..]),
                _ if is_name(first) => word(text),
                _ => first.len_utf8(),
            };
            self.0 = &text[length..];
            match first {
                '#' => {}
                '"' => return Some("\""),
                _ => return Some(&text[..length]),
            }
        }
    }
}

fn word(text: &str) -> usize {
    text.find(|c| !is_name(c)).unwrap_or(text.len())
}

/// Length of the string that the text begins with.
fn string(text: &str) -> usize {
    let (quote, escapes): (&str, &[&str]) = match text.strip_prefix("\"\"\"") {
        Some(_) => ("\"\"\"", &["\\\"\"\""]),
        None => ("\"", &["\\\\", "\\\""]),
    };
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return at + quote.len();
        }
        at += match escapes.iter().find(|escape| rest.starts_with(**escape)) {
            Some(escape) => escape.len(),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use async_graphql_parser::parse_query;

    use super::*;

    #[test]
    fn the_second_of_a_name_is_found() {
        for (document, name) in [
            ("{ a(f: { x: 1, x: 1 }) }", "x"),
            ("{ a(f: { x: { y: 1 }, z: [{ y: 1 }], x: 2 }) }", "x"),
            ("{ a(f: [{ x: \"}\", x: \"\"\" \\\"\"\" } \"\"\" }]) }", "x"),
            ("{ a(f: { x: 1 # }\n x: 1 }) }", "x"),
            ("query($v: I = { x: 1 x: 2 }) { a }", "x"),
            ("{ a { b(x: 1, x: 2) } }", "x"),
            ("{ a @skip(if: true, if: false) }", "if"),
            ("{ a(f: { x: $x, x: $x }) }", "x"),
        ] {
            parse_query(document).expect(document);
            let problem = check_unique(document).expect_err(document);
            assert!(problem.message.starts_with(&format!("`{name}`")));
            assert_eq!(problem.code, "GRAPHQL_VALIDATION_FAILED");
        }
    }

    #[test]
    fn names_in_different_places_are_left_alone() {
        for document in [
            "{ x: a x: a }",
            "{ a(x: { x: { x: 1 } }) { x: a(x: 1) x: a(x: 1) } }",
            "{ a(f: [{ x: 1 }, { x: 1 }]) }",
            "{ a(f: { x: \"x: \\\" x: \", y: \"\\\\\" }) }",
            "{ a(f: { x: \"\"\"x: \"x\": \\\"\"\" x: \"\"\" }) }",
            "query($x: I, $y: I) { a(x: $x, y: $x) @skip(if: true) @include(if: true) }",
            "{ a(f: { x: x, y: x }) }",
            "# a(x: 1, x: 2)\n{ a(f: \"\", g: \"ä\") }",
            "{ ...F } fragment F on Q { a(x: 1) } ",
        ] {
            parse_query(document).expect(document);
            assert_eq!(check_unique(document), Ok(()), "{document}");
        }
    }
}
