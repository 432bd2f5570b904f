//! The definitions of a document one by one, for comparing texts that have the same ones.

use super::tokens::Tokens;

/// Operations and fragments as they are written, in their order, each with the comments before it, without
/// the white space between them. Comments behind the last one are a piece of their own. Linear, and total:
/// what is no document comes as some pieces.
#[must_use]
pub fn split(document: &str) -> Vec<&str> {
    let mut definitions = Vec::new();
    let (mut depth, mut begin) = (0_usize, 0);
    let mut tokens = Tokens::of(document);
    while let Some(token) = tokens.next() {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        // With the brace that ends its selections; those in parentheses are values.
        if token == "}" && depth == 0 {
            definitions.push(document[begin..tokens.end()].trim());
            begin = tokens.end();
        }
    }
    let rest = Some(document[begin..].trim());
    definitions.extend(rest.filter(|rest| !rest.is_empty()));
    definitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ends_with_its_selections() {
        let query = "query Q($x: I = { a: [{ b: \"}\" }] }) @d(x: {}) { a { b(x: {}) } # }\n}";
        let fragment = "fragment F on T @d(x: {}) { a }";
        let text = format!("{query}\n\n{fragment}{{ a }}\n# second\n{{ a }} # last");
        let second = "# second\n{ a }";
        assert_eq!(split(&text), [query, fragment, "{ a }", second, "# last"]);
    }

    #[test]
    fn what_is_no_document_comes_as_pieces() {
        for (text, pieces) in [
            ("", vec![]),
            (" # }", vec!["# }"]),
            ("{", vec!["{"]),
            ("} a } b", vec!["}", "a }", "b"]),
            ("{ a \"}", vec!["{ a \"}"]),
        ] {
            assert_eq!(split(text), pieces, "{text}");
        }
    }
}
