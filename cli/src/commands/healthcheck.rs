//! `healthcheck`: is a producer or a worker ready? For the health checks of containers, whose image has no curl.
//! They ask every few seconds, so this is one plain request with no runtime and no TLS; `doctor` looks further.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::client::DEFAULT_SERVER;
use crate::error::CliError;
use crate::output;

/// The longest that each of connecting, asking and answering may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most bytes of an answer that are read: a status line and a reason.
const ANSWER_BYTES: u64 = 8 * 1024;

#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Where it listens
    #[arg(value_name = "URL", default_value = DEFAULT_SERVER)]
    server: String,
}

/// Asks the server for `/readyz`; fails unless the answer is 200.
pub(crate) fn run(args: &HealthcheckArgs) -> Result<(), CliError> {
    let server = &args.server;
    let url = address(server)?;
    let failed = |e: std::io::Error| CliError::Failed(format!("{server} does not answer: {e}"));
    let answer = ask(&url).map_err(failed)?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    match status {
        "200" => {
            output::line(body);
            Ok(())
        }
        "" => Err(CliError::Failed(format!(
            "{server} does not speak HTTP; is it the address of a producer or worker?"
        ))),
        status => Err(CliError::Failed(format!("{server} answers {status}: {body}"))),
    }
}

fn address(server: &str) -> Result<Url, CliError> {
    let url = Url::parse(server).ok().filter(|url| url.scheme() == "http" && url.host().is_some());
    url.ok_or_else(|| CliError::Usage(format!("{server:?} is not a URL such as http://127.0.0.1:7070")))
}

/// Asks for `/readyz`, and returns the beginning of the answer.
fn ask(url: &Url) -> std::io::Result<String> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(80));
    let addresses: Vec<SocketAddr> = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.collect();
    let mut stream = connect(&addresses)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer ends with the connection. In one write, since a server may answer what it has, and close.
    stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use std::net::TcpListener;
    use std::thread;

    fn ask_health(server: &str) -> Result<(), CliError> {
        run(&HealthcheckArgs { server: server.to_owned() })
    }

    /// A server that answers one request with `answer`; gives its URL, and later what it was asked.
    fn server(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (url, asked)
    }

    #[test]
    fn a_server_that_says_200_is_healthy_and_was_asked_for_readyz() {
        let (url, asked) = server("HTTP/1.0 200 OK\r\ncontent-length: 6\r\n\r\nready\n");
        ask_health(&url).unwrap();
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /readyz HTTP/1.0\r\nHost: 127.0.0.1:"), "{asked}");
    }

    #[test]
    fn a_server_that_says_503_is_not_healthy_and_its_reason_is_shown() {
        let (url, _) =
            server("HTTP/1.0 503 Service Unavailable\r\n\r\nnot ready: the broker is not connected\n");
        let error = ask_health(&url).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Failed);
        assert!(
            error.to_string().ends_with("answers 503: not ready: the broker is not connected"),
            "{error}"
        );
    }

    #[test]
    fn nobody_there_is_not_healthy() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask_health(&format!("http://{free}")).unwrap_err().exit_code(), ExitCode::Failed);
    }

    #[test]
    fn an_address_that_is_no_http_url_is_a_usage_error() {
        for wrong in ["127.0.0.1:7070", "https://127.0.0.1:7070", "readyz"] {
            assert_eq!(ask_health(wrong).unwrap_err().exit_code(), ExitCode::Usage, "{wrong}");
        }
    }
}
