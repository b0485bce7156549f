//! etcd's gRPC gateway, through which requests to /v3 go.

use super::{Authenticated, Wire};
use crate::finding::Label;
use crate::handshake::outcome::{End, Step, Stop, why};
use crate::handshake::{Outcome, Side};
use crate::stack::Mistake;

impl Wire<'_, '_> {
    /// etcd's gateway dials etcd's own client port with the server certificate: where that fails, requests to /v3 do.
    ///
    /// # Errors
    /// The refusal of the request.
    pub fn gateway(&self, dialer: usize) -> Step {
        if self.is_gateway {
            return Ok(());
        }
        let (server_id, server, listener) = self.server;
        let Some(dialer) = server.dialers.get(dialer) else { return Ok(()) };
        let inner = Wire {
            shelf: self.shelf,
            connection: self.connection,
            client: Some((server_id, server, dialer)),
            server: (server_id, server, listener),
            at: self.at,
            is_gateway: true,
        };
        match inner.run(&mut Authenticated::default()) {
            Ok(()) => Ok(()),
            Err(Stop::Unknown(why)) => Err(Stop::Unknown(why)),
            Err(Stop::End(end)) => {
                let mut reasons = end.why.clone();
                if let Some(first) = reasons.first_mut() {
                    first.message = format!(
                        "etcd's gRPC gateway presents the server certificate to etcd itself, which refuses it: {}",
                        first.message
                    );
                }
                reasons.push(why(
                    Mistake::GatewayRefused,
                    "requests to /v3 go through etcd's gRPC gateway, which cannot connect to etcd",
                    vec![Label { span: dialer.span, message: "the gateway dials here".to_owned() }],
                ));
                Err(Stop::End(Box::new(End {
                    outcome: Outcome::RequestRejected,
                    side: Some(Side::Server),
                    why: reasons,
                    client_sees: Some("HTTP 503 {\"error\":\"connection closed\",\"code\":14}".to_owned()),
                    server_logs: end.server_logs.clone(),
                    alert: None,
                })))
            }
        }
    }
}
