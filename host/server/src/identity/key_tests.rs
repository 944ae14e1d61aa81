//! Keys against the examples of the standards, and what is no key.

use serde_json::json;

use super::*;
use crate::identity::jws::Jws;

/// RFC 7515, appendix A.2.
const RS256_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515, appendix A.3.
const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ES256_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037, appendix A.
const EDDSA_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const EDDSA_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn key(jwk: &str) -> PublicKey {
    PublicKey::from_jwk(serde_json::from_str::<Value>(jwk).unwrap().as_object().unwrap()).unwrap()
}

#[test]
fn verifies_the_examples_of_the_standards_and_no_other_bytes() {
    for (jwk, token) in
        [(RS256_KEY, RS256_TOKEN), (ES256_KEY, ES256_TOKEN), (EDDSA_KEY, EDDSA_TOKEN)]
    {
        let (key, jws) = (key(jwk), Jws::parse(token).unwrap());
        assert!(key.fits(jws.header.algorithm, None));
        assert!(key.verifies(jws.signed.as_bytes(), &jws.signature));
        assert!(!key.verifies(&jws.signed.as_bytes()[1..], &jws.signature));
        let mut changed = jws.signature.clone();
        changed[0] ^= 1;
        assert!(!key.verifies(jws.signed.as_bytes(), &changed));
        assert!(!key.verifies(jws.signed.as_bytes(), &jws.signature[1..]));
        assert!(!key.verifies(jws.signed.as_bytes(), &vec![0; jws.signature.len()]));
    }
}

#[test]
fn a_key_fits_its_own_algorithm_and_id_only() {
    let mut key = key(ES256_KEY);
    assert!(key.fits(Algorithm::Es256, Some("any")));
    for other in [Algorithm::Hs256, Algorithm::Rs256, Algorithm::EdDsa] {
        assert!(!key.fits(other, None));
    }
    key.id = Some("a".to_owned());
    assert!(key.fits(Algorithm::Es256, Some("a")) && key.fits(Algorithm::Es256, None));
    assert!(!key.fits(Algorithm::Es256, Some("b")));
}

#[test]
fn refuses_keys_that_are_weak_or_broken() {
    let short = BASE64URL_NOPAD.encode(&[0xff; 128]);
    let padded = BASE64URL_NOPAD.encode(&[[0; 200].as_slice(), &[0xff; 128]].concat());
    for jwk in [
        json!({"kty": "RSA", "n": short, "e": "AQAB"}),
        json!({"kty": "RSA", "n": padded, "e": "AQAB"}),
        json!({"kty": "RSA", "e": "AQAB"}),
        json!({"kty": "RSA", "n": "not base64!", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "RSA", "alg": "none", "n": BASE64URL_NOPAD.encode(&[0xff; 256]), "e": "AQAB"}),
        json!({}),
    ] {
        assert!(PublicKey::from_jwk(jwk.as_object().unwrap()).is_err(), "{jwk}");
    }
}

/// The same keys, as OpenSSL writes them.
#[test]
fn reads_what_a_pem_file_holds() {
    let der = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let ed25519 = PublicKey::from_spki(&der(concat!(
        "302a300506032b6570032100",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )));
    assert_eq!(ed25519.unwrap(), key(EDDSA_KEY));
    let Numbers::P256(point) = key(ES256_KEY).numbers else { unreachable!("it is on P-256") };
    let prefix = der("3059301306072a8648ce3d020106082a8648ce3d030107034200");
    let spki = [prefix, point].concat();
    assert_eq!(PublicKey::from_spki(&spki).unwrap(), key(ES256_KEY));
    for end in 0..spki.len() {
        assert!(PublicKey::from_spki(&spki[..end]).is_err(), "cut off at {end}");
    }
    let Numbers::Rsa { n, .. } = key(RS256_KEY).numbers else { unreachable!("it is RSA") };
    let head =
        der(concat!("30820122300d06092a864886f70d01010105000382010f00", "3082010a0282010100"));
    let spki = [head, n, der("0203010001")].concat();
    assert_eq!(PublicKey::from_spki(&spki).unwrap(), key(RS256_KEY));
    for end in 0..spki.len() {
        assert!(PublicKey::from_spki(&spki[..end]).is_err(), "cut off at {end}");
    }
}
