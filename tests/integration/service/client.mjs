// A program in another language: it leases a connection, acts twice, keeps the lease, and gives it back.
//   URL=http://127.0.0.1:8711 TOKEN=tp_… node client.mjs

const { URL: url, TOKEN: token } = process.env;

async function ask(method, path, body, key) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(`${told.title}: ${told.detail}`);
  return told;
}

const user = await ask("POST", "/v1/pools/default/execute", {
  action: "get_user",
  parameters: { handle: "sim_001" },
});

const lease = await ask("POST", "/v1/pools/default/leases", { action: "post_tweet", wait: 10, ttl: 30 });
const path = `/v1/leases/${lease.lease_id}`;
const posted = [];
let expires_in;
try {
  for (const content of ["From Node, one", "From Node, two"]) {
    const step = { action: "post_tweet", parameters: { content } };
    const key = crypto.randomUUID();
    const done = await ask("POST", `${path}/execute`, step, key);
    const again = await ask("POST", `${path}/execute`, step, key);
    posted.push(done.result.text, again.result.id === done.result.id);
  }
  ({ expires_in } = await ask("POST", `${path}/heartbeat`));
} finally {
  await ask("DELETE", path);
}

const refused = await ask("POST", `${path}/heartbeat`).catch((error) => error.message);
console.log(JSON.stringify({ handle: user.result.handle, account: lease.account_id, posted, expires_in, refused }));
