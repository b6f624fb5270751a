//! TLS before a server that has none, with a certificate of an authority that is made for the test. It needs openssl.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A server with TLS, for as long as the runtime runs that it was started on.
pub struct Tls {
    pub address: SocketAddr,
    directory: TempDir,
}

impl Tls {
    /// Passes all on to `backend`; `name` is what the certificate is for, such as `IP:127.0.0.1`.
    pub async fn before(backend: SocketAddr, name: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        make(directory.path(), name);
        let read = |file: &str| std::fs::read(directory.path().join(file)).expect("a file");
        let certificate = CertificateDer::from_pem_slice(&read("own.crt")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(&read("own.key")).expect("a key");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a server")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(backend).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { address, directory }
    }

    /// The file of the authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.crt")
    }
}

/// Makes an authority, and a certificate that it vouches for.
fn make(directory: &Path, name: &str) {
    std::fs::write(directory.join("extensions"), format!("subjectAltName={name}\n")).expect("a file");
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for line in [
        format!("req -x509 {new} -days 2 -subj /CN=authority -keyout authority.key -out authority.crt"),
        format!("req {new} -subj /CN=own -keyout own.key -out own.csr"),
        "x509 -req -in own.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -extfile extensions \
         -out own.crt"
            .to_owned(),
    ] {
        let ran = Command::new("openssl").args(line.split_whitespace()).current_dir(directory).output();
        let ran = ran.expect("openssl is there");
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
