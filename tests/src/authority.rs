//! A certificate authority of a test's own, made by openssl.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::feature::tool;
use crate::folder::Folder;

/// An authority, and what it has signed.
pub struct Authority {
    folder: Folder,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Self {
        let authority = Self { folder: Folder::new("authority") };
        authority
            .folder
            .write("server.ext", "subjectAltName = IP:127.0.0.1,DNS:localhost\nextendedKeyUsage = serverAuth\n");
        authority.folder.write("client.ext", "extendedKeyUsage = clientAuth\n");
        authority.openssl(&format!("req -x509 -noenc -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN={name} -keyout ca.key -out ca.pem"));
        authority
    }

    /// Its own certificate, a PEM file.
    pub fn certificate(&self) -> String {
        self.file("ca.pem")
    }

    /// Signs a certificate for `server` (this host) or `client`: its PEM file and that of its key.
    pub fn sign(&self, role: &str) -> [String; 2] {
        self.openssl(&format!(
            "req -noenc -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN={role} -keyout {role}.key -out {role}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {role}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {role}.ext -out {role}.pem"
        ));
        [self.file(&format!("{role}.pem")), self.file(&format!("{role}.key"))]
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn openssl(&self, words: &str) {
        let mut command = Command::new(tool("openssl").unwrap_or_else(|| PathBuf::from("openssl")));
        command.args(words.split(' ')).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().expect("openssl");
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
