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
use wire::price::{self, Cost};
use wire::variables;

use super::documents::{Documents, Found, Reference, Registration};
use super::loaders::{self, Sources};
use super::order::Order;
use super::pace::Pace;
use super::pages::Readers;
use super::problem::{self, Problem, clip};
use super::schema::{self, Schema};
use super::signature::Signature;
use super::{cost, error, subscription};
use crate::access::Viewer;
use crate::auth::ClientAddress;
use crate::error::UNAVAILABLE_SECONDS;
use crate::metrics::RequestOutcome;

/// Longest execution of a query or mutation, and longest answer to one event.
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
    "PERSISTED_QUERY_NOT_FOUND",
    "PERSISTED_QUERY_NOT_SUPPORTED",
    "QUERY_NOT_TRUSTED",
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
    /// The document's text; empty where only `reference` says which one it is.
    pub query: String,
    /// The document's hash or id.
    pub reference: Option<Reference>,
    /// Which of its operations to run.
    pub operation_name: Option<String>,
    /// Values of its variables: a JSON object or null.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// Whether the answer shall tell what the document costs.
    pub cost: bool,
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
    /// What to tell of its cost.
    cost: Option<Arc<Cost>>,
    /// Its document is to be known once it was executed.
    registration: Option<Registration>,
}

/// What waits for an operation's first answer.
struct First {
    cost: Option<Arc<Cost>>,
    registration: Option<Registration>,
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
    documents: Arc<Documents>,
    sources: Sources,
    readers: Readers,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

impl Executor {
    /// Over the services of the process, for these documents.
    #[must_use]
    pub fn new(sources: Sources, documents: Documents) -> Self {
        sources.metrics.expect_codes(CODES, error::user_codes());
        Self {
            schema: schema::build_schema(sources.services.clone()),
            documents: Arc::new(documents),
            sources,
            readers: Readers::default(),
        }
    }

    /// Parses and checks, without executing anything.
    ///
    /// # Errors
    /// A request error.
    pub fn prepare(&self, parameters: Parameters) -> Result<Prepared, Problem> {
        let mut signature = Signature::unknown();
        match self.check(parameters, &mut signature) {
            Ok(prepared) => Ok(Prepared {
                signature,
                ..prepared
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
    ) -> Result<Prepared, Problem> {
        let (shape, limits) = (self.documents.shape(), self.documents.limits());
        let reference = parameters.reference.as_ref();
        let Found {
            document,
            registration,
        } = self.documents.find(&parameters.query, reference)?;
        let parsed = &document.parsed;
        let name = parameters.operation_name.as_deref();
        let operation = select(parsed, name)?;
        signature.learn(operation, parsed, shape);
        let variables = Variables::from_json(serde_json::Value::Object(parameters.variables));
        let cost = match document.cost(operation) {
            Some(cost) => cost,
            None => Arc::new(price::check(parsed, operation, &variables, shape, limits)?),
        };
        variables::check(&operation.node, &variables, shape, limits)?;
        let order = Order::of(&operation.node, parsed);
        let operation = operation.node.ty;
        // What is known to others is copied; what came with this request is not.
        let mut parsed = match Arc::try_unwrap(document) {
            Ok(document) => document.parsed,
            Err(shared) => shared.parsed.clone(),
        };
        if operation == OperationType::Subscription {
            subscription::settle(&mut parsed, name)?;
        }
        // Its text is not read again.
        let mut request = Request::new(String::new()).variables(variables);
        request.operation_name = parameters.operation_name;
        request.set_parsed_query(parsed);
        Ok(Prepared {
            request,
            operation,
            signature: signature.clone(),
            order,
            cost: parameters.cost.then_some(cost),
            registration,
        })
    }

    /// Executes a query or mutation for a viewer.
    pub async fn execute(
        &self,
        mut prepared: Prepared,
        viewer: Viewer,
        address: Option<ClientAddress>,
    ) -> Answer {
        let (signature, order) = (prepared.signature.clone(), prepared.order.clone());
        let mut first = First {
            cost: prepared.cost.take(),
            registration: prepared.registration.take(),
        };
        let request = self.attach(prepared, viewer, address);
        let metrics = self.sources.metrics.clone();
        let execution = error::counted(metrics, self.schema.execute(request));
        match tokio::time::timeout(TIMEOUT, execution).await {
            Ok(mut response) => {
                order.apply(&mut response.data);
                let refused = is_request_error(&response);
                self.first(&mut first, &mut response, refused);
                self.answer(response, refused, Some(&signature))
            }
            Err(_) => self.timed_out(Some(&signature)),
        }
    }

    /// Executes any document for a viewer: one answer to a query or mutation, and for a subscription
    /// one an event, for as long as it lasts. A subscription counts as a request that ends with its
    /// first answer: how long it goes on is the client's affair.
    pub fn stream(
        &self,
        mut prepared: Prepared,
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
        let mut begins = First {
            cost: prepared.cost.take(),
            registration: prepared.registration.take(),
        };
        let pace = Pace::begins();
        let request = self.attach(prepared, viewer, address).data(pace.clone());
        let open = self.sources.metrics.subscription();
        let answers = self.schema.execute_stream(request);
        let answers = pace.answers(answers.boxed(), TIMEOUT).map(move |response| {
            // Counted as open until the stream is dropped.
            let _open = &open;
            let first = signature.take();
            let Ok(mut response) = response else {
                return executor.timed_out(first.as_ref());
            };
            order.apply(&mut response.data);
            let refused = first.is_some() && never_began(&response);
            executor.first(&mut begins, &mut response, refused);
            executor.answer(response, refused, first.as_ref())
        });
        answers.boxed()
    }

    /// Answers that it took longer than [`TIMEOUT`]. With `signature` it is the answer that a request is
    /// counted by.
    fn timed_out(&self, signature: Option<&Signature>) -> Answer {
        tracing::warn!(seconds = TIMEOUT.as_secs(), "a document took too long");
        let problem = Problem::timeout(UNAVAILABLE_SECONDS);
        self.sources.metrics.graphql_error(problem.code);
        if let Some(signature) = signature {
            self.ended(signature, RequestOutcome::Timeout);
        }
        Answer::TimedOut(problem::error(problem))
    }

    fn attach(
        &self,
        prepared: Prepared,
        viewer: Viewer,
        address: Option<ClientAddress>,
    ) -> Request {
        let reading = self.readers.reading(viewer, address.map(|from| from.0));
        let request = loaders::attach(prepared.request, &self.sources, viewer).data(reading);
        match address {
            Some(address) => request.data(address),
            None => request,
        }
    }

    /// What is done with the first answer and with no other.
    fn first(&self, first: &mut First, response: &mut Response, refused: bool) {
        if let Some(registration) = first.registration.take().filter(|_| !refused) {
            self.documents.keep(registration);
        }
        if let Some(found) = first.cost.take() {
            let told = cost::told(&found);
            response.extensions.insert(cost::KEY.to_owned(), told);
        }
    }

    /// Nothing leaves without having been through here. With `signature` it is the one that a request
    /// is counted by.
    fn answer(
        &self,
        mut response: Response,
        refused: bool,
        signature: Option<&Signature>,
    ) -> Answer {
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
