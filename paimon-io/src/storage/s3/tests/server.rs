//! A small S3 of our own, in memory, that loses answers when told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The answer is this status and code; nothing is done.
    Status(u16, &'static str),
    /// The connection ends; nothing is done.
    Before,
    /// It is done, then the connection ends.
    After,
    /// It is done, and half of the answer is sent.
    Truncated,
    /// There is never an answer.
    Silence,
}

type Faults = dyn Fn(&str, usize) -> Fault + Send + Sync;

/// Answers on a port of the loopback device until it is dropped.
pub(super) struct Server {
    pub(super) endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Box<Faults>,
    /// Whether `If-None-Match: *` is heeded.
    conditional: bool,
    state: Mutex<State>,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, (Object, BTreeMap<u32, Vec<u8>>)>,
    log: Vec<String>,
    requests: usize,
    uploads_started: u64,
}

#[derive(Clone, Default)]
struct Object {
    bytes: Vec<u8>,
    creation: Option<String>,
    changing: bool,
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Server {
    /// `faults` is asked about each request: `METHOD key`, and how many came before.
    pub(super) fn start(faults: impl Fn(&str, usize) -> Fault + Send + Sync + 'static) -> Self {
        Self::start_with(true, faults)
    }

    pub(super) fn start_with(conditional: bool, faults: impl Fn(&str, usize) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            faults: Box::new(faults),
            conditional,
            state: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::Acquire) {
                    break;
                }
                let (Ok(stream), server) = (stream, Arc::clone(&server)) else { continue };
                thread::spawn(move || server.serve(&stream));
            }
        });
        Self { endpoint, shared }
    }

    /// The requests so far, without those that try out exclusive creation.
    pub(super) fn take_log(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut self.shared.state().log);
        log.retain(|line| !line.contains(super::super::PROBE));
        log
    }

    /// All requests so far.
    pub(super) fn take_whole_log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().log)
    }

    /// Puts an object there, past all faults.
    pub(super) fn insert(&self, key: &str, bytes: &[u8]) {
        let object = Object { bytes: bytes.to_vec(), ..Object::default() };
        self.shared.state().objects.insert(key.to_owned(), object);
    }

    /// Like `insert`; the object has another tag at each look.
    pub(super) fn insert_changing(&self, key: &str, bytes: &[u8]) {
        let object = Object { bytes: bytes.to_vec(), changing: true, ..Object::default() };
        self.shared.state().objects.insert(key.to_owned(), object);
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.shared.state().objects.keys().cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            let query: String = request.query.keys().map(|key| format!("?{key}")).collect();
            let line = format!("{} {}{query}", request.method, request.key);
            let number = {
                let mut state = self.state();
                state.log.push(line.clone());
                state.requests += 1;
                state.requests - 1
            };
            let fault = (self.faults)(&line, number);
            let reply = match fault {
                Fault::Before => break,
                Fault::Silence => {
                    // Until the client hangs up.
                    let _ = reader.read(&mut [0]);
                    break;
                }
                Fault::Status(status, code) => {
                    let text = format!("<Error><Code>{code}</Code><Message>told to</Message><Key>SECRET</Key></Error>");
                    Reply { status, headers: vec![], body: text.into_bytes() }
                }
                _ => self.answer(&request),
            };
            let length = reply.headers.iter().find(|(name, _)| *name == "content-length");
            let length = length.map_or(reply.body.len().to_string(), |(_, length)| length.clone());
            let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {length}\r\n", reply.status);
            for (name, value) in reply.headers.iter().filter(|(name, _)| *name != "content-length") {
                head += &format!("{name}: {value}\r\n");
            }
            let mut bytes = (head + "\r\n").into_bytes();
            if request.method != "HEAD" {
                bytes.extend(&reply.body);
            }
            match fault {
                Fault::After => break,
                Fault::Truncated if !reply.body.is_empty() && request.method != "HEAD" => {
                    bytes.truncate(bytes.len() - reply.body.len().div_ceil(2));
                    let _ = (&*stream).write_all(&bytes);
                    break;
                }
                _ => {}
            }
            if (&*stream).write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.state();
        let creation = request.headers.get("x-amz-meta-paimon-creation").cloned();
        let taken = self.conditional
            && request.headers.get("if-none-match").is_some_and(|value| value == "*")
            && state.objects.contains_key(&request.key);
        match (request.method.as_str(), request.query.get("uploadId")) {
            ("GET", None) if request.query.contains_key("list-type") => state.list(&request.query),
            ("GET" | "HEAD", None) => match state.objects.get(&request.key) {
                Some(object) => object.part(request.headers.get("range"), state.requests),
                None => error(404, "NoSuchKey"),
            },
            ("PUT", None) if taken => error(412, "PreconditionFailed"),
            ("PUT", None) => {
                let object = match request.headers.get("x-amz-copy-source") {
                    Some(source) => {
                        let source = decode(source);
                        let (_, key) = source.split_once('/').unwrap();
                        match state.objects.get(key) {
                            Some(object) => object.clone(),
                            None => return error(404, "NoSuchKey"),
                        }
                    }
                    None => Object { bytes: request.body.clone(), creation, changing: false },
                };
                state.objects.insert(request.key.clone(), object);
                let copied = b"<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>".to_vec();
                let body = if request.headers.contains_key("x-amz-copy-source") { copied } else { vec![] };
                Reply { status: 200, headers: vec![("etag", "\"1\"".to_owned())], body }
            }
            ("PUT", Some(upload)) => match state.uploads.get_mut(upload) {
                Some((_, parts)) => {
                    parts.insert(request.query["partNumber"].parse().unwrap(), request.body.clone());
                    Reply { status: 200, headers: vec![("etag", "\"1\"".to_owned())], body: vec![] }
                }
                None => error(404, "NoSuchUpload"),
            },
            ("POST", None) => {
                state.uploads_started += 1;
                let upload = format!("upload-{}", state.uploads_started);
                state.uploads.insert(upload.clone(), (Object { creation, ..Object::default() }, BTreeMap::new()));
                let text = format!(
                    "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                );
                Reply { status: 200, headers: vec![], body: text.into_bytes() }
            }
            ("POST", Some(upload)) => match state.uploads.remove(upload) {
                Some((object, parts)) => {
                    let bytes = parts.into_values().flatten().collect();
                    state.objects.insert(request.key.clone(), Object { bytes, ..object });
                    let text =
                        "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>".to_owned();
                    Reply { status: 200, headers: vec![], body: text.into_bytes() }
                }
                None => error(404, "NoSuchUpload"),
            },
            ("DELETE", upload) => {
                match upload {
                    Some(upload) => drop(state.uploads.remove(upload)),
                    None => drop(state.objects.remove(&request.key)),
                }
                Reply { status: 204, headers: vec![], body: vec![] }
            }
            _ => error(400, "Unexpected"),
        }
    }
}

impl State {
    /// Pages of five.
    fn list(&self, query: &BTreeMap<String, String>) -> Reply {
        let empty = String::new();
        let prefix = query.get("prefix").unwrap_or(&empty);
        let after = query.get("continuation-token").unwrap_or(&empty);
        let (mut entries, mut folders) = (BTreeMap::new(), BTreeSet::new());
        for (key, object) in self.objects.range(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(prefix.as_str()) else { break };
            match rest.split_once('/').filter(|_| query.contains_key("delimiter")) {
                Some((folder, _)) => {
                    let folder = format!("{prefix}{folder}/");
                    folders.insert(folder.clone());
                    entries.insert(folder, None);
                }
                None => drop(entries.insert(key.clone(), Some(object.bytes.len()))),
            }
        }
        let mut page: Vec<_> = entries.into_iter().filter(|(name, _)| name > after).take(6).collect();
        let more = page.len() > 5;
        page.truncate(5);
        let mut text = "<ListBucketResult>".to_owned();
        for (name, size) in &page {
            let name = name.replace('&', "&amp;").replace('<', "&lt;");
            text += &match size {
                None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
                Some(size) => format!(
                    "<Contents><Key>{name}</Key><Size>{size}</Size><LastModified>2020-01-01T00:00:00.000Z\
                     </LastModified><ETag>\"1\"</ETag></Contents>"
                ),
            };
        }
        if let Some((last, _)) = page.last().filter(|_| more) {
            let last = last.replace('&', "&amp;").replace('<', "&lt;");
            text += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        Reply { status: 200, headers: vec![], body: (text + "</ListBucketResult>").into_bytes() }
    }
}

impl Object {
    fn part(&self, range: Option<&String>, number: usize) -> Reply {
        let tag = if self.changing { number } else { 1 };
        let mut headers =
            vec![("etag", format!("\"{tag}\"")), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT".to_owned())];
        headers.extend(self.creation.iter().map(|creation| ("x-amz-meta-paimon-creation", creation.clone())));
        let size = self.bytes.len();
        let Some(range) = range else {
            headers.push(("content-length", size.to_string()));
            return Reply { status: 200, headers, body: self.bytes.clone() };
        };
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let first: usize = first.parse().unwrap();
        if first >= size {
            return error(416, "InvalidRange");
        }
        let end = last.parse::<usize>().unwrap_or(usize::MAX).saturating_add(1).min(size);
        headers.push(("content-range", format!("bytes {first}-{}/{size}", end - 1)));
        Reply { status: 206, headers, body: self.bytes[first..end].to_vec() }
    }
}

fn error(status: u16, code: &str) -> Reply {
    let text = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    Reply { status, headers: vec![], body: text.into_bytes() }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter(|part| !part.is_empty());
    let query = query.map(|part| part.split_once('=').unwrap_or((part, "")));
    let query = query.map(|(name, value)| (name.to_owned(), decode(&value.replace('+', " ")))).collect();
    // The bucket is the first part of the path.
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    Some(Request { method, key: decode(key), query, headers, body })
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, others)) = rest.split_first() {
        rest = others;
        if first == b'%' {
            let (digits, others) = others.split_at(2);
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
            rest = others;
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).unwrap()
}
