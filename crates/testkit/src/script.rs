//! A server of answers written down beforehand, to see what clients do with them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer: status line and headers are made from the parts.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes of the body that are sent before the connection is closed.
    cut: Option<usize>,
    /// Closes the connection without any answer.
    hang_up: bool,
}

impl Answer {
    /// An answer with JSON.
    pub fn json(status: u16, body: &str) -> Self {
        let answer = Self { status, body: body.as_bytes().to_vec(), ..Self::default() };
        answer.header("Content-Type", "application/json")
    }

    /// An answer as a proxy gives it.
    pub fn html(status: u16, body: &str) -> Self {
        let answer = Self { status, body: body.as_bytes().to_vec(), ..Self::default() };
        answer.header("Content-Type", "text/html")
    }

    /// No answer at all.
    pub fn hang_up() -> Self {
        Self { hang_up: true, ..Self::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only the first bytes of the body, then the connection is closed.
    #[must_use]
    pub fn cut(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut head =
            format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let sent = self.cut.unwrap_or(self.body.len()).min(self.body.len());
        stream.write_all(self.body.get(..sent).unwrap_or_default())
    }
}

/// Answers requests in order, one connection each, and keeps what was asked.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Starts it; after the last answer it accepts no more.
    #[track_caller]
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let Ok(request) = read(&mut stream) else { continue };
                kept.lock().expect("no test panicked here").push(request);
                if !answer.hang_up {
                    // A client may have gone away; the test sees that by itself.
                    let _ = answer.write(&mut stream);
                }
            }
        });
        Self { address, asked }
    }

    /// Scheme, address and port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far: method, path, headers with lower-case names, an empty line, body.
    #[track_caller]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panicked here").clone()
    }

    /// Method and path of the requests so far.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        let line = |request: String| request.lines().next().unwrap_or_default().to_owned();
        self.asked().into_iter().map(line).collect()
    }
}

fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let first = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
            let headers = lines.map(|line| match line.split_once(':') {
                Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
                None => line.to_owned(),
            });
            let headers: Vec<String> = headers.collect();
            let length = headers.iter().find_map(|h| h.strip_prefix("content-length:"));
            if body.len() >= length.and_then(|l| l.trim().parse().ok()).unwrap_or(0) {
                return Ok(format!("{first}\n{}\n\n{body}", headers.join("\n")));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
}
