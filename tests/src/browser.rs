//! Chromium without a screen, driven by `chromedriver` in the words of W3C WebDriver.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::deadline::DEADLINE;
use crate::folder::Folder;

/// A browser with one window.
pub struct Browser {
    driver: Child,
    server: SocketAddr,
    session: String,
    /// Its profile.
    folder: Folder,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Self {
        let folder = Folder::new("browser");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("chromedriver");
        let mut told = BufReader::new(driver.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.contains("successfully on port") {
            line.clear();
            assert_ne!(told.read_line(&mut line).expect("text"), 0, "chromedriver has ended");
        }
        // It may say more: nobody reads that, but there is somebody to say it to.
        driver.stdout = Some(told.into_inner());
        let port = line.trim_end().trim_end_matches('.').rsplit(' ').next().and_then(|port| port.parse().ok());
        let server = SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|| panic!("no port in {line}"))));
        let mut browser = Self { driver, server, session: String::new(), folder };
        let profile = format!("--user-data-dir={}", browser.folder.path().display());
        // Root may not use Chromium's own sandbox; what is shown here is ours.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let session = browser.ask("POST", "/session", &wanted)["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("/session/{session}");
        browser
    }

    /// Shows a file.
    pub fn open(&self, path: &Path) {
        self.post("/url", &json!({"url": format!("file://{}", path.display())}));
    }

    /// Makes the page so wide, as a telephone's if it is narrow, and its colours light or dark.
    pub fn resize(&self, width: u32, scheme: &str) {
        self.command(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}),
        );
        self.command(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// What an expression of JavaScript gives.
    pub fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return {expression}"), "args": []}))
    }

    /// Clicks the first element of a selector, as a person would: what is covered cannot be clicked.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into it.
    pub fn enter(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// What the browser has complained about.
    pub fn complaints(&self) -> Vec<String> {
        self.log("browser").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that were asked for on account of a page, its own first.
    pub fn requests(&self, page: &Path) -> Vec<String> {
        let entries = self.log("performance").into_iter();
        let messages =
            entries.map(|entry| serde_json::from_str(entry["message"].as_str().expect("text")).expect("JSON"));
        // The window was empty before: that page of the browser's own has many parts.
        let ours = format!("file://{}", page.display());
        let requests = messages.filter(|one: &Value| {
            one["message"]["method"] == "Network.requestWillBeSent" && one["message"]["params"]["documentURL"] == *ours
        });
        requests.map(|one| one["message"]["params"]["request"]["url"].as_str().expect("a URL").to_owned()).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        self.post("/se/log", &json!({"type": kind})).as_array().expect("entries").clone()
    }

    fn command(&self, name: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": name, "params": parameters}));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = send(self.server, method, path, &body.to_string()).expect("chromedriver's answer");
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser; without it the browser would stay.
        let _ = send(self.server, "DELETE", &self.session, "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Status and body of the driver's answer. It speaks HTTP/1.1 only, never in chunks, and leaves the connection open.
fn send(server: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut length = 0;
    while !line.trim().is_empty() {
        line.clear();
        answer.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    String::from_utf8(body).map(|body| (status, body)).map_err(|_| io::ErrorKind::InvalidData.into())
}
