//! Groups for the key exchange that OpenSSL has under a name.

/// Whether some release of OpenSSL up to 3.6 knows a group by this name; the case of letters is left aside, which the
/// releases treat differently (ssl/t1_lib.c, crypto/objects/objects.txt).
pub(super) fn is_known(name: &str) -> bool {
    const NAMES: [&str; 31] = [
        "auto",
        "default",
        "p-192",
        "p-224",
        "p-256",
        "p-384",
        "p-521",
        "prime192v1",
        "prime192v2",
        "prime192v3",
        "prime239v1",
        "prime239v2",
        "prime239v3",
        "prime256v1",
        "x25519",
        "x448",
        "ed25519",
        "mlkem512",
        "mlkem768",
        "mlkem1024",
        "x25519mlkem768",
        "x448mlkem1024",
        "secp256r1mlkem768",
        "secp384r1mlkem1024",
        "curvesm2mlkem768",
        "curvesm2",
        "sm2",
        "sm2p256v1",
        "p256mlkem768",
        "p384mlkem1024",
        "",
    ];
    // whole families by their beginning: a member that there is not is hardly written
    const FAMILIES: [&str; 8] = ["secp", "sect", "brainpool", "ffdhe", "wap-wsg", "c2", "gc256", "gc512"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str())
        || FAMILIES.iter().any(|family| name.starts_with(family))
        || ["b-", "k-"].iter().any(|binary| name.starts_with(binary))
}
