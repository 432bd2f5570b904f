//! Whom a request comes from, behind proxies.
//!
//! Failed sign-ins are counted by address, and what one client may hold goes by it. Behind an ingress every
//! connection comes from the ingress: without this the guests of a whole event would share one count,
//! and lock each other out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The operator is told of a proxy that nobody counted, once: any client can write the header.
static TOLD: Once = Once::new();

/// Puts the client's address in the connection's place, given how many proxies are in front of us.
pub(super) async fn resolve(proxies: usize, mut request: Request, next: Next) -> Response {
    if proxies == 0 && request.headers().contains_key(FORWARDED_FOR) {
        TOLD.call_once(|| {
            tracing::warn!(
                "a request has X-Forwarded-For, and TRUSTED_PROXIES is 0: where a proxy wrote it, all clients share the proxy's limits"
            );
        });
    }
    if let Some(address) = client(request.headers(), proxies) {
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(address, 0)));
    }
    next.run(request).await
}

/// Each proxy appends whom it was called by, so the entry that the outermost of ours wrote is the
/// one that many places from the end. What stands before it the client may have written itself.
fn client(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    // What is no text stays a line: passed over, it would uncover those that the client wrote.
    let lines: Vec<_> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    let place = proxies.checked_sub(1)?;
    let entry = lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .nth(place)?
        .trim();
    // Some write the port, too.
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse().ok().map(|a: SocketAddr| a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(lines: &[&str], proxies: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(FORWARDED_FOR, line);
        }
        client(&headers, proxies).map(|address| address.to_string())
    }

    #[test]
    fn only_what_our_own_proxies_wrote_counts() {
        let found = |lines, proxies| from(lines, proxies).unwrap_or_default();
        assert_eq!(found(&["203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(found(&["9.9.9.9, 203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(found(&["9.9.9.9, 203.0.113.7, 10.0.0.1"], 2), "203.0.113.7");
        // Two lines are one list (RFC 9110, 5.3).
        assert_eq!(found(&["9.9.9.9", "203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(
            found(&["9.9.9.9,203.0.113.7", "10.0.0.1"], 2),
            "203.0.113.7"
        );
        assert_eq!(found(&["9.9.9.9", "\u{ff}, 203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(found(&["203.0.113.7:4711"], 1), "203.0.113.7");
        assert_eq!(found(&["2001:db8::7"], 1), "2001:db8::7");
        assert_eq!(found(&["[2001:db8::7]:443"], 1), "2001:db8::7");
    }

    #[test]
    fn without_a_proxy_or_an_entry_the_connection_counts() {
        assert_eq!(from(&["203.0.113.7"], 0), None);
        assert_eq!(from(&[], 1), None);
        assert_eq!(from(&["203.0.113.7"], 2), None);
        assert_eq!(from(&["9.9.9.9, unknown"], 1), None);
        assert_eq!(from(&["9.9.9.9", "\u{ff}"], 1), None);
    }
}
