//! Names that stand twice in one place of a document.
//!
//! The parser keeps the last of two fields with one name in an input object, where the specification
//! wants the document refused (5.6.3): the client's text and what is executed would differ. The
//! parsed document does not show it any more, so this reads the text.

use std::collections::HashSet;

use super::problem::Problem;
use super::tokens::{Tokens, is_name};

/// Refuses a document in which an input object has two fields, or a field or directive two
/// arguments, of one name. The document is known to parse.
///
/// # Errors
/// The name.
pub(crate) fn check_unique(document: &str) -> Result<(), Problem> {
    // Within parentheses, a set for each `(` and `{` that is open; outside of them braces are
    // selection sets.
    let mut open: Vec<HashSet<&str>> = Vec::new();
    let mut name = None;
    for token in Tokens::of(document) {
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

#[cfg(test)]
mod tests {
    use crate::document::parse;

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
            ("{ a(f: { x : 1, x\n: 1 }) }", "x"),
            ("{ a(f: { x#\n: 1, \u{feff}x\t, : 1 }) }", "x"),
        ] {
            let problem = parse(document).expect_err(document);
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
            parse(document).expect(document);
        }
    }
}
