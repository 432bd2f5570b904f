//! The one way to a running document, for every transport: parse, price, check variables, execute,
//! and let no error out that is not meant for clients.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{
    ErrorExtensionValues, Positioned, Request, Response, ServerError, Value, Variables,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::error;
use super::literals;
use super::loaders::{self, Sources};
use super::order::Order;
use super::price::{self, LIMITS};
use super::problem::{Problem, clip};
use super::schema::{self, Schema};
use super::shape::Shape;
use super::signature::Signature;
use super::{subscription, variables};
use crate::access::Viewer;
use crate::auth::ClientAddress;
use crate::metrics::RequestOutcome;

/// Longest document in bytes.
pub const MAX_QUERY_BYTES: usize = 100 * 1024;
/// Longest execution of a query or mutation.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Every `extensions.code` that there is.
pub const CODES: &[&str] = &[
    "BAD_REQUEST",
    "BAD_USER_INPUT",
    "CURSOR_TOO_OLD",
    "FORBIDDEN",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "INTERNAL",
    "NOT_FOUND",
    "QUERY_TOO_COMPLEX",
    "RATE_LIMITED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
];
/// Errors in one answer.
const MAX_ERRORS: usize = 20;

/// What a client asks for, whatever the transport.
#[derive(Debug, Default)]
pub struct Parameters {
    /// The document.
    pub query: String,
    /// Which of its operations to run.
    pub operation_name: Option<String>,
    /// Values of its variables: a JSON object or null.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// A document that may run.
#[derive(Debug)]
pub struct Prepared {
    request: Request,
    /// Whether it reads, writes or listens.
    pub operation: OperationType,
    /// What it is called in metrics.
    pub signature: Signature,
    /// How its answer's fields are sorted.
    order: Order,
}

/// How it went.
#[derive(Debug)]
pub enum Answer {
    /// Executed; single fields may have failed.
    Executed(Response),
    /// Nothing was executed.
    Refused(Vec<ServerError>),
    /// It took longer than [`TIMEOUT`].
    TimedOut(ServerError),
}

/// Runs documents. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    schema: Schema,
    shape: Arc<Shape>,
    sources: Sources,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

impl Executor {
    /// Over the services of the process.
    ///
    /// # Errors
    /// When the schema's own SDL does not parse.
    pub fn new(sources: Sources) -> anyhow::Result<Self> {
        sources.metrics.expect_codes(CODES, error::user_codes());
        Ok(Self {
            schema: schema::build_schema(sources.services.clone()),
            shape: Arc::new(Shape::from_sdl(&schema::sdl())?),
            sources,
        })
    }

    /// Parses and checks, without executing anything.
    ///
    /// # Errors
    /// A request error.
    pub fn prepare(&self, parameters: Parameters) -> Result<Prepared, Problem> {
        let mut signature = Signature::unknown();
        match self.check(parameters, &mut signature) {
            Ok((request, operation, order)) => Ok(Prepared {
                request,
                operation,
                signature,
                order,
            }),
            Err(problem) => {
                self.refused(&signature, problem.code);
                Err(problem)
            }
        }
    }

    /// Counts a request that was refused before it came to execution. [`Executor::prepare`] and
    /// [`Executor::execute`] count by themselves; transports count what they refuse.
    pub fn refused(&self, signature: &Signature, code: &'static str) {
        self.sources.metrics.graphql_error(code);
        self.ended(signature, RequestOutcome::Refused);
    }

    /// Counts a request at its end.
    pub fn ended(&self, signature: &Signature, outcome: RequestOutcome) {
        let Signature {
            operation,
            field,
            began,
        } = signature;
        self.sources
            .metrics
            .request(operation, field.clone(), outcome, began.elapsed());
    }

    fn check(
        &self,
        parameters: Parameters,
        signature: &mut Signature,
    ) -> Result<(Request, OperationType, Order), Problem> {
        if parameters.query.trim().is_empty() {
            return Err(Problem::bad_request("`query` is empty"));
        }
        if parameters.query.len() > MAX_QUERY_BYTES {
            return Err(Problem::bad_request(format!(
                "`query` has more than {MAX_QUERY_BYTES} bytes"
            )));
        }
        let mut document = async_graphql::parser::parse_query(&parameters.query)
            .map_err(|error| Problem::syntax(&error))?;
        literals::check_unique(&parameters.query)?;
        let name = parameters.operation_name.as_deref();
        let operation = select(&document, name)?;
        signature.learn(operation, &document, &self.shape);
        let variables = Variables::from_json(serde_json::Value::Object(parameters.variables));
        price::check(&document, operation, &variables, &self.shape, &LIMITS)?;
        variables::check(&operation.node, &variables, &self.shape, &LIMITS)?;
        let order = Order::of(&operation.node, &document);
        let operation = operation.node.ty;
        if operation == OperationType::Subscription {
            subscription::settle(&mut document, name)?;
        }
        let mut request = Request::new(parameters.query).variables(variables);
        request.operation_name = parameters.operation_name;
        request.set_parsed_query(document);
        Ok((request, operation, order))
    }

    /// Executes a query or mutation for a viewer.
    pub async fn execute(
        &self,
        prepared: Prepared,
        viewer: Viewer,
        address: Option<ClientAddress>,
    ) -> Answer {
        let (signature, order) = (prepared.signature.clone(), prepared.order.clone());
        let request = self.attach(prepared, viewer, address);
        let metrics = &self.sources.metrics;
        let execution = error::counted(metrics.clone(), self.schema.execute(request));
        match tokio::time::timeout(TIMEOUT, execution).await {
            Ok(mut response) => {
                order.apply(&mut response.data);
                self.answer(response, is_request_error, Some(&signature))
            }
            Err(_) => {
                tracing::warn!(seconds = TIMEOUT.as_secs(), "a document took too long");
                let problem = Problem::timeout();
                metrics.graphql_error(problem.code);
                self.ended(&signature, RequestOutcome::Timeout);
                Answer::TimedOut(problem.into())
            }
        }
    }

    /// Executes any document for a viewer: one answer to a query or mutation, and for a subscription
    /// one an event, for as long as it lasts. A subscription counts as a request that ends with its
    /// first answer: how long it goes on is the client's affair.
    pub fn stream(
        &self,
        prepared: Prepared,
        viewer: Viewer,
        address: Option<ClientAddress>,
    ) -> BoxStream<'static, Answer> {
        let executor = self.clone();
        if prepared.operation != OperationType::Subscription {
            let answer = async move { executor.execute(prepared, viewer, address).await };
            return stream::once(answer).boxed();
        }
        let mut signature = Some(prepared.signature.clone());
        let order = prepared.order.clone();
        let request = self.attach(prepared, viewer, address);
        let open = self.sources.metrics.subscription();
        let answers = self
            .schema
            .execute_stream(request)
            .map(move |mut response| {
                order.apply(&mut response.data);
                // Counted as open until the stream is dropped.
                let _open = &open;
                let first = signature.take();
                let is_refusal = |response: &Response| first.is_some() && never_began(response);
                executor.answer(response, is_refusal, first.as_ref())
            });
        answers.boxed()
    }

    fn attach(
        &self,
        prepared: Prepared,
        viewer: Viewer,
        address: Option<ClientAddress>,
    ) -> Request {
        let request = loaders::attach(prepared.request, &self.sources, viewer);
        match address {
            Some(address) => request.data(address),
            None => request,
        }
    }

    /// Nothing leaves without having been through here. With `signature` it is the one that a request
    /// is counted by.
    fn answer(
        &self,
        mut response: Response,
        is_refusal: impl Fn(&Response) -> bool,
        signature: Option<&Signature>,
    ) -> Answer {
        let refused = is_refusal(&response);
        response.errors.truncate(MAX_ERRORS);
        for error in &mut response.errors {
            self.complete(error);
            if let Some(code) = code(error) {
                self.sources.metrics.graphql_error(code.to_owned());
            }
        }
        let outcome = match (refused, response.errors.is_empty()) {
            (true, _) => RequestOutcome::Refused,
            (false, true) => RequestOutcome::Ok,
            (false, false) => RequestOutcome::Error,
        };
        if let Some(signature) = signature {
            self.ended(signature, outcome);
        }
        if refused {
            Answer::Refused(response.errors)
        } else {
            Answer::Executed(response)
        }
    }

    /// Gives an error its code. What has none by now was not made for clients, unless the library
    /// made it out of the client's own input.
    fn complete(&self, error: &mut ServerError) {
        if code(error).is_some() {
            return;
        }
        let mut extensions = ErrorExtensionValues::default();
        if error.path.is_empty() {
            extensions.set("code", "GRAPHQL_VALIDATION_FAILED");
            error.message = clip(&error.message);
        } else if is_about_input(&error.message) {
            extensions.set("code", "BAD_USER_INPUT");
            error.message = clip(&error.message);
        } else {
            let id = self.sources.clock.new_token().to_string();
            tracing::error!(error_id = id, code = "INTERNAL", "{}", error.message);
            extensions.set("code", "INTERNAL");
            extensions.set("errorId", id);
            error.message = "internal error".into();
        }
        error.extensions = Some(extensions);
    }
}

/// Whether validation refused the document. Errors of fields carry a path.
fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Whether a subscription's first answer says that there is no stream of events: to the
/// specification that is a request error, too.
fn never_began(response: &Response) -> bool {
    response.data == Value::Null && !response.errors.is_empty()
}

/// `extensions.code`. All of them are made by our own code: [`CODES`].
fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Messages of async-graphql's `InputValueError`, the only errors without a code that arise from
/// arguments.
fn is_about_input(message: &str) -> bool {
    [
        "Failed to parse \"",
        "Expected input type \"",
        "Invalid value for argument ",
    ]
    .iter()
    .any(|start| message.starts_with(start))
}

fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, Problem> {
    let unknown = || Problem::bad_request("the document has no operation of this `operationName`");
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Single(_), Some(_)) => Err(unknown()),
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).ok_or_else(unknown),
        (DocumentOperations::Multiple(named), None) => {
            let mut operations = named.values();
            match (operations.next(), operations.next()) {
                (Some(operation), None) => Ok(operation),
                _ => Err(Problem::bad_request(
                    "the document has several operations: `operationName` must name one",
                )),
            }
        }
    }
}
