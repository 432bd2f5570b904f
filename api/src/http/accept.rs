//! Content negotiation of `/graphql`.

/// What an answer can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: the status says 200 for whatever is a GraphQL answer.
    Json,
    /// `application/graphql-response+json`: the status says how it went.
    GraphqlResponse,
    /// GraphiQL, for browsers.
    Html,
    /// `text/event-stream`: the answer and those that follow it, as server-sent events.
    Events,
}

impl Media {
    /// With the charset, as `Content-Type` wants it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Events => "text/event-stream; charset=utf-8",
        }
    }
}

/// The medium that `accept` (all its lines joined with commas) likes best; none when we have
/// nothing that it takes. HTML is only meant when it is named: `*/*` is not a browser's wish.
pub(super) fn negotiate(accept: Option<&str>) -> Option<Media> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(Media::Json);
    };
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    // In order of preference among equals.
    let offers = [
        (
            Media::GraphqlResponse,
            "application",
            "graphql-response+json",
        ),
        (Media::Html, "text", "html"),
        (Media::Json, "application", "json"),
        (Media::Events, "text", "event-stream"),
    ];
    let mut best: Option<(Media, (u16, u8))> = None;
    for (media, ty, subtype) in offers {
        let range = ranges
            .iter()
            .filter(|range| range.specificity(ty, subtype).is_some())
            .max_by_key(|range| range.specificity(ty, subtype));
        let Some(range) = range else { continue };
        let specificity = range.specificity(ty, subtype).unwrap_or_default();
        // A wildcard asks for whatever is usual, and that is JSON.
        if range.quality == 0 || (specificity < 2 && media != Media::Json) {
            continue;
        }
        let rank = (range.quality, specificity);
        if best.is_none_or(|(_, other)| rank > other) {
            best = Some((media, rank));
        }
    }
    best.map(|(media, _)| media)
}

/// Whether `accept` names event streams at all: clients that also take JSON get JSON for what has
/// one answer, and events for subscriptions.
pub(super) fn takes_events(accept: Option<&str>) -> bool {
    let mut ranges = accept
        .unwrap_or_default()
        .split(',')
        .filter_map(Range::parse);
    ranges.any(|range| range.quality > 0 && range.specificity("text", "event-stream") == Some(2))
}

/// One media range; quality in thousandths.
struct Range<'a> {
    ty: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    /// None for what is malformed or asks for another charset.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (ty, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => {
                    let q: f32 = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
                    // From 0 to 1000 by the check above.
                    quality = (q * 1000.0) as u16;
                }
                "charset" if !is_utf8(value) => return None,
                _ => {}
            }
        }
        Some(Self {
            ty: ty.trim(),
            subtype: subtype.trim(),
            quality,
        })
    }

    fn specificity(&self, ty: &str, subtype: &str) -> Option<u8> {
        let is = |ours: &str, theirs: &str| ours.eq_ignore_ascii_case(theirs);
        match (self.ty, self.subtype) {
            ("*", "*") => Some(0),
            (t, "*") if is(t, ty) => Some(1),
            (t, s) if is(t, ty) && is(s, subtype) => Some(2),
            _ => None,
        }
    }
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Whether a request body is JSON in UTF-8: the only type that a page of another site cannot send
/// without a preflight.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    content_type
        .and_then(Range::parse)
        .is_some_and(|range| range.specificity("application", "json") == Some(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        use Media::{Events, GraphqlResponse, Html, Json};
        let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, expected) in [
            (None, Some(Json)),
            (Some(""), Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("application/json; charset=UTF-8"), Some(Json)),
            (Some("application/json; charset=latin1"), None),
            (
                Some("application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/json, application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/graphql-response+json;q=0.5, application/json"),
                Some(Json),
            ),
            (
                Some("application/graphql-response+json; charset=utf-8, application/json;q=0.9"),
                Some(GraphqlResponse),
            ),
            (Some("application/json;q=0, */*"), None),
            (Some("text/plain, */*;q=0.1"), Some(Json)),
            (Some("text/plain"), None),
            (Some(chrome), Some(Html)),
            (Some("application/json, text/html;q=0.9"), Some(Json)),
            (Some("text/event-stream"), Some(Events)),
            (Some("text/event-stream, multipart/mixed"), Some(Events)),
            (Some("text/*"), None),
            (
                Some("application/graphql-response+json, application/json, text/event-stream"),
                Some(GraphqlResponse),
            ),
            (Some("text/event-stream, */*"), Some(Events)),
        ] {
            assert_eq!(negotiate(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn event_streams_are_named() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/*"), false),
            (Some("text/event-stream"), true),
            (
                Some("application/json, text/event-stream;q=0.1, multipart/mixed"),
                true,
            ),
            (Some("text/event-stream;q=0, application/json"), false),
        ] {
            assert_eq!(takes_events(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn only_json_bodies() {
        assert!(is_json(Some("application/json")));
        assert!(is_json(Some("Application/JSON; charset=utf-8")));
        for other in [
            None,
            Some("text/plain"),
            Some("application/json; charset=utf-16"),
            Some("application/x-www-form-urlencoded"),
            Some("application/graphql"),
            Some("*/*"),
        ] {
            assert!(!is_json(other), "{other:?}");
        }
    }
}
