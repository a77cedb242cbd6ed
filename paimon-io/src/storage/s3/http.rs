//! What is sent and received, below the retries of `object_store`.
//!
//! All requests of ours may be sent again: reading, deleting and replacing by nature, creating because a second attempt
//! that finds the object there is looked into (see [`super::S3Store`]). So what is lost on the way is told to the retry
//! loop as such. All answers but large objects are received whole before they count as received: when the rest of an
//! object is asked for later, the object may have been replaced meanwhile, as hints are all the time.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
        ReqwestConnector,
    },
};
use paimon_spec::{Error, ErrorKind};

/// Bytes that an answer other than an object may have: a page of a listing has 1,000 keys of at most 1 KiB.
const ANSWER_BYTES: usize = 16 << 20;

/// Bytes of an object, or of the part that was asked for, above which its bytes are handed on as they come.
const STREAMED_BYTES: u64 = 1 << 20;

/// Failures to connect after which an endpoint that has never answered counts as unreachable.
const CONNECT_TRIES: u32 = 3;

/// Counts the attempts of one request that carries it as an extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<AtomicU32>);

impl Attempts {
    /// Whether the request was sent more than once, so that its answer may be about itself.
    pub(super) fn are_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

/// Makes the clients of one bucket.
#[derive(Debug)]
pub(super) struct Connector {
    /// For messages.
    pub(super) endpoint: String,
    pub(super) bucket: String,
    pub(super) whose: String,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service {
            inner: ReqwestConnector::default().connect(options)?,
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            whose: self.whose.clone(),
            reached: AtomicBool::new(false),
            failed_connects: AtomicU32::new(0),
        }))
    }
}

#[derive(Debug)]
struct Service {
    inner: HttpClient,
    endpoint: String,
    bucket: String,
    /// Whose credentials are shown.
    whose: String,
    /// Whether there was an answer, ever.
    reached: AtomicBool,
    failed_connects: AtomicU32,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let attempts = request.extensions().get::<Attempts>().cloned();
        if let Some(attempts) = &attempts {
            attempts.0.fetch_add(1, Ordering::Relaxed);
        }
        let is_listing = request.uri().query().is_some_and(|query| query.contains("list-type="));
        let is_get = request.method().as_str() == "GET" && !is_listing;
        let response = self.inner.execute(request).await.map_err(|error| self.lost(error))?;
        self.reached.store(true, Ordering::Relaxed);
        if response.status().is_success() && is_get && !is_small(&response) {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let answer = match collect(body).await {
            Ok(answer) => answer,
            Err(error) if parts.status.is_success() => return Err(self.lost(error)),
            // The status says enough.
            Err(_) => Bytes::new(),
        };
        if parts.status.is_success() {
            return Ok(HttpResponse::from_parts(parts, answer.into()));
        }
        let (code, text) = summary(&answer);
        match parts.status.as_u16() {
            301 | 307 | 308 => {
                let region = parts.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
                let known = region.map_or_else(String::new, |region| format!("; the bucket is in region '{region}'"));
                return Err(self.failed(Failure::Region, format!("another region answers for this bucket{known}")));
            }
            401 | 403 => return Err(self.denied(&text)),
            // Amazon's words for credentials that it does not take, though the status is another.
            400 if matches!(code.as_str(), "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                return Err(self.denied(&text));
            }
            400 if code == "AuthorizationHeaderMalformed" => {
                return Err(self.failed(Failure::Region, text));
            }
            404 if code == "NoSuchBucket" || is_listing => {
                return Err(self.failed(Failure::NoBucket, "the bucket does not exist".to_owned()));
            }
            // Two conditional writes at one time, neither of which has won yet.
            409 if attempts.is_some() => {
                return Err(HttpError::new(HttpErrorKind::Request, self.failure(Failure::Answer, text, None)));
            }
            501 => return Err(self.failed(Failure::NotImplemented, text)),
            400 | 402 | 405..=407 | 410 | 411 | 413..=415 | 417..=428 | 430..=499 => {
                let text = format!("the store refused the request: {} {text}", parts.status.as_u16());
                return Err(self.failed(Failure::Answer, text));
            }
            _ => {}
        }
        Ok(HttpResponse::from_parts(parts, text.into_bytes().into()))
    }
}

impl Service {
    /// What was lost on the way, as the retry loop is to see it.
    fn lost(&self, error: HttpError) -> HttpError {
        match error.kind() {
            HttpErrorKind::Connect => {
                let failures = self.failed_connects.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                let reached = self.reached.load(Ordering::Relaxed);
                let kind =
                    if !reached && failures >= CONNECT_TRIES { HttpErrorKind::Unknown } else { HttpErrorKind::Connect };
                let what = if reached { Failure::Lost } else { Failure::Unreachable };
                HttpError::new(kind, self.failure(what, "cannot connect to the S3 endpoint".to_owned(), Some(error)))
            }
            HttpErrorKind::Timeout => {
                let text = "the S3 endpoint did not answer in time".to_owned();
                HttpError::new(HttpErrorKind::Request, self.failure(Failure::Lost, text, Some(error)))
            }
            HttpErrorKind::Decode => error,
            _ => {
                let text = "the connection to the S3 endpoint was lost".to_owned();
                HttpError::new(HttpErrorKind::Request, self.failure(Failure::Lost, text, Some(error)))
            }
        }
    }

    fn denied(&self, text: &str) -> HttpError {
        let separator = if text.is_empty() { "" } else { ": " };
        let text = format!("the storage refused access with {}{separator}{text}", self.whose);
        self.failed(Failure::Denied, text)
    }

    /// What another attempt does not mend.
    fn failed(&self, what: Failure, text: String) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, self.failure(what, text, None))
    }

    fn failure(&self, what: Failure, text: String, source: Option<HttpError>) -> S3Failure {
        S3Failure { what, text, endpoint: self.endpoint.clone(), bucket: self.bucket.clone(), source }
    }
}

/// What went wrong, as far as the status of an answer does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Nobody has ever answered there.
    Unreachable,
    /// A request or its answer got lost.
    Lost,
    /// The bucket is elsewhere.
    Region,
    /// There is no such bucket.
    NoBucket,
    /// The store does not have what was asked for.
    NotImplemented,
    /// The store does not take the credentials, or they do not allow the request.
    Denied,
    /// The store did not like the request.
    Answer,
}

/// A failure that names endpoint and bucket.
#[derive(Debug)]
pub(crate) struct S3Failure {
    what: Failure,
    text: String,
    endpoint: String,
    bucket: String,
    source: Option<HttpError>,
}

impl S3Failure {
    /// The failure among the causes of `error`, if there is one.
    pub(crate) fn among_causes<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(failure) = error.downcast_ref::<Self>() {
                return Some(failure);
            }
            cause = error.source();
        }
        None
    }

    /// As an error of ours, without a cause yet.
    pub(crate) fn to_error(&self) -> Error {
        let error = match self.what {
            Failure::Unreachable | Failure::NoBucket | Failure::Answer => {
                Error::new(ErrorKind::Storage, self.text.clone())
            }
            Failure::Lost => Error::new(ErrorKind::Storage, self.text.clone()).retryable(),
            Failure::Denied => Error::new(ErrorKind::PermissionDenied, self.text.clone()),
            Failure::Region => Error::new(
                ErrorKind::InvalidInput,
                format!("{}; set the option s3.region to that of the bucket", self.text),
            ),
            Failure::NotImplemented => {
                Error::unsupported(format!("the store does not support the request: {}", self.text))
            }
        };
        error.with_context("endpoint", &self.endpoint).with_context("bucket", &self.bucket)
    }
}

impl fmt::Display for S3Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (endpoint {}, bucket {})", self.text, self.endpoint, self.bucket)
    }
}

impl StdError for S3Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

fn is_small(response: &HttpResponse) -> bool {
    let length = response.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length <= STREAMED_BYTES)
}

async fn collect(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let mut pieces = body.bytes_stream();
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if whole.len().saturating_add(piece.len()) > ANSWER_BYTES {
            let error = std::io::Error::other(format!("expected an answer of at most {ANSWER_BYTES} bytes"));
            return Err(HttpError::new(HttpErrorKind::Decode, error));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// `Code`, and `Code: Message`, of an answer that is an error. The rest of it may repeat what was signed.
fn summary(answer: &[u8]) -> (String, String) {
    let answer = String::from_utf8_lossy(answer.get(..answer.len().min(8 << 10)).unwrap_or_default());
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.chars().filter(|c| !c.is_control()).take(300).collect::<String>())
    };
    let code = element("Code").unwrap_or_default();
    let text = match element("Message") {
        Some(message) if !code.is_empty() => format!("{code}: {message}"),
        _ => code.clone(),
    };
    (code, text)
}
