//! A GraphQL client as small as the demo needs.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// A signed-in client.
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(server: &str) -> Self {
        let endpoint = format!("{}/graphql", server.trim_end_matches('/'));
        Self {
            http: reqwest::Client::new(),
            endpoint,
            token: None,
        }
    }

    /// The HTTP client, for presigned URLs.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Makes an account and signs in as it.
    pub(super) async fn register(&mut self, email: &str, name: &str, password: &str) -> Result<()> {
        let answer = self
            .mutate(
                "mutation($input: RegisterInput!) { register(input: $input) { accessToken userErrors { message } } }",
                json!({ "email": email, "name": name, "password": password }),
                "register",
            )
            .await?;
        self.token = Some(
            answer["accessToken"]
                .as_str()
                .context("no access token")?
                .to_owned(),
        );
        Ok(())
    }

    /// Runs a document and gives its `data`.
    pub(super) async fn query(&self, document: &str, variables: Value) -> Result<Value> {
        let mut request = self
            .http
            .post(&self.endpoint)
            .json(&json!({ "query": document, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("{} does not answer", self.endpoint))?;
        let mut body: Value = response.json().await.context("the answer is no JSON")?;
        if let Some(error) = body["errors"].get(0) {
            bail!(
                "{}",
                error["message"].as_str().unwrap_or("the server refused")
            );
        }
        Ok(body["data"].take())
    }

    /// Runs a mutation of one field with one `input`; its user errors are errors here.
    pub(super) async fn mutate(&self, document: &str, input: Value, field: &str) -> Result<Value> {
        let mut data = self.query(document, json!({ "input": input })).await?;
        let payload = data[field].take();
        if let Some(error) = payload["userErrors"].get(0) {
            bail!(
                "{field}: {}",
                error["message"].as_str().unwrap_or("refused")
            );
        }
        Ok(payload)
    }
}
