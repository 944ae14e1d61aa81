// Prints tokens of npm's `jose` as JSON: for each way of signing, and each place of the keys.

import { readFileSync } from "node:fs";
import { SignJWT, importPKCS8 } from "jose";

const [folder, issuersText, secret] = process.argv.slice(2);
const issuers = JSON.parse(issuersText);
const tokens = [];

const sign = (name, issuer, header, key) => {
  const claims = { tenant: "acme", roles: ["editor"], scope: "a b" };
  const token = new SignJWT(claims).setProtectedHeader(header).setSubject(name);
  if (issuer) token.setIssuer(issuer).setAudience("caplet");
  return token.setIssuedAt().setNotBefore("0s").setExpirationTime("10m").sign(key);
};

for (const algorithm of ["RS256", "ES256", "EdDSA"]) {
  const pem = readFileSync(`${folder}/${algorithm}.private.pem`, "utf8");
  const key = await importPKCS8(pem, algorithm);
  const places = { ...issuers.everywhere, pem: issuers.pem[algorithm] };
  for (const [place, issuer] of Object.entries(places)) {
    const name = `jose ${algorithm} ${place}`;
    const header = { alg: algorithm, kid: algorithm, typ: "JWT" };
    tokens.push({ name, subject: name, token: await sign(name, issuer, header, key) });
  }
}
const name = "jose HS256";
const key = new TextEncoder().encode(secret);
tokens.push({ name, subject: name, token: await sign(name, null, { alg: "HS256" }, key) });
console.log(JSON.stringify(tokens));
