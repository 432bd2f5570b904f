//! A document's text, parsed.

use async_graphql_parser::types::ExecutableDocument;

use super::literals;
use super::problem::Problem;
use super::tokens::Tokens;

/// Brackets of any kind inside each other. The parser goes down a function call for each, and so does
/// whatever reads or drops what it made: some thousands end the process for lack of stack. For selection
/// sets the parser has the same limit, but meets it only when it has read all of the text.
pub const MAX_NESTING: usize = 64;

/// Parses a document. This is the one way to do it: the parser itself does not bear every text.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED`, and for names that stand twice in one place `GRAPHQL_VALIDATION_FAILED`.
pub fn parse(text: &str) -> Result<ExecutableDocument, Problem> {
    check_nesting(text)?;
    #[expect(clippy::disallowed_methods, reason = "its text was looked at")]
    let parsed = async_graphql_parser::parse_query(text);
    let parsed = parsed.map_err(|error| Problem::syntax(&error))?;
    literals::check_unique(text)?;
    Ok(parsed)
}

/// A string that does not end is refused here: the parser takes three quotes that do not end for an
/// empty string and the beginning of another, behind which it might see brackets that tokens do not.
fn check_nesting(text: &str) -> Result<(), Problem> {
    let (mut tokens, mut open) = (Tokens::of(text), 0_usize);
    for token in tokens.by_ref() {
        match token {
            "(" | "[" | "{" => open += 1,
            ")" | "]" | "}" => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_NESTING {
            let what = format!("more than {MAX_NESTING} brackets are open inside each other");
            return Err(Problem::malformed(&what));
        }
    }
    if tokens.is_cut() {
        return Err(Problem::malformed("a string does not end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deeper than any stack of ours.
    const DEEP: usize = 50_000;

    fn message(text: &str) -> String {
        let problem = parse(text).unwrap_err();
        assert_eq!(problem.code, "GRAPHQL_PARSE_FAILED", "{}", problem.message);
        problem.message
    }

    #[test]
    fn what_is_nested_without_end_is_not_parsed() {
        let nested = |open: &str, close: &str| open.repeat(DEEP) + &close.repeat(DEEP);
        let (lists, objects) = (nested("[", "]"), nested("{a:", "}"));
        for text in [
            format!("{{ a(b: {lists}) }}"),
            format!("{{ a(b: {}", "[".repeat(DEEP)),
            format!("{{ a(b: {objects}) }}"),
            format!("{{ a(b: {}", "[{a:".repeat(DEEP)),
            format!("query($a: I = {lists}) {{ a }}"),
            format!("query($a: {lists}) {{ a }}"),
            format!("{{ a @b(c: {lists}) }}"),
            nested("{a", "}"),
            format!("{{ {} }}", nested("... { a ", "}")),
            "(".repeat(DEEP),
        ] {
            let message = message(&text);
            assert!(message.contains("inside each other"), "{message}");
        }
    }

    #[test]
    fn nothing_hides_from_the_count() {
        let deep = "[".repeat(DEEP);
        for text in [
            // The parser sees an empty string, another one, and the brackets.
            format!("{{ a(b: [\"\"\" x\" {deep}"),
            format!("{{ a(b: [\"\"\" \\\"\"\" \" {deep}"),
            format!("{{ a(b: \"\\\\\" c: {deep}"),
            format!("{{ a(b: \"\" c: {deep}"),
            format!("{{ a(b: \"\"\"\\\"\"\"\"\"\" c: {deep}"),
            format!("# {{\r{{ a(b: {deep}"),
        ] {
            message(&text);
        }
    }

    #[test]
    fn brackets_of_strings_and_comments_are_none() {
        let deep = "[{(".repeat(DEEP);
        for text in [
            format!("{{ a(b: \"{deep}\", c: \"\"\"\"{deep}\"\"\") }}"),
            format!("{{ a # {deep}\n }}"),
        ] {
            parse(&text).unwrap();
        }
    }

    #[test]
    fn as_deep_as_it_may_be() {
        let lists = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{{ a(b: {open}{close}) }}")
        };
        parse(&lists(MAX_NESTING - 2)).unwrap();
        message(&lists(MAX_NESTING - 1));
    }
}
