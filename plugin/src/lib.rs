//! The proxy-wasm filter: decides for each request whether the client certificate that the gateway accepted may
//! make it. The configuration reference is [`mtls_identity::policy`].
//!
//! ```text
//! Host → Policy::ask → presented → Certificate → Policy::recognise (cached) → Asked::answer → host action
//! ```
//! `ask` and `answer` are the halves of [`mtls_identity::policy::Policy::decide`]; between them the certificate is
//! fetched, if one is needed at all.
//!
//! ## In Envoy
//! ```yaml
//! http_filters:
//!   - name: mtls-guard
//!     typed_config:
//!       "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
//!       config:
//!         name: mtls-guard
//!         root_id: mtls-guard
//!         failure_policy: FAIL_RELOAD
//!         configuration:             # a StringValue: a Struct would arrive as binary
//!           "@type": type.googleapis.com/google.protobuf.StringValue
//!           value: |
//!             certificate: {from: envoy}
//!             identities: {web: {spiffe: spiffe://example.org/ns/shop/sa/web}}
//!             rules: [{path: /orders/**, allow: web}]
//!         vm_config:
//!           runtime: envoy.wasm.runtime.v8
//!           code: {local: {filename: /etc/envoy/mtls_guard.wasm}}
//! ```
//!
//! ## In APISIX
//! ```yaml
//! # config.yaml
//! wasm:
//!   plugins:
//!     - {name: mtls_guard, priority: 7999, file: /usr/local/apisix/mtls_guard_apisix.wasm}
//! # a route
//! plugins:
//!   mtls_guard:
//!     conf: |
//!       certificate: {from: apisix}
//!       identities: {web: {spiffe: spiffe://example.org/ns/shop/sa/web}}
//!       rules: [{path: /orders/**, allow: web}]
//! ```
//! ## What an attacker can write, and what becomes of it
//! Trusted are the gateway (its memory is ours), whoever writes the policy, and the trusted peers that the policy names.
//! The attacker holds any number of connections, certificates of the client CA included, and chooses every byte that a
//! client chooses. A trap would be an outage, and a wrong "allow" a break-in; so every error denies, nothing panics, and
//! work and memory have bounds.
//!
//! | bytes | what the filter does with them | test |
//! | --- | --- | --- |
//! | the certificate, all of it, as DER, PEM or escaped PEM | read strictly, at most 256 KiB; what is unreadable denies | `arbitrary_bytes_never_pass_and_never_panic`, `whatever_a_host_hands_over_denies_in_bounded_work` |
//! | its names: what looks like a separator, another name or a wildcard | typed and parsed strictly from the DER; the gateway's text of them is never read; common names grant nothing | `the_filter_acts_as_the_fixtures_say_under_either_gateway` |
//! | two SPIFFE IDs, or one beside another URI, readable or not | denied: no order of names decides who it is | `the_policy_decides_as_the_fixtures_say`, `a_second_uri_that_cannot_be_read_is_a_second_uri` |
//! | bytes behind an extension's value | the certificate is refused | `bytes_behind_an_extensions_value_refuse_the_certificate` |
//! | its issuer's name | says nothing where a trust anchor is named: the signature is verified, at most 16 for one anchor | `the_policy_decides_as_the_fixtures_say` |
//! | intermediates | count without constraints on names and unknown critical extensions, for clients, within their dates; what one connection's could not prove is not kept for another's | `an_intermediate_counts_as_far_as_it_says_that_it_may`, `what_one_connections_intermediates_could_not_prove_is_no_other_connections_answer` |
//! | a certificate that nobody verified: ACCEPT_UNTRUSTED, optional verification, a resumed session | counts only after a verified handshake with that very certificate, or with the gateway's SUCCESS for this request | `envoy_vouches_in_a_handshake_and_resumed_sessions_are_believed_after_it`, `apisix_vouches_with_success_alone` |
//! | sessions resumed without end, so that nobody verifies again | a verified handshake counts for seven days | `a_verified_handshake_counts_as_long_as_its_sessions_can_be_resumed` |
//! | a certificate whose CA was withdrawn under ACCEPT_UNTRUSTED, presented again | looks like a resumed session, and counts as long | `where_strangers_are_accepted_an_authority_that_is_withdrawn_counts_for_whom_it_vouched_before` |
//! | a certificate that expires on an open connection | dates are judged for every request | `dates_are_judged_for_a_known_certificate_too` |
//! | X-Forwarded-Client-Cert | `Cert=` counts if its SHA-256 is the connection's, in whichever element; URI= and DNS= are not read | `envoys_xfcc_counts_only_for_the_connections_own_certificate` |
//! | Client-Cert and other headers with certificates | count only from trusted peers, and only once; without an identity they do not go upstream | `a_header_counts_only_from_a_trusted_peer`, `a_certificate_in_a_header_passes_only_with_the_identity_it_made` |
//! | quotes in names that a proxy in front writes into X-Forwarded-Client-Cert, or in the client's own copy of it | a quote opens or closes a whole value, or denies | `a_header_counts_only_from_a_trusted_peer` |
//! | X-Forwarded-For, to be taken for a trusted peer | an address without a port is no connection's | `a_peers_address_is_the_connections_and_not_what_a_header_claims` |
//! | headers named as those that go upstream, in any case and with underscores or dots | removed before ours are set, exempt and audited requests included; a chain beside our Client-Cert too | `audit_mode_lets_pass_without_identity`, `every_decision_is_the_fixtures`, `an_unreadable_map_in_audit_mode_takes_the_known_names_along` |
//! | more headers than nginx hands over | denied, exemptions included | `a_header_behind_those_that_the_gateway_hands_over_passes_nobody` |
//! | a header that has to be removed, so that Envoy chooses another route than the one that was judged | denied where a rule asks for the route | `a_route_is_not_judged_by_a_header_that_has_to_go` |
//! | the path: dot segments, parameters, encoded slashes, backslashes, doubled escapes, bytes that are no text | a path with two readings is denied, exemptions included; what is carved out is so in every spelling | `a_path_has_one_reading_or_none`, `the_policy_decides_as_the_fixtures_say`, `whatever_a_host_hands_over_denies_in_bounded_work` |
//! | a path that Kong decodes | the client's own is judged | `kongs_path_is_the_one_that_the_client_sent` |
//! | host and method | what is no name, address or method in upper case is denied where a rule asks for it | `the_policy_decides_as_the_fixtures_say`, `arbitrary_bytes_never_pass_and_never_panic` |
//! | a host in the request line beside another in the Host header | on nginx the one that routes is judged, and two that differ deny | `the_host_that_nginx_routes_by_is_the_one_that_is_judged` |
//! | the number and size of headers | read in place, with every length checked | `header_maps_are_read_as_far_as_they_go`, `whatever_a_host_hands_over_denies_in_bounded_work` |
//! | the number of requests, connections and certificates | what is kept of certificates is bounded; one that was dropped costs as much as a new one | `memory_does_not_grow` |
//! | anything of it in a log line | one line of at most 2048 characters, control characters replaced | `what_a_client_says_stays_within_one_log_line` |
//!
//! And what a gateway may answer without malice: every status of every host function
//! (`a_host_function_that_fails_denies_and_never_traps`, `every_error_of_the_host_denies`).
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod config;
pub mod filter;
pub mod host;
pub mod presented;

#[cfg(target_arch = "wasm32")]
mod wiring {
    use std::rc::Rc;

    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType};

    use crate::config::Config;
    use crate::filter::{Guard, Verdict, refuse};
    use crate::host::{Host, Level, WasmHost};

    #[derive(Default)]
    struct Root {
        host: Rc<WasmHost>,
        guard: Option<Rc<Guard>>,
    }

    struct Stream {
        host: Rc<WasmHost>,
        guard: Option<Rc<Guard>>,
    }

    impl Context for Root {}

    /// Requests may outlive it; what was counted need not wait for them.
    #[cfg(feature = "metrics")]
    impl Drop for Root {
        fn drop(&mut self) {
            self.host.tell();
        }
    }

    impl RootContext for Root {
        fn on_configure(&mut self, _size: usize) -> bool {
            let config = self.host.configuration().map_err(|error| error.to_string());
            match config.and_then(|bytes| Config::parse(&bytes)) {
                Ok(mut config) => {
                    config.narrow(&*self.host);
                    #[cfg(feature = "metrics")]
                    self.host.tick();
                    self.guard = Some(Rc::new(Guard::new(config)));
                    true
                }
                Err(error) => {
                    self.guard = None;
                    self.host
                        .log(Level::Error, &format!("mtls-guard: the configuration is refused: {error}"));
                    false
                }
            }
        }

        #[cfg(feature = "metrics")]
        fn on_tick(&mut self) {
            self.host.tell();
        }

        fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Stream { host: Rc::clone(&self.host), guard: self.guard.clone() }))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }

    impl Context for Stream {}

    impl HttpContext for Stream {
        fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
            let verdict = match &self.guard {
                Some(guard) => guard.on_request(&*self.host),
                None => refuse(&*self.host),
            };
            match verdict {
                Verdict::Continue => Action::Continue,
                Verdict::Answered => Action::Pause,
            }
        }
    }

    #[allow(unsafe_code, reason = "the entry point has a name that the host looks for")]
    mod entry {
        use super::Root;

        proxy_wasm::main! {{
            proxy_wasm::set_root_context(|_| Box::new(Root::default()));
        }}
    }
}
