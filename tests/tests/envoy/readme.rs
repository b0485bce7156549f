//! The README's examples, taken from it and run.

use mtls_tests::cases::example as block;
use mtls_tests::client::request;
use mtls_tests::envoy::{Envoy, absent, module, pki};
use serde::Deserialize as _;
use serde_json::Value;

use super::client;

/// The example for Envoy, with the files of this machine.
fn example() -> Value {
    let mut text = block("envoy.yaml");
    for (there, here) in [
        ("address: 0.0.0.0, port_value: 8443", "address: 127.0.0.1, port_value: 0".to_owned()),
        ("/etc/envoy/tls/tls.crt", pki("server.pem")),
        ("/etc/envoy/tls/tls.key", pki("server.key")),
        ("/etc/envoy/tls/ca.crt", pki("decisions/ca.pem")),
        ("/etc/envoy/mtls_guard.wasm", module().display().to_string()),
    ] {
        assert_eq!(text.matches(there).count(), 1, "{there}");
        text = text.replace(there, &here);
    }
    serde_yaml::from_str(&text).unwrap()
}

#[test]
fn the_envoy_example_lets_the_shop_in_and_nobody_else() {
    if absent() {
        return;
    }
    let bootstrap = example();
    let mut envoy = Envoy::launch("readme", bootstrap, 1);
    envoy.wait(1);
    let ask = |name, path| {
        let mut connection = client(name).connect(envoy.ports[0])?;
        connection.ask(&request("GET", "shop.test", path, "")).map(|answer| (answer.status, answer.body))
    };
    assert_eq!(ask(Some("web"), "/orders/7").unwrap(), (200, "hello\n".to_owned()), "{}", envoy.log());
    for (name, path) in [("web", "/other"), ("cart", "/orders/7"), ("web", "/orders/../x")] {
        assert_eq!(ask(Some(name), path).unwrap().0, 403, "{name} {path}");
    }
    // without a certificate, or with a stranger's, no handshake
    assert!(ask(None, "/orders/7").is_err());
    assert!(ask(Some("impostor"), "/orders/7").is_err());
    assert_eq!(envoy.counters_adding_up_to(4).get("allow"), Some(&1));
}

#[test]
fn what_istio_makes_of_its_recipe_works_in_envoy() {
    if absent() {
        return;
    }
    let text = block("istio.yaml");
    let documents: Vec<Value> = serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect();
    let (plugin, filter) = (&documents[0]["spec"], &documents[1]["spec"]["configPatches"][0]["patch"]);
    let mut bootstrap = example();
    let chain = &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0];
    let manager = &mut chain["filters"][0]["typed_config"];
    // its configuration is handed on as JSON in a StringValue, the patch is merged into the connection manager
    manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"] =
        Value::String(plugin["pluginConfig"].to_string());
    for (key, value) in filter["value"]["typed_config"].as_object().unwrap() {
        manager[key] = value.clone();
    }
    let mut envoy = Envoy::launch("istio", bootstrap, 1);
    envoy.wait(1);
    let forged = format!("x-forwarded-client-cert: Cert=\"{}\"\r\n", super::escaped("web"));
    for (name, headers, status) in [("web", "", 200), ("cart", "", 403), ("cart", forged.as_str(), 403)] {
        let mut connection = client(Some(name)).connect(envoy.ports[0]).unwrap();
        let answer = connection.ask(&request("GET", "shop.test", "/orders/7", headers)).unwrap();
        assert_eq!(answer.status, status, "{name} {headers}: {}", envoy.log());
    }
}

#[test]
fn the_values_of_the_helm_chart_put_the_module_where_apisix_looks() {
    let values: Value = serde_yaml::from_str(&block("helm values.yaml")).unwrap();
    let example: Value = serde_yaml::from_str(&block("apisix config.yaml")).unwrap();
    let plugin = &values["apisix"]["wasm"]["plugins"][0];
    assert_eq!(plugin["name"], example["wasm"]["plugins"][0]["name"]);
    let (folder, file) = plugin["file"].as_str().unwrap().rsplit_once('/').unwrap();
    let (mount, container) = (&values["extraVolumeMounts"][0], &values["extraInitContainers"][0]);
    assert_eq!(mount["mountPath"], folder);
    assert_eq!(container["volumeMounts"][0]["mountPath"], folder);
    assert_eq!(container["volumeMounts"][0]["name"], mount["name"]);
    assert_eq!(values["extraVolumes"][0]["name"], mount["name"]);
    assert_eq!(container["command"], serde_json::json!(["cp", format!("/{file}"), format!("{folder}/")]));
}
