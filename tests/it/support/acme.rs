//! A certificate authority on this machine: Debian's `pebble`, strict and with nonces that it rejects
//! now and then, with a name server that answers whatever a test wants.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client};
use serde_json::json;

/// Percent of nonces that are rejected.
const NONCES_REJECTED: &str = "5";

pub struct Acme {
    folder: tempfile::TempDir,
    server: Option<Child>,
    names: Child,
    ports: Ports,
}

/// All free when they were chosen.
struct Ports {
    directory: u16,
    management: u16,
    dns: u16,
    names: u16,
    /// Where the authority looks for the portal, instead of at 80 and 443.
    http: u16,
    https: u16,
}

impl Acme {
    /// Whether the programs are there; else says that a test was skipped.
    pub fn is_installed() -> bool {
        let is_there = |program: &str| {
            Command::new(program)
                .arg("-h")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .is_ok()
        };
        let all = is_there("pebble") && is_there("pebble-challtestsrv");
        if !all {
            eprintln!(
                "skipped: pebble and pebble-challtestsrv are not installed (tests/run.sh does)"
            );
        }
        all
    }

    /// Starts both, and waits until they answer.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [directory, management, dns, names, http, https] = free_ports();
        let ports = Ports { directory, management, dns, names, http, https };
        write_certificates(&folder);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", ports.directory),
            "managementListenAddress": format!("127.0.0.1:{}", ports.management),
            "certificate": folder.path().join("server.pem"),
            "privateKey": folder.path().join("server.key"),
            "httpPort": ports.http,
            "tlsPort": ports.https,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        fs::write(folder.path().join("pebble.json"), config.to_string()).expect("a file");
        let names = Command::new("pebble-challtestsrv")
            .args(["-defaultIPv6", "", "-defaultIPv4", "127.0.0.1"])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &format!("127.0.0.1:{}", ports.dns)])
            .args(["-management", &format!("127.0.0.1:{}", ports.names)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble-challtestsrv");
        let mut acme = Acme { folder, server: None, names, ports };
        acme.begin().await;
        acme
    }

    /// Starts the authority again, without memory of what was before.
    pub async fn begin(&mut self) {
        let server = Command::new("pebble")
            .arg("-strict")
            .args(["-config", self.folder.path().join("pebble.json").to_str().expect("a path")])
            .args(["-dnsserver", &format!("127.0.0.1:{}", self.ports.dns)])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", NONCES_REJECTED)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble");
        self.server = Some(server);
        let client = self.client();
        let directory = self.directory();
        super::until(async || client.get(&directory).send().await.is_ok()).await;
    }

    /// Ends the authority.
    pub fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("ending pebble");
            server.wait().expect("the end of pebble");
        }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.ports.directory)
    }

    /// What the authority's own certificate is trusted by.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Where the authority looks for HTTP and for HTTPS.
    pub fn portal_ports(&self) -> (u16, u16) {
        (self.ports.http, self.ports.https)
    }

    /// From now on a domain leads to this address alone.
    pub async fn point(&self, domain: &str, address: &str) {
        let clear = ("clear-a", json!({ "host": domain }));
        let add = ("add-a", json!({ "host": domain, "addresses": [address] }));
        for (verb, body) in [clear, add] {
            let url = format!("http://127.0.0.1:{}/{verb}", self.ports.names);
            let request = Client::new().post(url).body(body.to_string());
            assert!(request.send().await.expect("an answer").status().is_success(), "{verb}");
        }
    }

    /// The root that signs what is issued now.
    pub async fn root(&self) -> Certificate {
        let url = format!("https://localhost:{}/roots/0", self.ports.management);
        let pem = self.client().get(url).send().await.expect("a root").bytes().await.expect("PEM");
        Certificate::from_pem(&pem).expect("a certificate")
    }

    fn client(&self) -> Client {
        let pem = fs::read(self.ca_file()).expect("a file");
        let ca = Certificate::from_pem(&pem).expect("a certificate");
        let client = Client::builder().add_root_certificate(ca).timeout(Duration::from_secs(10));
        client.build().expect("a client")
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        for child in self.server.iter_mut().chain([&mut self.names]) {
            // It may have ended already.
            let _killed = child.kill();
            let _waited = child.wait();
        }
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let sockets: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("its address").port())
}

fn write_certificates(folder: &tempfile::TempDir) {
    let path = |name: &str| folder.path().join(name);
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("a root");
    fs::write(path("ca.pem"), root.pem()).expect("a file");
    let issuer = Issuer::from_params(&authority, &authority_key);
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let server = server.signed_by(&key, &issuer).expect("a certificate");
    fs::write(path("server.pem"), server.pem()).expect("a file");
    fs::write(path("server.key"), key.serialize_pem()).expect("a file");
}
