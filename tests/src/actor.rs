//! People who use the API over HTTP.

use eventgallery::clock::Clock;
use serde_json::{Value, json};

/// Somebody with or without an account.
#[derive(Clone, Debug)]
pub struct Actor {
    http: reqwest::Client,
    endpoint: String,
    /// Bearer token.
    pub token: Option<String>,
    /// Refresh token of the last session.
    pub refresh_token: Option<String>,
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Global id; empty for strangers.
    pub id: String,
}

impl Actor {
    pub(crate) fn anonymous(url: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            endpoint: format!("{url}/graphql"),
            token: None,
            refresh_token: None,
            email: String::new(),
            password: String::new(),
            id: String::new(),
        }
    }

    pub(crate) async fn register(url: &str, name: &str) -> Self {
        let mut actor = Self::anonymous(url);
        actor.email = format!(
            "{name}-{}@example.com",
            Clock::system().new_token().simple()
        );
        actor.password = format!("password of {name}");
        let payload = actor
            .mutate(
                "register",
                "RegisterInput",
                json!({ "email": actor.email, "name": name, "password": actor.password }),
                "user { id } accessToken refreshToken",
            )
            .await;
        actor.token = Some(text(&payload["accessToken"]));
        actor.refresh_token = Some(text(&payload["refreshToken"]));
        actor.id = text(&payload["user"]["id"]);
        actor
    }

    /// Somebody with a fresh account at a server of any process.
    pub async fn at(url: &str, name: &str) -> Self {
        Self::register(url, name).await
    }

    /// The same somebody at another address of the server.
    pub fn move_to(&mut self, url: &str) {
        self.endpoint = format!("{url}/graphql");
    }

    /// Where GraphQL answers.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Lets go of all connections: the next request opens a new one.
    pub fn reconnect(&mut self) {
        self.http = reqwest::Client::new();
    }

    /// The HTTP client.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends a document; the whole answer with its HTTP status.
    pub async fn send(&self, document: &str, variables: Value) -> (u16, Value) {
        let response = self.post(document, variables).await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Sends a document; the HTTP response as it came, if one did.
    pub async fn post(
        &self,
        document: &str,
        variables: Value,
    ) -> reqwest::Result<reqwest::Response> {
        let body = json!({ "query": document, "variables": variables });
        let mut request = self.http.post(&self.endpoint).json(&body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }

    /// `data` of a document that must not fail.
    pub async fn query(&self, document: &str, variables: Value) -> Value {
        let (_, mut answer) = self.send(document, variables).await;
        assert!(answer["errors"].is_null(), "{document}\n{answer:#}");
        answer["data"].take()
    }

    /// `extensions.code` of the first error of a document that must fail.
    pub async fn error_code(&self, document: &str, variables: Value) -> String {
        let (_, answer) = self.send(document, variables).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("no error code: {document}\n{answer:#}"))
            .to_owned()
    }

    /// Payload of a mutation with one `input`; its `userErrors` must be empty.
    pub async fn mutate(
        &self,
        field: &str,
        input_type: &str,
        input: Value,
        selection: &str,
    ) -> Value {
        let payload = self.attempt(field, input_type, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}");
        payload
    }

    /// Payload of a mutation with one `input`, `userErrors { code field message }` included.
    pub async fn attempt(
        &self,
        field: &str,
        input_type: &str,
        input: Value,
        selection: &str,
    ) -> Value {
        let document = format!(
            "mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code field message }} }} }}"
        );
        self.query(&document, json!({ "input": input })).await[field].take()
    }

    /// Code of a sign-in from behind a proxy that saw this address, `OK` where it worked.
    pub async fn sign_in_from(&self, address: &str, input: Value) -> String {
        let document = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }";
        let request = self
            .http
            .post(&self.endpoint)
            .header("x-forwarded-for", address)
            .json(&json!({ "query": document, "variables": { "input": input } }));
        let answer = request.send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
            return code.to_owned();
        }
        let payload = &answer["data"]["signIn"];
        if let Some(code) = payload["userErrors"][0]["code"].as_str() {
            return code.to_owned();
        }
        assert!(payload["accessToken"].is_string(), "{answer:#}");
        "OK".to_owned()
    }

    /// Makes a gallery and gives its id.
    pub async fn gallery(&self, name: &str) -> String {
        self.gallery_with(json!({ "name": name })).await
    }

    /// Makes a gallery out of this input and gives its id.
    pub async fn gallery_with(&self, input: Value) -> String {
        let payload = self
            .mutate(
                "createGallery",
                "CreateGalleryInput",
                input,
                "gallery { id }",
            )
            .await;
        text(&payload["gallery"]["id"])
    }

    /// Gives somebody a role in a gallery.
    pub async fn admit(&self, gallery: &str, somebody: &Self, role: &str) {
        let input = json!({ "galleryId": gallery, "email": somebody.email, "role": role });
        self.mutate(
            "setGalleryMember",
            "SetGalleryMemberInput",
            input,
            "member { role }",
        )
        .await;
    }
}

/// A string out of JSON.
#[must_use]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}
