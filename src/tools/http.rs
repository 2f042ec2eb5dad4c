//! The one HTTP client that tools share: no redirects, no proxy, bounded, and only to declared hosts.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Builds the client. It reaches `hosts` and nothing else, on private networks too, since somebody
/// declared them; addresses that are never a tool (link-local, multicast) are refused even then.
pub fn client(hosts: BTreeSet<String>, connect_timeout_ms: u64) -> Result<reqwest::Client, reqwest::Error> {
    // Taken by whoever comes first in this process; ring is the only provider that is compiled in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_millis(connect_timeout_ms))
        .dns_resolver(Arc::new(Declared(hosts)))
        .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Whether an address can be a tool at all: cloud metadata lives on link-local addresses.
pub(super) fn reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => reachable(IpAddr::V4(v4)),
            None => !(v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified()),
        },
    }
}

/// Resolves declared hosts only.
struct Declared(BTreeSet<String>);

impl Resolve for Declared {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let declared = self.0.contains(&host);
        Box::pin(async move {
            if !declared {
                return Err("this host is not declared by any tool".into());
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0))
                .await?
                .filter(|address| reachable(address.ip()))
                .collect();
            if found.is_empty() {
                return Err("this host has no address that a tool may have".into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_never_a_tool_are_refused() {
        for refused in [
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!reachable(refused.parse().unwrap()), "{refused}");
        }
        for taken in ["127.0.0.1", "10.0.0.7", "93.184.216.34", "::1", "2606:2800:220:1::1"] {
            assert!(reachable(taken.parse().unwrap()), "{taken}");
        }
    }

    #[tokio::test]
    async fn only_declared_hosts_are_resolved() {
        let resolver = Declared(BTreeSet::from(["localhost".to_owned()]));
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok());
        for other in ["evil.example", "localhost.evil.example", "metadata.google.internal"] {
            assert!(resolver.resolve(other.parse().unwrap()).await.is_err(), "{other}");
        }
    }
}
