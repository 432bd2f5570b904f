//! `extensions.cost`.

use harness::TestApp;
use harness::transport::Transport;
use serde_json::json;

const PAGE: &str = "query($id: ID!, $n: Int!) { viewer { id }
  gallery(id: $id) { photos(first: $n) { nodes { id } } } }";

#[tokio::test]
async fn the_price_is_told_to_whoever_asks() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    for transport in Transport::ALL {
        let mut body = json!({ "query": PAGE, "variables": { "id": gallery, "n": 7 } });
        let plain = ada.ask(transport, &body).await.body;
        assert!(plain["extensions"].is_null(), "{transport:?} {plain:#}");
        body["extensions"] = json!({ "cost": true });
        let answer = ada.ask(transport, &body).await.body;
        assert_eq!(answer["data"], plain["data"], "{transport:?}");
        let cost = &answer["extensions"]["cost"];
        // viewer, id; gallery, photos, 100 for its page, 7 times nodes and id.
        assert_eq!(cost["requested"], 2 + 102 + 7 * 2, "{transport:?} {cost:#}");
        assert_eq!(cost["limit"], 100_000);
        assert_eq!(cost["fields"], json!({ "viewer": 2, "gallery": 116 }));
        assert_eq!(cost["depth"], json!({ "requested": 4, "limit": 12 }));
        assert_eq!(cost["selections"]["requested"], 6);
        body["extensions"] = json!({ "cost": 1 });
        if transport != Transport::Socket {
            assert_eq!(ada.ask(transport, &body).await.code(), "BAD_REQUEST");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_refusal_tells_the_price_and_the_limit_is_a_setting() {
    let app = TestApp::with(&[("GRAPHQL_MAX_COST", "500")]).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    for transport in Transport::ALL {
        let ask = async |n: u32| {
            let body = json!({ "query": PAGE, "variables": { "id": gallery, "n": n } });
            ada.ask(transport, &body).await
        };
        // 104 + 2 n.
        assert_eq!(ask(100).await.code(), "", "{transport:?}");
        let document = "query($id: ID!) { gallery(id: $id) { photos(first: 100) { nodes { id status
          filename takenAt width } } } }";
        let body = json!({ "query": document, "variables": { "id": gallery } });
        let refused = ada.ask(transport, &body).await;
        assert_eq!(refused.code(), "QUERY_TOO_COMPLEX", "{transport:?}");
        let cost = &refused.body["errors"][0]["extensions"]["cost"];
        assert_eq!(cost["requested"], 102 + 100 * 6, "{transport:?} {cost:#}");
        assert_eq!(cost["limit"], 500);
    }
    app.stop().await;
}
